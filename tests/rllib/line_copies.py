"""Copies of `Line`, and how the tests make, start and step them."""

from __future__ import annotations

from typing import Any

import numpy as np

from rllib_lase.rllib.joint_env import JointStep
from rllib_lase.rllib.multi_agent_copies import MultiAgentEnvCopies
from tests.rllib.line_env import Line

ONES = np.ones((3, 3), np.int64)


def line(num_envs: int = 2, first: int = 0, **config: Any) -> MultiAgentEnvCopies:
    return MultiAgentEnvCopies(Line, config, num_envs, first, "Line")


def new_obs(copies: MultiAgentEnvCopies) -> list[np.ndarray]:
    return [np.full_like(final, 7) for final in copies.final_obs]


def started(num_envs: int = 2, **config: Any) -> tuple[MultiAgentEnvCopies, list[np.ndarray]]:
    copies = line(num_envs, **config)
    obs = new_obs(copies)
    copies.reset(0, obs)
    return copies, obs


def run(copies: MultiAgentEnvCopies, obs: list[np.ndarray], steps: int) -> JointStep:
    for _ in range(steps):
        outcome = copies.step(ONES[:, : copies.num_envs], obs)
    return outcome
