"""Which cooperator and which defector play which rules. Importing this imports numba."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from mixed_motive.games.beam_cleanup import BeamCleanupParams
from mixed_motive.games.cleanup import CleanupParams
from mixed_motive.games.coingame import CoinGameParams
from mixed_motive.games.escape_room import EscapeRoomParams
from mixed_motive.games.harvest import HarvestParams
from mixed_motive.games.matrix import MatrixParams
from mixed_motive.games.public_goods import PublicGoodsParams
from mixed_motive.games.snowdrift import SnowdriftParams
from mixed_motive.games.stag_hunt import StagHuntParams
from mixed_motive.params import GameParams
from mixed_motive.players.base import Player
from mixed_motive.players.beam_cleanup import BeamCleanupCooperator, BeamCleanupDefector
from mixed_motive.players.cleanup import CleanupCooperator, CleanupDefector
from mixed_motive.players.coingame import CoinGameCooperator, CoinGameDefector
from mixed_motive.players.escape_room import EscapeRoomCooperator, EscapeRoomDefector
from mixed_motive.players.harvest import HarvestCooperator, HarvestDefector
from mixed_motive.players.matrix import MatrixCooperator, MatrixDefector
from mixed_motive.players.public_goods import PublicGoodsCooperator, PublicGoodsDefector
from mixed_motive.players.snowdrift import SnowdriftCooperator, SnowdriftDefector
from mixed_motive.players.stag_hunt import StagHuntCooperator, StagHuntDefector

__all__ = ["SCRIPTS"]

# By the class of a game's parameters: cooperator, defector.
SCRIPTS: Mapping[type[GameParams], tuple[type[Player], type[Player]]] = MappingProxyType(
    {
        BeamCleanupParams: (BeamCleanupCooperator, BeamCleanupDefector),
        CleanupParams: (CleanupCooperator, CleanupDefector),
        CoinGameParams: (CoinGameCooperator, CoinGameDefector),
        EscapeRoomParams: (EscapeRoomCooperator, EscapeRoomDefector),
        HarvestParams: (HarvestCooperator, HarvestDefector),
        MatrixParams: (MatrixCooperator, MatrixDefector),
        PublicGoodsParams: (PublicGoodsCooperator, PublicGoodsDefector),
        SnowdriftParams: (SnowdriftCooperator, SnowdriftDefector),
        StagHuntParams: (StagHuntCooperator, StagHuntDefector),
    }
)
