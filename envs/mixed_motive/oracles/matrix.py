"""Matrix games in plain Python; the rules stand in `mixed_motive.games.matrix`."""

import numpy as np
import numpy.typing as npt

from mixed_motive.games.matrix import COOPERATE, OUTCOMES, MatrixParams
from mixed_motive.kernels.rng import Draws
from mixed_motive.oracles.base import Oracle

__all__ = ["MatrixOracle"]


class MatrixOracle(Oracle):
    """One copy of a matrix game."""

    def __init__(self, params: MatrixParams, seed: int, env_index: int) -> None:
        super().__init__(params, seed, env_index)
        self.params = params
        self.seen = ["start", "start"]

    def start(self, draws: Draws) -> None:
        """Nothing was played yet."""
        self.seen = ["start", "start"]

    def play(self, actions: list[int], draws: Draws) -> tuple[list[float], list[list[int]]]:
        """Each agent sees its own letter first."""
        p = self.params
        first, second = ("C" if a == COOPERATE else "D" for a in actions)
        self.seen = [first + second, second + first]
        payoff = {"CC": p.R, "CD": p.S, "DC": p.T, "DD": p.P}
        return [payoff[seen] for seen in self.seen], [[int(seen[0] == "C")] for seen in self.seen]

    def observe(self) -> npt.NDArray[np.uint8]:
        """One-hot of what each agent saw."""
        return np.array([[outcome == seen for outcome in OUTCOMES] for seen in self.seen], np.uint8)
