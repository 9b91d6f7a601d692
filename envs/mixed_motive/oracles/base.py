"""What the oracles share: episodes, draws, maps as lists of lists, and the window that an agent sees."""

from __future__ import annotations

import abc
import dataclasses

import numpy as np
import numpy.typing as npt

from mixed_motive.games.moves import DOWN, LEFT, RIGHT, UP
from mixed_motive.kernels.rng import Draws
from mixed_motive.params import GameParams, GridParams

__all__ = ["Cell", "GridOracle", "Oracle", "OracleStep", "moved"]

Cell = tuple[int, int]
EMPTY = 0


@dataclasses.dataclass
class OracleStep:
    """What one step gives: see `mixed_motive.StepBuffers`, here for one copy."""

    obs: npt.NDArray[np.uint8]
    rewards: list[float]
    counts: list[list[int]]
    active: list[bool]
    terminations: list[bool]
    truncations: list[bool]
    done: bool
    final_obs: npt.NDArray[np.uint8] | None


class Oracle(abc.ABC):
    """One copy of a game, which starts its next episode by itself.

    Args:
        params: Parameters of the game.
        seed: What the batched game is reset with.
        env_index: The copy's env index.
    """

    def __init__(self, params: GameParams, seed: int, env_index: int) -> None:
        self.horizon, self.seed, self.env_index = params.horizon, seed, env_index
        self.episode, self.time = 0, 0
        self.code = False  # whether observations are classes rather than planes
        self.present = [True] * params.num_agents

    @abc.abstractmethod
    def start(self, draws: Draws) -> None:
        """Set up an episode, with all agents in the game."""

    @abc.abstractmethod
    def play(self, actions: list[int], draws: Draws) -> tuple[list[float], list[list[int]]]:
        """One step's changes; rewards and counts by agent. Who leaves the game is no longer `present`."""

    @abc.abstractmethod
    def observe(self) -> npt.NDArray[np.uint8]:
        """(N, *obs) observations."""

    def reset(self) -> npt.NDArray[np.uint8]:
        """Start the present episode; its first observations."""
        self.time = 0
        self.present = [True] * len(self.present)
        self.start(Draws(self.seed, self.env_index, self.episode, 0))
        return self.observe()

    def step(self, actions: list[int]) -> OracleStep:
        """One step, with the next episode's start where one ends."""
        self.time += 1
        active = list(self.present)
        rewards, counts = self.play(actions, Draws(self.seed, self.env_index, self.episode, self.time))
        obs = self.observe()
        at_horizon = self.time == self.horizon
        terminations = [before and not now for before, now in zip(active, self.present, strict=True)]
        truncations = [now and at_horizon for now in self.present]
        done = at_horizon or not any(self.present)
        first_obs = None
        if done:
            self.episode += 1
            first_obs = self.reset()
        return OracleStep(
            obs if first_obs is None else first_obs,
            rewards,
            counts,
            active,
            terminations,
            truncations,
            done,
            final_obs=obs if done else None,
        )


class GridOracle(Oracle):
    """A game on a map: `self.map[row][col]` is an object code, `self.positions[i]` the cell of agent i."""

    num_objects: int

    def __init__(self, params: GridParams, seed: int, env_index: int) -> None:
        super().__init__(params, seed, env_index)
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
        """The window around each agent; zeros for those that have left."""
        p = self.params
        reach_rows, reach_cols = self.reach()
        window = 2 * reach_rows + 1, 2 * reach_cols + 1
        planes = () if self.code else (p.num_agents + self.num_objects + 1,)
        obs = np.zeros((p.num_agents, *planes, *window), np.uint8)
        for i, (own_row, own_col) in enumerate(self.positions):
            if not self.present[i]:
                continue
            for r in range(window[0]):
                for c in range(window[1]):
                    cell = own_row - reach_rows + r, own_col - reach_cols + c
                    if self.code:
                        obs[i, r, c] = self.code_of(cell, i)
                    else:
                        obs[i, :, r, c] = self.planes_of(cell)
        return obs

    def reach(self) -> tuple[int, int]:
        """Rows and columns that an agent sees on each side of itself."""
        p = self.params
        return (p.height - 1, p.width - 1) if p.view_radius is None else (p.view_radius, p.view_radius)

    def object_at(self, cell: Cell) -> int:
        """Code of what lies on a cell; one more than the last object's outside the map."""
        row, col = cell
        inside = 0 <= row < self.params.height and 0 <= col < self.params.width
        return self.map[row][col] if inside else self.num_objects + 1

    def agents_at(self, cell: Cell) -> list[int]:
        """Agents in the game on a cell."""
        return [j for j, other in enumerate(self.positions) if other == cell and self.present[j]]

    def planes_of(self, cell: Cell) -> list[int]:
        """What is on a cell: a bit for each agent, each kind of object, and outside."""
        here, code = self.agents_at(cell), self.object_at(cell)
        agents = [int(j in here) for j in range(self.params.num_agents)]
        return agents + [int(code == k) for k in range(1, self.num_objects + 2)]

    def code_of(self, cell: Cell, observer: int) -> int:
        """One class for a cell: the last agent on it, never the observer; else the object."""
        others = [j for j in self.agents_at(cell) if j != observer]
        return self.num_objects + 2 + others[-1] if others else self.object_at(cell)


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
