from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import torch
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.core.columns import Columns
from ray.rllib.core.learner import Learner
from ray.rllib.core.learner.training_data import TrainingData
from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig
from ray.rllib.env.multi_agent_episode import MultiAgentEpisode
from ray.rllib.evaluation.postprocessing import Postprocessing

from rllib_lase.rllib.episodes import EpisodeCarry, to_multi_agent_episodes
from rllib_lase.rollout import JointRollout
from tests.rllib.line_env import AGENTS
from tests.rllib.line_rollouts import (
    ACTION_SPACE,
    COPIES,
    OBS_SPACE,
    SCENES,
    STEPS,
    convert,
    rllibs_own,
    sampler,
)

GAMMA, LAMBDA = 0.9, 0.8


@pytest.mark.parametrize("scene", SCENES)
def test_episodes_equal_those_that_rllib_builds_step_by_step(scene: str) -> None:
    source, carry = sampler(scene), EpisodeCarry()
    rollouts = [source.sample() for _ in range(3)]
    logits = [source.logits() for _ in rollouts]
    ours = [convert(rollout, carry, out) for rollout, out in zip(rollouts, logits, strict=True)]
    for b in range(COPIES):
        own = [e for episodes, r in zip(ours, rollouts, strict=True) for e in episodes if lane_of(e, r) == b]
        expected = rllibs_own(rollouts, logits, scene, b)
        assert len(own) == len(expected)
        for mine, theirs in zip(own, expected, strict=True):
            assert_equal_episodes(mine, theirs)
        for k, theirs in enumerate(expected[1:], 1):
            assert (own[k].id_ == own[k - 1].id_) == (theirs.id_ == expected[k - 1].id_)


def lane_of(episode: MultiAgentEpisode, rollout: JointRollout) -> int:
    """The copy in which the chunk's first observation was made: its noise is found nowhere else."""
    agent_id, agent_episode = next(iter(episode.agent_episodes.items()))
    noise = rollout.obs_of(AGENTS.index(agent_id))[:, :, 2]
    return int(np.argwhere(noise == agent_episode.observations.data[0, 2])[0, 1])


def assert_equal_episodes(mine: MultiAgentEpisode, theirs: MultiAgentEpisode) -> None:
    assert (mine.env_t_started, mine.env_t, len(mine)) == (theirs.env_t_started, theirs.env_t, len(theirs))
    assert (mine.is_terminated, mine.is_truncated) == (theirs.is_terminated, theirs.is_truncated)
    assert sorted(mine.agent_episodes) == sorted(theirs.agent_episodes)
    assert [agent for agent in AGENTS if agent in mine.agent_episodes] == list(mine.agent_episodes)
    assert mine.is_numpy
    for agent_id, own in mine.agent_episodes.items():
        other = theirs.agent_episodes[agent_id]
        assert mine.env_t_to_agent_t[agent_id].data == theirs.env_t_to_agent_t[agent_id].data
        assert mine.agent_t_started[agent_id] == theirs.agent_t_started[agent_id]
        assert (own.t_started, own.t, len(own)) == (other.t_started, other.t, len(other))
        # Where others are cut in the step in which an agent terminates, RLlib sets both flags of that agent.
        assert (own.is_terminated, own.is_done) == (other.is_terminated, other.is_done)
        assert (own.agent_id, own.module_id) == (agent_id, other.module_id)
        assert own.multi_agent_episode_id == mine.id_
        assert mine.module_for(agent_id) == agent_id
        # Of an agent that terminates before the episode ends, no last observation is kept: it is never used.
        unused = int(own.is_terminated and not (mine.is_done and len(own) == len(mine)))
        steps = slice(0, len(own) + 1 - unused)
        np.testing.assert_array_equal(own.get_observations(steps), other.get_observations(steps))
        np.testing.assert_array_equal(own.get_actions(), other.get_actions())
        np.testing.assert_array_equal(own.get_rewards(), other.get_rewards())
        assert own.get_infos() == other.get_infos()
        assert sorted(own.extra_model_outputs) == sorted(other.extra_model_outputs)
        for key in own.extra_model_outputs:
            np.testing.assert_array_equal(
                own.get_extra_model_outputs(key), other.get_extra_model_outputs(key)
            )


@pytest.fixture(scope="module")
def learner() -> Learner:
    """RLlib's own PPO learner, one module per agent."""
    torch.manual_seed(0)
    config = (
        PPOConfig()
        .multi_agent(policies=list(AGENTS), policy_mapping_fn=lambda agent_id, episode, **kwargs: agent_id)
        .training(
            gamma=GAMMA, lambda_=LAMBDA, num_epochs=1, minibatch_size=8, train_batch_size_per_learner=64
        )
        .rl_module(model_config=DefaultModelConfig(fcnet_hiddens=[8]))
    )
    module_spaces = dict.fromkeys(AGENTS, (OBS_SPACE, ACTION_SPACE))
    spec = config.get_multi_rl_module_spec(spaces=module_spaces, inference_only=False)
    learner = config.get_default_learner_class()(config=config, module_spec=spec)
    learner.build()
    return learner


def slow_value_targets(rollout: JointRollout, learner: Learner, agent: int, b: int) -> np.ndarray:
    """`(T,)` value targets of one agent in one copy, by the definition."""

    def value(obs: np.ndarray) -> float:
        batch = {Columns.OBS: torch.from_numpy(np.array(obs))[None]}
        return float(learner.module[AGENTS[agent]].compute_values(batch))

    obs, final = rollout.obs_of(agent), {tuple(key): k for k, key in enumerate(rollout.final_index.tolist())}
    targets, advantage = np.zeros(STEPS), 0.0
    for t in reversed(range(STEPS)):
        terminated, truncated = rollout.terminateds[agent, t, b], rollout.truncateds[agent, t, b]
        ended = (t, b) in final
        after = rollout.groups[0].final_obs[agent, final[t, b]] if ended else obs[t + 1, b]
        bootstrap = 0.0 if terminated else value(after)
        delta = rollout.rewards[agent, t, b] + GAMMA * bootstrap - value(obs[t, b])
        advantage = delta + (0.0 if terminated or truncated else GAMMA * LAMBDA * advantage)
        targets[t] = advantage + value(obs[t, b])
    return targets


@pytest.mark.parametrize("scene", SCENES)
def test_rllibs_own_pipeline_computes_the_value_targets_of_a_slow_loop(scene: str, learner: Learner) -> None:
    source, carry = sampler(scene), EpisodeCarry()
    for _ in range(3):
        rollout, logits = source.sample(), source.logits()
        episodes = convert(rollout, carry, logits)
        with torch.no_grad():
            batch = learner._learner_connector(
                rl_module=learner.module, batch={}, episodes=episodes, shared_data={}, metrics=learner.metrics
            )
            for agent, agent_id in enumerate(AGENTS):
                active = rollout.active[agent]
                mine = batch.get(agent_id, {})
                mask = mine.get(Columns.LOSS_MASK, torch.zeros(0, dtype=torch.bool))
                expected = np.concatenate(
                    [slow_value_targets(rollout, learner, agent, b)[active[:, b]] for b in range(COPIES)]
                )
                found = mine[Postprocessing.VALUE_TARGETS][mask].numpy() if active.any() else np.zeros(0)
                np.testing.assert_allclose(found, expected, atol=1e-6, rtol=1e-6)
                if active.any():
                    logp = np.concatenate(
                        [rollout.action_logp[agent, active[:, b], b] for b in range(COPIES)]
                    )
                    np.testing.assert_array_equal(mine[Columns.ACTION_LOGP][mask], logp)


def test_rllibs_own_ppo_learns_from_the_episodes(learner: Learner) -> None:
    source, carry = sampler("an agent terminates early"), EpisodeCarry()
    source.sample()
    rollout = source.sample()
    before = {key: value.copy() for key, value in learner.module.get_state()["cook"].items()}
    results = learner.update(
        training_data=TrainingData(episodes=convert(rollout, carry, source.logits())),
        num_epochs=1,
        minibatch_size=8,
    )
    for agent_id in AGENTS:
        assert np.isfinite(results[agent_id]["total_loss"].peek())
    after = learner.module.get_state()["cook"]
    assert any((after[key] != before[key]).any() for key in before)


def test_what_a_learner_writes_into_episodes_does_not_reach_the_rollout() -> None:
    source = sampler("episodes are longer than fragments")
    rollout = source.sample()
    before = rollout.rewards.copy()
    for episode in convert(rollout, EpisodeCarry(), source.logits()):
        for agent_episode in episode.agent_episodes.values():
            agent_episode.set_rewards(new_data=np.full(len(agent_episode), 9.0), at_indices=slice(0, None))
            agent_episode.observations.data[:] = 9
    np.testing.assert_array_equal(rollout.rewards, before)
    assert not (rollout.obs_of(0) == 9).all(-1).any()


def test_episodes_are_sent_without_what_maps_agents_to_modules() -> None:
    class Unsendable:
        def module_of(self, agent_id: str) -> str:
            return "shared"

        def __reduce__(self) -> Any:
            raise AssertionError("the runner was sent along")

    source = sampler("episodes are longer than fragments")
    (episode, *_) = to_multi_agent_episodes(
        source.sample(),
        EpisodeCarry(),
        observation_spaces=dict.fromkeys(AGENTS, OBS_SPACE),
        action_spaces=dict.fromkeys(AGENTS, ACTION_SPACE),
        module_of=Unsendable().module_of,
        extra_model_outputs={},
    )
    received = pickle.loads(pickle.dumps(episode))
    assert received.agent_episodes["cook"].module_id == received.module_for("cook") == "shared"


def test_ids_are_new_for_every_episode_of_every_carry() -> None:
    source = sampler("episodes end within and between fragments")
    rollout = source.sample()
    ids = [e.id_ for _ in range(2) for e in convert(rollout, EpisodeCarry(), source.logits())]
    assert len(set(ids)) == len(ids) == 2 * 2 * COPIES
