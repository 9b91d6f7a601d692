"""RLlib's PPO with one policy for each of some agents."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from ray.rllib.algorithms.ppo import PPOConfig

AGENTS = ("agent_0", "agent_1", "agent_2")
OBS_SPACE, ACTION_SPACE = gym.spaces.Box(0, 1, (6,), np.float32), gym.spaces.Discrete(5)


def own_module(agent_id: str, *args: Any, **kwargs: Any) -> str:
    return agent_id


def ppo(config_class: type[Any] = PPOConfig, agents: tuple[str, ...] = AGENTS, **training: Any) -> Any:
    config = config_class().multi_agent(policies=list(agents), policy_mapping_fn=own_module)
    return config.training(**training).debugging(seed=0, log_level="ERROR")
