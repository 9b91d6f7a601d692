"""Sequential Snowdrift (SSG): every removed pile of snow helps everybody, but only who removes it pays.

Rules. `num_piles` piles lie on distinct random cells and do not come back. Agents start on random cells,
distinct while there are enough (then again from all), perhaps on a pile. In each step, all at once:

1. Agents move (up, down, left, right; into the map's edge: stay), remove the pile on their own cell, or stay.
   Removing where nothing lies is a stay.
2. Every pile removed gives `removal_benefit` to every agent. Its remover pays `removal_cost`; several agents
   that remove one pile together share the cost equally (and each counts as having removed it).

With `agents_block` (the default), a move into a cell that is occupied when the step begins is a stay, whether
or not its occupant leaves in this step: agents never follow into a cell just left, nor swap. Of several
agents that move into one free cell, a random one, each with the same chance, gets there and the others stay.
Without it, agents may share cells.

The episode is truncated after `horizon` steps, also when no pile is left.

Source: LASE (arXiv 2410.07863), Section 5.1 and Appendix B. Shared costs, blocking and its ties are our
choice where the paper is silent.
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

__all__ = ["PRESETS", "REFERENCES", "SnowdriftGame", "SnowdriftParams"]

REMOVE = 5
NUM_ACTIONS = 6
PILE = 1
NUM_OBJECTS = 1


def _piles_fit(p: SnowdriftParams) -> str | None:
    cells = p.height * p.width
    return (
        None
        if p.num_piles <= cells
        else f"num_piles={p.num_piles} do not fit on {p.height}x{p.width} = {cells} cells"
    )


def _agents_fit(p: SnowdriftParams) -> str | None:
    cells = p.height * p.width
    if not p.agents_block or p.num_agents < cells:
        return None
    return (
        f"too many agents: num_agents={p.num_agents} leave no free cell on {p.height}x{p.width} = {cells}. "
        "Raise height or width, or let agents share cells with agents_block=False."
    )


@dataclasses.dataclass(frozen=True)
class SnowdriftParams(GridParams):
    """Parameters of Sequential Snowdrift."""

    rules: ClassVar[tuple[Rule, ...]] = (
        *GridParams.rules,
        Rule(("num_piles", "height", "width"), _piles_fit),
        Rule(("num_agents", "height", "width", "agents_block"), _agents_fit),
    )

    num_piles: int = param("piles of snow at the start", 1, 2**16)
    removal_benefit: float = param("reward of every agent for a removed pile", -1e6, 1e6)
    removal_cost: float = param("what removing a pile costs, shared by its removers", 0, 1e6)
    agents_block: bool = param("whether a move into an occupied cell is a stay")


PRESETS: Mapping[str, SnowdriftParams] = MappingProxyType(
    {
        "lase": SnowdriftParams(
            horizon=50,
            num_agents=4,
            height=8,
            width=8,
            view_radius=2,
            num_piles=6,
            removal_benefit=6.0,
            removal_cost=4.0,
            agents_block=True,
        ),
        "lase_extended": SnowdriftParams(
            horizon=70,
            num_agents=8,
            height=12,
            width=12,
            view_radius=2,
            num_piles=12,
            removal_benefit=6.0,
            removal_cost=4.0,
            agents_block=True,
        ),
    }
)

REFERENCES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "LASE paper": (
            "That removers of one pile share its cost, that agents block each other and how such ties end is "
            "our choice, and so are all numbers of `lase_extended`, whose table is not known to us.",
        ),
        "LASE repository": (
            "Map, agents, piles, actions, rewards, view and 50 steps are the same.",
            "There some episodes (9 % of those tried) start with two agents on one cell; here start cells "
            "are distinct while there are enough.",
            "Its first version ended an episode with the last pile; its later one and ours go on.",
        ),
        "HOP": (
            "Map, agents, piles, actions and rewards are the same, as far as we know.",
            "There an episode ends with the last pile, as we remember its paper; here it goes on.",
        ),
    }
)


class SnowdriftGame(GridGame):
    """B copies of Sequential Snowdrift. Counts: piles removed, by agent."""

    action_names = (*MOVES, "remove")
    count_names = ("piles_removed",)
    object_names = ("pile",)
    params: SnowdriftParams

    @property
    def max_collective_reward(self) -> float | None:
        """All piles removed, or none where removing does not pay for the group."""
        p = self.params
        return max(0.0, p.num_piles * (p.num_agents * p.removal_benefit - p.removal_cost))

    def _load_kernel(self) -> ModuleType:
        from mixed_motive.kernels import snowdrift

        return snowdrift

    def _kernel_constants(self) -> tuple[Any, ...]:
        p = self.params
        return (
            self.pad_rows,
            self.pad_cols,
            p.horizon,
            p.num_piles,
            p.removal_benefit,
            p.removal_cost,
            p.agents_block,
        )

    def _state_problems(self, state: Mapping[str, npt.NDArray[Any]]) -> list[str]:
        p, problems = self.params, super()._state_problems(state)
        cells = np.sort(state["positions"][..., 0] * p.width + state["positions"][..., 1], axis=1)
        if p.agents_block and (cells[:, 1:] == cells[:, :-1]).any():
            problems.append("'positions' has two agents on one cell, but agents_block is True")
        return problems

    def _ground(self) -> list[str]:
        return ["road"] * self.params.height
