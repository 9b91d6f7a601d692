"""`GridGame`: what the batched games on a map share: arrays, observation planes, checks of a state."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from mixed_motive.base import BatchedGame, State
from mixed_motive.params import GridParams

__all__ = ["GridGame"]


class GridGame(BatchedGame):
    """A game in which agents walk over a map of cells, each empty or with one object.

    An agent sees a window of 2 * view_radius + 1 rows and columns around itself, or one that always covers
    the whole map, as binary planes: one for each agent in fixed order, one for each kind of object, and one
    for cells outside the map.

    Attributes:
        object_names: Objects by their code in the map, from 1; code 0 is an empty cell.
    """

    object_names: ClassVar[tuple[str, ...]]
    params: GridParams

    def __init__(
        self,
        game_id: str,
        preset: str,
        params: GridParams,
        num_envs: int,
        first_env_index: int,
        auto_reset: bool,
    ) -> None:
        self.pad_rows = params.height - 1 if params.view_radius is None else params.view_radius
        self.pad_cols = params.width - 1 if params.view_radius is None else params.view_radius
        super().__init__(game_id, preset, params, num_envs, first_env_index, auto_reset)

    def _obs_shape(self) -> tuple[int, ...]:
        channels = self.params.num_agents + len(self.object_names) + 1
        return channels, 2 * self.pad_rows + 1, 2 * self.pad_cols + 1

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
        self._kernel.observe(*self._arrays, obs, self.pad_rows, self.pad_cols)

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
    def _ground(self) -> list[str]:
        """Kind of ground of each row, for pictures: "river", "grass", "orchard" or "road"."""

    def _draw(self, env_index: int) -> npt.NDArray[np.uint8]:
        from mixed_motive.rendering.grid import draw_grid

        return draw_grid(
            self._map[env_index],
            self._positions[env_index],
            self.object_names,
            self._ground(),
            progress=int(self._registers[env_index, self._columns["step"]]) / self.horizon,
        )

    def _text(self, env_index: int) -> str:
        from mixed_motive.rendering.text import grid_text

        step = int(self._registers[env_index, self._columns["step"]])
        title = f"{self.game_id}, step {step} of {self.horizon}"
        return grid_text(
            title, self._map[env_index], self._positions[env_index], self.object_names, self._ground()
        )
