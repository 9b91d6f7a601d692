"""Joint rollouts as ordinary `MultiAgentEpisode`s, so that RLlib's own algorithms train on them unchanged.

Built once per fragment from array slices; nothing here runs per timestep.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray
from ray.rllib.core.columns import Columns
from ray.rllib.env.multi_agent_episode import MultiAgentEpisode
from ray.rllib.env.single_agent_episode import SingleAgentEpisode
from ray.rllib.env.utils.infinite_lookback_buffer import InfiniteLookbackBuffer

from rllib_lase.rollout import JointRollout


class EpisodeCarry:
    """Which episode each copy is in: what the next fragment's first chunks continue.

    Starts with new episodes in all copies; take a new one after a reset.
    """

    def __init__(self) -> None:
        self._prefix = uuid.uuid4().hex
        self._ids: dict[int, str] = {}
        self._steps: dict[int, int] = {}
        self._started = 0

    def current(self, lane: int) -> tuple[str, int]:
        """Id of the lane's episode, and how many of its steps were in earlier fragments."""
        if lane not in self._ids:
            self._ids[lane] = f"{self._prefix}_{self._started}"
            self._steps[lane] = 0
            self._started += 1
        return self._ids[lane], self._steps[lane]

    def advance(self, lane: int, steps: int, done: bool) -> None:
        """Counts the steps of a chunk; after the last one of an episode the lane begins another."""
        self._steps[lane] += steps
        if done:
            del self._ids[lane], self._steps[lane]


@dataclass(frozen=True)
class _ModuleTable:
    """Agent id to module id, as episodes want it, and small when they are sent to another process."""

    modules: Mapping[str, str]

    def __call__(self, agent_id: str, episode: MultiAgentEpisode) -> str:
        return self.modules[agent_id]


@dataclass(frozen=True)
class _Chunk:
    """Steps `start` to `stop` of one copy, within one episode; `final` is its position in `final_index`."""

    env: int
    start: int
    stop: int
    final: int | None


def to_multi_agent_episodes(
    rollout: JointRollout,
    carry: EpisodeCarry,
    *,
    observation_spaces: Mapping[str, gym.Space[Any]],
    action_spaces: Mapping[str, gym.Space[Any]],
    module_of: Callable[[str], str],
    extra_model_outputs: Mapping[str, NDArray[Any]],
) -> list[MultiAgentEpisode]:
    """One episode, or chunk of one, for each copy and each episode within the fragment.

    An agent that has left is in the chunk in which it left and in no later one. An agent that was truncated
    before the others ends with what stands where its next observation would. All arrays are copies.

    Args:
        rollout: The fragment.
        carry: Which episodes the copies are in; advanced in place.
        observation_spaces: Per agent.
        action_spaces: Per agent.
        module_of: Agent id to module id.
        extra_model_outputs: Name -> `(N, T, B, ...)`, further outputs of the modules, e.g.
            `action_dist_inputs`, which PPO's learner needs; `action_logp` is taken from the rollout.

    Returns:
        Chunks, those of one copy in the order of time.
    """
    outputs = {Columns.ACTION_LOGP: rollout.action_logp, **extra_model_outputs}
    modules = {agent_id: module_of(agent_id) for agent_id in rollout.agent_ids}
    table = _ModuleTable(modules)
    spaces = dict(observation_spaces), dict(action_spaces)
    places = {
        agent: (group.obs[row], group.final_obs[row])
        for group in rollout.groups
        for row, agent in enumerate(group.indices)
    }
    episodes = []
    for chunk in _chunks(rollout):
        lane = int(rollout.lanes[chunk.env])
        episode_id, started = carry.current(lane)
        steps, done = chunk.stop - chunk.start, chunk.final is not None
        episode = MultiAgentEpisode(
            episode_id,
            observation_space=spaces[0],
            action_space=spaces[1],
            env_t_started=started,
            agent_module_ids=modules,
            agent_to_module_mapping_fn=table,
        )
        episode.env_t = started + steps
        last = chunk.stop - 1, chunk.env
        episode.is_truncated = done and bool(rollout.truncateds[:, *last].any())
        episode.is_terminated = done and not episode.is_truncated
        for agent, agent_id in enumerate(rollout.agent_ids):
            length = int(rollout.active[agent, chunk.start : chunk.stop, chunk.env].sum())
            if length == 0:
                continue
            episode.agent_t_started[agent_id] = started
            episode.env_t_to_agent_t[agent_id] = InfiniteLookbackBuffer(
                [*range(started, started + length + 1), *[episode.SKIP_ENV_TS_TAG] * (steps - length)]
            )
            episode.agent_episodes[agent_id] = _agent_episode(
                rollout, chunk, agent, length, places[agent], outputs, episode
            )
        episodes.append(episode)
        carry.advance(lane, steps, done)
    return episodes


def _chunks(rollout: JointRollout) -> list[_Chunk]:
    chunks = []
    for env in range(rollout.num_envs):
        start = 0
        for final in np.flatnonzero(rollout.final_index[:, 1] == env):
            stop = int(rollout.final_index[final, 0]) + 1
            chunks.append(_Chunk(env, start, stop, int(final)))
            start = stop
        if start < rollout.num_steps:
            chunks.append(_Chunk(env, start, rollout.num_steps, None))
    return chunks


def _agent_episode(
    rollout: JointRollout,
    chunk: _Chunk,
    agent: int,
    length: int,
    observations: tuple[NDArray[Any], NDArray[Any]],
    outputs: Mapping[str, NDArray[Any]],
    episode: MultiAgentEpisode,
) -> SingleAgentEpisode:
    """The agent's first `length` steps of the chunk."""
    agent_id, env = rollout.agent_ids[agent], chunk.env
    stop = chunk.start + length
    obs, final_obs = observations
    own = obs[chunk.start : stop + 1, env].copy()
    if chunk.final is not None and stop == chunk.stop:
        own[-1] = final_obs[chunk.final]
    return SingleAgentEpisode(
        f"{episode.id_}_{agent_id}",
        agent_id=agent_id,
        module_id=episode.module_for(agent_id),
        multi_agent_episode_id=episode.id_,
        observations=InfiniteLookbackBuffer(own),
        observation_space=episode.observation_space[agent_id],
        infos=[{} for _ in range(length + 1)],
        actions=InfiniteLookbackBuffer(rollout.actions[agent, chunk.start : stop, env].copy()),
        action_space=episode.action_space[agent_id],
        rewards=InfiniteLookbackBuffer(rollout.rewards[agent, chunk.start : stop, env].copy()),
        extra_model_outputs={
            name: InfiniteLookbackBuffer(output[agent, chunk.start : stop, env].copy())
            for name, output in outputs.items()
        },
        terminated=bool(rollout.terminateds[agent, stop - 1, env]),
        truncated=bool(rollout.truncateds[agent, stop - 1, env]),
        t_started=episode.agent_t_started[agent_id],
        len_lookback_buffer=0,
    )
