"""`JointEnv`: B copies of a multi-agent environment, stepped as arrays. What the env runner steps.

Knows nothing of policies, rollouts or learning.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from mixed_motive import BatchedGame


class EnvironmentFault(RuntimeError):
    """An environment broke its contract; the message names the field, the agent, the copy and the step."""


@dataclass(frozen=True, slots=True)
class JointStep:
    """Outcome of one step of all B copies for all N agents.

    Attributes:
        rewards: `(N, B)` float32.
        terminateds: `(N, B)` bool, the agent's episode ended for good in this step.
        truncateds: `(N, B)` bool, the agent's episode was cut in this step.
        active: `(N, B)` bool, the agent was in the game when the actions were taken.
        dones: `(B,)` bool, the copy's episode ended; its next observations belong to a new episode.
        counts: `(N, B, C)` int32, events of this step.
    """

    rewards: NDArray[np.float32]
    terminateds: NDArray[np.bool_]
    truncateds: NDArray[np.bool_]
    active: NDArray[np.bool_]
    dones: NDArray[np.bool_]
    counts: NDArray[np.int32]


class JointEnv(abc.ABC):
    """B copies of one multi-agent environment with a fixed, ordered set of agents and same-step auto-reset.

    Attributes:
        num_envs: B.
        agent_ids: The N agents in their fixed order.
        observation_spaces: One space per agent.
        action_spaces: One space per agent: `Discrete` counted from 0 for all (of any size; `Combinations`
            where an action has several parts), or `Box(-1, 1, (D,))` of one D for all, whatever the
            environment's own ranges are.
        groups: Positions of agents whose observations share shape and dtype; every agent is in one group.
        count_names: Names of the C counted events.
        final_obs: Per group `(n, B, *obs)`; the last observation of the old episode, valid for copies whose
            episode ended in the latest step.
        stay_action: The action that does nothing, or None if there is none or it is unknown.
        max_collective_reward: Ceiling of the collective reward per episode, or None if unknown.
        game: The batched game behind the copies, whose state scripted players see; None for environments of
            others.
        places: `(N, B)`, the game's agent that each agent plays in each copy; None: its own.
    """

    num_envs: int
    agent_ids: tuple[str, ...]
    observation_spaces: Mapping[str, gym.Space[Any]]
    action_spaces: Mapping[str, gym.Space[Any]]
    groups: tuple[tuple[int, ...], ...]
    count_names: tuple[str, ...]
    final_obs: tuple[NDArray[Any], ...]
    stay_action: int | None = None
    max_collective_reward: float | None = None
    game: BatchedGame | None = None
    places: NDArray[np.int64] | None = None

    @property
    def action_shape(self) -> tuple[int, ...]:
        """Of one action: () if they are discrete, (D,) if they are continuous."""
        return self.action_spaces[self.agent_ids[0]].shape or ()

    @property
    def own_spaces(self) -> Mapping[str, tuple[gym.Space[Any], gym.Space[Any]]]:
        """Per agent, the environment's own observation and action space, before any encoding."""
        return {a: (self.observation_spaces[a], self.action_spaces[a]) for a in self.agent_ids}

    @property
    def normalises_observations(self) -> bool:
        """Whether the observations are `ObsView`'s of what encoders write, not what they write."""
        return False

    @property
    def action_tables(self) -> Mapping[str, NDArray[np.int64]]:
        """Which action of the environment each of an agent's actions plays, where actions were added."""
        return {}

    @abc.abstractmethod
    def reset(self, seed: int | None, obs_out: Sequence[NDArray[Any]]) -> None:
        """Starts new episodes in all copies and writes their first observations.

        Args:
            seed: Seed of all following randomness; None keeps on drawing.
            obs_out: Per group `(n, B, *obs)`, written in place.
        """

    @abc.abstractmethod
    def step(self, actions: NDArray[Any], obs_out: Sequence[NDArray[Any]]) -> JointStep:
        """Steps all copies.

        Args:
            actions: `(N, B)` int64, or `(N, B, D)` float32, which is clipped to [-1, 1]; ignored for agents
                that have left.
            obs_out: Per group `(n, B, *obs)`, the next observations, written in place; zeros for agents that
                have left; the first observation of the next episode where one ended.

        Returns:
            The step's outcome; its arrays are valid until the next call.
        """

    @abc.abstractmethod
    def get_state(self) -> dict[str, NDArray[Any]] | None:
        """Everything that the next steps depend on, as plain arrays; None if the environment cannot tell."""

    @abc.abstractmethod
    def set_state(self, state: dict[str, NDArray[Any]], obs_out: Sequence[NDArray[Any]]) -> None:
        """Restores `get_state` exactly and writes the current observations."""

    @abc.abstractmethod
    def render(
        self, env_index: int = 0, gifts: NDArray[np.floating[Any]] | None = None
    ) -> NDArray[np.uint8] | None:
        """A picture `(H, W, 3)` of one copy, or None if the environment has none.

        Args:
            env_index: The copy, by its position in the batch.
            gifts: `(N, N)` amounts of reward given in the last step, giver in the row; drawn where the
                environment knows how.
        """

    def stay_at_ends(self) -> bool:
        """From now on no next episode starts, so that an episode's end can be drawn.

        Returns:
            Whether this environment can do that; if not, nothing has changed.
        """
        return False

    @abc.abstractmethod
    def close(self) -> None:
        """Releases what the copies hold; calling it twice is harmless."""


def group_by_observation(
    agent_ids: Sequence[str], spaces: Mapping[str, gym.Space[Any]]
) -> tuple[tuple[int, ...], ...]:
    """Positions of agents whose observations have the same shape and dtype, in order of first appearance."""
    groups: dict[tuple[Any, ...], list[int]] = {}
    for position, agent_id in enumerate(agent_ids):
        space = spaces[agent_id]
        groups.setdefault((space.shape, str(space.dtype)), []).append(position)
    return tuple(tuple(members) for members in groups.values())
