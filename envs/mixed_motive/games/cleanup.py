"""Cleanup: apples grow only while the river is clean; cleaning earns nothing and is done far from the apples.

Rules. The map's top `river_rows` are the river, its bottom `orchard_rows` the orchard; agents start on random
cells between them, distinct while there are enough (then again from all). The river starts with
`initial_waste` waste on random cells, the orchard empty. In each step:

1. Agents move (up, down, left, right; into the map's edge: stay), clean the waste or pick the apple on their
   own cell, or stay. Agents may share a cell. Of several agents that clean one waste, or pick one apple, a
   random one, each with the same chance, does it; for the others, and where nothing lies, it is a stay. An
   apple gives +1; cleaning costs and earns nothing.
2. While fewer than `max_waste` lie in the river, one waste appears with `waste_spawn_probability` on a random
   clean river cell.
3. One apple appears on a random empty orchard cell with probability

       apple_respawn_probability
           * clip((threshold_depletion - d) / (threshold_depletion - threshold_restoration), 0, 1)

   where d = waste / river cells after the cleaning of this step and before its new waste.

New waste and apples may appear under an agent. The episode is truncated after `horizon` steps.

Source: LASE (arXiv 2410.07863), Section 5.1 and Appendix B, for agents, map, actions and rewards. What the
paper leaves open (rows of river and orchard, spawning, ties) is our choice; parameters have the names and the
meaning they have in the field.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType, ModuleType
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from mixed_motive.games.grid import GridGame
from mixed_motive.games.moves import MOVES
from mixed_motive.params import GridParams, Rule, param

__all__ = ["PRESETS", "REFERENCES", "CleanupGame", "CleanupParams", "apple_probabilities"]

CLEAN, PICK = 5, 6
NUM_ACTIONS = 7
WASTE, APPLE = 1, 2
NUM_OBJECTS = 2
# Numbers of the draws of a step: a chance and a cell for each spawn, then one for each agent's tie.
DRAW_WASTE, DRAW_APPLE, DRAW_TIE = 0, 2, 4


def _rows_fit(p: CleanupParams) -> str | None:
    if p.river_rows + p.orchard_rows < p.height:
        return None
    return (
        f"the map is too small: river_rows={p.river_rows} and orchard_rows={p.orchard_rows} leave none of "
        f"height={p.height} rows for the agents to start on. Raise height or lower the others."
    )


def _waste_fits(p: CleanupParams) -> str | None:
    cells = p.river_rows * p.width
    if p.max_waste <= cells:
        return None
    return f"max_waste={p.max_waste} does not fit into the river of {p.river_rows}x{p.width} = {cells} cells"


def _start_fits(p: CleanupParams) -> str | None:
    if p.initial_waste <= p.max_waste:
        return None
    return f"initial_waste={p.initial_waste} is more than max_waste={p.max_waste}"


def thresholds_ordered(p: Any) -> str | None:
    """Why the thresholds of a kind of Cleanup make no sense, or None."""
    if p.threshold_restoration < p.threshold_depletion:
        return None
    return (
        f"threshold_restoration={p.threshold_restoration} must lie below "
        f"threshold_depletion={p.threshold_depletion}: "
        "apples grow at their full rate up to the former share of waste, and not at all from the latter on"
    )


@dataclasses.dataclass(frozen=True)
class CleanupParams(GridParams):
    """Parameters of Cleanup."""

    rules: ClassVar[tuple[Rule, ...]] = (
        *GridParams.rules,
        Rule(("river_rows", "orchard_rows", "height"), _rows_fit),
        Rule(("max_waste", "river_rows", "width"), _waste_fits),
        Rule(("initial_waste", "max_waste"), _start_fits),
        Rule(("threshold_restoration", "threshold_depletion"), thresholds_ordered),
    )

    river_rows: int = param("rows of river at the top", 1, 255)
    orchard_rows: int = param("rows of orchard at the bottom", 1, 255)
    initial_waste: int = param("waste in the river at the start", 0, 2**16)
    max_waste: int = param("no waste appears while this many lie in the river", 0, 2**16)
    waste_spawn_probability: float = param("chance of one new waste in a step", 0, 1)
    apple_respawn_probability: float = param(
        "chance of one new apple in a step while the river is clean", 0, 1
    )
    threshold_depletion: float = param("share of river cells with waste from which on no apple grows", 0, 1)
    threshold_restoration: float = param(
        "share of river cells with waste up to which apples grow at the full rate", 0, 1
    )


PRESETS: Mapping[str, CleanupParams] = MappingProxyType(
    {
        "lase": CleanupParams(
            horizon=100,
            num_agents=4,
            height=8,
            width=8,
            view_radius=2,
            river_rows=2,
            orchard_rows=2,
            initial_waste=8,
            max_waste=8,
            waste_spawn_probability=0.1,
            apple_respawn_probability=1.0,
            threshold_depletion=8 / 16,
            threshold_restoration=0.0,
        ),
        "lase_extended": CleanupParams(
            horizon=100,
            num_agents=8,
            height=12,
            width=12,
            view_radius=2,
            river_rows=3,
            orchard_rows=3,
            initial_waste=16,
            max_waste=16,
            waste_spawn_probability=0.2,
            apple_respawn_probability=1.0,
            threshold_depletion=16 / 36,
            threshold_restoration=0.0,
        ),
    }
)

REFERENCES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "LASE paper": (
            "Rows of river and orchard, both probabilities, both thresholds, how many appear in a step and "
            "how ties end are our choice, and so are all numbers of `lase_extended`: the tables of the "
            "paper's appendix are not known to us.",
        ),
        "LASE repository, map 8x8": (
            "River, orchard, start rows, most waste, both probabilities, actions and rewards are the same; "
            "older commits have waste with 0.25, 0.4 or 0.5, apples at +10 and cleaning at -1.",
            "There actions that do not apply are masked; here they are stays.",
        ),
        "LASE repository, map 16x23": (
            "That is another game: at most 50 waste on 6 rows of river, waste with 0.25, agents that block "
            "each other and shoot beams to clean and to punish (-1, who is hit -50), apples at +10, 300 "
            "steps.",
        ),
        "SSDG, LIO, Melting Pot, SocialJax": (
            "There agents clean with beams, eat an apple by entering its cell and cannot share a cell, and "
            "apples may grow on every empty cell in a step; here at most one grows.",
        ),
    }
)


def apple_probabilities(p: CleanupParams) -> npt.NDArray[np.float64]:
    """(max_waste + 1,) chance of a new apple in a step, by the number of waste in the river."""
    density = np.arange(p.max_waste + 1) / (p.river_rows * p.width)
    grown = (p.threshold_depletion - density) / (p.threshold_depletion - p.threshold_restoration)
    return p.apple_respawn_probability * np.clip(grown, 0.0, 1.0)


class CleanupGame(GridGame):
    """B copies of Cleanup. Counts: apples picked and waste cleaned, by agent."""

    action_names = (*MOVES, "clean", "pick")
    count_names = ("apples", "waste_cleaned")
    object_names = ("waste", "apple")
    params: CleanupParams

    def _load_kernel(self) -> ModuleType:
        from mixed_motive.kernels import cleanup

        return cleanup

    def _num_extra_registers(self) -> int:
        return 2

    def _kernel_constants(self) -> tuple[Any, ...]:
        p = self.params
        return (
            self.pad_rows,
            self.pad_cols,
            p.horizon,
            p.river_rows,
            p.orchard_rows,
            p.initial_waste,
            p.max_waste,
            p.waste_spawn_probability,
            apple_probabilities(p),
        )

    def _state_problems(self, state: Mapping[str, npt.NDArray[Any]]) -> list[str]:
        p, problems = self.params, super()._state_problems(state)
        waste, apples = state["map"] == WASTE, state["map"] == APPLE
        if waste[:, p.river_rows :].any() or apples[:, : p.height - p.orchard_rows].any():
            problems.append(
                f"waste must lie in the top {p.river_rows} rows and apples in the bottom {p.orchard_rows}"
            )
        if waste.sum(axis=(1, 2)).max(initial=0) > p.max_waste:
            problems.append(f"there is more waste than max_waste={p.max_waste}")
        return problems

    def _load_arrays(self, indices: npt.NDArray[np.intp], state: Mapping[str, npt.NDArray[Any]]) -> None:
        super()._load_arrays(indices, state)
        self._registers[indices, self._kernel.WASTE_LEFT] = (state["map"] == WASTE).sum(axis=(1, 2))
        self._registers[indices, self._kernel.APPLES_LEFT] = (state["map"] == APPLE).sum(axis=(1, 2))

    def _ground(self) -> list[str]:
        p = self.params
        return [
            *["river"] * p.river_rows,
            *["grass"] * (p.height - p.river_rows - p.orchard_rows),
            *["orchard"] * p.orchard_rows,
        ]
