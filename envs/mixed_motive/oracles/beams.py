"""Walking, beams and the turned view in plain Python; the rules stand in `mixed_motive.games.beams`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from mixed_motive.games.beams import (
    DRAW_CANDIDATE,
    DRAW_FACING,
    DRAW_GROWTH,
    DRAW_ORDER,
    DRAW_START,
    TURN_LEFT,
    TURN_RIGHT,
    BeamParams,
    Layout,
)
from mixed_motive.games.moves import DOWN, LEFT, RIGHT, UP
from mixed_motive.kernels.rng import Draws
from mixed_motive.oracles.base import Cell, Oracle

__all__ = ["BeamOracle"]

# Up, right, down, left: a quarter turn clockwise is one further.
STEPS = ((-1, 0), (0, 1), (1, 0), (0, -1))
QUARTER_TURNS = {UP: 0, RIGHT: 1, DOWN: 2, LEFT: 3}


def ahead(cell: Cell, facing: int) -> Cell:
    """The next cell in a direction."""
    down, across = STEPS[facing % 4]
    return cell[0] + down, cell[1] + across


class BeamOracle(Oracle):
    """One copy of a game with beams.

    Args:
        params: Parameters of the game.
        layout: The ground.
        kinds: What lies on the map and is shot over it, in the order of their codes.
        seed: What the batched game is reset with.
        env_index: The copy's env index.
    """

    def __init__(
        self, params: BeamParams, layout: Layout, kinds: list[str], seed: int, env_index: int
    ) -> None:
        super().__init__(params, seed, env_index)
        self.walk_params, self.layout, self.kinds = params, layout, kinds
        walls = set(layout.wall)
        self.ground = {
            (row, col)
            for row in range(params.height)
            for col in range(params.width)
            if (row, col) not in walls
        }
        self.objects: dict[Cell, str] = {}
        self.beams: set[tuple[Cell, str]] = set()
        self.positions: list[Cell] = []
        self.facing: list[int] = []
        self.frozen: list[int] = []

    def place(self, draws: Draws) -> None:
        """Agents on distinct random cells of the floor; no beams."""
        agents, free = range(self.walk_params.num_agents), list(self.layout.floor)
        self.positions = [free.pop(draws.below(DRAW_START + i, len(free))) for i in agents]
        turning = self.walk_params.turning
        self.facing = [draws.below(DRAW_FACING + i, 4) if turning else 0 for i in agents]
        self.frozen = [0 for _ in agents]
        self.beams = set()

    def order(self, draws: Draws) -> list[int]:
        """Who acts when: a random permutation (Fisher and Yates)."""
        order = list(range(self.walk_params.num_agents))
        for i in reversed(range(1, len(order))):
            k = draws.below(DRAW_ORDER + i, i + 1)
            order[i], order[k] = order[k], order[i]
        return order

    def walk(self, i: int, action: int) -> bool:
        """One agent's move or turn; whether it ate an apple."""
        if self.walk_params.turning and action in (TURN_LEFT, TURN_RIGHT):
            self.facing[i] = (self.facing[i] + (1 if action == TURN_RIGHT else -1)) % 4
        if action not in QUARTER_TURNS:
            return False
        target = ahead(self.positions[i], self.facing[i] + QUARTER_TURNS[action])
        if target not in self.ground or target in self.positions:
            return False
        self.positions[i] = target
        if self.objects.get(target) == "apple":
            del self.objects[target]
            return True
        return False

    def shoot(self, i: int, kind: str, length: int, stop: str) -> list[Cell]:
        """One agent's beam; the cell on which each ray met an agent or a `stop`."""
        cell, facing = self.positions[i], self.facing[i]
        met = []
        for start in (ahead(cell, facing - 1), ahead(cell, facing), ahead(cell, facing + 1)):
            here = start
            for _ in range(length):
                if here not in self.ground:
                    break
                self.beams.add((here, kind))
                if self.objects.get(here) == stop or here in self.positions:
                    met.append(here)
                    break
                here = ahead(here, facing)
        return met

    def take_turns(self, actions: list[int], draws: Draws, clean: int, clean_length: int, fire: int) -> None:
        """Moves, then beams, in one random order; fills `ate`, `cleaned`, `shots`, `given` and `taken`."""
        p, agents = self.walk_params, range(len(actions))
        self.beams = set()
        self.ate, self.cleaned, self.shots = [0 for _ in agents], [0 for _ in agents], [0 for _ in agents]
        self.given, self.taken = [0 for _ in agents], [0 for _ in agents]
        order = [i for i in self.order(draws) if self.frozen[i] == 0]
        for i in order:
            self.ate[i] = int(self.walk(i, actions[i]))
        for i in order:
            if actions[i] == clean:
                for cell in self.shoot(i, "clean_beam", clean_length, stop="waste"):
                    if self.objects.get(cell) == "waste":
                        del self.objects[cell]
                        self.cleaned[i] += 1
            elif actions[i] == fire:
                self.shots[i] = 1
                for cell in self.shoot(i, "fire_beam", p.fire_length, stop="no object stops it"):
                    hit = self.positions.index(cell)
                    if self.frozen[hit] == 0:
                        self.given[i] += 1
                        self.taken[hit] += 1
        for i in agents:
            if self.frozen[i] > 0:
                self.frozen[i] -= 1
            elif self.taken[i] > 0:
                self.frozen[i] = p.hit_freeze

    def payoffs(self) -> list[float]:
        """Rewards of the step."""
        p = self.walk_params
        return [
            ate - p.fire_cost * shots - p.hit_cost * taken
            for ate, shots, taken in zip(self.ate, self.shots, self.taken, strict=True)
        ]

    def grow(self, chance_of: Callable[[Cell], float], most: float, draws: Draws) -> None:
        """Apples on cells of the orchard with neither object nor agent, each with its chance, at most `most`.

        A cell is a candidate if its bit is set in each of some words, as many as leave room for `most`.
        """
        bits, grown = 0, []
        while bits < 16 and most > 0 and 2.0 ** -(bits + 1) >= most:
            bits += 1
        for k, cell in enumerate(self.layout.orchard):
            first, bit = DRAW_CANDIDATE + k // 64 * 64, k % 64
            if cell in self.objects or cell in self.positions:
                continue
            candidate = all(draws.bits(first + j) >> bit & 1 for j in range(bits))
            if candidate and draws.uniform(DRAW_GROWTH + k) * 2.0**-bits < chance_of(cell):
                grown.append(cell)
        self.objects.update(dict.fromkeys(grown, "apple"))

    def observe(self) -> npt.NDArray[np.uint8]:
        """Draw the whole map once, then cut and turn each agent's window out of it."""
        p = self.walk_params
        reach_rows, reach_cols = p.height - 1, p.width - 1
        if p.turning:
            reach_rows = reach_cols = max(reach_rows, reach_cols)
        if p.view_radius is not None:
            reach_rows = reach_cols = p.view_radius
        edge_rows, edge_cols = reach_rows, reach_cols
        outside = p.num_agents + len(self.kinds)
        planes = np.zeros((outside + 1, p.height + 2 * edge_rows, p.width + 2 * edge_cols), np.uint8)
        planes[outside] = 1
        for row, col in self.ground:
            planes[outside, row + edge_rows, col + edge_cols] = 0
        things = [*self.objects.items(), *self.beams]
        channels = [(cell, p.num_agents + self.kinds.index(kind)) for cell, kind in things]
        for (row, col), channel in [*channels, *((cell, i) for i, cell in enumerate(self.positions))]:
            planes[channel, row + edge_rows, col + edge_cols] = 1
        views = []
        for i, (row, col) in enumerate(self.positions):
            window = planes[:, row : row + 2 * reach_rows + 1, col : col + 2 * reach_cols + 1]
            window = np.rot90(window, self.facing[i], axes=(1, 2))
            views.append(self.classes(window, i) if self.code else window)
        return np.array(views)

    def classes(self, window: npt.NDArray[np.uint8], observer: int) -> npt.NDArray[np.uint8]:
        """One class for each cell: later kinds cover earlier ones, agents cover all; nobody sees itself."""
        num_agents = self.walk_params.num_agents
        classes = np.zeros(window.shape[1:], np.uint8)
        for k, plane in enumerate(window[num_agents:]):
            classes[plane == 1] = k + 1
        for j in range(num_agents):
            if j != observer:
                classes[window[j] == 1] = len(self.kinds) + 2 + j
        return classes
