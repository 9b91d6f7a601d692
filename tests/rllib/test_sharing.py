"""Agents with one set of parameters: what is the same, what it is learnt from, and that nothing parts it."""

import dataclasses

import gymnasium as gym
import numpy as np
import pytest
import torch
from ray.rllib.core.learner.training_data import TrainingData

from rllib_lase.rllib.algorithms import GOConfig, IndependentConfig, LASEConfig, LASESharedConfig
from rllib_lase.rllib.learner import SocialLearner
from rllib_lase.social.go import GOHook
from rllib_lase.social.independent import IndependentHook
from tests.rllib.test_learner import as_float, blind, parameters_of, rollout_for, spaces_of

GROUPS = ("policy", "sr", "conversion")


class SharedIndependentHook(IndependentHook):
    """Any preference may share: it is a property of the hook, not of LASE."""

    shares_parameters = True


class SharedIndependentConfig(IndependentConfig):
    hook_class = SharedIndependentHook


class SharedGOHook(GOHook):
    shares_parameters = True


class SharedGOConfig(GOConfig):
    hook_class = SharedGOHook


def config_for(config_class, **settings):
    config = config_class().environment("cleanup").debugging(seed=0)
    small = {"hidden_size": 16, "rounds_per_iteration": 1, "num_minibatches": 2, "num_epochs": 2}
    config.training(**small | settings)
    return config.env_runners(num_envs_per_env_runner=4, rollout_fragment_length=8)


def make_learner(config_class=LASESharedConfig, **settings):
    config = config_for(config_class, **settings)
    spec = config.get_multi_rl_module_spec(spaces=spaces_of(rollout_for()))
    learner = SocialLearner(config=config, module_spec=spec)
    learner.build()
    return learner


def train(learner, *rollouts):
    for rollout in rollouts:
        learner.update(training_data=TrainingData(batch=rollout), timesteps={"env_steps": 0})


def assert_shared(learner):
    first = dict(learner.module["agent_0"].named_parameters())
    for agent_id in ("agent_1", "agent_2"):
        others = dict(learner.module[agent_id].named_parameters())
        assert others.keys() == first.keys()
        assert all(others[name] is first[name] for name in first)


def same_for_all(rollout):
    """The rollout of agent 0 as everybody's."""

    def repeated(array):
        return np.repeat(array[:1], rollout.num_agents, 0)

    group = rollout.groups[0]
    fields = ("actions", "action_logp", "rewards", "vf_preds", "final_vf_preds", "active")
    return dataclasses.replace(
        rollout,
        groups=(dataclasses.replace(group, obs=repeated(group.obs), final_obs=repeated(group.final_obs)),),
        **{name: repeated(getattr(rollout, name)) for name in (*fields, "terminateds", "truncateds")},
    )


def gradients_of(learner):
    return {name: p.grad.clone() for name, p in learner.module["agent_0"].policy.named_parameters()}


@pytest.mark.parametrize("optimizer", ["a2c", "ppo"])
@pytest.mark.parametrize(
    ("config_class", "settings"), [(LASESharedConfig, {"sr_update_frequency": 1}), (SharedGOConfig, {})]
)
def test_all_agents_have_the_same_weights_after_three_rounds_and_not_those_of_the_start(
    config_class, settings, optimizer
):
    learner = make_learner(config_class, optimizer=optimizer, **settings)
    before = parameters_of(learner, 0)
    train(learner, *(rollout_for(k, episode_length=5, leavers=True) for k in range(3)))
    assert_shared(learner)
    after = parameters_of(learner, 2)
    assert not [name for name in after if after[name].equal(before[name])]


def test_decentralised_agents_share_nothing():
    learner = make_learner(LASEConfig)
    parts = [{id(p) for p in learner.module[f"agent_{i}"].parameters()} for i in range(3)]
    assert len(parts[0] | parts[1] | parts[2]) == sum(map(len, parts))


@pytest.mark.parametrize("optimizer", ["a2c", "ppo"])
def test_the_same_experience_of_all_agents_teaches_what_one_agents_own_does(optimizer):
    settings = {"optimizer": optimizer, "num_epochs": 1, "num_minibatches": 1, "grad_clip": 1e3}
    rollout = same_for_all(rollout_for(episode_length=5))
    shared = make_learner(SharedIndependentConfig, **settings)
    alone = make_learner(IndependentConfig, **settings)
    weights = shared.module["agent_0"].policy.state_dict()
    weights["fc.biases"][:] = weights["fc.biases"][0].clone()  # nobody knows who it is
    own = {name: value for name, value in weights.items() if name != "fc.biases"}
    alone.module["agent_0"].policy.load_state_dict({**own, "fc.bias": weights["fc.biases"][0]})
    train(shared, rollout)
    train(alone, rollout)
    found, expected = gradients_of(shared), gradients_of(alone)
    found["fc.bias"] = found.pop("fc.biases").sum(0)
    assert found.keys() == expected.keys()
    assert all(torch.allclose(found[name], expected[name], atol=1e-6, rtol=1e-4) for name in found)


def test_the_mean_gradient_is_clipped_once():
    learner = make_learner(SharedIndependentConfig, optimizer="a2c", grad_clip=0.05)
    train(learner, rollout_for())
    norms = torch.stack([gradient.norm() for gradient in gradients_of(learner).values()])
    assert norms.norm() == pytest.approx(0.05, rel=1e-4)
    report = learner.collect_report()["learner"]["policy_grad_norm"]
    assert report[0] == report[1] == report[2] > 0.05


@pytest.mark.parametrize("group", GROUPS)
def test_the_gradient_is_the_mean_over_agents(group):
    learner = make_learner()
    networks = learner._networks()
    learner.hook.observe(rollout_for(num_steps=20, episode_length=7, leavers=True), networks)
    data = rollout_for().to_tensors()
    heads = [networks[i]["policy"](data.obs[i][:-1].flatten(0, 1)) for i in range(3)]
    squares = [head.vf_preds.square().mean() + head.action_dist_inputs.square().mean() for head in heads]
    losses = {"policy": torch.stack(squares), **learner.hook.losses(networks)}
    (own,) = learner._parameters(group)
    rows = [torch.autograd.grad(loss, own, retain_graph=True) for loss in losses[group]]
    mean = [torch.stack(parts).mean(0) for parts in zip(*rows, strict=True)]
    assert not torch.allclose(rows[0][0], rows[1][0]), "agents have seen different things"
    found = learner._gradients(group, losses[group])
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(found, mean, strict=True))


def test_there_is_one_optimiser_for_each_group():
    learner = make_learner(sr_lr=2e-3)
    names = {name for name, _ in learner.get_optimizers_for_module("agent_0")}
    assert names == set(GROUPS)
    assert learner.get_optimizers_for_module("agent_1") == []
    assert learner.get_optimizer("agent_0", "sr").param_groups[0]["lr"] == 2e-3


def test_an_agents_gifts_and_losses_are_its_own_view_but_everybody_learns_from_everybody():
    rollout = as_float(rollout_for(num_steps=12, episode_length=6, leavers=True))
    results = []
    for blindfolded in (False, True):
        learner = make_learner(sr_update_frequency=1)
        seen = blind(rollout, 1, learner.hook.visible_fields) if blindfolded else rollout
        networks, data = learner._networks(), seen.to_tensors()
        weights = learner.hook.rewards(data, networks, torch.ones_like(data.dones)).gift_weights
        learner.hook.observe(seen, networks)
        losses = learner.hook.losses(networks)
        gradients = learner._gradients("sr", losses["sr"])
        results.append((weights[..., 1, :], {name: loss[1] for name, loss in losses.items()}, gradients))
    (row, losses, gradients), (row_b, losses_b, gradients_b) = results
    assert torch.equal(row, row_b)
    assert losses == losses_b
    assert all(torch.isfinite(gradient).all() for gradient in gradients)
    assert all(gradient.isnan().any() for gradient in gradients_b), (
        "what others hide from agent 1 moves its nets"
    )


def test_a_restored_learner_goes_on_exactly_and_still_shares():
    rollouts = [rollout_for(k) for k in range(4)]
    learner, twin = make_learner(), make_learner()
    train(learner, *rollouts[:2])
    state = learner.get_state()
    twin.set_state(state)
    assert set(state["rl_module"]) == {"agent_0", "agent_1", "agent_2"}
    assert len(state["optimizer"]) == len(GROUPS)
    train(learner, *rollouts[2:])
    train(twin, *rollouts[2:])
    assert_shared(twin)
    expected, found = parameters_of(learner, 1), parameters_of(twin, 1)
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_a_recurrent_policy_is_shared_too():
    learner = make_learner(use_lstm=True, lstm_size=8)
    rollout = rollout_for(num_steps=12, episode_length=5)
    group = dataclasses.replace(rollout.groups[0], state_in=np.zeros((3, 4, 16), np.float32))
    before = parameters_of(learner, 0)
    train(learner, dataclasses.replace(rollout, groups=(group,)))
    assert_shared(learner)
    assert not parameters_of(learner, 2)["policy.lstm.weight_hh_l0"].equal(before["policy.lstm.weight_hh_l0"])


@pytest.mark.parametrize("which", [0, 1])
def test_agents_whose_spaces_differ_are_refused_by_name(which):
    spaces = spaces_of(rollout_for())
    other = (gym.spaces.Box(0, 1, (9,), np.uint8), gym.spaces.Discrete(7))
    changed = list(spaces["agent_1"])
    changed[which] = other[which]
    with pytest.raises(ValueError, match=r"one set of parameters .* found agent_0: .*; agent_1: ") as raised:
        config_for(LASESharedConfig).get_multi_rl_module_spec(spaces={**spaces, "agent_1": tuple(changed)})
    assert str(other[which]) in str(raised.value)
