"""RLlib's PPO with gifts: what its learner trains, reports and saves."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.core.columns import Columns
from ray.rllib.core.learner.training_data import TrainingData
from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig
from ray.rllib.env.multi_agent_episode import MultiAgentEpisode
from ray.rllib.evaluation.postprocessing import Postprocessing

import rllib_lase
from rllib_lase.registry import ALGORITHMS
from rllib_lase.rllib.episode_rollouts import to_joint_rollouts
from rllib_lase.rllib.episodes import EpisodeCarry, to_multi_agent_episodes
from rllib_lase.rllib.gift_config import natural_order
from rllib_lase.rllib.learner_mixin import LASEPPOLearner
from rllib_lase.rllib.stock import StockGameEnv, log_episode
from rllib_lase.rollout import AgentGroup, JointRollout
from rllib_lase.settings import SettingsError
from rllib_lase.social.hook import LearntRewards
from tests.rllib.ppo_configs import ACTION_SPACE, AGENTS, OBS_SPACE, ppo
from tests.rollouts import random_rollout


def make_learner(algo: str = "lase", **settings: Any) -> LASEPPOLearner:
    small = {"hidden_size": 8, "record_fraction": 1.0}
    config = ppo(num_epochs=1, minibatch_size=16, train_batch_size_per_learner=32)
    rllib_lase.with_gifts(config, algo, **small | settings)
    config.rl_module(model_config=DefaultModelConfig(fcnet_hiddens=[8]))
    # RLlib's own order of modules is that of a set, so it may be any.
    spaces = dict.fromkeys(reversed(AGENTS), (OBS_SPACE, ACTION_SPACE))
    spec = config.get_multi_rl_module_spec(spaces=spaces, inference_only=False)
    learner = config.learner_class(config=config, module_spec=spec)
    learner.build()
    return learner


def rollout_for(seed: int = 0, **changes: Any) -> JointRollout:
    shape = {"obs_shape": (6,), "episode_length": 6, "leavers": True} | changes
    rollout = random_rollout(np.random.default_rng(seed), **shape)
    (group,) = rollout.groups
    as_float = AgentGroup(group.indices, group.obs.astype(np.float32), group.final_obs.astype(np.float32))
    return dataclasses.replace(rollout, groups=(as_float,))


def episodes_of(rollout: JointRollout) -> list[MultiAgentEpisode]:
    logits = np.zeros((*rollout.rewards.shape, 5), np.float32)
    return to_multi_agent_episodes(
        rollout,
        EpisodeCarry(),
        observation_spaces=dict.fromkeys(AGENTS, OBS_SPACE),
        action_spaces=dict.fromkeys(AGENTS, ACTION_SPACE),
        module_of=str,
        extra_model_outputs={Columns.ACTION_DIST_INPUTS: logits},
    )


def update(learner: LASEPPOLearner, rollout: JointRollout) -> dict[str, Any]:
    return learner.update(training_data=TrainingData(episodes=episodes_of(rollout)), minibatch_size=16)


def exchange(learner: LASEPPOLearner, episodes: list[MultiAgentEpisode]) -> list[LearntRewards]:
    """What the learner makes of episodes, and keeps of them."""
    parts = to_joint_rollouts(episodes, learner.social.hook.spaces)
    return learner.social.exchange([part.rollout for part in parts])


def networks(learner: LASEPPOLearner) -> dict[str, np.ndarray]:
    return {name: value.copy() for name, value in learner.social.get_state()["networks"].items()}


def assert_equal_trees(first: Any, second: Any) -> None:
    assert type(first) is type(second)
    if isinstance(first, dict):
        assert first.keys() == second.keys()
        for key, value in first.items():
            assert_equal_trees(value, second[key])
    elif isinstance(first, list | tuple):
        assert len(first) == len(second)
        for one, other in zip(first, second, strict=True):
            assert_equal_trees(one, other)
    else:
        np.testing.assert_array_equal(first, second)


# --- what it learns from ------------------------------------------------------------------------------


def test_the_exchange_comes_first_and_returns_are_computed_last():
    names = [type(piece).__name__ for piece in make_learner()._learner_connector.connectors]
    assert names[:2] == ["GiftExchange", "AddOneTsToEpisodesAndTruncate"]
    assert names[-1] == "GeneralAdvantageEstimation"


def test_ppo_learns_from_the_rewards_after_gifts_and_nothing_it_learns_from_is_nan():
    learner, rollout = make_learner(), rollout_for()
    (judged,) = make_learner().social.exchange([rollout])
    batch = learner._learner_connector(
        rl_module=learner.module, batch={}, episodes=episodes_of(rollout), shared_data={}, metrics=None
    )
    for i, agent_id in enumerate(AGENTS):
        mine, active = batch[agent_id], rollout.active[i]
        mask = mine[Columns.LOSS_MASK]
        assert int(mask.sum()) == active.sum()
        # Columns are by copy, then by time.
        expected = judged.rewards[i].T.numpy()[active.T]
        np.testing.assert_allclose(mine[Columns.REWARDS][mask].numpy(), expected, atol=1e-6)
        assert not np.allclose(expected, rollout.rewards[i].T[active.T])
        for column in (Columns.REWARDS, Postprocessing.VALUE_TARGETS, Postprocessing.ADVANTAGES):
            assert torch.isfinite(mine[column]).all()


def test_an_update_trains_policies_and_social_networks_each_by_its_own_optimiser():
    learner = make_learner()
    before, policies = networks(learner), learner.module.get_state()
    results = update(learner, rollout_for())
    after = networks(learner)
    assert all((after[name] != before[name]).any() for name in before if name.endswith("weight"))
    for agent_id in AGENTS:
        assert np.isfinite(results[agent_id]["total_loss"].peek())
        changed = learner.module.get_state()[agent_id]
        assert any((changed[name] != policies[agent_id][name]).any() for name in changed)
    policies = learner.module.get_state()
    learner.social.update()
    assert_equal_trees(learner.module.get_state(), policies)
    assert (networks(learner)["0.sr.q_out.weight"] != after["0.sr.q_out.weight"]).any()


def test_env_runners_are_sent_policies_and_nothing_social():
    learner = make_learner()
    state = learner.get_state(components="rl_module", inference_only=True)
    assert "social" not in state
    assert state["rl_module"].keys() == set(AGENTS)
    names = [name for agent_id in AGENTS for name in state["rl_module"][agent_id]]
    assert names
    assert not any("sr" in name.split(".") or "conversion" in name.split(".") for name in names)


def test_figures_of_gifts_stand_beside_those_of_ppo():
    results = update(make_learner(), rollout_for())
    for agent_id in AGENTS:
        mine = results[agent_id]
        given = [mine["gift_weights"][other].peek() for other in AGENTS]
        assert np.isclose(sum(given), 1)
        for name in ("sr_loss", "conversion_loss", "inferred_weight", "predicted_action_prob", "policy_loss"):
            assert np.isfinite(mine[name].peek())
    assert 0 < results["__all_modules__"]["share_given"].peek() < 1


def test_equality_is_told_before_and_after_gifting():
    rollout = rollout_for()
    rewards = np.ones_like(rollout.rewards)
    rewards[0] = 9
    rollout = dataclasses.replace(rollout, rewards=rewards * rollout.active)
    told = update(make_learner("fixed_share", share=0.5), rollout)["__all_modules__"]
    assert told["equality"].peek() < told["equality_after_gifting"].peek() <= 1
    told = update(make_learner("go"), rollout)["__all_modules__"]
    assert "equality_after_gifting" not in told


# --- decentralised ------------------------------------------------------------------------------------


def blind(rollout: JointRollout, agent: int) -> JointRollout:
    """Others' observations and rewards replaced by NaN."""
    others = [j for j in range(rollout.num_agents) if j != agent]
    group, rewards = rollout.groups[0], rollout.rewards.copy()
    obs, final_obs = group.obs.copy(), group.final_obs.copy()
    obs[others], final_obs[others], rewards[others] = np.nan, np.nan, np.nan
    return dataclasses.replace(rollout, rewards=rewards, groups=(AgentGroup(group.indices, obs, final_obs),))


@pytest.mark.parametrize("settings", [{}, {"sr_policy_rule": "soft_q", "relationship_smoothing": 0.5}])
@pytest.mark.parametrize("agent", [0, 2])
def test_what_an_agent_may_not_see_changes_neither_its_gifts_nor_its_networks_to_the_bit(agent, settings):
    seen = []
    for blindfolded in (False, True):
        learner, weights = make_learner(**settings), []
        for seed in range(2):
            rollout = blind(rollout_for(seed), agent) if blindfolded else rollout_for(seed)
            for judged in exchange(learner, episodes_of(rollout)):
                weights.append(judged.gift_weights[..., agent, :].numpy())
            learner.social.update()
        seen.append({"weights": weights, "networks": networks(learner)})
    for first, second in zip(seen[0]["weights"], seen[1]["weights"], strict=True):
        np.testing.assert_array_equal(first, second)
    assert np.concatenate(seen[0]["weights"])[..., agent].min() < 1
    other = 1
    for name, value in seen[0]["networks"].items():
        if name.startswith(f"{agent}."):
            np.testing.assert_array_equal(value, seen[1]["networks"][name])
        elif name.startswith(f"{other}.") and name.endswith("weight"):
            assert np.isnan(seen[1]["networks"][name]).any()


def test_agents_keep_their_places_whatever_the_order_of_modules():
    assert make_learner().social.hook.spaces.agent_ids == AGENTS
    names = ["agent_10", "agent_9", "b_2_x", "b_10_a", "agent_0"]
    assert sorted(names, key=natural_order) == ["agent_0", "agent_9", "agent_10", "b_2_x", "b_10_a"]


# --- state --------------------------------------------------------------------------------------------


def test_a_restored_learner_goes_on_to_the_bit():
    first, second = make_learner(relationship_smoothing=0.5), make_learner(relationship_smoothing=0.5)
    for seed in range(2):
        update(first, rollout_for(seed))
    second.set_state(first.get_state())
    assert_equal_trees(second.social.get_state(), first.social.get_state())
    episodes = episodes_of(rollout_for(2))
    for learner in (first, second):
        assert all(torch.isfinite(learnt.rewards).all() for learnt in exchange(learner, episodes))
        learner.social.update()
    assert_equal_trees(second.social.get_state(), first.social.get_state())


# --- what it serves -----------------------------------------------------------------------------------

SERVED = {"lase", "lase_uniform", "lase_oracle", "fixed_share", "go", "ia", "svo"}


@pytest.mark.parametrize("algo", ALGORITHMS)
def test_every_preference_is_served_or_refused_with_what_to_do(algo):
    if algo in SERVED:
        assert np.isfinite(update(make_learner(algo), rollout_for())["agent_0"]["total_loss"].peek())
        return
    with pytest.raises(SettingsError, match=r"^algo: .*(train (it )?with \w+Config|leave with_gifts out)$"):
        rllib_lase.with_gifts(ppo(), algo)


# --- with Ray -----------------------------------------------------------------------------------------


def ipd(**learners: Any) -> PPOConfig:
    """Episodes of 30 steps in fragments of 20."""
    config = ppo(
        agents=("agent_0", "agent_1"), train_batch_size_per_learner=80, minibatch_size=40, num_epochs=1
    )
    config.environment(StockGameEnv, env_config={"game": "ipd", "horizon": 30})
    config.env_runners(num_env_runners=0, num_envs_per_env_runner=4, rollout_fragment_length=20)
    config.callbacks(on_episode_end=log_episode).learners(**learners)
    config.rl_module(model_config=DefaultModelConfig(fcnet_hiddens=[8]))
    return rllib_lase.with_gifts(config, record_fraction=1.0)


def assert_returns_are_the_games_own(result: dict[str, Any]) -> None:
    """RLlib's returns against those that the environment has counted: length, returns, counts."""
    counted = np.reshape(result["env_runners"]["rllib_lase_episodes"], (-1, 5))
    returns = result["env_runners"]["agent_episode_returns_mean"]
    np.testing.assert_allclose([returns["agent_0"], returns["agent_1"]], counted[:, 1:3].mean(0), rtol=1e-5)


def test_reported_returns_stay_the_games_own_though_episodes_go_on_after_gifts(local_ray):
    algo = ipd().build_algo()
    algo.train()
    result = algo.train()
    algo.stop()
    assert result["learners"]["__all_modules__"]["share_given"] > 0
    assert_returns_are_the_games_own(result)


def test_remote_runners_and_a_checkpoint(local_ray, tmp_path):
    config = ipd().env_runners(num_env_runners=2, num_envs_per_env_runner=2)
    algo = config.build_algo()
    algo.train()
    assert_returns_are_the_games_own(algo.train())
    algo.save_to_path(str(tmp_path / "saved"))
    before = algo.learner_group._learner.social.get_state()
    algo.stop()
    restored = type(algo).from_checkpoint(str(tmp_path / "saved"))
    assert_equal_trees(restored.learner_group._learner.social.get_state(), before)
    assert before["rounds"] == 2
    restored.train()
    assert restored.learner_group._learner.social.get_state()["rounds"] == 3
    restored.stop()


def test_two_learners_have_the_same_networks_and_each_its_own_episodes(local_ray):
    algo = ipd(num_learners=2).build_algo()
    results = [algo.train() for _ in range(2)]
    first, second = (
        found.get() for found in algo.learner_group.foreach_learner(lambda each, **_: each.social.get_state())
    )
    group = algo.learner_group
    group.set_state(group.get_state())
    restored = [found.get() for found in group.foreach_learner(lambda each, **_: each.social.get_state())]
    algo.stop()
    for state in restored:
        assert_equal_trees(state, first)
    assert_equal_trees(first["networks"], second["networks"])
    replays = [state["hook"]["replay"]["arrays"]["rewards"] for state in (first, second)]
    assert (replays[0] != replays[1]).any()
    assert [result["learners"]["agent_0"]["sr_loss"] for result in results] != [0, 0]
    assert all(np.isfinite(result["learners"]["agent_1"]["total_loss"]) for result in results)
