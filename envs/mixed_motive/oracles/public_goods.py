"""The public goods game in plain Python; the rules stand in `mixed_motive.games.public_goods`."""

import numpy as np
import numpy.typing as npt

from mixed_motive.games.public_goods import PublicGoodsParams
from mixed_motive.kernels.rng import Draws
from mixed_motive.oracles.base import Oracle

__all__ = ["PublicGoodsOracle"]


class PublicGoodsOracle(Oracle):
    """One copy of the public goods game."""

    def __init__(self, params: PublicGoodsParams, seed: int, env_index: int) -> None:
        super().__init__(params, seed, env_index)
        self.params = params
        self.levels: list[int] | None = None

    def start(self, draws: Draws) -> None:
        """Nobody has acted yet."""
        self.levels = None

    def play(self, actions: list[int], draws: Draws) -> tuple[list[float], list[list[int]]]:
        """Everybody gives and gets its share."""
        p = self.params
        self.levels = actions
        unit = p.endowment / (p.num_levels - 1)
        share = p.multiplier * (sum(actions) * unit) / p.num_agents
        rewards = [p.endowment - level * unit + share for level in actions]
        return rewards, [[level] for level in actions]

    def observe(self) -> npt.NDArray[np.uint8]:
        """Own level, then the co-players', then whether nobody has acted yet."""
        n, num_levels = self.params.num_agents, self.params.num_levels
        obs = np.zeros((n, n * num_levels + 1), np.uint8)
        if self.levels is None:
            obs[:, -1] = 1
            return obs
        for i in range(n):
            seen = [self.levels[i], *self.levels[:i], *self.levels[i + 1 :]]
            for place, level in enumerate(seen):
                obs[i, place * num_levels + level] = 1
        return obs
