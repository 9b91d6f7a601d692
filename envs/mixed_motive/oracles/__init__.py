"""The games again in plain Python, one copy at a time: to be read, and to test the compiled ones against."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from mixed_motive.games.beam_cleanup import BeamCleanupParams
from mixed_motive.games.cleanup import CleanupParams
from mixed_motive.games.coingame import CoinGameParams
from mixed_motive.games.escape_room import EscapeRoomParams
from mixed_motive.games.harvest import HarvestParams
from mixed_motive.games.matrix import MatrixParams
from mixed_motive.games.public_goods import PublicGoodsParams
from mixed_motive.games.snowdrift import SnowdriftParams
from mixed_motive.games.stag_hunt import StagHuntParams
from mixed_motive.oracles.base import Oracle, OracleStep
from mixed_motive.oracles.beam_cleanup import BeamCleanupOracle
from mixed_motive.oracles.cleanup import CleanupOracle
from mixed_motive.oracles.coingame import CoinGameOracle
from mixed_motive.oracles.escape_room import EscapeRoomOracle
from mixed_motive.oracles.harvest import HarvestOracle
from mixed_motive.oracles.matrix import MatrixOracle
from mixed_motive.oracles.public_goods import PublicGoodsOracle
from mixed_motive.oracles.snowdrift import SnowdriftOracle
from mixed_motive.oracles.stag_hunt import StagHuntOracle
from mixed_motive.params import GameParams

__all__ = ["ORACLES", "Oracle", "OracleStep"]

# By class of parameters: called with (params, seed, env_index).
ORACLES: Mapping[type[GameParams], Callable[[Any, int, int], Oracle]] = MappingProxyType(
    {
        CleanupParams: CleanupOracle,
        BeamCleanupParams: BeamCleanupOracle,
        HarvestParams: HarvestOracle,
        CoinGameParams: CoinGameOracle,
        StagHuntParams: StagHuntOracle,
        SnowdriftParams: SnowdriftOracle,
        MatrixParams: MatrixOracle,
        PublicGoodsParams: PublicGoodsOracle,
        EscapeRoomParams: EscapeRoomOracle,
    }
)
