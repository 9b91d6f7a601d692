"""Copies of an environment of others with observations as our networks read them best.

Numbers with bounds are brought to [0, 1], images to a few cells with the channels first.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from rllib_lase.rllib.game_copies import GameCopies
from rllib_lase.rllib.joint_env import JointEnv, JointStep
from rllib_lase.social.observations import EncodedBox, one_hot_groups

#: Images have at most so many rows and columns; larger ones are averaged over blocks.
MAX_IMAGE_SIDE = 16
#: Ranges wider than this are taken for unbounded: a number would vanish in them.
LARGEST_RANGE = 1e6


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
        views = {agent: _View(_box(env.observation_spaces[agent])) for agent in env.agent_ids}
        self.observation_spaces = MappingProxyType({agent: view.space for agent, view in views.items()})
        self._views = [[views[env.agent_ids[i]] for i in members] for members in env.groups]
        self._raw = [np.empty_like(final) for final in env.final_obs]
        self.final_obs = tuple(
            np.zeros((len(members), env.num_envs, *views[0].space.shape), np.float32)
            for members, views in zip(env.groups, self._views, strict=True)
        )

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


class _View:
    """How the observations of one space are rewritten, and the space that they then belong to."""

    def __init__(self, box: spaces.Box) -> None:
        low, high = (np.asarray(bound, np.float64) for bound in (box.low, box.high))
        with np.errstate(invalid="ignore"):
            width = high - low
        bounded = np.isfinite(width) & (width > 0) & (width <= LARGEST_RANGE)
        self._offset = np.where(bounded, low, 0).astype(np.float32)
        self._scale = np.where(bounded, 1 / np.where(bounded, width, 1), 1).astype(np.float32)
        self._axes = _image_axes(box)
        shown = [
            self._as_image(bound[None])[0]
            for bound in (np.where(bounded, 0, low), np.where(bounded, 1, high))
        ]
        with np.errstate(over="ignore"):
            lowest, highest = (bound.astype(np.float32) for bound in shown)
        self.space = EncodedBox(spaces.Box(lowest, highest, dtype=np.float32), one_hot_groups(box))

    def __call__(self, obs: NDArray[Any]) -> NDArray[Any]:
        """`(B, *obs)` rewritten, float32."""
        return self._as_image((obs - self._offset) * self._scale)

    def _as_image(self, values: NDArray[Any]) -> NDArray[Any]:
        if self._axes is None:
            return values
        image = values[:, None] if len(self._axes) == 2 else np.transpose(values, (0, *self._axes))
        for axis in (2, 3):
            image = _block_means(image, axis)
        return image


def _image_axes(box: spaces.Box) -> tuple[int, ...] | None:
    """The axes of an image's observations in the order channels, rows, columns; None for anything else."""
    shape = box.shape
    if len(shape) == 2 and box.dtype == np.uint8 and min(shape) > MAX_IMAGE_SIDE:
        return (1, 2)
    if len(shape) != 3:
        return None
    if shape[2] <= 4 and min(shape[:2]) > shape[2]:
        return (3, 1, 2)
    return (1, 2, 3) if min(shape[1:]) > MAX_IMAGE_SIDE else None


def _block_means(values: NDArray[Any], axis: int) -> NDArray[Any]:
    """Means along an axis over `MAX_IMAGE_SIDE` blocks of nearly equal length; short axes stay."""
    length = values.shape[axis]
    if length <= MAX_IMAGE_SIDE:
        return values
    starts = np.arange(MAX_IMAGE_SIDE) * length // MAX_IMAGE_SIDE
    lengths = np.diff(np.append(starts, length)).reshape([-1 if k == axis else 1 for k in range(values.ndim)])
    sums: NDArray[Any] = np.add.reduceat(values, starts, axis)
    means: NDArray[Any] = sums / lengths.astype(values.dtype)
    return means


def with_normalised_observations(env: JointEnv) -> JointEnv:
    """The same copies; those of others show normalised observations, our own games what they always show."""
    if isinstance(env, GameCopies):
        return env
    return NormalisedObservations(env)


def _box(space: Any) -> spaces.Box:
    assert isinstance(space, spaces.Box), f"observations are encoded as a Box, found {space}"
    return space
