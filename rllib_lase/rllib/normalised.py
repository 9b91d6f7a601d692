"""Copies of an environment of others with observations as our networks read them best.

Numbers with bounds are brought to [0, 1], images to a few cells with the channels first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from rllib_lase.rllib.game_copies import GameCopies
from rllib_lase.rllib.joint_env import JointEnv, JointStep
from rllib_lase.rllib.obs_view import ObsView


class NormalisedObservations(JointEnv):
    """Steps `env` and rewrites what it shows.

    - A number with finite bounds becomes its share of their range; others stay as they are.
    - An image `(H, W, C)` or `(H, W)`, or `(C, H, W)`, becomes `(C, H', W')` with H', W' at most
      `MAX_IMAGE_SIDE`: means over blocks of nearly equal size.
    - Agents that have left see zeros.

    Args:
        env: Any copies.
    """

    def __init__(self, env: JointEnv) -> None:
        self._env = env
        self.num_envs = env.num_envs
        self.agent_ids = env.agent_ids
        self.action_spaces = env.action_spaces
        self.groups = env.groups
        self.count_names = env.count_names
        self.stay_action = env.stay_action
        self.max_collective_reward = env.max_collective_reward
        views = {agent: ObsView(env.observation_spaces[agent]) for agent in env.agent_ids}
        self.observation_spaces = MappingProxyType({agent: view.space for agent, view in views.items()})
        self._views = [[views[env.agent_ids[i]] for i in members] for members in env.groups]
        self._raw = [np.empty_like(final) for final in env.final_obs]
        self.final_obs = tuple(
            np.zeros((len(members), env.num_envs, *views[0].space.shape), np.float32)
            for members, views in zip(env.groups, self._views, strict=True)
        )

    @property
    def own_spaces(self) -> Mapping[str, tuple[spaces.Space[Any], spaces.Space[Any]]]:
        """As `env`."""
        return self._env.own_spaces

    @property
    def normalises_observations(self) -> bool:
        """It does."""
        return True

    @property
    def action_tables(self) -> Mapping[str, NDArray[np.int64]]:
        """As `env`."""
        return self._env.action_tables

    def reset(self, seed: int | None, obs_out: Sequence[NDArray[Any]]) -> None:
        """As `env`."""
        self._env.reset(seed, self._raw)
        self._rewrite(self._raw, obs_out)

    def step(self, actions: NDArray[Any], obs_out: Sequence[NDArray[Any]]) -> JointStep:
        """As `env`."""
        step = self._env.step(actions, self._raw)
        self._rewrite(self._raw, obs_out)
        gone = (~step.active | step.terminateds) & ~step.dones
        if step.dones.any():
            self._rewrite(self._env.final_obs, self.final_obs)
        for members, obs, final in zip(self.groups, obs_out, self.final_obs, strict=True):
            obs[gone[list(members)]] = 0
            final[~step.active[list(members)]] = 0
        return step

    def _rewrite(self, raw: Sequence[NDArray[Any]], out: Sequence[NDArray[Any]]) -> None:
        for views, before, after in zip(self._views, raw, out, strict=True):
            for view, own, target in zip(views, before, after, strict=True):
                target[:] = view(own)

    def get_state(self) -> dict[str, NDArray[Any]] | None:
        """As `env`."""
        return self._env.get_state()

    def set_state(self, state: dict[str, NDArray[Any]], obs_out: Sequence[NDArray[Any]]) -> None:
        """As `env`."""
        self._env.set_state(state, self._raw)
        self._rewrite(self._raw, obs_out)

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


def with_normalised_observations(env: JointEnv) -> JointEnv:
    """The same copies; those of others show normalised observations, our own games what they always show."""
    if isinstance(env, GameCopies):
        return env
    return NormalisedObservations(env)
