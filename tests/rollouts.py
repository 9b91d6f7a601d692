"""Random joint rollouts for tests, with early leavers, terminations and truncations where wanted."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rllib_lase.rollout import AgentGroup, JointRollout


def random_rollout(
    rng: np.random.Generator,
    num_agents: int = 3,
    num_steps: int = 8,
    num_envs: int = 4,
    obs_shape: tuple[int, ...] = (4, 5, 5),
    num_actions: int = 5,
    episode_length: int | None = None,
    leavers: bool = False,
    first_step: int = 0,
    action_size: int | None = None,
) -> JointRollout:
    """A rollout of random numbers with a consistent story of who was in the game when.

    Args:
        episode_length: Episodes are truncated after so many steps, counted from `first_step`; None: never.
        leavers: Agent 0 terminates halfway through each episode.
        action_size: D of continuous actions, some of them beyond [-1, 1]; None: they are discrete.
    """
    shape = (num_agents, num_steps, num_envs)
    clock = first_step + np.arange(num_steps)
    place = np.zeros(num_steps, int) if episode_length is None else clock % episode_length
    ends = np.zeros(num_steps, bool) if episode_length is None else place == episode_length - 1
    dones = np.repeat(ends[:, None], num_envs, 1)
    active = np.ones(shape, bool)
    terminateds = np.zeros(shape, bool)
    if leavers and episode_length is not None:
        half = episode_length // 2
        terminateds[0] = (place == half)[:, None]
        active[0] = (place <= half)[:, None]
    truncateds = np.broadcast_to(dones, shape) & active & ~terminateds
    index = np.argwhere(dones)
    floats: dict[str, NDArray[Any]] = {
        "action_logp": np.log(rng.uniform(0.1, 0.9, shape)).astype(np.float32),
        "rewards": (rng.integers(-2, 3, shape) * active).astype(np.float32),
        "vf_preds": rng.normal(size=(num_agents, num_steps + 1, num_envs)).astype(np.float32),
        "final_vf_preds": rng.normal(size=(num_agents, len(index))).astype(np.float32),
    }
    obs = rng.integers(0, 2, (num_agents, num_steps + 1, num_envs, *obs_shape)).astype(np.uint8)
    final_obs = rng.integers(0, 2, (num_agents, len(index), *obs_shape)).astype(np.uint8)
    if action_size is None:
        actions: NDArray[Any] = np.where(active, rng.integers(0, num_actions, shape), 0)
    else:
        actions = (rng.normal(size=(*shape, action_size)) * active[..., None]).astype(np.float32)
    return JointRollout(
        agent_ids=tuple(f"agent_{i}" for i in range(num_agents)),
        groups=(AgentGroup(tuple(range(num_agents)), obs, final_obs),),
        actions=actions,
        final_index=index,
        terminateds=terminateds,
        truncateds=truncateds,
        active=active,
        dones=dones,
        lanes=np.arange(num_envs),
        lane_steps=np.full(num_envs, first_step),
        counts=np.zeros((*shape, 0), np.int32),
        **floats,
    )
