"""`BeamGame`: what the games with beams share.

The walk. Agents start on distinct random cells. They face up, right, down or left. With `turning` they start
facing anywhere, each way with the same chance, turn by quarters, and move forward, backward, to their left
and to their right; without, they always face up and move up, down, left and right. In each step the agents
move in a random order, every order with the same chance: each in its turn moves into its target cell unless
that is wall, lies outside the map or has an agent on it at that moment. So agents never share a cell and
never swap, whoever comes first gets a free cell, and an agent follows into a cell that was left before its
turn. Entering a cell with an apple eats it: +1.

Beams are three rays side by side. The middle one starts in front of the shooter, the outer two start beside
it, and each reaches `fire_length` (or the game's own length) cells in the direction that the shooter faces. A
ray ends before a wall or the map's edge, and on the first agent. The agents that shoot do so after all moves,
one after the other in the order of the moves.

A fining beam costs its shooter `fire_cost`, whether it hits or not, and each agent that it hits `hit_cost`;
objects do not stop it. Hits take effect when all have shot: who is hit still shoots in that step, and every
further beam that hits it there costs it again. In the next `hit_freeze` steps it neither moves, turns nor
shoots; it goes on blocking ways and rays, but hits on it neither cost nor count.

The view is turned so that an agent looks up; one of the whole map is then square, with the larger of the two
sizes. Beams are seen in the observation that follows their step.
In "code" agents cover fining beams, those cover cleaning beams, and these cover objects; planes show them
all. Walls are seen as the outside is; the ground of river and orchard is not seen.
"""

from __future__ import annotations

import abc
import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from mixed_motive.game_parts import State
from mixed_motive.games.grid import GridGame
from mixed_motive.games.moves import MOVES
from mixed_motive.params import GridParams, Rule, param

__all__ = ["BeamGame", "BeamParams", "Layout", "candidate_bits", "inner_cells"]

Cell = tuple[int, int]

# Facings, clockwise; a move is as many quarter turns from the facing, by its number in `moves`.
FACINGS = ("up", "right", "down", "left")
QUARTERS = (0, 2, 3, 1)
RELATIVE_MOVES = ("forward", "backward", "step_left", "step_right", "stay")
TURN_LEFT, TURN_RIGHT = 5, 6

# Kinds of beams as bits in a state's map of beams.
CLEANING, FINING = 1, 2
# A cell of a beam in the kernel's list: bit 0, whether the beam fines; bits 1 to 10, column; above, row.
ROW_SHIFT, COLUMN_MASK = 11, 1023

# Numbers of the draws that set up an episode: cells, facings, then the game's own.
DRAW_START, DRAW_FACING, DRAW_START_OBJECT = 0, 64, 128
# Numbers of the draws of a step. Growth: up to 64 words for every 64 cells, and one draw for each cell.
DRAW_ORDER, DRAW_WASTE, DRAW_CANDIDATE, DRAW_GROWTH, DRAW_WASTE_CELL = 0, 64, 2**8, 2**17, 2**18


@dataclasses.dataclass(frozen=True)
class BeamParams(GridParams):
    """Parameters of the games with beams."""

    walled: bool = param("whether the outermost cells of the map are wall")
    turning: bool = param("whether agents turn; moves and view are then relative to their facing")
    fire_length: int = param("cells that each ray of a fining beam reaches; 0: there is none", 0, 64)
    fire_cost: float = param("what shooting a fining beam costs", 0, 1e6)
    hit_cost: float = param("what an agent pays for each fining beam that hits it", 0, 1e6)
    hit_freeze: int = param("steps in which an agent cannot act after it was hit", 0, 2**31 - 1)


@dataclasses.dataclass(frozen=True)
class Layout:
    """The ground of a map, each kind row by row.

    Attributes:
        wall: Cells that nobody enters and no ray passes.
        river: Cells on which waste appears.
        stream: Cells of the river on which none does.
        orchard: Cells on which apples grow.
        floor: All others: where agents start.
    """

    wall: tuple[Cell, ...]
    river: tuple[Cell, ...]
    stream: tuple[Cell, ...]
    orchard: tuple[Cell, ...]
    floor: tuple[Cell, ...]

    @classmethod
    def of(
        cls, p: BeamParams, river: Sequence[Cell], stream: Sequence[Cell], orchard: Sequence[Cell]
    ) -> Layout:
        """The layout with these cells, walls around and floor between."""
        inner = set(inner_cells(p))
        wall = [cell for cell in _all_cells(p) if cell not in inner]
        floor = inner.difference(river, stream, orchard)
        return cls(*(tuple(sorted(cells)) for cells in (wall, river, stream, orchard, floor)))


def _all_cells(p: BeamParams) -> list[Cell]:
    return [(row, col) for row in range(p.height) for col in range(p.width)]


def inner_cells(p: BeamParams) -> list[Cell]:
    """Cells that are no wall, row by row."""
    edge = int(p.walled)
    return [
        (row, col)
        for row, col in _all_cells(p)
        if edge <= row < p.height - edge and edge <= col < p.width - edge
    ]


def agents_fit(p: BeamParams, num_floor: int, ground: str) -> str | None:
    """What is wrong if there are more agents than cells to start on; `ground` names what takes cells."""
    if p.num_agents <= num_floor:
        return None
    # No game has fewer than two agents.
    fewer = f", or num_agents to {num_floor}" if num_floor >= 2 else ""
    return (
        f"too many agents or too small a map: num_agents={p.num_agents} do not fit on the {num_floor} free "
        f"cells of {p.height}x{p.width}, walls and cells of waste and apples taken off. Raise height or "
        f"width, or lower {ground}{fewer}."
    )


def _room_inside(p: BeamParams) -> str | None:
    if not p.walled or min(p.height, p.width) >= 3:
        return None
    return f"a map of {p.height}x{p.width} is all wall with walled=True; expected at least 3x3"


ROOM_INSIDE = Rule(("height", "width", "walled"), _room_inside)


def candidate_bits(chance: float) -> int:
    """The largest k up to 16 with 2**-k >= chance.

    An event of at most this chance in each of many cells is drawn in two stages: a cell is a candidate if k
    random bits are all 1, and of the candidates each passes with chance * 2**k. 64 cells share k draws.
    """
    mantissa, exponent = math.frexp(chance)
    return min(max(1 - exponent if mantissa == 0.5 else -exponent, 0), 16)


class BeamGame(GridGame):
    """B copies of a game with beams.

    Attributes:
        layout: The ground of the map.
        border_rows: Width of the border of the stored map above and below.
        border_cols: The same at its sides.
    """

    layout: Layout
    params: BeamParams
    #: The action that shoots the game's own beam; None where it has none.
    clean_name: ClassVar[str | None] = None
    #: Objects that lie on the ground, by their code from 1.
    ground_objects: ClassVar[tuple[str, ...]]

    @property
    def action_names(self) -> tuple[str, ...]:
        """Name of each action, by its number."""
        moves = (*RELATIVE_MOVES, "turn_left", "turn_right") if self.params.turning else MOVES
        return (*moves, *self._beam_names)

    @property
    def object_names(self) -> tuple[str, ...]:
        """What lies on the ground, then the beams."""
        return (*self.ground_objects, *(f"{name}_beam" for name in self._beam_names))

    @property
    def count_names(self) -> tuple[str, ...]:
        """What `StepBuffers.counts` counts."""
        cleaned = () if self.clean_name is None else ("waste_cleaned",)
        hits = ("shots", "hits_given", "hits_taken") if self.params.fire_length > 0 else ()
        return ("apples", *cleaned, *hits)

    @property
    def _beam_names(self) -> tuple[str, ...]:
        clean = () if self.clean_name is None else (self.clean_name,)
        return (*clean, "fire") if self.params.fire_length > 0 else clean

    @staticmethod
    @abc.abstractmethod
    def make_layout(params: Any) -> Layout:
        """The ground of the map."""

    @abc.abstractmethod
    def _beam_length(self) -> int:
        """Length of the longest beam."""

    @abc.abstractmethod
    def _own_constants(self) -> tuple[Any, ...]:
        """The last of the kernel's constants."""

    def _reach_of_rules(self) -> int:
        """How far beyond the map the rules look."""
        return 1

    # A turned view is square.

    @property
    def pad_rows(self) -> int:
        """Rows that an agent sees on each side of itself."""
        p = self.params
        return max(p.height, p.width) - 1 if p.turning and p.view_radius is None else super().pad_rows

    @property
    def pad_cols(self) -> int:
        """Columns that an agent sees on each side of itself."""
        return self.pad_rows if self.params.turning else super().pad_cols

    def _new_arrays(self) -> tuple[npt.NDArray[Any], ...]:
        p, b = self.params, self.num_envs
        self.layout = self.make_layout(p)
        self.border_rows = max(self.pad_rows, self._reach_of_rules())
        self.border_cols = max(self.pad_cols, self._reach_of_rules())
        outside = len(self.object_names) + 1
        shape = (b, p.height + 2 * self.border_rows, p.width + 2 * self.border_cols)
        self._cells = np.full(shape, outside, np.uint8)
        self._map = self._cells[
            :, self.border_rows : self.border_rows + p.height, self.border_cols : self.border_cols + p.width
        ]
        for row, col in (*self.layout.river, *self.layout.stream, *self.layout.orchard, *self.layout.floor):
            self._map[:, row, col] = 0
        self._wall = self._map[0] == outside
        self._positions = np.zeros((b, p.num_agents, 2), np.int32)
        self._facing: npt.NDArray[np.int32] = np.zeros((b, p.num_agents), np.int32)
        self._frozen: npt.NDArray[np.int32] = np.zeros((b, p.num_agents), np.int32)
        # Per copy: how many cells of beams there are, then the cells.
        beams = 1 + p.num_agents * 3 * self._beam_length()
        self._beams: npt.NDArray[np.int32] = np.zeros((b, beams), np.int32)
        return self._cells, self._positions, self._facing, self._frozen, self._beams

    def _stored(self, cells: Sequence[Cell]) -> npt.NDArray[np.int64]:
        """Flat indices of cells in the stored map, in their order."""
        stride = self._cells.shape[2]
        flat = [(row + self.border_rows) * stride + col + self.border_cols for row, col in cells]
        return np.array(flat, np.int64)

    def _shape_constants(self) -> tuple[Any, ...]:
        # Sizes of border and window; codes of the two beams, 0 for none; code of the outside.
        clean_beam = len(self.ground_objects) + 1 if self.clean_name is not None else 0
        outside = len(self.object_names) + 1
        fire_beam = outside - 1 if self.params.fire_length > 0 else 0
        window = 2 * self.pad_rows + 1, 2 * self.pad_cols + 1
        return self.border_rows, self.border_cols, *window, clean_beam, fire_beam, outside

    def _kernel_constants(self) -> tuple[Any, ...]:
        p = self.params
        return (
            *self._shape_constants(),
            p.horizon,
            p.turning,
            p.fire_length,
            p.fire_cost,
            p.hit_cost,
            p.hit_freeze,
            self._stored(self.layout.floor),
            self._stored(self.layout.orchard),
            *self._own_constants(),
        )

    def _write_obs(self, obs: npt.NDArray[np.uint8]) -> None:
        self._kernel.observe(*self._arrays, obs, self._native, *self._shape_constants())

    # State

    def _copy_arrays(self, indices: npt.NDArray[np.intp]) -> State:
        p = self.params
        beams = np.zeros((len(indices), p.height, p.width), np.uint8)
        for k, b in enumerate(indices):
            entries = self._beams[b, 1 : 1 + self._beams[b, 0]]
            kind = np.where(entries & 1, FINING, CLEANING)
            rows = (entries >> ROW_SHIFT) - self.border_rows
            cols = (entries >> 1 & COLUMN_MASK) - self.border_cols
            np.bitwise_or.at(beams[k], (rows, cols), kind.astype(np.uint8))
        return {
            **super()._copy_arrays(indices),
            "facing": self._facing[indices],
            "frozen": self._frozen[indices],
            "beams": beams,
        }

    def _state_problems(self, state: Mapping[str, npt.NDArray[Any]]) -> list[str]:
        p, wall = self.params, self._wall
        # Walls have the code of the outside and are no objects.
        problems = super()._state_problems({**state, "map": np.where(wall, 0, state["map"])})
        if problems:
            return problems
        if (state["map"][:, wall] != len(self.object_names) + 1).any():
            problems.append(f"'map' must hold {len(self.object_names) + 1} where the map's walls are")
        if (state["map"][:, ~wall] > len(self.ground_objects)).any():
            problems.append("'map' holds a beam; beams belong into 'beams'")
        rows, cols = state["positions"][..., 0], state["positions"][..., 1]
        if wall[rows, cols].any():
            problems.append("'positions' has an agent in a wall")
        cells = np.sort(rows * p.width + cols, axis=1)
        if (cells[:, 1:] == cells[:, :-1]).any():
            problems.append("'positions' has two agents on one cell")
        facings = 4 if p.turning else 1
        if ((state["facing"] < 0) | (state["facing"] >= facings)).any():
            problems.append(f"'facing' must lie in [0, {facings}): {', '.join(FACINGS[:facings])}")
        longest = p.hit_freeze if p.fire_length > 0 else 0
        if ((state["frozen"] < 0) | (state["frozen"] > longest)).any():
            problems.append(f"'frozen' must lie in [0, {longest}], the steps of hit_freeze (0 without fines)")
        kinds = CLEANING * (self.clean_name is not None) | FINING * (p.fire_length > 0)
        if (state["beams"] & ~np.uint8(kinds)).any() or state["beams"][:, wall].any():
            problems.append(f"'beams' must hold bits of {kinds} on cells that are no wall")
        elif (_num_bits(state["beams"]) > self._beams.shape[1] - 1).any():
            problems.append(f"'beams' has more than the {self._beams.shape[1] - 1} cells that fit")
        return problems

    def _load_arrays(self, indices: npt.NDArray[np.intp], state: Mapping[str, npt.NDArray[Any]]) -> None:
        super()._load_arrays(indices, state)
        self._facing[indices] = state["facing"]
        self._frozen[indices] = state["frozen"]
        for k, b in enumerate(indices):
            entries: list[int] = []
            for kind, bit in ((0, CLEANING), (1, FINING)):
                rows, cols = np.nonzero(state["beams"][k] & bit)
                place = (rows + self.border_rows << ROW_SHIFT) + (cols + self.border_cols << 1)
                entries += (place + kind).tolist()
            self._beams[b, 0] = len(entries)
            self._beams[b, 1 : 1 + len(entries)] = entries

    # Pictures

    def _ground(self) -> list[list[str]]:
        p = self.params
        ground = [["grass"] * p.width for _ in range(p.height)]
        for kind in ("wall", "river", "stream", "orchard"):
            for row, col in getattr(self.layout, kind):
                ground[row][col] = "river" if kind == "stream" else kind
        return ground

    def _draw(self, env_index: int) -> npt.NDArray[np.uint8]:
        from mixed_motive.rendering.grid import draw_grid

        state = self._copy_arrays(np.array([env_index]))
        return draw_grid(
            np.where(self._wall, 0, state["map"][0]),
            state["positions"][0],
            self.object_names,
            self._ground(),
            progress=self._progress(env_index),
            beams=state["beams"][0],
            facing=state["facing"][0].tolist() if self.params.turning else None,
            frozen=(state["frozen"][0] > 0).tolist(),
        )

    def _text(self, env_index: int) -> str:
        from mixed_motive.rendering.text import grid_text

        state = self._copy_arrays(np.array([env_index]))
        ground = self._ground()
        for bit, kind in ((CLEANING, "clean_beam"), (FINING, "fire_beam")):
            for row, col in np.argwhere(state["beams"][0] & bit):
                ground[row][col] = kind
        codes = np.where(self._wall, 0, state["map"][0])
        text = grid_text(self._title(env_index), codes, state["positions"][0], self.ground_objects, ground)
        if self.params.turning:
            looks = (f"{i} {FACINGS[facing]}" for i, facing in enumerate(state["facing"][0].tolist()))
            text += f"\nfacing: {', '.join(looks)}"
        frozen = np.flatnonzero(state["frozen"][0]).tolist()
        return text + (f"\nfrozen: {', '.join(map(str, frozen))}" if frozen else "")


def _num_bits(beams: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """(B,) bits that are set in each copy's map of beams."""
    bits: npt.NDArray[np.int64] = np.count_nonzero(
        np.stack([beams & CLEANING, beams & FINING]), axis=(0, 2, 3)
    )
    return bits
