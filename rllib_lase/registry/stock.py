"""RLlib's own algorithms, as they come: which they are, and the settings of theirs that we change.

Pure data, as the rest of the registry. Everything that is not in `settings` is RLlib's default.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True)
class StockSpec:
    """One of RLlib's algorithms.

    Attributes:
        algo_id: Name on the command line and in every table, "rllib:PPO".
        title: One line for people.
        config: `module:class` of its RLlib config.
        settings: Where we differ from RLlib's defaults, because of speed or of the number of processes.
        num_env_steps_per_iteration: Env steps after which an iteration may end; 0 leaves it to RLlib.
    """

    algo_id: str
    title: str
    config: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    num_env_steps_per_iteration: int = 0

    def config_class(self) -> Any:
        """Imports (Ray, torch) and returns the RLlib config class."""
        module, name = self.config.split(":")
        return getattr(importlib.import_module(module), name)


# One process, as our algorithms have it; 16 copies share one forward pass per agent.
_ONE_PROCESS = MappingProxyType({"num_env_runners": 0, "num_envs_per_env_runner": 16})
# One update follows each step of all copies: with 4 of them every 4 env steps, with RLlib's 1 at each one.
_REPLAY = MappingProxyType({"num_env_runners": 0, "num_envs_per_env_runner": 4})
# 2 runners x 10 copies x 50 steps: each runner's fragment is one train batch of 500.
_ASYNC = MappingProxyType({"num_env_runners": 2, "num_envs_per_env_runner": 10})

_SPECS = (
    StockSpec(
        "rllib:PPO",
        "PPO of RLlib with its defaults, one module per agent",
        "ray.rllib.algorithms.ppo:PPOConfig",
        _ONE_PROCESS,
    ),
    StockSpec(
        "rllib:APPO",
        "APPO of RLlib with its defaults, one module per agent",
        "ray.rllib.algorithms.appo:APPOConfig",
        _ASYNC,
        num_env_steps_per_iteration=2000,
    ),
    StockSpec(
        "rllib:IMPALA",
        "IMPALA of RLlib with its defaults, one module per agent",
        "ray.rllib.algorithms.impala:IMPALAConfig",
        _ASYNC,
        num_env_steps_per_iteration=2000,
    ),
    StockSpec(
        "rllib:DQN",
        "DQN of RLlib with its defaults, one module per agent",
        "ray.rllib.algorithms.dqn:DQNConfig",
        _REPLAY,
        num_env_steps_per_iteration=1000,
    ),
    StockSpec(
        "rllib:SAC",
        "SAC of RLlib with its defaults, one module per agent",
        "ray.rllib.algorithms.sac:SACConfig",
        _REPLAY,
        num_env_steps_per_iteration=1000,
    ),
)

STOCK: Mapping[str, StockSpec] = MappingProxyType({spec.algo_id: spec for spec in _SPECS})
