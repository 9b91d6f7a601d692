"""Ordinary `MultiAgentEpisode`s as joint rollouts, and rewards back into them: `episodes` the other way.

Works on array slices of whole chunks; nothing here runs per timestep.
"""

from __future__ import annotations

import copy
import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ray.rllib.env.multi_agent_episode import MultiAgentEpisode
from ray.rllib.env.single_agent_episode import SingleAgentEpisode
from ray.rllib.env.utils.infinite_lookback_buffer import InfiniteLookbackBuffer

from rllib_lase.rollout import AgentGroup, JointRollout
from rllib_lase.social.hook import JointSpaces


@dataclass(frozen=True)
class EpisodeRollout:
    """Episodes of one length as the columns of a rollout.

    Attributes:
        rollout: One copy of the game per column, each within one episode. Values of the policies are 0, which
            are the learner's business; counts are none.
        chunks: Per column the positions, in the list of episodes, of the chunks that it is made of, in the
            order of time.
    """

    rollout: JointRollout
    chunks: tuple[tuple[int, ...], ...]


def to_joint_rollouts(episodes: Sequence[MultiAgentEpisode], spaces: JointSpaces) -> list[EpisodeRollout]:
    """Every step of every episode in one column of one rollout.

    Chunks of an episode that follow each other become one column. Columns of equal length share a rollout, so
    that none is padded: what a preference carries from step to step ends with the column's last step. An
    agent is known by its module, whatever the order in which an episode has the agents.

    Args:
        episodes: Whole episodes or chunks, in any order, which are not changed.
        spaces: The modules, which stand for the agents, in their fixed order; spaces as the hook wants them.

    Raises:
        ValueError: if an agent's module is not among them or has two agents, if an agent skips steps or joins
            late, or if observations do not have the module's shape.
    """
    by_length: dict[int, list[tuple[int, ...]]] = defaultdict(list)
    for run in _runs(episodes):
        by_length[sum(len(episodes[k]) for k in run)].append(run)
    return [
        EpisodeRollout(_rollout([[episodes[k] for k in run] for run in runs], length, spaces), tuple(runs))
        for length, runs in by_length.items()
    ]


def with_rewards(
    episode: MultiAgentEpisode, rewards: NDArray[np.float32], module_ids: Sequence[str]
) -> MultiAgentEpisode:
    """The same episode with other rewards. The original stays as it is, whatever happens to the result.

    RLlib's runners count returns from chunks which they have handed out already: those must keep the
    extrinsic rewards, and arrays of remote runners cannot be written at all.

    Args:
        episode: An episode, or a chunk of one.
        rewards: `(N, T)`, of all modules in order, for the chunk's T steps.
        module_ids: The N modules.
    """
    changed = copy.copy(episode)
    changed.agent_episodes = {}
    for agent_id, agent_episode in episode.agent_episodes.items():
        position = module_ids.index(agent_episode.module_id)
        own = changed.agent_episodes[agent_id] = _detached(agent_episode)
        before = np.asarray(own.rewards.data)[: own.rewards.lookback]
        learnt = rewards[position, : len(agent_episode)]
        own.rewards = InfiniteLookbackBuffer(np.concatenate([before, learnt]), own.rewards.lookback)
    return changed


def _runs(episodes: Sequence[MultiAgentEpisode]) -> list[tuple[int, ...]]:
    """Positions of chunks that follow each other, in the order in which their episodes come."""
    by_id: dict[str, list[int]] = defaultdict(list)
    for k, episode in enumerate(episodes):
        if len(episode):
            by_id[episode.id_].append(k)
    runs: list[list[int]] = []
    for chunks in by_id.values():
        following = -1
        for k in sorted(chunks, key=lambda k: episodes[k].env_t_started):
            if episodes[k].env_t_started == following:
                runs[-1].append(k)
            else:
                runs.append([k])
            following = episodes[k].env_t
    return [tuple(run) for run in runs]


def _rollout(
    columns: Sequence[Sequence[MultiAgentEpisode]], length: int, spaces: JointSpaces
) -> JointRollout:
    """Columns of chunks, `length` steps each."""
    arrays = _Arrays(spaces, length, len(columns))
    for b, column in enumerate(columns):
        start = 0
        for chunk in column:
            for agent_episode in chunk.agent_episodes.values():
                if len(agent_episode):  # else it left with the chunk before
                    arrays.write(agent_episode, chunk, start, b)
            start += len(chunk)
    # RLlib's slices of episodes (two learners) may have lost the flag of the episode itself.
    ended = (arrays.terminateds | arrays.truncateds)[:, -1] == arrays.active[:, -1]
    dones = np.zeros((length, len(columns)), np.bool_)
    dones[-1] = ended.all(0) | np.array([column[-1].is_done for column in columns])
    ends = np.flatnonzero(dones[-1])
    shape = arrays.rewards.shape
    return JointRollout(
        agent_ids=spaces.agent_ids,
        groups=tuple(
            AgentGroup((i,), own[np.newaxis], own[np.newaxis, -1, ends]) for i, own in enumerate(arrays.obs)
        ),
        actions=arrays.actions,
        action_logp=np.zeros(shape, np.float32),
        rewards=arrays.rewards,
        vf_preds=np.zeros((shape[0], length + 1, shape[2]), np.float32),
        final_index=np.stack([np.full(len(ends), length - 1), ends], 1),
        final_vf_preds=np.zeros((shape[0], len(ends)), np.float32),
        terminateds=arrays.terminateds,
        truncateds=arrays.truncateds,
        active=arrays.active,
        dones=dones,
        lanes=np.array([_lane(column[0].id_) for column in columns], np.int64),
        lane_steps=np.array([column[0].env_t_started for column in columns], np.int64),
        counts=np.zeros((*shape, 0), np.int32),
    )


class _Arrays:
    """A rollout's arrays while episodes are written into them."""

    def __init__(self, spaces: JointSpaces, steps: int, copies: int) -> None:
        shape, size = (spaces.num_agents, steps, copies), spaces.continuous_size
        self._spaces = spaces
        self.obs = [
            np.zeros((steps + 1, copies, *(space.shape or ())), np.float32)
            for space in spaces.observation_spaces
        ]
        self.actions: NDArray[Any] = (
            np.zeros(shape, np.int64) if size is None else np.zeros((*shape, size), np.float32)
        )
        self.rewards = np.zeros(shape, np.float32)
        self.terminateds, self.truncateds, self.active = (np.zeros(shape, np.bool_) for _ in range(3))

    def write(self, agent_episode: SingleAgentEpisode, chunk: MultiAgentEpisode, start: int, b: int) -> None:
        """One agent's steps of a chunk that begins in step `start` of copy b.

        Raises:
            ValueError: as `to_joint_rollouts`.
        """
        i, steps = _position(agent_episode, chunk, self._spaces), len(agent_episode)
        here, last = slice(start, start + steps), (i, start + steps - 1, b)
        if self.active[i, start, b]:
            raise ValueError(
                f"module {agent_episode.module_id!r} has two agents in episode {chunk.id_}, "
                f"{agent_episode.agent_id!r} among them; every agent needs a module of its own: "
                ".multi_agent(policies=[...], policy_mapping_fn=...)"
            )
        self.obs[i][start : start + steps + 1, b] = _observations(agent_episode, self._spaces, i)
        self.actions[i, here, b] = _steps(agent_episode.actions, steps)
        self.rewards[i, here, b] = _steps(agent_episode.rewards, steps)
        self.active[i, here, b] = True
        self.terminateds[last] = agent_episode.is_terminated
        # Where others are cut in the step in which an agent terminates, RLlib sets both.
        self.truncateds[last] = agent_episode.is_truncated and not agent_episode.is_terminated


def _position(agent_episode: SingleAgentEpisode, chunk: MultiAgentEpisode, spaces: JointSpaces) -> int:
    """Which of the modules the agent has.

    Raises:
        ValueError: if it is none of them, or the agent did not act in every step until it left.
    """
    agent_id, module_id, steps = agent_episode.agent_id, agent_episode.module_id, len(agent_episode)
    if module_id not in spaces.agent_ids:
        raise ValueError(
            f"agent {agent_id!r} acts by module {module_id!r}, expected one of "
            f"{', '.join(spaces.agent_ids)}; likely cause: a policy_mapping_fn that knows other policies "
            "than .multi_agent(policies=...)"
        )
    times = chunk.env_t_to_agent_t[agent_id]
    seen = times.data[times.lookback : times.lookback + steps + 1]
    left_early = steps < len(chunk) and not agent_episode.is_done
    if steps > len(chunk) or left_early or len(seen) <= steps or chunk.SKIP_ENV_TS_TAG in seen:
        raise ValueError(
            f"agent {agent_id!r} has {steps} steps in a chunk of {len(chunk)}, from env step "
            f"{chunk.env_t_started} of episode {chunk.id_}, and not the first of them without a gap until it "
            "left. Gifts need agents that act in every step from an episode's start until they leave; "
            "environments in which they take turns or join later are not supported. If the agent has one "
            "step more than the chunk, another connector came first: prepend GiftExchange in Learner.build()"
        )
    return spaces.agent_ids.index(module_id)


def _observations(agent_episode: SingleAgentEpisode, spaces: JointSpaces, position: int) -> NDArray[Any]:
    """`(steps + 1, *obs)`.

    Raises:
        ValueError: if they do not have the shape that the module's space says.
    """
    expected = spaces.observation_spaces[position].shape
    found = _steps(agent_episode.observations, len(agent_episode) + 1)
    if found.shape[1:] != expected:
        raise ValueError(
            f"observations of agent {agent_episode.agent_id!r} have shape {found.shape[1:]}, expected "
            f"{expected}, which is what module {agent_episode.module_id!r} reads. Likely cause: an "
            "env-to-module connector that changes what modules see, but not what episodes keep. Cure: change "
            "observations in the environment (gymnasium.wrappers), or with an ObservationPreprocessor"
        )
    return found


def _steps(buffer: InfiniteLookbackBuffer, count: int) -> NDArray[Any]:
    """The first `count` entries behind the lookback."""
    kept: NDArray[Any] = np.asarray(buffer.data[buffer.lookback : buffer.lookback + count])
    return kept


def _lane(episode_id: str) -> int:
    """A number for an episode's id, which is the same in every process."""
    digest = hashlib.blake2b(episode_id.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def _detached(agent_episode: SingleAgentEpisode) -> SingleAgentEpisode:
    """A copy with buffers of its own: RLlib's connectors append to them."""
    own = copy.copy(agent_episode)
    for name in ("observations", "infos", "actions", "rewards"):
        setattr(own, name, _own_buffer(getattr(own, name)))
    own.extra_model_outputs = {
        name: _own_buffer(buffer) for name, buffer in agent_episode.extra_model_outputs.items()
    }
    return own


def _own_buffer(buffer: InfiniteLookbackBuffer) -> InfiniteLookbackBuffer:
    own = copy.copy(buffer)
    if isinstance(own.data, list):
        own.data = list(own.data)
    return own
