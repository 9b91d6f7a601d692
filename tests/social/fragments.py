"""Rollouts cut in time, as a learner gets them, for hooks that carry something from step to step."""

from __future__ import annotations

import dataclasses

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor

from rllib_lase.rollout import TensorRollout
from rllib_lase.social.hook import JointSpaces, LearntRewards, SocialHook


def spaces(num_agents: int = 3, num_actions: int = 5) -> JointSpaces:
    """Agents that all have the same spaces."""
    return JointSpaces(
        tuple(f"agent_{i}" for i in range(num_agents)),
        (gym.spaces.Box(0, 1, (4, 5, 5), np.uint8),) * num_agents,
        (gym.spaces.Discrete(num_actions),) * num_agents,
    )


def judge(hook: SocialHook, data: TensorRollout, carry: Tensor | None = None) -> LearntRewards:
    """What a hook without networks makes of a rollout."""
    return hook.rewards(data, [], torch.ones_like(data.dones), carry)


def cut(data: TensorRollout, start: int, stop: int) -> TensorRollout:
    """Steps `start` to `stop` of what hooks without networks read."""
    return dataclasses.replace(
        data,
        rewards=data.rewards[:, start:stop],
        actions=data.actions[:, start:stop],
        active=data.active[:, start:stop],
        dones=data.dones[start:stop],
    )


def judge_in_fragments(hook: SocialHook, data: TensorRollout, length: int) -> list[LearntRewards]:
    """The same, fragment by fragment, each with what the one before carried on."""
    parts: list[LearntRewards] = []
    carry = hook.initial_carry(data.dones.shape[1])
    for start in range(0, len(data.dones), length):
        parts.append(judge(hook, cut(data, start, start + length), carry))
        carry = parts[-1].carry
    return parts
