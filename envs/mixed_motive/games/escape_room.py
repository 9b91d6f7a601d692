"""Escape Room: the door opens only while enough agents hold the lever, and who holds it cannot leave.

Rules. There are three places: lever, start and door. All agents begin at the start. In each step every agent
goes to a place, all at once; the action of the place where it is means staying there.

1. The door is open in a step if at least `min_at_lever` agents are at the lever after the moves.
2. If it is open, every agent at the door escapes, whether it came just now or waited there: it gets
   `exit_reward` and pays nothing in this step.
3. Every other agent that changed its place pays `move_cost`, also one that comes to a closed door.

The episode ends for all agents, by termination, in the step in which somebody escapes; otherwise it is
truncated after `horizon` steps. Nothing is random.

The group needs `min_at_lever` agents that pay and get nothing, so that the others can leave: each agent would
rather be one of those, and where all think so nobody leaves.

Observation: a one-hot of the agent's own place (lever, start, door), then one of each co-player's place, in
the agents' order without the agent itself.

Source: Learning to Incentivize Others, LIO (arXiv 2006.06051), whose game with N agents of which M must be at
the lever is ER(N, M).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from mixed_motive.base import BatchedGame
from mixed_motive.encodings import Obs
from mixed_motive.game_parts import State
from mixed_motive.params import GameParams, Rule, param

if TYPE_CHECKING:
    from mixed_motive.rendering.arrows import Spot

__all__ = ["PLACES", "PRESETS", "REFERENCES", "EscapeRoomGame", "EscapeRoomParams"]

LEVER, START, DOOR = range(3)
PLACES = ("lever", "start", "door")
NUM_ACTIONS = 3


def _somebody_can_leave(p: EscapeRoomParams) -> str | None:
    if p.min_at_lever < p.num_agents:
        return None
    return (
        f"min_at_lever={p.min_at_lever} leaves nobody who could escape: expected fewer than "
        f"num_agents={p.num_agents}"
    )


@dataclasses.dataclass(frozen=True)
class EscapeRoomParams(GameParams):
    """Parameters of Escape Room."""

    rules: ClassVar[tuple[Rule, ...]] = (Rule(("min_at_lever", "num_agents"), _somebody_can_leave),)

    min_at_lever: int = param("agents that must be at the lever for the door to be open", 1, 63)
    exit_reward: float = param("reward of an agent that escapes", 0, 1e6)
    move_cost: float = param("what changing one's place costs, other than to escape", 0, 1e6)


PRESETS: Mapping[str, EscapeRoomParams] = MappingProxyType(
    {
        "lio_2_1": EscapeRoomParams(horizon=5, num_agents=2, min_at_lever=1, exit_reward=10.0, move_cost=1.0),
        "lio_3_2": EscapeRoomParams(horizon=5, num_agents=3, min_at_lever=2, exit_reward=10.0, move_cost=1.0),
    }
)

REFERENCES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "LASE paper": ("It has no Escape Room.",),
        "LIO repository": (
            "Places, actions and their numbers, rewards, the end and the 5 steps are those of its symmetric "
            "game, read in its code; the paper's own text we could not check.",
            "There the observation ends with what the agent gave to each co-player so far; here gifts are no "
            "part of the game.",
            "There agents may begin at random places, by an option that is off; here all begin at the start.",
            "There the step limit and an escape end the episode alike; here the former is a truncation, the "
            "latter a termination.",
        ),
    }
)


class EscapeRoomGame(BatchedGame):
    """B copies of Escape Room.

    Counts: steps in which an agent held the lever of an open door, and escapes.
    """

    action_names = PLACES
    count_names = ("pulled", "escaped")
    params: EscapeRoomParams

    @property
    def max_collective_reward(self) -> float | None:
        """As few as possible at the lever and all others out in the first step, or nobody moves."""
        p = self.params
        return max(0.0, (p.num_agents - p.min_at_lever) * p.exit_reward - p.min_at_lever * p.move_cost)

    def _load_kernel(self) -> ModuleType:
        from mixed_motive.kernels import escape_room

        return escape_room

    def _native_shape(self) -> tuple[int, ...]:
        return (self.params.num_agents * len(PLACES),)

    def _new_arrays(self) -> tuple[npt.NDArray[Any], ...]:
        shape = (self.num_envs, self.params.num_agents)
        self._places: npt.NDArray[np.uint8] = np.full(shape, START, np.uint8)
        return (self._places,)

    def _kernel_constants(self) -> tuple[Any, ...]:
        p = self.params
        return p.horizon, p.min_at_lever, p.exit_reward, p.move_cost

    def _write_obs(self, obs: Obs) -> None:
        self._kernel.observe(self._places, obs, self._native)

    def _copy_arrays(self, indices: npt.NDArray[np.intp]) -> State:
        return {"places": self._places[indices]}

    def _state_problems(self, state: Mapping[str, npt.NDArray[Any]]) -> list[str]:
        if (state["places"] < len(PLACES)).all():
            return []
        return [f"'places' must hold only: {', '.join(f'{k} {name}' for k, name in enumerate(PLACES))}"]

    def _load_arrays(self, indices: npt.NDArray[np.intp], state: Mapping[str, npt.NDArray[Any]]) -> None:
        self._places[indices] = state["places"]

    def _draw(self, env_index: int) -> npt.NDArray[np.uint8]:
        from mixed_motive.rendering.escape_room import draw_escape_room

        places, progress = self._places[env_index].tolist(), self._progress(env_index)
        return draw_escape_room(places, self.params.min_at_lever, progress=progress)

    def _spots(self, env_index: int) -> Sequence[Spot | None]:
        from mixed_motive.rendering.escape_room import agent_spots

        return agent_spots(self._places[env_index].tolist())

    def _text(self, env_index: int) -> str:
        from mixed_motive.rendering.escape_room import escape_room_text

        return escape_room_text(
            self._title(env_index), self._places[env_index].tolist(), self.params.min_at_lever
        )
