"""`Fragment`: the arrays that all copies' steps are written into, one step after the other."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from rllib_lase.rllib.joint_env import JointEnv, JointStep
from rllib_lase.rollout import AgentGroup, JointRollout

_FLAGS = ("terminateds", "truncateds", "active")


def empty_obs(env: JointEnv, num_steps: int) -> list[NDArray[Any]]:
    """Room for observations: per group `(n, num_steps, B, *obs)`."""
    blocks = []
    for group in env.groups:
        space = env.observation_spaces[env.agent_ids[group[0]]]
        shape = (len(group), num_steps, env.num_envs, *(space.shape or ()))
        blocks.append(np.empty(shape, space.dtype))
    return blocks


class Fragment:
    """T steps of B copies on their way to a `JointRollout`.

    Args:
        env: The copies.
        num_steps: T.
        first_obs: Per group `(n, B, *obs)`, what is seen before the first step.

    Attributes:
        actions: `(N, T, B)` or `(N, T, B, D)`, written by who acts.
    """

    def __init__(self, env: JointEnv, num_steps: int, first_obs: list[NDArray[Any]]) -> None:
        self._env = env
        size, shape = (len(env.agent_ids), num_steps, env.num_envs), env.action_shape
        self._blocks = empty_obs(env, num_steps + 1)
        for block, first in zip(self._blocks, first_obs, strict=True):
            block[:, 0] = first
        self.actions = np.empty((*size, *shape), np.float32 if shape else np.int64)
        self._rewards = np.empty(size, np.float32)
        self._flags = {name: np.empty(size, np.bool_) for name in _FLAGS}
        self._dones = np.empty(size[1:], np.bool_)
        self._counts = np.empty((*size, len(env.count_names)), np.int32)
        self._ended: list[NDArray[np.int64]] = []
        self._final_obs: list[list[NDArray[Any]]] = [[] for _ in env.groups]
        self._final_values: list[NDArray[np.float32]] = []

    def obs(self, t: int) -> list[NDArray[Any]]:
        """Per group `(n, B, *obs)`, what is seen before step t: to read, and for the game to write."""
        return [block[:, t] for block in self._blocks]

    def record(self, t: int, step: JointStep, away: NDArray[np.bool_] | None) -> None:
        """Writes what step t brought.

        Args:
            t: The step.
            step: What the copies answered.
            away: `(N, B)` bool, who was not there though the game thought so, or None.
        """
        self._rewards[:, t], self._dones[t], self._counts[:, t] = step.rewards, step.dones, step.counts
        for name, flag in self._flags.items():
            flag[:, t] = getattr(step, name)
        if away is not None:
            self._flags["active"][:, t] &= ~away

    def record_ends(
        self,
        t: int,
        copies: NDArray[np.int64],
        final_obs: list[NDArray[Any]],
        values: NDArray[np.float32],
    ) -> None:
        """Writes down episodes that ended in step t.

        Args:
            t: The step.
            copies: `(K,)`, whose episodes.
            final_obs: Per group `(n, K, *obs)`, what was seen last in them.
            values: `(N, K)`, its values.
        """
        self._ended.append(np.stack([np.full(len(copies), t), copies], 1).astype(np.int64))
        self._final_values.append(values)
        for kept, seen in zip(self._final_obs, final_obs, strict=True):
            kept.append(seen)

    def rollout(
        self,
        vf_preds: NDArray[np.float32],
        action_logp: NDArray[np.float32],
        state_in: Tensor | None,
        lanes: NDArray[np.int64],
        lane_steps: int,
    ) -> JointRollout:
        """All of it, once every step was recorded.

        Args:
            vf_preds: `(N, T + 1, B)`.
            action_logp: `(N, T, B)`.
            state_in: `(N, B, S)`, recurrent state before the first step, or None.
            lanes: `(B,)`, the copies' identities.
            lane_steps: Steps that they had taken before.
        """
        env, agents = self._env, len(self._env.agent_ids)
        active = self._flags["active"]
        return JointRollout(
            agent_ids=env.agent_ids,
            groups=tuple(
                AgentGroup(
                    indices=members,
                    obs=self._blocks[g],
                    final_obs=_join(self._final_obs[g], env.final_obs[g]),
                    state_in=None if state_in is None else state_in[list(members)].cpu().numpy(),
                )
                for g, members in enumerate(env.groups)
            ),
            actions=np.where(active.reshape(*active.shape, *(1,) * len(env.action_shape)), self.actions, 0),
            action_logp=action_logp,
            rewards=self._rewards,
            vf_preds=vf_preds,
            final_index=np.concatenate(self._ended) if self._ended else np.empty((0, 2), np.int64),
            final_vf_preds=(
                np.concatenate(self._final_values, 1)
                if self._final_values
                else np.empty((agents, 0), np.float32)
            ),
            dones=self._dones,
            lanes=lanes,
            lane_steps=np.full(env.num_envs, lane_steps, np.int64),
            counts=self._counts,
            count_names=env.count_names,
            **self._flags,
        )


def _join(parts: list[NDArray[Any]], like: NDArray[Any]) -> NDArray[Any]:
    return np.concatenate(parts, 1) if parts else np.empty((like.shape[0], 0, *like.shape[2:]), like.dtype)
