import dataclasses
import functools
import math

import gymnasium as gym
import numpy as np
import pytest
import torch

from rllib_lase.networks import ContinuousSRNet
from rllib_lase.networks.sr import MEAN_BOUND
from rllib_lase.registry.lase import LASESettings
from rllib_lase.social.action_sweep import ContinuousSweep
from rllib_lase.social.hook import JointSpaces
from rllib_lase.social.lase import LASEHook, LASEOracleHook, LASESharedHook, LASEUniformHook
from tests.rollouts import random_rollout as rollout_of

OBS = gym.spaces.Box(0, 1, (3,), np.uint8)
random_rollout = functools.partial(rollout_of, obs_shape=OBS.shape)
HOOKS = [LASEHook, LASEUniformHook, LASEOracleHook, LASESharedHook]


def make(hook_class=LASEHook, size=1, **settings):
    spaces = JointSpaces(
        ("agent_0", "agent_1", "agent_2"), (OBS,) * 3, (gym.spaces.Box(-1, 1, (size,), np.float32),) * 3
    )
    torch.manual_seed(0)
    small = {"hidden_size": 16, "sr_batch_size": 32, "conversion_batch_size": 32}
    hook = hook_class(LASESettings(**small | settings), spaces, 0)
    return hook, [hook.extra_modules(agent) for agent in range(3)]


def make_linear(nets, slopes, mean, log_std):
    """Q = a constant + the sum of slope times action; pi_SR the same Gaussian at all observations."""
    with torch.no_grad():
        for own in nets:
            sr = own["sr"]
            for layer in (sr.q_obs, sr.pi_out):
                layer.weight.zero_()
            sr.q_obs.bias.fill_(100.0)  # ReLUs are linear there
            sr.q_out.weight.fill_(1 / sr.q_out.in_features)
            sr.q_actions.copy_(torch.tensor(slopes)[:, None, None].expand_as(sr.q_actions))
            sr.pi_out.bias.fill_(MEAN_BOUND * math.atanh(mean / MEAN_BOUND))
            sr.log_std.raw.fill_(math.atanh((log_std + 1) / 2))


def everywhere(data):
    return torch.ones_like(data.dones)


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("size", [1, 2])
def test_swapping_an_action_equals_running_the_whole_network_again(size, shared):
    torch.manual_seed(0)
    net = ContinuousSRNet((5,), 3, size, own=1, hidden_size=16, shared=shared).double()
    obs, actions = torch.randn(6, 5).double(), torch.randn(6, 3, size).double()
    points = torch.randn(6, 2, 4, size).double()
    agents = torch.tensor([2, 1])
    features = net.encoder(obs)
    q_joint, q_points = net.q_points(features, actions, agents, points)
    assert torch.allclose(q_joint, net.q_joint(features, actions.clamp(-1, 1)))
    for position, agent in enumerate(agents.tolist()):
        for k in range(4):
            swapped = actions.clone()
            swapped[:, agent] = points[:, position, k]
            assert torch.allclose(q_points[:, position, k], net.q_joint(features, swapped))


@pytest.mark.parametrize(
    ("hook_class", "mean"), [(LASEHook, 0.3), (LASEOracleHook, 0.3), (LASEUniformHook, 0)]
)
def test_where_q_is_linear_the_relationship_is_how_far_the_action_is_from_its_mean(hook_class, mean):
    hook, nets = make(hook_class)
    slopes = [2.0, -1.0, 0.5]
    make_linear(nets, slopes, 0.3, log_std=-2.9)  # so narrow that no quantile is clipped
    data = random_rollout(np.random.default_rng(0), action_size=1).to_tensors()
    weights = hook.rewards(data, nets, everywhere(data)).gift_weights
    executed = data.actions.squeeze(-1).clamp(-1, 1)
    for receiver, slope in enumerate(slopes):
        expected = ((executed[receiver] - mean) * slope / (2 * 2 * abs(slope))).clamp_min(0)
        for giver in {0, 1, 2} - {receiver}:
            assert torch.allclose(weights[..., giver, receiver], expected, atol=1e-4)


def test_eight_quantiles_are_about_as_good_as_many_where_some_are_clipped():
    data = random_rollout(np.random.default_rng(0), action_size=1).to_tensors()
    found = []
    for count in (8, 512):
        hook, nets = make(num_counterfactuals=count)
        make_linear(nets, [1.0, 1.0, 1.0], 0.3, log_std=-0.5)
        found.append(hook.rewards(data, nets, everywhere(data)).gift_weights)
    assert torch.allclose(*found, atol=0.005)
    assert not torch.equal(*found)


def test_quantiles_have_the_mean_and_the_variance_of_their_gaussian_in_every_dimension():
    points = (
        ContinuousSweep(3, 8).expected(torch.tensor([[[0.1, -0.2, 0.0, -1.0, 0.5, 0.0]]])).points[0, 0, :8]
    )
    assert torch.allclose(points.mean(0), torch.tensor([0.1, -0.2, 0.0]), atol=1e-6)
    assert torch.allclose(points.std(0, correction=0), torch.tensor([-1.0, 0.5, 0.0]).exp(), atol=1e-6)


@pytest.mark.parametrize("hook_class", HOOKS)
@pytest.mark.parametrize("size", [1, 2])
def test_gifts_only_move_rewards_and_none_is_above_its_share(hook_class, size):
    hook, nets = make(hook_class, size)
    data = random_rollout(
        np.random.default_rng(0), episode_length=6, leavers=True, action_size=size
    ).to_tensors()
    learnt = hook.rewards(data, nets, everywhere(data))
    assert torch.allclose(learnt.rewards.sum(0), data.rewards.sum(0), atol=1e-5)
    assert torch.allclose(learnt.gift_weights.sum(-1), torch.ones(()), atol=1e-6)
    given = learnt.gift_weights - torch.diag_embed(torch.diagonal(learnt.gift_weights, dim1=-2, dim2=-1))
    assert 0 < given.max() <= 0.5 + 1e-6
    again = hook.rewards(data, nets, everywhere(data))
    assert torch.equal(learnt.rewards, again.rewards)


def test_what_lies_beyond_the_box_is_judged_as_what_was_executed():
    rollout = random_rollout(np.random.default_rng(0), action_size=2)
    executed = dataclasses.replace(rollout, actions=rollout.actions.clip(-1, 1))
    assert not np.array_equal(rollout.actions, executed.actions)
    found = []
    for given in (rollout, executed):
        hook, nets = make(size=2)
        hook.observe(given, nets)
        data = given.to_tensors()
        found.append((hook.rewards(data, nets, everywhere(data)).rewards, hook.losses(nets)))
    (rewards, losses), (rewards_b, losses_b) = found
    assert torch.equal(rewards, rewards_b)
    assert all(torch.equal(losses[group], losses_b[group]) for group in losses)


def test_the_sr_policy_moves_to_what_pays_and_comes_back_from_the_edge_of_the_box_when_that_changes():
    hook, nets = make(LASEUniformHook, sr_policy_rule="soft_q", gamma_sr=0.0, sr_temperature=0.01)
    rollout = random_rollout(np.random.default_rng(0), num_steps=20, num_envs=4, action_size=1)
    optimizer = torch.optim.Adam([p for own in nets for p in own["sr"].parameters()], lr=1e-2)
    obs = torch.from_numpy(rollout.obs_of(0)[0]).float()
    means = []
    for sign in (1, -1):
        rewards = sign * rollout.actions.clip(-1, 1)[..., 0]
        hook.set_state(make(LASEUniformHook)[0].get_state())
        hook.observe(dataclasses.replace(rollout, rewards=rewards), nets)
        for _ in range(80):
            optimizer.zero_grad()
            hook.losses(nets)["sr"].sum().backward()
            optimizer.step()
        means.append(float(nets[0]["sr"].policy_inputs(obs).detach()[:, 0].mean()))
    assert means[0] > 0.8
    assert means[1] < 0
