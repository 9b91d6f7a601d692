import dataclasses

import gymnasium as gym
import numpy as np
import pytest
import torch

from rllib_lase.registry.go import GOSettings
from rllib_lase.registry.lase import LASESettings
from rllib_lase.settings import Settings
from rllib_lase.social.go import GOHook
from rllib_lase.social.hook import JointSpaces
from rllib_lase.social.independent import IndependentHook
from rllib_lase.social.lase import LASEHook, LASESharedHook, LASEUniformHook
from tests.rollouts import random_rollout

OBS = gym.spaces.Box(0, 1, (4, 5, 5), np.uint8)


def make(hook_class=LASEHook, num_agents=3, **settings):
    spaces = JointSpaces(
        tuple(f"agent_{i}" for i in range(num_agents)),
        (OBS,) * num_agents,
        (gym.spaces.Discrete(5),) * num_agents,
    )
    torch.manual_seed(0)
    hook = hook_class(
        LASESettings(hidden_size=16, sr_batch_size=32, conversion_batch_size=32, **settings), spaces, 0
    )
    return hook, [hook.extra_modules(agent) for agent in range(num_agents)]


def everywhere(data):
    return torch.ones_like(data.dones)


@pytest.mark.parametrize("hook_class", [LASEHook, LASEUniformHook, LASESharedHook])
@pytest.mark.parametrize("keep_penalties", [False, True])
def test_gifts_only_move_rewards_and_weights_are_distributions(hook_class, keep_penalties):
    hook, nets = make(hook_class, gift_negative_rewards=not keep_penalties)
    data = random_rollout(np.random.default_rng(0), episode_length=6, leavers=True).to_tensors()
    learnt = hook.rewards(data, nets, everywhere(data))
    assert torch.allclose(learnt.rewards.sum(0), data.rewards.sum(0), atol=1e-5)
    assert torch.allclose(learnt.gift_weights.sum(-1), torch.ones(()), atol=1e-6)
    assert learnt.gift_weights.min() >= 0
    off_diagonal = learnt.gift_weights - torch.diag_embed(
        torch.diagonal(learnt.gift_weights, dim1=-2, dim2=-1)
    )
    assert off_diagonal.max() <= 0.5 + 1e-6, "1 / (N - 1)"
    moved = learnt.gifts() - torch.diag_embed(torch.diagonal(learnt.gifts(), dim1=-2, dim2=-1))
    after = data.rewards + (moved.sum(-2) - moved.sum(-1)).permute(2, 0, 1)
    assert torch.allclose(after, learnt.rewards, atol=1e-5)
    assert bool((moved < 0).any()) != keep_penalties


def test_skipping_givers_without_a_reward_changes_no_learnt_reward():
    hook, nets = make()
    data = random_rollout(np.random.default_rng(1), episode_length=6, leavers=True).to_tensors()
    sparse = hook.rewards(data, nets, torch.zeros_like(data.dones))
    dense = hook.rewards(data, nets, everywhere(data))
    assert torch.allclose(sparse.rewards, dense.rewards, atol=1e-6)
    assert not torch.equal(sparse.gift_weights, dense.gift_weights)


def test_no_reward_means_no_network_is_run():
    hook, nets = make()
    data = random_rollout(np.random.default_rng(1)).to_tensors()
    data = dataclasses.replace(data, rewards=torch.zeros_like(data.rewards))
    runs = []
    for own in nets:
        own["sr"].encoder.register_forward_hook(lambda *_: runs.append(1))
    learnt = hook.rewards(data, nets, torch.zeros_like(data.dones))
    assert not runs
    assert torch.equal(learnt.gift_weights, torch.eye(3).expand_as(learnt.gift_weights))


def test_a_departed_agent_neither_gives_nor_receives():
    hook, nets = make()
    rollout = random_rollout(np.random.default_rng(2), num_steps=6, episode_length=6, leavers=True)
    data = rollout.to_tensors()
    weights = hook.rewards(data, nets, everywhere(data)).gift_weights
    gone = ~data.active[0]
    assert gone.any()
    assert torch.equal(weights[gone][:, 0], torch.eye(3)[0].expand(int(gone.sum()), 3))
    assert (weights[gone][:, 1:, 0] == 0).all()
    assert (weights[~gone][:, 1:, 0] > 0).any()


def test_perspective_and_uniform_prediction_give_different_weights():
    (hook, nets), (uniform, _) = make(), make(LASEUniformHook)
    with torch.no_grad():
        for own in nets:
            own["sr"].pi_out.weight.mul_(300)
    data = random_rollout(np.random.default_rng(3)).to_tensors()
    learnt = hook.rewards(data, nets, everywhere(data)).gift_weights
    assert not torch.allclose(learnt, uniform.rewards(data, nets, everywhere(data)).gift_weights, atol=1e-3)


@pytest.mark.parametrize("rule", ["eq5", "soft_q"])
def test_each_agents_losses_depend_on_its_own_networks_alone(rule):
    hook, nets = make(sr_policy_rule=rule)
    hook.observe(random_rollout(np.random.default_rng(0), num_steps=20, episode_length=7, leavers=True), nets)
    losses = hook.losses(nets)
    assert set(losses) == {"sr", "conversion"}
    for group, values in losses.items():
        assert values.shape == (3,)
        assert torch.isfinite(values).all()
        for agent in range(3):
            for other in range(3):
                parameters = list(nets[other][group].parameters())
                gradients = torch.autograd.grad(
                    values[agent], parameters, retain_graph=True, allow_unused=True
                )
                touched = any(g is not None and bool(g.any()) for g in gradients)
                assert touched == (agent == other)


def test_eq4_leaves_the_sr_policy_alone_and_eq5_the_conversion_network():
    hook, nets = make()
    hook.observe(random_rollout(np.random.default_rng(0), num_steps=20), nets)
    losses = hook.losses(nets)
    through = torch.autograd.grad(
        losses["sr"][0], list(nets[0]["conversion"].parameters()), allow_unused=True
    )
    assert all(gradient is None for gradient in through)


@pytest.mark.parametrize("rule", ["eq5", "soft_q"])
def test_the_sr_policy_learns_to_take_the_only_rewarded_action(rule):
    hook, nets = make(sr_policy_rule=rule, gamma_sr=0.0, sr_entropy_coeff=0.01, sr_temperature=0.05)
    rng = np.random.default_rng(0)
    rollout = random_rollout(rng, num_steps=40, num_envs=8)
    rewards = (rollout.actions == 2).astype(np.float32)
    hook.observe(dataclasses.replace(rollout, rewards=rewards), nets)
    optimizer = torch.optim.Adam([p for own in nets for p in own["sr"].parameters()], lr=3e-3)
    for _ in range(150):
        optimizer.zero_grad()
        hook.losses(nets)["sr"].sum().backward()
        optimizer.step()
    obs = torch.from_numpy(rollout.obs_of(0)[0]).float()
    probs = nets[0]["sr"].policy_inputs(nets[0]["sr"].encoder(obs)).softmax(-1)
    assert probs[:, 2].mean() > 0.5


def test_updates_come_every_so_many_rounds():
    hook, _ = make(sr_update_frequency=3, sr_num_updates=2)
    assert [hook.updates_due(k) for k in range(1, 8)] == [0, 0, 2, 0, 0, 2, 0]


def test_a_restored_hook_draws_the_same_minibatches():
    hook, nets = make()
    hook.observe(random_rollout(np.random.default_rng(0), num_steps=20), nets)
    hook.losses(nets)
    twin, _ = make()
    twin.set_state(hook.get_state())
    expected, found = hook.losses(nets), twin.losses(nets)
    assert all(torch.equal(expected[group], found[group]) for group in expected)


def test_losses_are_zero_while_nothing_was_observed_with_a_successor():
    hook, nets = make()
    hook.observe(random_rollout(np.random.default_rng(0), num_steps=1), nets)
    assert hook.losses(nets)["sr"].abs().max() == 0


def test_a_single_agent_has_nobody_to_give_to():
    spaces = JointSpaces(("solo",), (OBS,), (gym.spaces.Discrete(5),))
    with pytest.raises(ValueError, match="at least 2 agents"):
        LASEHook(LASESettings(), spaces, 0)


@pytest.mark.parametrize(("aggregation", "factor"), [("sum", 1.0), ("mean", 1 / 3)])
def test_group_optimisers_learn_from_everybodys_reward(aggregation, factor):
    data = random_rollout(np.random.default_rng(0)).to_tensors()
    spaces = JointSpaces(("a", "b", "c"), (OBS,) * 3, (gym.spaces.Discrete(5),) * 3)
    hook = GOHook(GOSettings(reward_aggregation=aggregation), spaces, 0)
    learnt = hook.rewards(data, [{}, {}, {}], everywhere(data))
    for agent in range(3):
        assert torch.allclose(learnt.rewards[agent], factor * data.rewards.sum(0))
    assert learnt.gift_weights is None


def test_independent_learners_learn_from_their_own_reward():
    data = random_rollout(np.random.default_rng(0)).to_tensors()
    spaces = JointSpaces(("a", "b", "c"), (OBS,) * 3, (gym.spaces.Discrete(5),) * 3)
    learnt = IndependentHook(Settings(), spaces, 0).rewards(data, [{}, {}, {}], everywhere(data))
    assert torch.equal(learnt.rewards, data.rewards)
