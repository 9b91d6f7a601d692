"""What each seat of a mixed population learns, and from what it may learn it. Without Ray."""

import dataclasses

import numpy as np
import pytest
import torch
from ray.rllib.core.learner.training_data import TrainingData

from rllib_lase.rllib.learner import SocialLearner
from rllib_lase.rllib.population import PopulationConfig
from rllib_lase.social.hook import LearntRewards
from tests.rllib.test_learner import as_float, blind, parameters_of, rollout_for, spaces_of


def make_learner(seats, num_agents, obs_shape=(4, 5, 5), **settings):
    config = PopulationConfig().environment("cleanup", env_config={"num_agents": num_agents})
    config.population(seats).debugging(seed=0)
    config.training(hidden_size=16, num_minibatches=2, num_epochs=2, **settings)
    config.env_runners(num_envs_per_env_runner=4, rollout_fragment_length=8)
    spaces = spaces_of(rollout_for(num_agents=num_agents, obs_shape=obs_shape))
    learner = SocialLearner(config=config, module_spec=config.get_multi_rl_module_spec(spaces=spaces))
    learner.build()
    return learner


SEATS = ["lase", "ia", "independent", "cooperator", "si"]


@pytest.mark.parametrize("optimizer", ["a2c", "ppo"])
@pytest.mark.parametrize("agent", [0, 1, 2, 4])
def test_what_an_agent_may_not_see_changes_nothing_it_learns_to_the_bit(agent, optimizer):
    options = {"obs_shape": (6, 5, 5), "episode_length": 6, "leavers": True}
    rollout = as_float(rollout_for(num_agents=5, num_steps=12, **options))
    results = []
    for blindfolded in (False, True):
        learner = make_learner(SEATS, 5, (6, 5, 5), optimizer=optimizer)
        hook, networks = learner.hook, learner._networks()
        own_hook = hook.of_seat[agent]
        seen = blind(rollout, agent, own_hook.visible_fields) if blindfolded else rollout
        hook.observe(seen, networks)
        hook.updates_due(1)
        hook.losses(networks)
        data, everywhere = seen.to_tensors(), torch.ones(12, 4, dtype=torch.bool)
        if blindfolded:
            # What it receives, and rewards of others that it may see, are those after gifting; what
            # decided them is not for it to see.
            visible = torch.full_like(results[0][0], torch.nan)
            for other in range(5):
                if other == agent or "rewards" in own_hook.visible_fields:
                    visible[other] = results[0][0][other]
            learnt = own_hook.rewards(dataclasses.replace(data, rewards=visible), networks, everywhere)
            given = own_hook.rewards(data, networks, everywhere).gift_weights
            row = None if given is None else given[..., agent, :]
            rewards = visible[agent] if own_hook.moves_rewards() else learnt.rewards[agent]
            after = visible
        else:
            whole = hook.rewards(data, networks, everywhere)
            after, rewards = whole.after_gifting, whole.rewards[agent]
            row = whole.gift_weights[..., agent, :] if own_hook.moves_rewards() else None
        learnt_from = torch.full_like(after, torch.nan if blindfolded else 0.0)
        learnt_from[agent] = rewards
        learner._update_policies(data, LearntRewards(learnt_from))
        hook.updates_due(1)
        losses = hook.losses(networks)
        results.append((after, rewards, row, parameters_of(learner, agent), losses))
    (_, rewards, row, params, losses), (_, rewards_b, row_b, params_b, losses_b) = results
    assert torch.equal(rewards, rewards_b)
    assert row is None or torch.equal(row, row_b)
    assert all(torch.equal(params[name], params_b[name]) for name in params)
    assert all(torch.isfinite(value).all() for value in params_b.values())
    place = learner._seats.index(agent)
    assert all(torch.equal(losses[group][place], losses_b[group][place]) for group in losses)


def test_who_does_not_learn_has_no_module_no_optimiser_and_no_figures():
    learner = make_learner(["random", "lase", "cooperator", "independent"], 4)
    learner.update(training_data=TrainingData(batch=rollout_for(num_agents=4)))
    assert list(learner.module.keys()) == ["agent_1", "agent_3"]
    assert {name.split("_sr")[0] for name in learner._named_optimizers if "sr" in name} == {"agent_1"}
    report = learner.collect_report()
    assert np.isnan(report["learner"]["total_loss"]).tolist() == [True, False, True, False]
    assert np.isnan(report["learner"]["sr_loss"]).tolist() == [True, False, True, True]
    assert np.isnan(report["learner"]["sr_grad_norm"]).tolist() == [True, False, True, True]
    assert report["gift_weights"].shape == (4, 4)
    assert report["rewards"].sum() == pytest.approx(report["rewards_after_gifting"].sum(), abs=1e-4)


def test_a_learner_learns_the_same_beside_partners_that_only_act():
    """The seat that learns: as an independent learner among others, on the same experience."""
    rollout = rollout_for(num_agents=4)
    learners = [
        make_learner(seats, 4)
        for seats in (["random", "independent", "random", "random"], ["independent"] * 4)
    ]
    for learner in learners:
        # Minibatches are drawn alike: both shuffle T * B samples.
        learner.update(training_data=TrainingData(batch=rollout))
    found, expected = (parameters_of(learner, 1) for learner in learners)
    assert all(torch.allclose(found[name], expected[name], atol=1e-6) for name in expected)
