"""LIO's gradients by hand and by finite differences, and where incentives may go."""

import dataclasses

import gymnasium as gym
import numpy as np
import pytest
import torch
from torch import nn

from rllib_lase.networks import PolicyNet, PolicyOutput
from rllib_lase.registry.lio import LIOSettings
from rllib_lase.rllib.checkpoint_tree import read_tree, write_tree
from rllib_lase.rollout import AgentGroup, JointRollout
from rllib_lase.social.hook import JointSpaces
from rllib_lase.social.lio import LIOHook
from tests.rollouts import random_rollout

OBS_SHAPE = (3, 5, 5)


def make_hook(num_agents=3, num_actions=5, obs_shape=OBS_SHAPE, **settings):
    spaces = JointSpaces(
        tuple(f"agent_{i}" for i in range(num_agents)),
        (gym.spaces.Box(0, 1, obs_shape, np.uint8),) * num_agents,
        (gym.spaces.Discrete(num_actions),) * num_agents,
    )
    return LIOHook(LIOSettings(hidden_size=8, **settings), spaces, 0)


class LinearPolicy(nn.Module):
    """Softmax of a linear map, in double precision."""

    lstm = None

    def __init__(self, num_inputs, num_actions):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(num_inputs, num_actions).double())

    def forward_fragment(self, obs, state, dones):
        logits = obs.flatten(2).double() @ self.weight
        return PolicyOutput(logits, logits.sum(-1))


class TableOfIncentives(nn.Module):
    """What one co-player gets for each of its actions."""

    def __init__(self, amounts):
        super().__init__()
        self.amounts = nn.Parameter(torch.tensor(amounts).double())

    def forward(self, obs, actions, present):
        return self.amounts[actions]


class NoValue(nn.Module):
    """A critic that expects nothing."""

    def forward(self, obs):
        return torch.zeros(len(obs), dtype=torch.float64)


def make_networks(hook, double=False):
    torch.manual_seed(0)
    networks = []
    for agent in range(hook.spaces.num_agents):
        shape = hook.spaces.observation_spaces[agent].shape
        num_actions = int(hook.spaces.action_spaces[agent].n)
        if double:
            policy = LinearPolicy(int(np.prod(shape)), num_actions)
            extra = {name: net.double() for name, net in hook.extra_modules(agent).items()}
        else:
            policy, extra = PolicyNet(shape, num_actions, 8, None), hook.extra_modules(agent)
        networks.append({"policy": policy, **extra})
    return networks


def rollout_for(seed=0, **kwargs):
    kwargs = {"obs_shape": OBS_SHAPE, "num_steps": 12, "episode_length": 6, "leavers": True} | kwargs
    return random_rollout(np.random.default_rng(seed), **kwargs)


def double(rollout):
    names = ("rewards", "vf_preds", "final_vf_preds")
    return dataclasses.replace(rollout, **{name: getattr(rollout, name).astype(float) for name in names})


def move_policies(networks):
    with torch.no_grad():
        for nets in networks:
            for parameter in nets["policy"].parameters():
                parameter += 0.1 * torch.randn_like(parameter)


def one_step_rollout(actions, rewards):
    """Two agents that see a constant and act once, in so many copies."""
    copies = actions.shape[1]
    shape = (2, 1, copies)
    ends = np.ones(shape, bool)
    obs = np.ones((2, 2, copies, 1), np.uint8)
    return JointRollout(
        agent_ids=("agent_0", "agent_1"),
        groups=(AgentGroup((0, 1), obs, np.ones((2, copies, 1), np.uint8)),),
        actions=actions[:, None],
        action_logp=np.zeros(shape, np.float32),
        rewards=rewards[:, None],
        vf_preds=np.zeros((2, 2, copies)),
        final_index=np.array([(0, b) for b in range(copies)]),
        final_vf_preds=np.zeros((2, copies)),
        terminateds=ends,
        truncateds=~ends,
        active=ends,
        dones=ends[0],
        lanes=np.arange(copies),
        lane_steps=np.zeros(copies, np.int64),
        counts=np.zeros((*shape, 0), np.int32),
    )


def softmax(logits):
    exp = np.exp(logits - logits.max())
    return exp / exp.sum()


@pytest.mark.parametrize("givers_pay", [False, True])
def test_in_a_one_step_game_the_gradient_is_the_one_derived_by_hand(givers_pay):
    """With linear softmax policies and tables of incentives, every derivative is a product of scores.

    theta_hat^j = theta^j + beta * mean_b score^j_b (R^j_b + eta^i[a^j_b]), so that
    d gain_i / d eta^i[k] = beta / B * sum over b with a^j_b = k of score^j_b . v, where
    v = mean over the later copies of score_hat^j * worth_i. A giver that pays has the same term, with its
    own scores and the opposite sign.
    """
    beta, cost, copies, num_actions = 0.7, 0.05, 40, 3
    hook = make_hook(2, num_actions, (1,), inner_lr=beta, incentive_cost=cost, givers_pay=givers_pay)
    rng = np.random.default_rng(0)
    theta, eta = rng.normal(size=(2, num_actions)), rng.random((2, num_actions))
    networks = []
    for i in range(2):
        policy = LinearPolicy(1, num_actions)
        with torch.no_grad():
            policy.weight.copy_(torch.tensor(theta[i : i + 1]))
        networks.append({"policy": policy, "incentives": TableOfIncentives(eta[i]), "worth": NoValue()})
    actions, rewards = rng.integers(0, num_actions, (2, 2, copies)), rng.normal(size=(2, 2, copies))
    hook.observe(one_step_rollout(actions[0], rewards[0]), networks)
    move_policies(networks)
    hook.observe(one_step_rollout(actions[1], rewards[1]), networks)
    losses = hook.losses(networks)["incentives"]

    def learnt(when):
        given = np.stack([eta[i][actions[when][1 - i]] for i in range(2)])
        return rewards[when] + given[::-1] - (given if givers_pay else 0)

    one_hot = np.eye(num_actions)[actions]
    scores = [one_hot[0][j] - softmax(theta[j]) for j in range(2)]
    theta_hat = [theta[j] + beta * (scores[j] * learnt(0)[j][:, None]).mean(0) for j in range(2)]
    scores_hat = [one_hot[1][j] - softmax(theta_hat[j]) for j in range(2)]
    for i, j in ((0, 1), (1, 0)):
        worth = learnt(1)[i] if givers_pay else rewards[1][i]
        terms = [(1, j), (-1, i)] if givers_pay else [(1, j)]
        by_incentive = np.full(copies, -cost / copies)
        gain = 0.0
        for sign, who in terms:
            v = (scores_hat[who] * worth[:, None]).mean(0)
            by_incentive += sign * beta / copies * (scores[who] @ v)
            gain += (np.log(softmax(theta_hat[who]))[actions[1][who]] * worth).mean()
        expected = -np.bincount(actions[0][j], by_incentive, minlength=num_actions)
        parameter = networks[i]["incentives"].amounts
        (found,) = torch.autograd.grad(losses[i], parameter, retain_graph=True)
        np.testing.assert_allclose(found, expected, atol=1e-12)
        assert np.abs(expected).max() > 1e-3
        np.testing.assert_allclose(losses[i].item(), cost * eta[i][actions[0][j]].mean() - gain, atol=1e-12)


@pytest.mark.parametrize("givers_pay", [False, True])
def test_gradients_over_many_steps_equal_finite_differences(givers_pay):
    hook = make_hook(inner_lr=2.0, incentive_cost=0.1, reward_scale=0.5, givers_pay=givers_pay)
    networks = make_networks(hook, double=True)
    with torch.no_grad():
        for nets in networks:
            for parameter in nets["incentives"].parameters():
                parameter += 0.1 * torch.randn_like(parameter)  # away from the corners of ReLU at 0
    hook.observe(double(rollout_for(0)), networks)
    move_policies(networks)
    hook.observe(double(rollout_for(1)), networks)
    losses = hook.losses(networks)["incentives"]
    for giver, nets in enumerate(networks):
        parameters = list(nets["incentives"].parameters())
        gradients = torch.autograd.grad(losses[giver], parameters, retain_graph=True)
        # The worth of a later step has no gradient of its own, so for the differences it must stand still.
        worth = hook._worth(hook._latest.rollout, networks)
        hook._worth = lambda *_, kept=worth: kept
        generator = torch.Generator().manual_seed(giver)
        for _ in range(3):
            direction = [torch.randn(p.shape, generator=generator).double() for p in parameters]
            values = []
            for step in (1e-7, -1e-7):
                with torch.no_grad():
                    torch._foreach_add_(parameters, direction, alpha=step)
                values.append(hook.losses(networks)["incentives"][giver].item())
                with torch.no_grad():
                    torch._foreach_add_(parameters, direction, alpha=-step)
            slope = sum((g * d).sum().item() for g, d in zip(gradients, direction, strict=True))
            assert abs(slope) > 1e-4
            assert np.isclose((values[0] - values[1]) / 2e-7, slope, rtol=1e-4)
        del hook._worth


@pytest.mark.parametrize("givers_pay", [False, True])
def test_each_agents_losses_depend_on_its_own_networks_alone_and_on_no_policy(givers_pay):
    hook = make_hook(givers_pay=givers_pay)
    networks = make_networks(hook)
    for seed in range(2):
        hook.observe(rollout_for(seed), networks)
    losses = hook.losses(networks)
    assert set(losses) == {"incentives", "worth"}
    for group, values in losses.items():
        assert values.shape == (3,)
        for agent in range(3):
            for other, nets in enumerate(networks):
                for name, net in nets.items():
                    gradients = torch.autograd.grad(
                        values[agent], list(net.parameters()), retain_graph=True, allow_unused=True
                    )
                    touched = any(g is not None and bool(g.any()) for g in gradients)
                    assert touched == (agent == other and group == name)


def test_a_giver_counts_its_extrinsic_return_until_the_episode_ends_however_it_ends():
    hook = make_hook(2, gamma=0.5, lambda_=1.0)
    networks = make_networks(hook)
    rollout = rollout_for(num_agents=2, leavers=False)
    data = dataclasses.replace(rollout, rewards=np.ones_like(rollout.rewards)).to_tensors()
    assert data.truncateds.any()
    with torch.no_grad():
        for nets in networks:
            nets["worth"].out.weight.zero_()
            nets["worth"].out.bias.fill_(8.0)
    worth, losses = hook._worth(data, networks)
    to_the_end = torch.tensor([2 - 0.5**k for k in (5, 4, 3, 2, 1, 0)])
    torch.testing.assert_close(worth[0, :6, 0], to_the_end - 8.0)
    torch.testing.assert_close(losses[0], (to_the_end - 8.0).square().mean())


@pytest.mark.parametrize("givers_pay", [False, True])
def test_incentives_reach_neither_the_giver_itself_nor_agents_that_had_left(givers_pay):
    hook = make_hook(max_incentive=3.0, givers_pay=givers_pay)
    networks, data = make_networks(hook), rollout_for().to_tensors()
    given = hook.incentives(data, networks)
    gone = ~data.active[0]
    assert gone.any()
    assert (torch.diagonal(given) == 0).all()
    assert (given[:, 0, gone] == 0).all()
    assert (given[0, :, gone] == 0).all()
    among_present = given[1, 2]
    assert ((among_present > 0) & (among_present < 3)).all()
    learnt = hook.rewards(data, networks, torch.ones_like(data.dones))
    assert (learnt.rewards[0, gone] == data.rewards[0, gone]).all()
    expected = data.rewards + given.sum(0) - (given.sum(1) if givers_pay else 0)
    torch.testing.assert_close(learnt.rewards, expected)
    assert learnt.gift_weights is None


def test_what_a_departed_agent_would_have_done_does_not_change_what_others_get():
    hook = make_hook()
    networks, rollout = make_networks(hook), rollout_for()
    with torch.no_grad():
        for nets in networks:
            nets["incentives"].out.weight.mul_(100)
    actions = np.where(rollout.active, rollout.actions, 4)
    changed = dataclasses.replace(rollout, actions=actions)
    assert (actions != rollout.actions).any()
    given, again = (hook.incentives(r.to_tensors(), networks) for r in (rollout, changed))
    assert torch.equal(given, again)
    other = dataclasses.replace(rollout, actions=np.where(rollout.active, 4, 0))
    assert not torch.equal(given, hook.incentives(other.to_tensors(), networks))


def test_giving_is_learnt_from_the_second_round_on():
    hook = make_hook()
    networks = make_networks(hook)
    with pytest.raises(RuntimeError, match="two consecutive rollouts"):
        hook.losses(networks)
    due = []
    for k in range(1, 4):
        hook.observe(rollout_for(k), networks)
        due.append(hook.updates_due(k))
    assert due == [0, 1, 1]


def test_the_step_starts_from_the_policies_that_sampled_the_earlier_rollout():
    hook, late = make_hook(), make_hook()
    networks = make_networks(hook)
    hook.observe(rollout_for(0), networks)
    move_policies(networks)
    late.observe(rollout_for(0), networks)
    for each in (hook, late):
        each.observe(rollout_for(1), networks)
    before = hook.losses(networks)["incentives"]
    assert not torch.allclose(before, late.losses(networks)["incentives"])
    move_policies(networks)
    assert torch.equal(before, hook.losses(networks)["incentives"]), "today's policies play no part"


@pytest.mark.parametrize("lstm_size", [None, 4])
def test_a_restored_hook_goes_on_exactly(lstm_size):
    hook, twin = make_hook(), make_hook()
    networks = make_networks(hook)
    for agent, nets in enumerate(networks):
        torch.manual_seed(agent)
        nets["policy"] = PolicyNet(OBS_SHAPE, 5, 8, lstm_size)

    def fragment(seed):
        rollout = rollout_for(seed)
        state = None if lstm_size is None else np.ones((3, 4, 2 * lstm_size), np.float32)
        return dataclasses.replace(rollout, groups=(dataclasses.replace(rollout.groups[0], state_in=state),))

    hook.observe(fragment(0), networks)
    hook.observe(fragment(1), networks)
    twin.set_state(read_tree(*write_tree(hook.get_state())))
    move_policies(networks)
    for each in (hook, twin):
        each.observe(fragment(2), networks)
        assert each.updates_due(3) == 1
    expected, found = (each.losses(networks)["incentives"] for each in (hook, twin))
    assert torch.equal(expected, found)
    parameters = [p for nets in networks for p in nets["incentives"].parameters()]
    gradients = [torch.autograd.grad(losses.sum(), parameters) for losses in (expected, found)]
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))
    assert all(gradient.any() for gradient in gradients[0])


def test_a_fresh_hooks_state_restores_a_fresh_hook():
    hook, twin = make_hook(), make_hook()
    networks = make_networks(hook)
    twin.observe(rollout_for(), networks)
    twin.set_state(hook.get_state())
    twin.observe(rollout_for(), networks)
    assert twin.updates_due(1) == 0


def test_a_recurrent_policy_needs_the_state_it_started_from():
    hook = make_hook()
    networks = make_networks(hook)
    for nets in networks:
        nets["policy"] = PolicyNet(OBS_SHAPE, 5, 8, 4)
    for seed in range(2):
        hook.observe(rollout_for(seed), networks)
    with pytest.raises(ValueError, match="state_in"):
        hook.losses(networks)


def test_a_single_agent_has_nobody_to_give_to():
    with pytest.raises(ValueError, match="at least 2 agents"):
        make_hook(1)


@pytest.mark.parametrize(
    "name",
    ["obs", "actions", "rewards", "vf_preds", "final_vf_preds", "action_logp", "terminateds", "truncateds"],
)
def test_a_giver_looks_at_just_what_it_says_of_its_co_players(name):
    hook, spoilt = make_hook(), make_hook()
    networks, rollout = make_networks(hook), rollout_for()
    group = rollout.groups[0]
    if name == "obs":
        obs = group.obs.copy()
        obs[1:] = 1 - obs[1:]
        changed = dataclasses.replace(rollout, groups=(dataclasses.replace(group, obs=obs),))
    else:
        values = getattr(rollout, name).copy()
        if name == "actions":
            values[1:] = np.where(rollout.active[1:], 4, 0)
        else:
            values[1:] = ~values[1:] if values.dtype == np.bool_ else 2 * values[1:] + 1
        changed = dataclasses.replace(rollout, **{name: values})
    for each, seen in ((hook, rollout), (spoilt, changed)):
        each.observe(seen, networks)
        each.observe(seen, networks)
    parameters = list(networks[0]["incentives"].parameters())
    gradients = [
        torch.autograd.grad(each.losses(networks)["incentives"][0], parameters) for each in (hook, spoilt)
    ]
    looked = not all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))
    assert looked == (name in hook.visible_fields)
