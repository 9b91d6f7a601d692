import dataclasses

import gymnasium as gym
import numpy as np
import pytest
import torch
from ray.rllib.core.learner.training_data import TrainingData

from rllib_lase.registry import ALGORITHMS
from rllib_lase.rllib.algorithms import IndependentConfig, SIConfig
from rllib_lase.rllib.learner import SocialLearner
from rllib_lase.settings import SettingsError
from rllib_lase.social.hook import LearntRewards
from tests.rllib.line_env import Line
from tests.rollouts import random_rollout

CONFIGS = {
    algo: spec.config_class() for algo, spec in ALGORITHMS.items() if spec.unsupported("cleanup") is None
}


#: Settings under which LASE is looked at: both rules for the SR policy, and all options beside the paper.
LASE_SETTINGS = {
    "eq5": {"sr_policy_rule": "eq5"},
    "soft_q": {"sr_policy_rule": "soft_q"},
    "options": {
        "relationship_smoothing": 0.7,
        "relationship_scale": "advantage",
        "gift_negative_rewards": False,
        "max_share_given": 0.3,
        "mask_unseen": True,
        "refuse_gifts": True,
    },
}


def spaces_of(rollout, num_actions=5):
    obs = gym.spaces.Box(0, 1, rollout.groups[0].obs.shape[3:], np.uint8)
    return {agent_id: (obs, gym.spaces.Discrete(num_actions)) for agent_id in rollout.agent_ids}


def make_learner(algo="lase", **settings):
    config = CONFIGS[algo]().environment("cleanup").debugging(seed=0)
    small = {"hidden_size": 16, "rounds_per_iteration": 1, "num_minibatches": 2, "num_epochs": 2}
    config.training(**small | settings)
    config.env_runners(num_envs_per_env_runner=4, rollout_fragment_length=8)
    num_actions = 10 if settings.get("refuse_gifts") else 5
    spaces = spaces_of(random_rollout(np.random.default_rng(0)), num_actions)
    spec = config.get_multi_rl_module_spec(spaces=spaces)
    learner = SocialLearner(config=config, module_spec=spec)
    learner.build()
    return learner


def rollout_for(seed=0, **kwargs):
    return random_rollout(np.random.default_rng(seed), **kwargs)


def parameters_of(learner, agent):
    module = learner.module[f"agent_{agent}"]
    return {name: value.detach().clone() for name, value in module.named_parameters()}


# With one set of parameters everybody learns from everybody: tests/rllib/test_sharing.py shows it.
DECENTRALISED = [
    (algo, variant)
    for algo, config in sorted(CONFIGS.items())
    if not config.hook_class.shares_parameters
    for variant in (sorted(LASE_SETTINGS) if algo.startswith("lase") else ["defaults"])
]

HIDDEN = {"obs", "rewards", "vf_preds", "action_logp", "final_vf_preds"}


def blind(rollout, agent, visible_fields):
    """The rollout with everything replaced by NaN that `agent` may not see."""
    others = [j for j in range(rollout.num_agents) if j != agent]
    group = rollout.groups[0]
    obs, final_obs = group.obs.astype(np.float32), group.final_obs.astype(np.float32)
    if "obs" not in visible_fields:
        obs[others] = np.nan
        final_obs[others] = np.nan
    changed = {}
    for name in HIDDEN - {"obs"} - visible_fields:
        changed[name] = getattr(rollout, name).copy()
        changed[name][others] = np.nan
    return dataclasses.replace(
        rollout, groups=(dataclasses.replace(group, obs=obs, final_obs=final_obs),), **changed
    )


def as_float(rollout):
    group = rollout.groups[0]
    return dataclasses.replace(
        rollout,
        groups=(
            dataclasses.replace(
                group, obs=group.obs.astype(np.float32), final_obs=group.final_obs.astype(np.float32)
            ),
        ),
    )


@pytest.mark.parametrize("agent", [0, 2])
@pytest.mark.parametrize("optimizer", ["a2c", "ppo"])
@pytest.mark.parametrize(("algo", "variant"), DECENTRALISED)
def test_what_an_agent_may_not_see_changes_nothing_it_learns_to_the_bit(agent, optimizer, algo, variant):
    settings = LASE_SETTINGS.get(variant, {})
    num_actions = 10 if settings.get("refuse_gifts") else 5
    rollout = as_float(rollout_for(num_steps=12, episode_length=6, leavers=True, num_actions=num_actions))
    results = []
    for blindfolded in (False, True):
        learner = make_learner(algo, optimizer=optimizer, **settings)
        seen = blind(rollout, agent, learner.hook.visible_fields) if blindfolded else rollout
        networks, data = learner._networks(), seen.to_tensors()
        for _ in range(2):  # LIO learns from two rollouts in a row
            learner.hook.observe(seen, networks)
        learner.hook.losses(networks)
        everywhere = torch.ones_like(data.dones)
        learnt = learner.hook.rewards(data, networks, everywhere)
        rewards = learnt.rewards.clone()
        # A budget that others' rewards replenish decides what they can give.
        receives = learnt.gift_weights is not None or algo == "gifting"
        if blindfolded and receives:
            # What an agent receives is visible, though what decided it is not.
            rewards[agent] = results[0][0]
        row = None if learnt.gift_weights is None else learnt.gift_weights[..., agent, :]
        learner._update_policies(data, LearntRewards(rewards))
        losses = learner.hook.losses(networks)
        own = list(learner.module[f"agent_{agent}"].social.parameters())
        gradients = torch.autograd.grad(sum(loss[agent] for loss in losses.values()), own) if own else ()
        results.append((rewards[agent], row, parameters_of(learner, agent), losses, gradients))
    (rewards, row, params, losses, gradients), (rewards_b, row_b, params_b, losses_b, gradients_b) = results
    assert receives or torch.equal(rewards, rewards_b)
    assert row is None or torch.equal(row, row_b)
    assert all(torch.equal(params[name], params_b[name]) for name in params)
    assert all(torch.equal(losses[group][agent], losses_b[group][agent]) for group in losses)
    assert all(torch.equal(a, b) for a, b in zip(gradients, gradients_b, strict=True))
    assert all(torch.isfinite(gradient).all() for gradient in gradients_b)


@pytest.mark.parametrize("algo", sorted(CONFIGS))
@pytest.mark.parametrize("optimizer", ["a2c", "ppo"])
def test_a_round_changes_every_network_and_keeps_losses_finite(algo, optimizer):
    learner = make_learner(algo, optimizer=optimizer)
    before = [parameters_of(learner, agent) for agent in range(3)]
    for k in range(max(2, getattr(learner.settings, "sr_update_frequency", 1))):
        learner.update(training_data=TrainingData(batch=rollout_for(k)), timesteps={"env_steps": 0})
    for agent in range(3):
        after = parameters_of(learner, agent)
        changed = {name.split(".")[0] for name in after if not after[name].equal(before[agent][name])}
        assert changed == {name.split(".")[0] for name in after}
    report = learner.collect_report()
    assert all(np.isfinite(values).all() for values in report["learner"].values())
    assert np.isclose(report["rewards"].sum(), report["rewards_after_gifting"].sum(), atol=1e-4)


@pytest.mark.parametrize("optimizer", ["a2c", "ppo"])
def test_agents_may_have_different_numbers_of_actions(optimizer):
    config = IndependentConfig().environment("cleanup").debugging(seed=0)
    config.training(hidden_size=16, optimizer=optimizer, epsilon_start=0.2, num_minibatches=2, num_epochs=1)
    config.env_runners(num_envs_per_env_runner=4, rollout_fragment_length=8)
    spaces = spaces_of(rollout_for())
    wider = {**spaces, "agent_1": (spaces["agent_1"][0], gym.spaces.Discrete(7))}
    results = []
    for given in (spaces, wider):
        learner = SocialLearner(config=config, module_spec=config.get_multi_rl_module_spec(spaces=given))
        learner.build()
        learner.update(training_data=TrainingData(batch=rollout_for()))
        results.append((parameters_of(learner, 0), learner.collect_report()["learner"]))
    (alone, _), (beside, report) = results
    assert all(np.isfinite(values).all() for values in report.values())
    assert all(torch.allclose(alone[name], beside[name], atol=1e-6) for name in alone)


def test_groups_have_their_own_optimisers_and_learning_rates():
    learner = make_learner(lr=1e-3, sr_lr=2e-3, conversion_lr=3e-3)
    rates = {
        group: learner.get_optimizer("agent_1", group).param_groups[0]["lr"]
        for group in ("policy", "sr", "conversion")
    }
    assert rates == {"policy": 1e-3, "sr": 2e-3, "conversion": 3e-3}


def test_learning_rates_fall_linearly_and_then_stay():
    learner = make_learner("independent", lr=1e-3, lr_end=1e-4, schedule_env_steps=1000)
    seen = []
    for env_steps in (0, 500, 1000, 5000):
        learner.update(training_data=TrainingData(batch=rollout_for()), timesteps={"env_steps": env_steps})
        seen.append(learner.get_optimizer("agent_0", "policy").param_groups[0]["lr"])
    assert np.allclose(seen, [1e-3, 5.5e-4, 1e-4, 1e-4])


def test_gradients_are_clipped_for_each_agent_by_its_own_norm():
    learner = make_learner("independent", optimizer="a2c", grad_clip=0.5)
    rollout = rollout_for()
    rewards = rollout.rewards.copy()
    rewards[0] *= 1e4
    learner.update(training_data=TrainingData(batch=dataclasses.replace(rollout, rewards=rewards)))
    norms = learner.collect_report()["learner"]["policy_grad_norm"]
    assert norms[0] > 100 * norms[1], "the report holds norms before clipping"
    for agent in range(3):
        gradients = [p.grad for p in learner.module[f"agent_{agent}"].policy.parameters()]
        assert torch.stack([g.norm() for g in gradients]).norm() <= 0.5 + 1e-4


def test_steps_after_an_agent_left_do_not_touch_its_policy():
    rollout = as_float(rollout_for(num_steps=12, episode_length=6, leavers=True))
    results = []
    for spoil in (False, True):
        learner = make_learner("independent")
        rewards, obs = rollout.rewards.copy(), rollout.groups[0].obs.copy()
        if spoil:
            gone = ~rollout.active[0]
            obs[0, :-1][gone] = 77.0
        group = dataclasses.replace(rollout.groups[0], obs=obs)
        changed = dataclasses.replace(rollout, rewards=rewards, groups=(group,))
        learner.update(training_data=TrainingData(batch=changed))
        results.append(parameters_of(learner, 0))
    assert all(torch.equal(results[0][name], results[1][name]) for name in results[0])


@pytest.mark.parametrize("optimizer", ["a2c", "ppo"])
def test_a_recurrent_policy_learns_from_fragments_with_resets(optimizer):
    learner = make_learner("lase", optimizer=optimizer, use_lstm=True, lstm_size=8)
    rollout = rollout_for(num_steps=12, episode_length=5)
    state = np.zeros((3, 4, 16), np.float32)
    group = dataclasses.replace(rollout.groups[0], state_in=state)
    learner.update(training_data=TrainingData(batch=dataclasses.replace(rollout, groups=(group,))))
    assert np.isfinite(learner.collect_report()["learner"]["total_loss"]).all()


def test_a_recurrent_policy_without_its_state_is_refused():
    learner = make_learner("independent", use_lstm=True, lstm_size=8)
    with pytest.raises(ValueError, match="state_in"):
        learner.update(training_data=TrainingData(batch=rollout_for()))


def test_episodes_are_refused_by_name():
    learner = make_learner("independent")
    with pytest.raises(TypeError, match="JointRollouts, found episodes"):
        learner.update(training_data=TrainingData(episodes=[]))


def test_judging_a_rollout_changes_nothing():
    learner = make_learner()
    before = parameters_of(learner, 0)
    first = learner.judge(rollout_for())
    second = learner.judge(rollout_for())
    assert torch.equal(first.rewards, second.rewards)
    assert torch.equal(first.gift_weights, second.gift_weights)
    assert all(torch.equal(before[name], value) for name, value in parameters_of(learner, 0).items())


def test_smoothed_relationships_go_on_from_fragment_to_fragment_and_evaluation_leaves_them_alone():
    still = {"relationship_smoothing": 0.9, "sr_update_frequency": 1000}
    together, apart, restored = (make_learner(**still) for _ in range(3))
    whole = rollout_for(num_steps=8)
    halves = [steps_of(whole, 0, 4), steps_of(whole, 4, 8)]
    together.update(training_data=TrainingData(batch=whole))
    apart.update(training_data=TrainingData(batch=halves[0]))
    apart.judge(rollout_for(3))
    restored.set_state(apart.get_state())
    for learner in (apart, restored):
        learner.update(training_data=TrainingData(batch=halves[1]))
    expected = together._carry.get_state()["rows"]
    assert np.isfinite(expected[:, 0, 1]).all()
    for learner in (apart, restored):
        assert np.allclose(learner._carry.get_state()["rows"], expected, atol=1e-6, equal_nan=True)


def steps_of(rollout, start, stop):
    """The steps from `start` to `stop` of a rollout in which no episode ends, as a fragment of their own."""
    steps = ("actions", "action_logp", "rewards", "terminateds", "truncateds", "active", "counts")
    cut = {name: getattr(rollout, name)[:, start:stop] for name in steps}
    group = dataclasses.replace(rollout.groups[0], obs=rollout.groups[0].obs[:, start : stop + 1])
    return dataclasses.replace(
        rollout,
        groups=(group,),
        vf_preds=rollout.vf_preds[:, start : stop + 1],
        dones=rollout.dones[start:stop],
        lane_steps=rollout.lane_steps + start,
        **cut,
    )


def test_what_was_measured_is_the_mean_over_recorded_steps_of_all_rounds():
    learner = make_learner("lase_uniform", record_fraction=1.0)
    for k in range(2):
        learner.update(training_data=TrainingData(batch=rollout_for(k)))
    measured = learner.collect_report()["measured"]
    assert np.allclose(measured["predicted_action_prob"], 0.2)
    assert np.allclose(measured["predicted_action_cross_entropy_std"], 0, atol=1e-3)
    assert (measured["inferred_weight_std"] > 0).all()
    assert learner.collect_report()["measured"] == {}


def test_weights_of_an_agent_do_not_depend_on_how_many_others_there_are():
    config = IndependentConfig().environment("cleanup").debugging(seed=5)
    alone = config.get_multi_rl_module_spec(spaces=spaces_of(rollout_for(num_agents=2))).build()
    crowd = config.get_multi_rl_module_spec(spaces=spaces_of(rollout_for(num_agents=4))).build()
    for name, value in alone["agent_1"].named_parameters():
        assert torch.equal(value, dict(crowd["agent_1"].named_parameters())[name])
    first, second = (dict(crowd[f"agent_{i}"].named_parameters()) for i in (0, 1))
    assert not torch.equal(first["policy.fc.weight"], second["policy.fc.weight"])


def test_a_preference_follows_the_env_steps_and_its_figures_are_reported():
    learner = make_learner(
        "si",
        influence_weight_end=1.0,
        influence_ramp_fraction=0.5,
        schedule_env_steps=800,
        record_fraction=1.0,
    )
    weights = []
    for env_steps in (0, 100, 400, 800):
        learner.update(training_data=TrainingData(batch=rollout_for()), timesteps={"env_steps": env_steps})
        weights.append(learner.hook.influence_weight)
    assert np.allclose(weights, [0, 0.25, 1, 1])
    influence = learner.collect_report()["measured"]["influence"]
    assert influence.shape == (3,)
    assert (influence > 0).all()


def test_visibility_is_refused_where_it_cannot_be_known():
    for env in ("ipd", Line):
        config = SIConfig().environment(env).training(only_when_visible=True)
        with pytest.raises(SettingsError, match=r"only_when_visible: .*(ipd|Line)"):
            config.settings()
    assert SIConfig().environment("cleanup").settings().only_when_visible


@pytest.mark.parametrize("all_have_some", [True, False])
def test_a_round_that_another_learner_cannot_learn_from_is_left_out_by_all(all_have_some, monkeypatch):
    learner, asked = make_learner(), []
    monkeypatch.setattr(SocialLearner, "distributed", property(lambda self: True))
    monkeypatch.setattr(
        "rllib_lase.rllib.learner.all_learners", lambda yes, device: asked.append(yes) or all_have_some
    )
    learnt = []
    monkeypatch.setattr(learner, "_update_round", lambda *words: learnt.append(words))
    learner.update(training_data=TrainingData(batch=rollout_for()))
    assert asked == [True]
    assert len(learnt) == all_have_some


def test_a_learner_whose_rollouts_are_all_lost_says_so_to_the_others(monkeypatch):
    learner, asked = make_learner(), []
    monkeypatch.setattr(SocialLearner, "distributed", property(lambda self: True))
    monkeypatch.setattr("rllib_lase.rllib.learner.rollouts_that_are_left", lambda references: [])
    monkeypatch.setattr(
        "rllib_lase.rllib.learner.all_learners", lambda yes, device: asked.append(yes) or False
    )
    learner.update(training_data=TrainingData(batch_refs=["lost"]))
    assert asked == [False]
