"""Players of the matrix games. The cooperator always cooperates, the defector always defects."""

from __future__ import annotations

import numpy as np

from mixed_motive.games.matrix import COOPERATE, DEFECT
from mixed_motive.players.base import Ints, Keys, Player, State

__all__ = ["MatrixCooperator", "MatrixDefector"]


class MatrixCooperator(Player):
    """Cooperates in every step."""

    kind = "cooperator"

    def _decide(self, state: State, team: Ints, keys: Keys) -> Ints:
        return np.full((len(keys), len(team)), COOPERATE)


class MatrixDefector(Player):
    """Defects in every step."""

    kind = "defector"

    def _decide(self, state: State, team: Ints, keys: Keys) -> Ints:
        return np.full((len(keys), len(team)), DEFECT)
