"""Commons Harvest: apples grow back only where apples are left; who eats too many ends the stock for all.

Rules. Walk, beams and view are those of all games with beams. Apples grow on `patch_rows` x `patch_cols`
patches, spread evenly over the map. With e = 1 for a map with walls, else 0, and // the division rounded
down, the centre of patch (i, j), counted from 0, is the cell in

    row     e + (2 * i + 1) * (height - 2 * e) // (2 * patch_rows)
    column  e + (2 * j + 1) * (width - 2 * e) // (2 * patch_cols)

and the patch is all cells at most `patch_radius` steps up, down, left and right from it that are on the map
and no wall. An episode starts with an apple on each of these cells, and with agents on cells of no patch. In
each step:

1. Agents move, turn or stay. Apples are eaten by entering their cell: +1.
2. Fining beams are shot. They cost their shooters and those that they hit.
3. On every cell of a patch with neither apple nor agent an apple appears with a probability that depends on
   the number of apples near, those at a squared distance of at most `near_squared_distance`, after this
   step's eating and before any apple of this step appears: `apple_respawn_probability` with three or more,
   `respawn_probability_2` with two, `respawn_probability_1` with one, `respawn_probability_0` with none.

In the presets nothing grows where no apple is near, so a patch that was emptied stays empty. The episode is
truncated after `horizon` steps.

Preset `ssdg` is 16x38 cells, as the published map; `ssdg_25x18` has its patches on 25x18.

Source: Perolat et al. (arXiv 1707.06600) for the game; the presets follow implementations of it, but for
`small`, which is our choice.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from types import MappingProxyType, ModuleType
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from mixed_motive.games.beams import (
    ROOM_INSIDE,
    BeamGame,
    BeamParams,
    Cell,
    Layout,
    agents_fit,
    candidate_bits,
    inner_cells,
)
from mixed_motive.params import Rule, param

__all__ = ["PRESETS", "REFERENCES", "HarvestGame", "HarvestParams", "near_offsets"]

APPLE = 1


def _agents_fit(p: HarvestParams) -> str | None:
    return agents_fit(p, len(inner_cells(p)) - len(_patches(p)), "patch_rows, patch_cols or patch_radius")


@dataclasses.dataclass(frozen=True)
class HarvestParams(BeamParams):
    """Parameters of Commons Harvest."""

    rules: ClassVar[tuple[Rule, ...]] = (
        *BeamParams.rules,
        ROOM_INSIDE,
        Rule(
            ("num_agents", "height", "width", "walled", "patch_rows", "patch_cols", "patch_radius"),
            _agents_fit,
        ),
    )

    patch_rows: int = param("patches of apples from top to bottom", 1, 256)
    patch_cols: int = param("patches of apples from left to right", 1, 256)
    patch_radius: int = param("steps from the centre of a patch to its outermost cells", 0, 255)
    near_squared_distance: int = param("squared distance up to which apples count as near", 1, 64)
    apple_respawn_probability: float = param(
        "chance of a new apple on an empty cell in a step, with three or more apples near", 0, 1
    )
    respawn_probability_2: float = param("the same with two apples near", 0, 1)
    respawn_probability_1: float = param("the same with one apple near", 0, 1)
    respawn_probability_0: float = param("the same with no apple near", 0, 1)


_SSDG = HarvestParams(
    horizon=1000,
    num_agents=5,
    height=16,
    width=38,
    view_radius=7,
    walled=True,
    turning=True,
    fire_length=5,
    fire_cost=1.0,
    hit_cost=50.0,
    hit_freeze=0,
    patch_rows=2,
    patch_cols=6,
    patch_radius=2,
    near_squared_distance=2,
    apple_respawn_probability=0.05,
    respawn_probability_2=0.02,
    respawn_probability_1=0.005,
    respawn_probability_0=0.0,
)

PRESETS: Mapping[str, HarvestParams] = MappingProxyType(
    {
        "small": HarvestParams(
            horizon=100,
            num_agents=4,
            height=8,
            width=8,
            view_radius=2,
            walled=False,
            turning=False,
            fire_length=0,
            fire_cost=0.0,
            hit_cost=0.0,
            hit_freeze=0,
            patch_rows=2,
            patch_cols=2,
            patch_radius=1,
            near_squared_distance=2,
            apple_respawn_probability=0.1,
            respawn_probability_2=0.04,
            respawn_probability_1=0.01,
            respawn_probability_0=0.0,
        ),
        "ssdg": _SSDG,
        "ssdg_25x18": dataclasses.replace(_SSDG, height=25, width=18, patch_rows=4, patch_cols=3),
        "meltingpot": dataclasses.replace(
            _SSDG,
            num_agents=7,
            height=18,
            width=24,
            view_radius=5,
            fire_length=3,
            fire_cost=0.0,
            hit_cost=0.0,
            hit_freeze=4,
            patch_rows=2,
            patch_cols=3,
            near_squared_distance=4,
            apple_respawn_probability=0.025,
            respawn_probability_2=0.005,
            respawn_probability_1=0.0025,
        ),
    }
)

REFERENCES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "SSDG": (
            "Preset ssdg has its numbers, with 156 apples in twelve equal patches; there 155 in irregular "
            "ones. ssdg_25x18 has the same patches on a map of another shape.",
            "There agents start on twenty marked cells; here on any free cell between the patches, so that "
            "up to 64 can play.",
            "There chains of moves are resolved first and two agents that would swap both stay; here agents "
            "move one after the other in a random order.",
            "Near are the eight cells around, as there in fact; its constant says radius 2.",
            "There agents see colours; here they see planes or classes.",
        ),
        "Melting Pot": (
            "Preset meltingpot has the numbers of commons_harvest__open on a map of the same size, with six "
            "equal patches; there they are irregular.",
            "There who is hit is off the map for 4 steps and comes back at a start cell; here it stays where "
            "it is, cannot act for 4 steps, and blocks ways and beams.",
            "There beams have a cool-down of 2 steps; here they have none.",
            "There the window of 11x11 cells reaches 9 ahead and 1 behind; here the agent is in its middle.",
            "There episodes go on at random from step 1,000 on; here they have 1,000 steps.",
        ),
        "SocialJax": (
            "Map, agents, the other chances and the 1,000 steps are those of Melting Pot, without the ring "
            "of wall.",
            "With one apple near it has 0.001, where Melting Pot and our preset meltingpot have 0.0025.",
            "Near are the same twelve cells, but that one of its tests for the map's edge looks at a column "
            "where it means a row.",
            "There every agent gets the sum of all rewards; without shared rewards it gets its own times the "
            "number of agents. Here each gets its own.",
            "There moves go up, down, left and right on the grid whichever way an agent faces; here they are "
            "relative to its facing. The actions are numbered differently, turns first.",
            "There a beam takes four cells at once (one and two ahead, ahead to the left and to the right) "
            "and has no cool-down, and who is hit starts again elsewhere at once; here three rays of 3 cells "
            "end on what they meet, and who is hit cannot act for 4 steps.",
        ),
    }
)


def _patches(p: HarvestParams) -> list[Cell]:
    edge, radius = int(p.walled), p.patch_radius
    height, width = p.height - 2 * edge, p.width - 2 * edge
    centres = [
        (edge + (2 * i + 1) * height // (2 * p.patch_rows), edge + (2 * j + 1) * width // (2 * p.patch_cols))
        for i in range(p.patch_rows)
        for j in range(p.patch_cols)
    ]
    cells = {
        (row + down, col + across)
        for row, col in centres
        for down in range(-radius, radius + 1)
        for across in range(abs(down) - radius, radius - abs(down) + 1)
    }
    return sorted(cells.intersection(inner_cells(p)))


def near_offsets(p: HarvestParams) -> list[Cell]:
    """Where apples count as near, in rows and columns from a cell."""
    reach = range(-math.isqrt(p.near_squared_distance), math.isqrt(p.near_squared_distance) + 1)
    return [(r, c) for r in reach for c in reach if 0 < r * r + c * c <= p.near_squared_distance]


class HarvestGame(BeamGame):
    """B copies of Commons Harvest.

    Counts, by agent: apples eaten; with fining beams also shots, hits on others and hits by others.
    """

    ground_objects = ("apple",)
    params: HarvestParams

    @staticmethod
    def make_layout(params: HarvestParams) -> Layout:
        """Patches of apples."""
        return Layout.of(params, river=(), stream=(), orchard=_patches(params))

    def _load_kernel(self) -> ModuleType:
        from mixed_motive.kernels import harvest

        return harvest

    def _beam_length(self) -> int:
        return self.params.fire_length

    def _reach_of_rules(self) -> int:
        return math.isqrt(self.params.near_squared_distance)

    def _own_constants(self) -> tuple[Any, ...]:
        p = self.params
        near = np.array(near_offsets(p), np.int64) @ [self._cells.shape[2], 1]
        chances = [
            p.respawn_probability_0,
            p.respawn_probability_1,
            p.respawn_probability_2,
            p.apple_respawn_probability,
        ]
        return near, np.array(chances), candidate_bits(max(chances))

    def _state_problems(self, state: Mapping[str, npt.NDArray[Any]]) -> list[str]:
        problems = super()._state_problems(state)
        rows, cols = np.array(self.layout.orchard).T
        if (state["map"] == APPLE).sum() != (state["map"][:, rows, cols] == APPLE).sum():
            problems.append("'map' has apples off the patches")
        return problems
