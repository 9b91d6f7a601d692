"""Rollouts of `Line` with random actions, and the same steps as RLlib's own episodes."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from ray.rllib.core.columns import Columns
from ray.rllib.env.multi_agent_episode import MultiAgentEpisode

from rllib_lase.rllib.episodes import EpisodeCarry, to_multi_agent_episodes
from rllib_lase.rllib.joint_env import JointEnv
from rllib_lase.rllib.multi_agent_copies import MultiAgentEnvCopies, copy_seed
from rllib_lase.rollout import AgentGroup, JointRollout
from tests.rllib.line_env import AGENTS, Line

STEPS, COPIES = 5, 3
OBS_SPACE, ACTION_SPACE = spaces.Box(-100, 100, (3,), np.float32), spaces.Discrete(3)
SCENES: dict[str, dict[str, Any]] = {
    "episodes end within and between fragments": {"horizon": 4},
    "episodes are longer than fragments": {"horizon": 12},
    "an agent terminates early": {"horizon": 7, "leave": {"walker_10": (2, "terminated")}},
    "an agent is truncated early": {"horizon": 7, "leave": {"cook": (5, "truncated")}},
    "agents leave one by one until none is left": {
        "horizon": 99,
        "leave": {agent: (3 + k, "terminated") for k, agent in enumerate(AGENTS)},
    },
    "one terminates while the others are truncated": {"horizon": 3, "leave": {"cook": (3, "terminated")}},
    "an episode ends with its fragment": {"horizon": 5},
}


class Sampler:
    """Rollouts of a `JointEnv` with random actions and made-up outputs of the policies."""

    def __init__(self, env: JointEnv) -> None:
        self.env = env
        self.rng = np.random.default_rng(0)
        self.last = [np.zeros_like(final) for final in env.final_obs]
        env.reset(1, self.last)

    def sample(self) -> JointRollout:
        env, size = self.env, (len(self.env.agent_ids), STEPS, self.env.num_envs)
        obs = [np.repeat(last[:, None], STEPS + 1, 1) for last in self.last]
        actions = self.rng.integers(0, 3, size)
        rewards = np.zeros(size, np.float32)
        flags = {name: np.zeros(size, bool) for name in ("terminateds", "truncateds", "active")}
        dones, index, finals = np.zeros(size[1:], bool), [], [[] for _ in env.groups]
        for t in range(STEPS):
            step = env.step(actions[:, t], [block[:, t + 1] for block in obs])
            rewards[:, t], dones[t] = step.rewards, step.dones
            for name, array in flags.items():
                array[:, t] = getattr(step, name)
            for b in np.flatnonzero(step.dones):
                index.append((t, b))
                for group, final in zip(finals, env.final_obs, strict=True):
                    group.append(final[:, b].copy())
        self.last = [block[:, STEPS] for block in obs]
        groups = tuple(
            AgentGroup(members, block, np.stack(final, 1) if final else np.zeros_like(block[:, 0, :0]))
            for members, block, final in zip(env.groups, obs, finals, strict=True)
        )
        return JointRollout(
            agent_ids=env.agent_ids,
            groups=groups,
            actions=np.where(flags["active"], actions, 0),
            action_logp=self.rng.normal(size=size).astype(np.float32),
            rewards=rewards,
            vf_preds=np.zeros((size[0], STEPS + 1, size[2]), np.float32),
            final_index=np.array(index, np.int64).reshape(-1, 2),
            final_vf_preds=np.zeros((size[0], len(index)), np.float32),
            dones=dones,
            lanes=np.arange(size[2]) + 7,
            lane_steps=np.zeros(size[2], np.int64),
            counts=np.zeros((*size, 0), np.int32),
            **flags,
        )

    def logits(self) -> np.ndarray:
        return self.rng.normal(size=(len(self.env.agent_ids), STEPS, self.env.num_envs, 3)).astype(np.float32)


def convert(rollout: JointRollout, carry: EpisodeCarry, logits: np.ndarray) -> list[MultiAgentEpisode]:
    return to_multi_agent_episodes(
        rollout,
        carry,
        observation_spaces=dict.fromkeys(AGENTS, OBS_SPACE),
        action_spaces=dict.fromkeys(AGENTS, ACTION_SPACE),
        module_of=str,
        extra_model_outputs={Columns.ACTION_DIST_INPUTS: logits},
    )


def sampler(scene: str) -> Sampler:
    return Sampler(MultiAgentEnvCopies(Line, SCENES[scene], COPIES))


def rllibs_own(
    rollouts: list[JointRollout], all_logits: list[np.ndarray], scene: str, b: int, lookback: int = 0
) -> list[Any]:
    """What RLlib's runner would have built for copy b, timestep by timestep, cut at the fragments' ends."""
    env = Line(SCENES[scene])
    chunks = []

    def begin(seed: int | None) -> MultiAgentEpisode:
        episode = MultiAgentEpisode(
            observation_space=dict.fromkeys(AGENTS, OBS_SPACE),
            action_space=dict.fromkeys(AGENTS, ACTION_SPACE),
            agent_to_module_mapping_fn=lambda agent_id, episode: agent_id,
        )
        observations, infos = env.reset(seed=seed)
        episode.add_env_reset(observations=observations, infos=infos)
        return episode

    episode = begin(copy_seed(1, b))
    for rollout, logits in zip(rollouts, all_logits, strict=True):
        for t in range(STEPS):
            here = {agent: i for i, agent in enumerate(AGENTS) if agent in env.agents}
            actions = {agent: rollout.actions[i, t, b] for agent, i in here.items()}
            outputs = {
                agent: {
                    Columns.ACTION_LOGP: rollout.action_logp[i, t, b],
                    Columns.ACTION_DIST_INPUTS: logits[i, t, b],
                }
                for agent, i in here.items()
            }
            obs, rewards, terminateds, truncateds, infos = env.step(actions)
            episode.add_env_step(
                obs,
                actions,
                rewards,
                infos,
                terminateds=terminateds,
                truncateds=truncateds,
                extra_model_outputs=outputs,
            )
            if episode.is_done:
                chunks.append(episode.to_numpy())
                episode = begin(None)
        if len(episode):
            successor = episode.cut(len_lookback_buffer=lookback)
            chunks.append(episode.to_numpy())
            episode = successor
    return chunks
