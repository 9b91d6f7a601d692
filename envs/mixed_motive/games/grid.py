"""`GridGame`: what the batched games on a map share: arrays, observation planes, checks of a state."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mixed_motive.base import BatchedGame
from mixed_motive.encodings import CODE, ENCODINGS
from mixed_motive.game_parts import State
from mixed_motive.params import GridParams

if TYPE_CHECKING:
    from mixed_motive.rendering.arrows import Spot

__all__ = ["GridGame"]


class GridGame(BatchedGame):
    """A game in which agents walk over a map of cells, each empty or with one object.

    An agent sees a window of 2 * view_radius + 1 rows and columns around itself, or with None one that always
    covers the whole map, of 2 * height - 1 rows and 2 * width - 1 columns: which agents and objects are on
    each cell. It does not see the time, which way others face, and who cannot act.

    As "planes": one for each agent, agent 0's first, whoever looks; then one for each kind of object, then
    one for the cells outside the map. Every agent is set in its own plane, also for itself, in the window's
    middle. As "code": one class for each cell, see `class_names`; agents cover objects, of several agents the
    last is seen, and nobody sees itself drawn, so in the middle is what else is on its cell. "float32" has
    the planes, "rgb" the colours of the classes.
    """

    encodings = tuple(ENCODINGS)
    params: GridParams

    @property
    @abc.abstractmethod
    def object_names(self) -> tuple[str, ...]:
        """Objects by their code in the map, from 1; code 0 is an empty cell."""

    @property
    def pad_rows(self) -> int:
        """Rows that an agent sees on each side of itself."""
        return self.params.height - 1 if self.params.view_radius is None else self.params.view_radius

    @property
    def pad_cols(self) -> int:
        """Columns that an agent sees on each side of itself."""
        return self.params.width - 1 if self.params.view_radius is None else self.params.view_radius

    @property
    def class_names(self) -> tuple[str, ...]:
        """What each class of the encoding "code" means."""
        return ("empty", *self.object_names, "outside", *self.agent_ids)

    def _present(self) -> npt.NDArray[np.bool_] | None:
        present: npt.NDArray[np.bool_] = self._positions[..., 0] >= 0
        return present

    def _native_shape(self) -> tuple[int, ...]:
        window = 2 * self.pad_rows + 1, 2 * self.pad_cols + 1
        if self._native == CODE:
            return window
        return self.num_agents + len(self.object_names) + 1, *window

    def _make_palette(self) -> npt.NDArray[np.uint8]:
        from mixed_motive.rendering.palette import palette

        return palette(self.object_names, self.num_agents)

    def _new_arrays(self) -> tuple[npt.NDArray[Any], ...]:
        p = self.params
        # The border, as wide as the view, holds the code after the last object's: outside the map.
        shape = (self.num_envs, p.height + 2 * self.pad_rows, p.width + 2 * self.pad_cols)
        self._cells: npt.NDArray[np.uint8] = np.full(shape, len(self.object_names) + 1, np.uint8)
        inner = (
            slice(None),
            slice(self.pad_rows, self.pad_rows + p.height),
            slice(self.pad_cols, self.pad_cols + p.width),
        )
        self._map = self._cells[inner]
        self._positions: npt.NDArray[np.int32] = np.zeros((self.num_envs, p.num_agents, 2), np.int32)
        return self._cells, self._positions

    def _write_obs(self, obs: npt.NDArray[np.uint8]) -> None:
        self._kernel.observe(
            *self._arrays, obs, self._native, len(self.object_names), self.pad_rows, self.pad_cols
        )

    def _copy_arrays(self, indices: npt.NDArray[np.intp]) -> State:
        return {"map": self._map[indices], "positions": self._positions[indices]}

    def _load_arrays(self, indices: npt.NDArray[np.intp], state: Mapping[str, npt.NDArray[Any]]) -> None:
        self._map[indices] = state["map"]
        self._positions[indices] = state["positions"]

    def _state_problems(self, state: Mapping[str, npt.NDArray[Any]]) -> list[str]:
        p, problems = self.params, []
        rows, cols = state["positions"][..., 0], state["positions"][..., 1]
        if ((rows < 0) | (rows >= p.height) | (cols < 0) | (cols >= p.width)).any():
            problems.append(f"'positions' (row, column) must lie on the map of {p.height}x{p.width}")
        if (state["map"] > len(self.object_names)).any():
            codes = ", ".join(f"{k} {name}" for k, name in enumerate(("empty", *self.object_names)))
            problems.append(f"'map' must hold only: {codes}")
        return problems

    @abc.abstractmethod
    def _ground(self) -> Sequence[str | Sequence[str]]:
        """Kind of ground of each row or of each cell: "river", "grass", "orchard", "road" or "wall"."""

    def _draw(self, env_index: int) -> npt.NDArray[np.uint8]:
        from mixed_motive.rendering.grid import draw_grid

        return draw_grid(
            self._map[env_index],
            self._positions[env_index],
            self.object_names,
            self._ground(),
            progress=self._progress(env_index),
        )

    def _spots(self, env_index: int) -> Sequence[Spot | None]:
        from mixed_motive.rendering.grid import agent_spots

        return agent_spots(self._map[env_index], self._positions[env_index])

    def _text(self, env_index: int) -> str:
        from mixed_motive.rendering.text import grid_text

        return grid_text(
            self._title(env_index),
            self._map[env_index],
            self._positions[env_index],
            self.object_names,
            self._ground(),
        )
