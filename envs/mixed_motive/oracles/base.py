"""What the oracles share: episodes, draws, maps as lists of lists, and the window that an agent sees."""

from __future__ import annotations

import abc
import dataclasses

import numpy as np
import numpy.typing as npt

from mixed_motive.games.moves import DOWN, LEFT, RIGHT, UP
from mixed_motive.kernels.rng import Draws
from mixed_motive.params import GridParams

__all__ = ["Cell", "GridOracle", "Oracle", "OracleStep", "moved"]

Cell = tuple[int, int]
EMPTY = 0


@dataclasses.dataclass
class OracleStep:
    """What one step gives: see `mixed_motive.StepBuffers`, here for one copy."""

    obs: npt.NDArray[np.uint8]
    rewards: list[float]
    counts: list[list[int]]
    done: bool
    final_obs: npt.NDArray[np.uint8] | None


class Oracle(abc.ABC):
    """One copy of a game, which starts its next episode by itself.

    Args:
        horizon: Steps of an episode.
        seed: What the batched game is reset with.
        env_index: The copy's env index.
    """

    def __init__(self, horizon: int, seed: int, env_index: int) -> None:
        self.horizon, self.seed, self.env_index = horizon, seed, env_index
        self.episode, self.time = 0, 0

    @abc.abstractmethod
    def start(self, draws: Draws) -> None:
        """Set up an episode."""

    @abc.abstractmethod
    def play(self, actions: list[int], draws: Draws) -> tuple[list[float], list[list[int]]]:
        """One step's changes; rewards and counts by agent."""

    @abc.abstractmethod
    def observe(self) -> npt.NDArray[np.uint8]:
        """(N, *obs) observations."""

    def reset(self) -> npt.NDArray[np.uint8]:
        """Start the present episode; its first observations."""
        self.time = 0
        self.start(Draws(self.seed, self.env_index, self.episode, 0))
        return self.observe()

    def step(self, actions: list[int]) -> OracleStep:
        """One step, with the next episode's start where one ends."""
        self.time += 1
        rewards, counts = self.play(actions, Draws(self.seed, self.env_index, self.episode, self.time))
        obs = self.observe()
        if self.time < self.horizon:
            return OracleStep(obs, rewards, counts, done=False, final_obs=None)
        self.episode += 1
        return OracleStep(self.reset(), rewards, counts, done=True, final_obs=obs)


class GridOracle(Oracle):
    """A game on a map: `self.map[row][col]` is an object code, `self.positions[i]` the cell of agent i."""

    num_objects: int

    def __init__(self, params: GridParams, seed: int, env_index: int) -> None:
        super().__init__(params.horizon, seed, env_index)
        self.params = params
        self.map: list[list[int]] = []
        self.positions: list[Cell] = []

    def start_cells(self, rows: range, draws: Draws) -> list[Cell]:
        """Random cells in some rows for all agents: distinct while there are enough, then again from all."""
        cells: list[Cell] = []
        free: list[Cell] = []
        for i in range(self.params.num_agents):
            if not free:
                free = [(row, col) for row in rows for col in range(self.params.width)]
            cells.append(free.pop(draws.below(i, len(free))))
        return cells

    def empty_cells(self, rows: range) -> list[Cell]:
        """Cells of some rows without an object, row by row."""
        return [(r, c) for r in rows for c in range(self.params.width) if self.map[r][c] == EMPTY]

    def fill_random_cell(self, rows: range, code: int, draws: Draws, number: int) -> None:
        """Put an object on a random empty cell of some rows."""
        empty = self.empty_cells(rows)
        row, col = empty[draws.below(number, len(empty))]
        self.map[row][col] = code

    def observe(self) -> npt.NDArray[np.uint8]:
        """Planes: agents, objects, outside; the window around each agent."""
        p = self.params
        reach_rows = p.height - 1 if p.view_radius is None else p.view_radius
        reach_cols = p.width - 1 if p.view_radius is None else p.view_radius
        shape = (p.num_agents, p.num_agents + self.num_objects + 1, 2 * reach_rows + 1, 2 * reach_cols + 1)
        obs = np.zeros(shape, np.uint8)
        for i, (own_row, own_col) in enumerate(self.positions):
            for r in range(shape[2]):
                for c in range(shape[3]):
                    row, col = own_row - reach_rows + r, own_col - reach_cols + c
                    if not (0 <= row < p.height and 0 <= col < p.width):
                        obs[i, -1, r, c] = 1
                        continue
                    for j, cell in enumerate(self.positions):
                        obs[i, j, r, c] = cell == (row, col)
                    if self.map[row][col] != EMPTY:
                        obs[i, p.num_agents + self.map[row][col] - 1, r, c] = 1
        return obs


def moved(cell: Cell, action: int, height: int, width: int) -> Cell:
    """The cell that an action leads to: the same one at the map's edge, and for all that is no move."""
    row, col = cell
    if action == UP:
        return max(row - 1, 0), col
    if action == DOWN:
        return min(row + 1, height - 1), col
    if action == LEFT:
        return row, max(col - 1, 0)
    if action == RIGHT:
        return row, min(col + 1, width - 1)
    return cell
