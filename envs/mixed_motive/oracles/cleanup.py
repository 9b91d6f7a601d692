"""Cleanup in plain Python; the rules stand in `mixed_motive.games.cleanup`."""

from mixed_motive.games.cleanup import (
    APPLE,
    CLEAN,
    DRAW_APPLE,
    DRAW_TIE,
    DRAW_WASTE,
    PICK,
    WASTE,
    CleanupParams,
)
from mixed_motive.kernels.rng import Draws
from mixed_motive.oracles.base import EMPTY, GridOracle, moved

__all__ = ["CleanupOracle"]


class CleanupOracle(GridOracle):
    """One copy of Cleanup."""

    num_objects = 2
    params: CleanupParams

    def __init__(self, params: CleanupParams, seed: int, env_index: int) -> None:
        super().__init__(params, seed, env_index)
        self.river = range(params.river_rows)
        self.orchard = range(params.height - params.orchard_rows, params.height)

    def start(self, draws: Draws) -> None:
        """Waste in the river, agents between river and orchard."""
        p = self.params
        self.map = [[EMPTY] * p.width for _ in range(p.height)]
        for k in range(p.initial_waste):
            self.fill_random_cell(self.river, WASTE, draws, p.num_agents + k)
        self.positions = self.start_cells(range(p.river_rows, p.height - p.orchard_rows), draws)

    def play(self, actions: list[int], draws: Draws) -> tuple[list[float], list[list[int]]]:
        """Actions, then new waste, then a new apple."""
        p = self.params
        rewards = [0.0] * p.num_agents
        counts = [[0, 0] for _ in actions]
        for action, code in ((CLEAN, WASTE), (PICK, APPLE)):
            for row, col in set(self.positions):
                here = [i for i, a in enumerate(actions) if a == action and self.positions[i] == (row, col)]
                if self.map[row][col] != code or not here:
                    continue
                winner = here[draws.below(DRAW_TIE + here[0], len(here))]
                self.map[row][col] = EMPTY
                counts[winner][0 if code == APPLE else 1] = 1
                rewards[winner] = 1.0 if code == APPLE else 0.0
        self.positions = [
            moved(cell, a, p.height, p.width) for cell, a in zip(self.positions, actions, strict=True)
        ]

        waste = sum(row.count(WASTE) for row in self.map)
        density = waste / (p.river_rows * p.width)
        grown = (p.threshold_depletion - density) / (p.threshold_depletion - p.threshold_restoration)
        apple_probability = p.apple_respawn_probability * min(max(grown, 0.0), 1.0)
        if waste < p.max_waste and draws.uniform(DRAW_WASTE) < p.waste_spawn_probability:
            self.fill_random_cell(self.river, WASTE, draws, DRAW_WASTE + 1)
        if self.empty_cells(self.orchard) and draws.uniform(DRAW_APPLE) < apple_probability:
            self.fill_random_cell(self.orchard, APPLE, draws, DRAW_APPLE + 1)
        return rewards, counts
