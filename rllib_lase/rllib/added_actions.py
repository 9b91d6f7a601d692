"""Copies of an environment whose agents have more actions than it knows: each plays one that it does know."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, cast

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from rllib_lase.action_spaces import Combinations
from rllib_lase.rllib.joint_env import JointEnv, JointStep
from rllib_lase.settings import SettingsError

#: Number of actions and the one that does nothing -> which action each of the agent's actions plays.
TableOf = Callable[[int, int | None], NDArray[np.int64] | None]


class AddedActions(JointEnv):
    """Steps `env` with the actions that the agents' own ones stand for.

    Args:
        env: Any copies with discrete actions.
        tables: One per agent, `(A',)`: the action of `env` that each of the agent's actions plays.
    """

    def __init__(self, env: JointEnv, tables: Sequence[NDArray[np.int64]]) -> None:
        self._env = env
        self._tables = dict(zip(env.agent_ids, tables, strict=True))
        sizes = [len(table) for table in tables]
        padded = [np.pad(table, (0, max(sizes) - len(table))) for table in tables]
        self._table = np.stack(padded)
        self._agents = np.arange(len(tables))[:, None]
        self.num_envs = env.num_envs
        self.agent_ids = env.agent_ids
        self.observation_spaces = env.observation_spaces
        self.action_spaces = MappingProxyType(
            {agent: gym.spaces.Discrete(size) for agent, size in zip(env.agent_ids, sizes, strict=True)}
        )
        self.groups = env.groups
        self.count_names = env.count_names
        self.final_obs = env.final_obs
        self.stay_action = env.stay_action
        self.max_collective_reward = env.max_collective_reward

    @property
    def own_spaces(self) -> Mapping[str, tuple[gym.Space[Any], gym.Space[Any]]]:
        """As `env`."""
        return self._env.own_spaces

    @property
    def normalises_observations(self) -> bool:
        """As `env`."""
        return self._env.normalises_observations

    @property
    def action_tables(self) -> Mapping[str, NDArray[np.int64]]:
        """One per agent."""
        return self._tables

    def reset(self, seed: int | None, obs_out: Sequence[NDArray[Any]]) -> None:
        """As `env`."""
        self._env.reset(seed, obs_out)

    def step(self, actions: NDArray[np.int64], obs_out: Sequence[NDArray[Any]]) -> JointStep:
        """Steps `env` with what the actions stand for."""
        return self._env.step(self._table[self._agents, actions], obs_out)

    def get_state(self) -> dict[str, NDArray[Any]] | None:
        """As `env`."""
        return self._env.get_state()

    def set_state(self, state: dict[str, NDArray[Any]], obs_out: Sequence[NDArray[Any]]) -> None:
        """As `env`."""
        self._env.set_state(state, obs_out)

    def render(
        self, env_index: int = 0, gifts: NDArray[np.floating[Any]] | None = None
    ) -> NDArray[np.uint8] | None:
        """As `env`."""
        return self._env.render(env_index, gifts)

    def stay_at_ends(self) -> bool:
        """As `env`."""
        return self._env.stay_at_ends()

    def close(self) -> None:
        """As `env`."""
        self._env.close()


def with_added_actions(env: JointEnv, table_of: TableOf) -> JointEnv:
    """The same copies, with actions added where `table_of` asks for them.

    Args:
        env: Any copies; those with continuous actions stay as they are.
        table_of: Which action of `env` each of an agent's actions plays; None where none are added.

    Raises:
        SettingsError: if actions are to be added to such that have several parts.
    """
    if env.action_shape:
        return env
    sizes = [int(cast("gym.spaces.Discrete[Any]", env.action_spaces[agent]).n) for agent in env.agent_ids]
    tables = [table_of(size, env.stay_action) for size in sizes]
    present = [table for table in tables if table is not None]
    combined = {agent: space for agent, space in env.action_spaces.items() if isinstance(space, Combinations)}
    if present and combined:
        raise SettingsError(
            [
                f"env: agents would get actions beside their own, and those of {', '.join(combined)} have "
                f"several parts ({next(iter(combined.values()))}); choose an algorithm that adds no actions, "
                "with refuse_gifts off"
            ]
        )
    return AddedActions(env, present) if len(present) == len(tables) else env
