"""`JointRollout`: what all agents of B copies of a game saw, did and got in one fragment of T steps.

The one data structure that everything passes. Plain NumPy arrays, agent-major, so that it crosses process
borders without a copy. Knows nothing of games, hooks or RLlib.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class AgentGroup:
    """Agents whose observations have the same shape and dtype, stored in one block.

    Attributes:
        indices: Positions of these agents in `JointRollout.agent_ids`.
        obs: Observations, `(n, T + 1, B, *obs)`. Entry t is what the agents saw before step t; where an
            episode ended in step t, entry t + 1 belongs to the next episode.
        final_obs: Last observations of ended episodes, `(n, K, *obs)`, one per entry of `final_index`.
        state_in: Recurrent state at the fragment's start, `(n, B, 2 * lstm_size)` float32, or None.
    """

    indices: tuple[int, ...]
    obs: NDArray[Any]
    final_obs: NDArray[Any]
    state_in: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class JointRollout:
    """One fragment of joint experience: N agents, T steps, B copies.

    Attributes:
        agent_ids: The N agents in their fixed order.
        groups: Observations, in blocks of agents that share a space.
        actions: `(N, T, B)` int64; or continuous ones `(N, T, B, D)` float32 as they were drawn, in units in
            which [-1, 1] is the environment's range, where they are clipped. 0 where the agent had left.
        action_logp: `(N, T, B)` float32, log-probability under the behaviour policy (epsilon mixture
            included); of continuous actions the log-density before clipping.
        rewards: `(N, T, B)` float32, extrinsic; never overwritten.
        vf_preds: `(N, T + 1, B)` float32, values of `obs`.
        final_index: `(K, 2)` int64, (t, b) of each episode that ended within the fragment.
        final_vf_preds: `(N, K)` float32, values of `AgentGroup.final_obs`.
        terminateds: `(N, T, B)` bool, the agent's episode ended for good in step t (no bootstrap).
        truncateds: `(N, T, B)` bool, the agent's episode was cut in step t (bootstrap from the final value).
        active: `(N, T, B)` bool, the agent was in the game when step t was taken.
        dones: `(T, B)` bool, the episode of copy b ended in step t for everybody.
        lanes: `(B,)` int64, identity of each copy over all runners.
        lane_steps: `(B,)` int64, steps that each copy had taken when the fragment began.
        counts: `(N, T, B, C)` int32, events that the game counts, or C = 0.
        count_names: Names of the C events.
    """

    agent_ids: tuple[str, ...]
    groups: tuple[AgentGroup, ...]
    actions: NDArray[np.int64] | NDArray[np.float32]
    action_logp: NDArray[np.float32]
    rewards: NDArray[np.float32]
    vf_preds: NDArray[np.float32]
    final_index: NDArray[np.int64]
    final_vf_preds: NDArray[np.float32]
    terminateds: NDArray[np.bool_]
    truncateds: NDArray[np.bool_]
    active: NDArray[np.bool_]
    dones: NDArray[np.bool_]
    lanes: NDArray[np.int64]
    lane_steps: NDArray[np.int64]
    counts: NDArray[np.int32]
    count_names: tuple[str, ...] = ()

    @property
    def num_agents(self) -> int:
        """N."""
        return len(self.agent_ids)

    @property
    def num_steps(self) -> int:
        """T."""
        return int(self.dones.shape[0])

    @property
    def num_envs(self) -> int:
        """B."""
        return int(self.dones.shape[1])

    def env_steps(self) -> int:
        """T * B: steps of single copies. RLlib calls this on whatever a runner returns."""
        return self.num_steps * self.num_envs

    def agent_steps(self) -> int:
        """Steps taken by agents that were in the game."""
        return int(self.active.sum())

    def __len__(self) -> int:
        """Number of env steps, as RLlib counts a batch."""
        return self.env_steps()

    def to_tensors(self, device: torch.device | str = "cpu") -> TensorRollout:
        """The same data as tensors on `device`; on the CPU without a copy where the arrays are writeable."""
        # An agent that is truncated before the others sees its last observation in the next entry.
        final_values = self.vf_preds[:, 1:].copy()
        final_values[:, self.final_index[:, 0], self.final_index[:, 1]] = self.final_vf_preds

        def tensor(array: NDArray[Any]) -> Tensor:
            return torch.from_numpy(array if array.flags.writeable else array.copy()).to(device)

        blocks = [tensor(group.obs) for group in self.groups]
        states = [None if g.state_in is None else tensor(g.state_in) for g in self.groups]
        home = {
            agent: (g, row) for g, group in enumerate(self.groups) for row, agent in enumerate(group.indices)
        }
        places = [home[agent] for agent in range(self.num_agents)]
        return TensorRollout(
            obs=tuple(blocks[g][row] for g, row in places),
            state_in=tuple(None if (state := states[g]) is None else state[row] for g, row in places),
            actions=tensor(self.actions),
            action_logp=tensor(self.action_logp),
            rewards=tensor(self.rewards),
            vf_preds=tensor(self.vf_preds),
            final_vf_preds=tensor(final_values),
            terminateds=tensor(self.terminateds),
            truncateds=tensor(self.truncateds),
            active=tensor(self.active),
            dones=tensor(self.dones),
        )

    def obs_of(self, agent: int) -> NDArray[Any]:
        """Observations `(T + 1, B, *obs)` of the agent at position `agent`; a view."""
        for group in self.groups:
            if agent in group.indices:
                view: NDArray[Any] = group.obs[group.indices.index(agent)]
                return view
        raise IndexError(f"no agent at position {agent}; there are {self.num_agents}")


@dataclass(frozen=True)
class TensorRollout:
    """A `JointRollout` as tensors on one device; shapes as there, but for those below.

    Attributes:
        obs: One `(T + 1, B, *obs)` per agent.
        state_in: One `(B, 2 * lstm_size)` per agent, or None.
        final_vf_preds: `(N, T, B)`, value of the last observation of an agent that is truncated in step t.
    """

    obs: tuple[Tensor, ...]
    state_in: tuple[Tensor | None, ...]
    actions: Tensor
    action_logp: Tensor
    rewards: Tensor
    vf_preds: Tensor
    final_vf_preds: Tensor
    terminateds: Tensor
    truncateds: Tensor
    active: Tensor
    dones: Tensor

    @property
    def num_agents(self) -> int:
        """N."""
        return len(self.obs)

    def of_agents(self, agents: Sequence[int]) -> TensorRollout:
        """The same steps of some agents, by their positions; itself for all of them."""
        if len(agents) == self.num_agents:
            return self
        rows = list(agents)
        return TensorRollout(
            obs=tuple(self.obs[agent] for agent in rows),
            state_in=tuple(self.state_in[agent] for agent in rows),
            dones=self.dones,
            **{name: getattr(self, name)[rows] for name in _TENSORS_PER_AGENT},
        )


_TENSORS_PER_AGENT = (
    "actions",
    "action_logp",
    "rewards",
    "vf_preds",
    "final_vf_preds",
    "terminateds",
    "truncateds",
    "active",
)


def concatenate(rollouts: list[JointRollout]) -> JointRollout:
    """Joins rollouts of equal T along B (several runners' fragments make one batch).

    Args:
        rollouts: At least one rollout; all of the same agents, length and spaces.

    Raises:
        ValueError: if agents or lengths differ.
    """
    first = rollouts[0]
    if len(rollouts) == 1:
        return first
    for other in rollouts[1:]:
        if other.agent_ids != first.agent_ids or other.num_steps != first.num_steps:
            raise ValueError(
                f"cannot join a rollout of {other.num_steps} steps of agents {other.agent_ids} with one of "
                f"{first.num_steps} steps of {first.agent_ids}; all runners need the same environment and "
                "rollout_fragment_length"
            )
    offsets = np.cumsum([0, *(rollout.num_envs for rollout in rollouts)])
    final_index = np.concatenate(
        [
            rollout.final_index + np.array([0, offset])
            for rollout, offset in zip(rollouts, offsets, strict=False)
        ]
    )
    groups = tuple(
        AgentGroup(
            indices=group.indices,
            obs=np.concatenate([rollout.groups[g].obs for rollout in rollouts], axis=2),
            final_obs=np.concatenate([rollout.groups[g].final_obs for rollout in rollouts], axis=1),
            state_in=_join_states([rollout.groups[g].state_in for rollout in rollouts]),
        )
        for g, group in enumerate(first.groups)
    )
    joined: dict[str, Any] = {
        name: np.concatenate([getattr(rollout, name) for rollout in rollouts], axis=axis)
        for name, axis in _ENV_AXIS.items()
    }
    return dataclasses.replace(first, groups=groups, final_index=final_index, **joined)


_PER_AGENT = (
    "actions",
    "action_logp",
    "rewards",
    "vf_preds",
    "terminateds",
    "truncateds",
    "active",
    "counts",
)


#: Which axis of each array is that of the copies (or, of the last, of the ended episodes).
_ENV_AXIS = dict.fromkeys(_PER_AGENT, 2) | {"dones": 1, "lanes": 0, "lane_steps": 0, "final_vf_preds": 1}


def split_copies(rollout: JointRollout) -> list[JointRollout]:
    """One rollout for each copy, B = 1; `concatenate` the other way. All arrays are views."""
    return [_copy_of(rollout, b) for b in range(rollout.num_envs)]


def _copy_of(rollout: JointRollout, b: int) -> JointRollout:
    ended = rollout.final_index[:, 1] == b
    groups = tuple(
        AgentGroup(
            indices=group.indices,
            obs=group.obs[:, :, b : b + 1],
            final_obs=group.final_obs[:, ended],
            state_in=None if group.state_in is None else group.state_in[:, b : b + 1],
        )
        for group in rollout.groups
    )
    own: dict[str, Any] = {
        name: getattr(rollout, name)[(slice(None),) * axis + (slice(b, b + 1),)]
        for name, axis in _ENV_AXIS.items()
        if name != "final_vf_preds"
    }
    return dataclasses.replace(
        rollout,
        groups=groups,
        final_index=rollout.final_index[ended] * np.array([1, 0]),
        final_vf_preds=rollout.final_vf_preds[:, ended],
        **own,
    )


def _join_states(states: list[NDArray[np.float32] | None]) -> NDArray[np.float32] | None:
    present = [state for state in states if state is not None]
    return np.concatenate(present, axis=1) if present else None
