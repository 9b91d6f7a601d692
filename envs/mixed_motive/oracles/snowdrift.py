"""Sequential Snowdrift in plain Python; the rules stand in `mixed_motive.games.snowdrift`."""

from mixed_motive.games.snowdrift import PILE, REMOVE, SnowdriftParams
from mixed_motive.kernels.rng import Draws
from mixed_motive.oracles.base import EMPTY, GridOracle, moved

__all__ = ["SnowdriftOracle"]


class SnowdriftOracle(GridOracle):
    """One copy of Sequential Snowdrift."""

    num_objects = 1
    params: SnowdriftParams

    def __init__(self, params: SnowdriftParams, seed: int, env_index: int) -> None:
        super().__init__(params, seed, env_index)

    def start(self, draws: Draws) -> None:
        """Piles and agents anywhere."""
        p = self.params
        self.map = [[EMPTY] * p.width for _ in range(p.height)]
        for k in range(p.num_piles):
            self.fill_random_cell(range(p.height), PILE, draws, p.num_agents + k)
        self.positions = self.start_cells(range(p.height), draws)

    def play(self, actions: list[int], draws: Draws) -> tuple[list[float], list[list[int]]]:
        """Removals and moves."""
        p = self.params
        costs = [0.0] * p.num_agents
        counts = [[0] for _ in actions]
        num_removed = 0
        for row, col in set(self.positions):
            removers = [i for i, a in enumerate(actions) if a == REMOVE and self.positions[i] == (row, col)]
            if self.map[row][col] == PILE and removers:
                self.map[row][col] = EMPTY
                num_removed += 1
                for i in removers:
                    costs[i] = p.removal_cost / len(removers)
                    counts[i] = [1]
        rewards = [num_removed * p.removal_benefit - cost for cost in costs]

        targets = [moved(cell, a, p.height, p.width) for cell, a in zip(self.positions, actions, strict=True)]
        if p.agents_block:
            for cell in set(targets) - set(self.positions):
                wanting = [i for i, target in enumerate(targets) if target == cell]
                winner = wanting[draws.below(wanting[0], len(wanting))]
                self.positions[winner] = cell
        else:
            self.positions = targets
        return rewards, counts
