"""Cleanup with beams: a river's waste is shot away from a distance, and agents may fine each other.

Rules. Walk, beams and view are those of all games with beams. River and orchard are strips at the top and at
the bottom of the map or, with `sideways`, at its left and at its right. Count the cells that are no wall row
by row from the top, each row from the left, or with `sideways` column by column from the left, each from the
top: the first `river_cells` are the river on which waste may lie, the next `stream_cells` the stream, the
last `orchard_cells` the orchard; a strip may end within a row or column. Agents start on the cells between
stream and orchard. Waste lies on `initial_waste` random ones of the `river_cells`, apples nowhere. In each
step:

1. Agents move, turn or stay. Apples are eaten by entering their cell: +1.
2. Beams are shot. A cleaning ray reaches `clean_length` cells. It ends on the first cell with waste or an
   agent, and takes the waste there away, also from under the agent. So a beam cleans three at most, and a
   later shooter's rays pass where an earlier one's have cleaned. Cleaning costs and earns nothing. Fining
   beams cost their shooters and those that they hit.
3. While fewer than `max_waste` lie in the river, and from step `waste_delay` + 1 of the episode on, one
   waste appears with `waste_spawn_probability` on a random clean one of the `river_cells`. With
   `try_every_cell` that chance is tried on each clean cell until one passes, so one appears with
   1 - (1 - waste_spawn_probability) ** clean cells.
4. On every cell of the orchard with neither apple nor agent an apple appears with probability

       apple_respawn_probability
           * clip((threshold_depletion - d) / (threshold_depletion - threshold_restoration), 0, 1)

   where d = waste / (river_cells + stream_cells) after the cleaning of this step and before its new waste.

Waste may appear under an agent. The episode is truncated after `horizon` steps.

Source: Hughes et al. (arXiv 1803.08884) for the game; the presets follow implementations of it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType, ModuleType
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from mixed_motive.games.beams import (
    ROOM_INSIDE,
    BeamGame,
    BeamParams,
    Layout,
    agents_fit,
    candidate_bits,
    inner_cells,
)
from mixed_motive.games.cleanup import thresholds_ordered
from mixed_motive.params import Rule, param

__all__ = ["PRESETS", "REFERENCES", "BeamCleanupGame", "BeamCleanupParams", "apple_chances", "waste_chances"]

WASTE, APPLE = 1, 2


def _cells_fit(p: BeamCleanupParams) -> str | None:
    num_ground = p.river_cells + p.stream_cells + p.orchard_cells
    free = max(0, len(inner_cells(p)) - num_ground)
    return agents_fit(p, free, "river_cells, stream_cells or orchard_cells")


def _waste_fits(p: BeamCleanupParams) -> str | None:
    if max(p.initial_waste, p.max_waste) <= p.river_cells:
        return None
    found = f"initial_waste={p.initial_waste} and max_waste={p.max_waste}"
    return f"{found} must not exceed river_cells={p.river_cells}"


@dataclasses.dataclass(frozen=True)
class BeamCleanupParams(BeamParams):
    """Parameters of Cleanup with beams."""

    rules: ClassVar[tuple[Rule, ...]] = (
        *BeamParams.rules,
        ROOM_INSIDE,
        Rule(
            ("num_agents", "height", "width", "walled", "river_cells", "stream_cells", "orchard_cells"),
            _cells_fit,
        ),
        Rule(("initial_waste", "max_waste", "river_cells"), _waste_fits),
        Rule(("threshold_restoration", "threshold_depletion"), thresholds_ordered),
    )

    sideways: bool = param("whether river and orchard lie at the left and right, not at top and bottom")
    river_cells: int = param("cells of the river on which waste may lie", 1, 2**16)
    stream_cells: int = param("cells of the river without waste, which make its share smaller", 0, 2**16)
    orchard_cells: int = param("cells on which apples grow", 1, 2**16)
    clean_length: int = param("cells that each ray of a cleaning beam reaches", 1, 64)
    initial_waste: int = param("waste in the river at the start", 0, 2**16)
    max_waste: int = param("no waste appears while this many lie in the river", 0, 2**16)
    waste_delay: int = param("steps at the start of an episode in which no waste appears", 0, 2**31 - 1)
    waste_spawn_probability: float = param("chance of one new waste in a step", 0, 1)
    try_every_cell: bool = param("whether that chance is tried on each clean cell until one passes")
    apple_respawn_probability: float = param(
        "chance of a new apple on an empty cell of the orchard in a step, while the river is clean", 0, 1
    )
    threshold_depletion: float = param("share of river cells with waste from which on no apple grows", 0, 1)
    threshold_restoration: float = param(
        "share of river cells with waste up to which apples grow at the full rate", 0, 1
    )


_SSDG = BeamCleanupParams(
    horizon=1000,
    num_agents=5,
    height=25,
    width=18,
    view_radius=7,
    walled=True,
    turning=True,
    fire_length=5,
    fire_cost=1.0,
    hit_cost=50.0,
    hit_freeze=0,
    sideways=True,
    river_cells=119,
    stream_cells=0,
    orchard_cells=103,
    clean_length=5,
    initial_waste=56,
    max_waste=48,  # below a share of 0.4
    waste_delay=0,
    waste_spawn_probability=0.5,
    try_every_cell=True,
    apple_respawn_probability=0.05,
    threshold_depletion=0.4,
    threshold_restoration=0.0,
)
_LIO_7X7 = dataclasses.replace(
    _SSDG,
    horizon=50,
    num_agents=2,
    height=7,
    width=7,
    view_radius=4,
    turning=False,
    fire_length=0,
    fire_cost=0.0,
    hit_cost=0.0,
    river_cells=2,
    orchard_cells=5,
    initial_waste=2,
    max_waste=2,  # below a share of 0.6
    apple_respawn_probability=0.5,
    threshold_depletion=0.6,
)

PRESETS: Mapping[str, BeamCleanupParams] = MappingProxyType(
    {
        "ssdg": _SSDG,
        "lio_7x7": _LIO_7X7,
        "lio_10x10": dataclasses.replace(
            _LIO_7X7,
            height=10,
            width=10,
            view_radius=7,
            river_cells=16,
            orchard_cells=12,
            initial_waste=8,
            max_waste=7,  # below a share of 0.4
            apple_respawn_probability=0.3,
            threshold_depletion=0.4,
        ),
        "meltingpot": dataclasses.replace(
            _SSDG,
            num_agents=7,
            height=21,
            width=30,
            view_radius=5,
            fire_length=3,
            fire_cost=0.0,
            hit_cost=0.0,
            hit_freeze=50,
            sideways=False,
            river_cells=147,
            stream_cells=20,
            orchard_cells=122,
            clean_length=3,
            initial_waste=79,
            max_waste=147,
            waste_delay=50,
            try_every_cell=False,
        ),
    }
)

REFERENCES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "SSDG": (
            "Preset ssdg has its numbers and as many cells of each kind on a map of the same size, but river "
            "and orchard are solid strips along the left and the right wall, and there is no stream, which "
            "has no effect there.",
            "There agents start on ten marked cells; here on any free cell between river and orchard, so "
            "that up to 64 can play.",
            "There the same 56 of the 119 cells have waste at the start of every episode; here random ones.",
            "There chains of moves are resolved first and two agents that would swap both stay; here agents "
            "move one after the other in a random order.",
            "There agents see colours, also of clean river; here they see planes or classes.",
            "Its chance of new waste is 0.5, but tried on cell after cell until one passes: one in almost "
            "every step. Here the same is drawn at once.",
        ),
        "LIO": (
            "Presets lio_7x7 and lio_10x10 have its numbers. The 7x7 map is the same cell by cell; in 10x10 "
            "the orchard is a solid block of as many cells.",
            "There agents start on marked cells, in 7x7 the first always nearer to the river; here on random "
            "ones.",
            "There the same 8 cells of 10x10 have waste at the start of every episode; here random ones.",
            "There the actions are numbered left, right, up, down, stay, clean, and agents see colours.",
            "There an option makes each cleaning cost reward; here cleaning is free.",
            "There moves are resolved as in an older version of SSDG's code; here agents move one after the "
            "other in a random order.",
        ),
        "Melting Pot": (
            "Preset meltingpot has the numbers of clean_up and as many cells of each kind on a map of the "
            "same size, but the river is a strip along the top, without the arm through the middle.",
            "There who is hit is off the map for 50 steps and comes back at a start cell; here it stays "
            "where it is, cannot act for 50 steps, and blocks ways and beams.",
            "There beams have a cool-down, 10 steps for zapping and 2 for cleaning; here they have none.",
            "There the window of 11x11 cells reaches 9 ahead and 1 behind; here the agent is in its middle.",
            "There episodes go on at random from step 1,000 on, up to 5,000; here they have 1,000 steps.",
        ),
        "SocialJax": (
            "Map, agents, waste, apples and the 1,000 steps are those of Melting Pot, without the ring of "
            "wall.",
            "There every agent gets the sum of all rewards; without shared rewards it gets its own times the "
            "number of agents. Here each gets its own.",
            "There moves go up, down, left and right on the grid whichever way an agent faces; here they are "
            "relative to its facing. The actions are numbered differently, turns first.",
            "There a beam takes four cells at once (one and two ahead, ahead to the left and to the right), "
            "which nothing blocks; here three rays of 3 cells end on what they meet.",
            "There who is hit starts again elsewhere at once; here it cannot act for 50 steps. Neither has a "
            "cool-down.",
            "There of several agents that want one cell a random one gets it, agents follow each other, and "
            "swaps are blocked (since its version 1.1.0); here agents move one after the other in a random "
            "order.",
            "There the window of 11x11 cells reaches 9 ahead and 1 behind, in 19 planes; here the agent is "
            "in its middle.",
            "There one random number decides on both new waste and the first apple; here draws are "
            "independent.",
        ),
    }
)


def waste_chances(p: BeamCleanupParams) -> npt.NDArray[np.float64]:
    """(river_cells + 1,) chance of a new waste in a step after the delay, by the number of waste."""
    chances = []
    for waste in range(p.river_cells + 1):
        tries = p.river_cells - waste if p.try_every_cell else 1
        chances.append(1.0 - (1.0 - p.waste_spawn_probability) ** tries if waste < p.max_waste else 0.0)
    return np.array(chances)


def apple_chances(p: BeamCleanupParams) -> npt.NDArray[np.float64]:
    """(river_cells + 1,) chance of a new apple on each empty cell in a step, by the number of waste."""
    density = np.arange(p.river_cells + 1) / (p.river_cells + p.stream_cells)
    grown = (p.threshold_depletion - density) / (p.threshold_depletion - p.threshold_restoration)
    return p.apple_respawn_probability * np.clip(grown, 0.0, 1.0)


class BeamCleanupGame(BeamGame):
    """B copies of Cleanup with beams.

    Counts, by agent: apples eaten and waste cleaned; with fining beams also shots, hits on others and hits by
    others.
    """

    clean_name = "clean"
    ground_objects = ("waste", "apple")
    params: BeamCleanupParams

    @staticmethod
    def make_layout(params: BeamCleanupParams) -> Layout:
        """River and orchard as strips at opposite walls."""
        cells = inner_cells(params)
        if params.sideways:
            cells.sort(key=lambda cell: (cell[1], cell[0]))
        river_end = params.river_cells + params.stream_cells
        river, stream = cells[: params.river_cells], cells[params.river_cells : river_end]
        return Layout.of(params, river, stream, orchard=cells[len(cells) - params.orchard_cells :])

    def _load_kernel(self) -> ModuleType:
        from mixed_motive.kernels import beam_cleanup

        return beam_cleanup

    def _num_extra_registers(self) -> int:
        return 1

    def _beam_length(self) -> int:
        return max(self.params.fire_length, self.params.clean_length)

    def _own_constants(self) -> tuple[Any, ...]:
        p = self.params
        return (
            self._stored(self.layout.river),
            p.clean_length,
            p.initial_waste,
            p.waste_delay,
            waste_chances(p),
            apple_chances(p),
            candidate_bits(p.apple_respawn_probability),
        )

    def _state_problems(self, state: Mapping[str, npt.NDArray[Any]]) -> list[str]:
        problems = super()._state_problems(state)
        for code, name, home in ((WASTE, "waste", self.layout.river), (APPLE, "apples", self.layout.orchard)):
            rows, cols = np.array(home).T
            if (state["map"] == code).sum() != (state["map"][:, rows, cols] == code).sum():
                problems.append(f"'map' has {name} off the cells on which they appear")
        return problems

    def _load_arrays(self, indices: npt.NDArray[np.intp], state: Mapping[str, npt.NDArray[Any]]) -> None:
        super()._load_arrays(indices, state)
        self._registers[indices, self._kernel.WASTE_LEFT] = (state["map"] == WASTE).sum(axis=(1, 2))
