"""Players of the public goods game. The cooperator gives its whole endowment, the defector nothing."""

from __future__ import annotations

import numpy as np

from mixed_motive.games.public_goods import PublicGoodsParams
from mixed_motive.players.base import Ints, Keys, Player, State

__all__ = ["PublicGoodsCooperator", "PublicGoodsDefector"]


class PublicGoodsCooperator(Player):
    """Gives everything."""

    kind = "cooperator"
    params: PublicGoodsParams

    def _decide(self, state: State, team: Ints, keys: Keys) -> Ints:
        return np.full((len(keys), len(team)), self.params.num_levels - 1)


class PublicGoodsDefector(Player):
    """Gives nothing."""

    kind = "defector"

    def _decide(self, state: State, team: Ints, keys: Keys) -> Ints:
        return np.zeros((len(keys), len(team)), np.int64)
