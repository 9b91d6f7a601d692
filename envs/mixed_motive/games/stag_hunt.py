"""Sequential Stag Hunt (SSH): a stag feeds several, but only together; a hare feeds one, and needs nobody.

Rules. `num_stags` stags and `num_hares` hares stand on distinct random cells; they neither move nor come
back. Agents start on random cells, distinct while there are enough (then again from all), perhaps on prey. In
each step, all at once:

1. Agents move (up, down, left, right; into the map's edge: stay), stay, or hunt the prey on their own cell.
   Agents may share a cell. Hunting what is not there is a stay.
2. A hare is caught by all that hunt it in this step: they share `hare_reward` equally.
3. A stag is caught by all that hunt it in this step if they are at least `hunters_needed`: they share
   `stag_reward` equally. Fewer get nothing and stay where they are, as does the stag.
4. Who caught something leaves the game with its reward, by termination: it is on no cell from then on, sees
   zeros and is seen by nobody. Each of those that shared prey counts as having caught it.

With `stag_action`, hunting a stag is an action of its own; without it, staying on a stag's cell hunts the
stag.

The episode ends when all agents have left, or by truncation of those that are left after `horizon` steps. An
agent that leaves in the last step terminates and is not truncated. Nothing is random but the start.

Source: LASE (arXiv 2410.07863), Section 5.1 and Appendix B; the game is HOP's. The numbers of prey are our
choice, after the ceiling of 20 for four agents.
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

__all__ = ["PRESETS", "REFERENCES", "StagHuntGame", "StagHuntParams"]

HUNT_HARE, HUNT_STAG = 5, 6
HARE, STAG = 1, 2
NUM_OBJECTS = 2
COUNT_HARES, COUNT_STAGS = 0, 1


def _prey_fits(p: StagHuntParams) -> str | None:
    cells = p.height * p.width
    if p.num_stags + p.num_hares <= cells:
        return None
    return (
        f"num_stags={p.num_stags} and num_hares={p.num_hares} do not fit on {p.height}x{p.width} = {cells} "
        "cells"
    )


def _hunters_suffice(p: StagHuntParams) -> str | None:
    if p.hunters_needed <= p.num_agents or p.num_stags == 0:
        return None
    return (
        f"hunters_needed={p.hunters_needed} are more than num_agents={p.num_agents}: nobody could catch a "
        "stag. Lower it, or leave the stags out with num_stags=0."
    )


@dataclasses.dataclass(frozen=True)
class StagHuntParams(GridParams):
    """Parameters of Sequential Stag Hunt."""

    rules: ClassVar[tuple[Rule, ...]] = (
        *GridParams.rules,
        Rule(("num_stags", "num_hares", "height", "width"), _prey_fits),
        Rule(("hunters_needed", "num_agents", "num_stags"), _hunters_suffice),
    )

    num_stags: int = param("stags at the start", 0, 2**16)
    num_hares: int = param("hares at the start", 0, 2**16)
    stag_reward: float = param("what a stag is worth, shared by its hunters", 0, 1e6)
    hare_reward: float = param("what a hare is worth, shared by its hunters", 0, 1e6)
    hunters_needed: int = param("agents that must hunt a stag in the same step to catch it", 1, 64)
    stag_action: bool = param(
        "whether hunting a stag is an action of its own; if not, staying on it hunts it"
    )


PRESETS: Mapping[str, StagHuntParams] = MappingProxyType(
    {
        "lase": StagHuntParams(
            horizon=30,
            num_agents=4,
            height=8,
            width=8,
            view_radius=2,
            num_stags=2,
            num_hares=4,
            stag_reward=10.0,
            hare_reward=1.0,
            hunters_needed=2,
            stag_action=True,
        ),
        "lase_repository": StagHuntParams(
            horizon=30,
            num_agents=4,
            height=5,
            width=5,
            view_radius=2,
            num_stags=2,
            num_hares=4,
            stag_reward=10.0,
            hare_reward=1.0,
            hunters_needed=2,
            stag_action=False,
        ),
        "hop": StagHuntParams(
            horizon=30,
            num_agents=4,
            height=8,
            width=8,
            view_radius=2,
            num_stags=1,
            num_hares=4,
            stag_reward=10.0,
            hare_reward=1.0,
            hunters_needed=2,
            stag_action=True,
        ),
    }
)

REFERENCES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "LASE paper": (
            "The numbers of stags and hares in preset lase are our choice: with them the collective reward "
            "is at most 20, as in the paper.",
        ),
        "LASE repository": (
            "Preset lase_repository has the map (5x5), the prey and the actions of its last commit; earlier "
            "commits have an 8x8 map.",
            "There hunting a hare is masked off where no hare is; here it is a stay.",
            "There an agent that has left goes on seeing the surroundings of its last cell; here it sees "
            "zeros.",
            "There catching a hare can erase another agent's mark on the map; here it erases the hunters'.",
        ),
        "HOP": (
            "Preset hop has the one stag and the four hares of its published configuration and the 30 steps "
            "of its paper; the configuration has 35 steps, and the paper also plays with two stags.",
            "There up to 5 cells are obstacles; here none is.",
            "There actions that do not apply are masked; here they are stays.",
            "There a stag can be shared by strength, and an option ends the episode 5 steps after the first "
            "hunt; here a stag is shared equally, and a hunt ends nothing for the others.",
            "There agents are told the time; here they are not. The 5x5 window is that of preset lase.",
        ),
        "Gym-Stag-Hunt": (
            "That is another game: two agents, a stag that follows the nearest of them and hurts who meets "
            "it alone, and plants instead of hares.",
        ),
    }
)


class StagHuntGame(GridGame):
    """B copies of Sequential Stag Hunt. Counts: hares and stags caught, by agent, alone or with others."""

    count_names = ("hares", "stags")
    object_names = ("hare", "stag")
    params: StagHuntParams

    @property
    def action_names(self) -> tuple[str, ...]:
        """Name of each action, by its number."""
        names = (*MOVES, "hunt_hare", "hunt_stag")
        return names if self.params.stag_action else names[:HUNT_STAG]

    @property
    def max_collective_reward(self) -> float | None:
        """The best split of the agents into parties for stags and single hunters of hares."""
        p = self.params
        most_stags = min(p.num_stags, p.num_agents // p.hunters_needed)
        return max(
            stags * p.stag_reward + min(p.num_hares, p.num_agents - stags * p.hunters_needed) * p.hare_reward
            for stags in range(most_stags + 1)
        )

    def _load_kernel(self) -> ModuleType:
        from mixed_motive.kernels import stag_hunt

        return stag_hunt

    def _kernel_constants(self) -> tuple[Any, ...]:
        p = self.params
        return (
            self.pad_rows,
            self.pad_cols,
            p.horizon,
            p.num_stags,
            p.num_hares,
            p.stag_reward,
            p.hare_reward,
            p.hunters_needed,
            p.stag_action,
        )

    def _state_problems(self, state: Mapping[str, npt.NDArray[Any]]) -> list[str]:
        from mixed_motive.kernels.shared import GONE

        p = self.params
        gone = (state["positions"] == GONE).all(axis=-1)
        here = np.where(gone[..., None], 0, state["positions"])
        problems = super()._state_problems({**state, "positions": here})
        if (gone.all(axis=1) & ~state["ended"]).any():
            problems.append("all agents of a copy have left (their 'positions' say so), but 'ended' is False")
        for name, code, most in (("num_hares", HARE, p.num_hares), ("num_stags", STAG, p.num_stags)):
            if ((state["map"] == code).sum(axis=(1, 2)) > most).any():
                problems.append(f"there is more prey than {name}={most}")
        return problems

    def _ground(self) -> list[str]:
        return ["grass"] * self.params.height
