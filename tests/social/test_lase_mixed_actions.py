"""LASE among agents whose actions differ in number or have several parts."""

import dataclasses
import itertools

import gymnasium as gym
import numpy as np
import pytest
import torch

from rllib_lase.action_spaces import Combinations
from rllib_lase.networks import SRNet
from rllib_lase.networks.sr import LOGIT_BOUND
from rllib_lase.registry.lase import LASESettings
from rllib_lase.social.action_sweep import CombinationsSweep, DiscreteSweep
from rllib_lase.social.hook import JointSpaces
from rllib_lase.social.lase import LASEHook, LASEOracleHook, LASEUniformHook
from rllib_lase.social.partners import ActionKinds
from tests.rollouts import random_rollout

OBS = gym.spaces.Box(0, 1, (3,), np.uint8)
HOOKS = [LASEHook, LASEUniformHook, LASEOracleHook]
#: Two agents have three actions, one has two, and one plays two of three with five.
SPACES = (gym.spaces.Discrete(3), gym.spaces.Discrete(2), gym.spaces.Discrete(3), Combinations([3, 5]))
SIZES = np.array([3, 2, 3, 15])


def make(hook_class=LASEHook, spaces=SPACES, **settings):
    joint = JointSpaces(tuple(f"agent_{i}" for i in range(len(spaces))), (OBS,) * len(spaces), spaces)
    torch.manual_seed(0)
    small = {"hidden_size": 16, "sr_batch_size": 64, "conversion_batch_size": 64}
    hook = hook_class(LASESettings(**small | settings), joint, 0)
    return hook, [hook.extra_modules(agent) for agent in range(len(spaces))]


def rollout_of(seed=0, sizes=SIZES, **kwargs):
    rollout = random_rollout(
        np.random.default_rng(seed), num_agents=len(sizes), obs_shape=OBS.shape, num_actions=60, **kwargs
    )
    return dataclasses.replace(rollout, actions=rollout.actions % np.asarray(sizes)[:, None, None])


def everywhere(data):
    return torch.ones_like(data.dones)


def set_probs(layer, probs):
    """A head that gives these probabilities at every observation."""
    with torch.no_grad():
        layer.weight.zero_()
        layer.bias.copy_(LOGIT_BOUND * torch.atanh(torch.tensor(probs).log() / LOGIT_BOUND))


def make_additive(nets, values):
    """Q = a constant + the sum of each agent's value of its action (or of the choices in it)."""
    with torch.no_grad():
        for own in nets:
            sr = own["sr"]
            sr.q_obs.weight.zero_()
            sr.q_obs.bias.fill_(100.0)  # ReLUs are linear there
            sr.q_out.weight.fill_(1 / sr.q_out.in_features)
            for agent, row in enumerate(values):
                sr.q_actions[agent, : len(row)] = torch.tensor(row)[:, None]


def test_relationships_of_agents_with_other_actions_are_those_of_the_hand_computed_case():
    hook, nets = make(spaces=SPACES[:3])
    make_additive(nets, [[0.0, 1.0, 4.0], [2.0, -2.0], [0.0, 3.0, 0.0]])
    for agent, own in enumerate(nets):
        sr = own["sr"]
        threes, twos = [0.5, 0.25, 0.25], [0.75, 0.25]
        set_probs(sr.pi_out, twos if agent == 1 else threes)
        assert len(sr.pi_others) == 1
        set_probs(sr.pi_others[0], threes if agent == 1 else twos)
    rollout = rollout_of(sizes=SIZES[:3])
    rollout.actions[:, 0, 0] = [2, 0, 1]
    data = rollout.to_tensors()
    weights = hook.rewards(data, nets, everywhere(data)).gift_weights[0, 0]
    # Of agent 0: (4 - 1.25) of 4; of 1: (2 - 1) of 4; of 2: (3 - 0.75) of 3. Each of them over N - 1.
    shares = [2.75 / 8, 1 / 8, 2.25 / 6]
    for giver, receiver in itertools.permutations(range(3), 2):
        assert weights[giver, receiver] == pytest.approx(shares[receiver], abs=1e-4)
    rollout.actions[:, 0, 0] = [0, 1, 0]
    data = rollout.to_tensors()
    worst = hook.rewards(data, nets, everywhere(data)).gift_weights[0, 0]
    assert torch.equal(worst, torch.eye(3)), "who did less than expected gets nothing"


def test_without_perspective_taking_others_are_expected_to_act_uniformly():
    hook, nets = make(LASEUniformHook, spaces=SPACES[:2])
    assert not nets[0]["sr"].pi_others, "no head that nobody asks"
    make_additive(nets, [[0.0, 1.0, 5.0], [3.0, -1.0]])
    rollout = rollout_of(sizes=SIZES[:2])
    rollout.actions[:, 0, 0] = [2, 0]
    data = rollout.to_tensors()
    weights = hook.rewards(data, nets, everywhere(data)).gift_weights[0, 0]
    assert weights[1, 0] == pytest.approx((5 - 2) / 5, abs=1e-4)
    assert weights[0, 1] == pytest.approx((3 - 1) / 4, abs=1e-4)


@pytest.mark.parametrize("rule", ["eq5", "soft_q"])
@pytest.mark.parametrize("hook_class", HOOKS)
def test_gifts_only_move_rewards_and_every_parameter_learns(hook_class, rule):
    hook, nets = make(hook_class, sr_policy_rule=rule)
    rollout = rollout_of(num_steps=12, episode_length=6, leavers=True)
    data = rollout.to_tensors()
    learnt = hook.rewards(data, nets, everywhere(data))
    assert torch.allclose(learnt.rewards.sum(0), data.rewards.sum(0), atol=1e-5)
    assert torch.allclose(learnt.gift_weights.sum(-1), torch.ones(()), atol=1e-6)
    given = learnt.gift_weights - torch.diag_embed(torch.diagonal(learnt.gift_weights, dim1=-2, dim2=-1))
    assert 0 < given.max() <= 1 / 3 + 1e-6
    assert torch.equal(learnt.rewards, hook.rewards(data, nets, everywhere(data)).rewards)
    hook.observe(rollout, nets)
    losses = hook.losses(nets)
    for group, own in losses.items():
        for agent in range(4):
            parameters = dict(nets[agent][group].named_parameters())
            gradients = torch.autograd.grad(own[agent], list(parameters.values()), retain_graph=True)
            for name, gradient in zip(parameters, gradients, strict=True):
                assert torch.isfinite(gradient).all(), name
                assert (gradient != 0).any(), name


def test_before_the_first_transition_there_is_a_loss_that_changes_nothing():
    hook, nets = make()
    hook.observe(rollout_of(num_steps=1), nets)
    for losses in hook.losses(nets).values():
        assert torch.isfinite(losses).all()


@pytest.mark.parametrize("hook_class", [LASEHook, LASEOracleHook])
def test_heads_for_others_actions_learn_what_those_do_and_nothing_else_learns_from_it(hook_class):
    hook, nets = make(hook_class, sr_temperature=10.0, sr_policy_rule="soft_q")
    rollout = rollout_of(num_steps=20)
    habits = np.array([2, 1, 2, 7])
    rollout = dataclasses.replace(rollout, actions=np.broadcast_to(habits[:, None, None], (4, 20, 4)).copy())
    hook.observe(rollout, nets)
    heads = [p for own in nets for p in own["sr"].pi_others.parameters()]
    rest = [p for own in nets for name, p in own["sr"].named_parameters() if "pi_others" not in name]
    foreign = [
        [group for group in hook._kinds.partners(i, torch.device("cpu")) if not group.own_actions]
        for i in range(4)
    ]
    imitation = sum(hook._training._imitation_loss(i, nets[i], foreign[i]) for i in range(4))
    assert all(g is None for g in torch.autograd.grad(imitation, rest, allow_unused=True, retain_graph=True))
    optimizer = torch.optim.Adam(heads, lr=3e-2)
    for _ in range(300):
        optimizer.zero_grad()
        hook.losses(nets)["sr"].sum().backward()
        optimizer.step()
    data = rollout.to_tensors()
    steps = hook._steps(data)
    for agent, groups in enumerate(foreign):
        for group in groups:
            predicted = hook._predicted(agent, nets[agent], steps, torch.arange(10), group)
            for row, other in enumerate(group.agents.tolist()):
                probs = predicted.inputs if predicted.inputs is not None else predicted.weights.log()
                assert probs.softmax(-1)[:, row, habits[other]].min() > 0.9


def test_agents_with_the_same_actions_are_judged_together_and_with_ones_own_head():
    kinds = ActionKinds(make()[0].spaces, False, 4)
    groups = kinds.partners(0, torch.device("cpu"))
    assert [group.agents.tolist() for group in groups] == [[1], [2], [3]]
    assert [group.own_actions for group in groups] == [False, True, False]
    assert [group.like for group in groups] == [1, 0, 3]
    assert [type(group.sweep) for group in groups] == [DiscreteSweep, DiscreteSweep, CombinationsSweep]
    assert [group.agents.tolist() for group in kinds.partners(1, torch.device("cpu"))] == [[0, 2], [3]]


# --- actions of several parts -----------------------------------------------------------------------


def test_swapping_a_combination_equals_running_the_whole_network_again():
    torch.manual_seed(0)
    sizes = (2, (3, 5), (2, 2))
    net = SRNet((4,), sizes, own=1, hidden_size=8).double()
    obs = torch.randn(6, 4).double()
    actions = torch.tensor(np.random.default_rng(0).integers(0, [2, 15, 4], (6, 3)))
    features = net.encoder(obs)
    for agent, count in enumerate((2, 15, 4)):
        q_joint, q_swaps = net.q_swaps(features, actions, torch.tensor([agent]))
        assert q_swaps.shape == (6, 1, count)
        assert torch.allclose(q_joint, net.q_joint(features, actions))
        for a in range(count):
            swapped = actions.clone()
            swapped[:, agent] = a
            assert torch.allclose(q_swaps[:, 0, a], net.q_joint(features, swapped))
        choices = torch.randint(0, count, (6, 1, 3))
        some = net.q_choices(features, actions, torch.tensor([agent]), choices)[1]
        assert torch.equal(some, q_swaps.gather(-1, choices))


def test_the_parts_of_a_combination_are_independent_and_their_embeddings_add_up():
    net = SRNet((4,), ((3, 5), 2), own=0, hidden_size=8)
    with torch.no_grad():
        net.pi_out.bias.copy_(torch.randn(8))
    probs = net.policy_inputs(net.encoder(torch.randn(6, 4))).softmax(-1).view(6, 3, 5)
    assert torch.allclose(probs, probs.sum(2, keepdim=True) * probs.sum(1, keepdim=True), atol=1e-6)
    rows, table = net.rows_of(torch.tensor([0]))[0], net.q_actions[0]
    for first, second in itertools.product(range(3), range(5)):
        assert torch.allclose(rows[5 * first + second], table[first] + table[3 + second])


def test_sampled_combinations_have_the_marginals_that_are_expected():
    sweep = CombinationsSweep((2, 3), 4)
    marginals = [[0.25, 0.75], [0.25, 0.5, 0.25]]
    joint = torch.tensor(marginals[0])[:, None] * torch.tensor(marginals[1])
    predicted = sweep.expected(joint.flatten().log().expand(1, 1, -1))
    assert predicted.points.shape == (1, 1, 8)
    assert predicted.weights[0, 0].tolist() == [0.25] * 4 + [0.0] * 5
    drawn = predicted.points[0, 0, :4]
    assert sorted((drawn // 3).tolist()) == [0, 1, 1, 1]
    assert sorted((drawn % 3).tolist()) == [0, 1, 1, 2]
    span = predicted.points[0, 0, 4:]
    assert {0, 1} <= set((span // 3).tolist())
    assert {0, 2} <= set((span % 3).tolist())
    uniform = sweep.uniform(1, 1, torch.device("cpu")).points[0, 0, :4]
    assert sorted((uniform // 3).tolist()) == [0, 0, 1, 1]


def test_a_combination_is_judged_against_the_mean_of_the_sampled_ones():
    spaces = (Combinations([2, 3]), Combinations([2, 3]))
    hook, nets = make(spaces=spaces, num_counterfactuals=4)
    make_additive(nets, [[0.0, 8.0, 1.0, 0.0, 3.0]] * 2)
    for own in nets:
        set_probs(own["sr"].pi_out, [0.25, 0.75, 0.25, 0.5, 0.25])
    rollout = rollout_of(sizes=[6, 6])
    rollout.actions[:, 0, 0] = 5  # both parts at their best: 8 + 3
    rollout.actions[:, 0, 1] = 0  # 0 + 1
    data = rollout.to_tensors()
    weights = hook.rewards(data, nets, everywhere(data)).gift_weights[0]
    # Expected: 0.75 * 8 + 0.25 * 1 + 0.25 * 3 = 7. Q goes from 0 or 1, whichever was looked at, to 11.
    assert weights[1, 0, 1] == 0
    low = (11 - 7) / 11
    assert low - 1e-4 <= weights[0, 0, 1] <= (11 - 7) / 10 + 1e-4


def test_where_there_are_few_combinations_each_is_asked_as_if_they_were_plain_actions():
    found = []
    for space in (Combinations([2, 3]), gym.spaces.Discrete(6)):
        hook, nets = make(spaces=(space, space), num_counterfactuals=6)
        assert type(hook._kinds.sweeps[0]) is DiscreteSweep
        values = [0.0, 1.0, 0.0, 2.0, 5.0] if isinstance(space, Combinations) else [0.0, 2, 5, 1, 3, 6]
        make_additive(nets, [values] * 2)
        uniform = [0.5, 0.5, 1 / 3, 1 / 3, 1 / 3] if isinstance(space, Combinations) else [1 / 6] * 6
        for own in nets:
            set_probs(own["sr"].pi_out, uniform)
        data = rollout_of(sizes=[6, 6]).to_tensors()
        found.append(hook.rewards(data, nets, everywhere(data)).gift_weights)
    assert torch.allclose(*found, atol=1e-5)
    assert found[0].min() >= 0


def test_the_sr_policy_of_combinations_moves_every_part_to_what_pays():
    hook, nets = make(
        LASEUniformHook,
        spaces=(Combinations([4, 3, 5]),) * 2,
        sr_policy_rule="soft_q",
        gamma_sr=0.0,
        sr_temperature=0.01,
    )
    rollout = rollout_of(sizes=[60, 60], num_steps=40, num_envs=8)
    first, second, third = np.unravel_index(rollout.actions, (4, 3, 5))
    pays = ((first == 2) + (second == 0) + (third == 4)).astype(np.float32)
    hook.observe(dataclasses.replace(rollout, rewards=pays), nets)
    optimizer = torch.optim.Adam([p for own in nets for p in own["sr"].parameters()], lr=1e-2)
    for _ in range(300):
        optimizer.zero_grad()
        hook.losses(nets)["sr"].sum().backward()
        optimizer.step()
    probs = nets[0]["sr"].policy_inputs(torch.zeros(1, 3)).softmax(-1).detach()
    assert probs[0, np.ravel_multi_index((2, 0, 4), (4, 3, 5))] > 0.5


@pytest.mark.parametrize("hook_class", [LASEHook, LASEUniformHook])
def test_what_others_see_and_get_changes_nothing_that_an_agent_learns_or_gives(hook_class):
    rollout, agent, found = rollout_of(num_steps=12, episode_length=6, leavers=True), 1, []
    for blind in (False, True):
        group = rollout.groups[0]
        obs, rewards = group.obs.astype(np.float32), rollout.rewards.copy()
        if blind:
            others = [0, 2, 3]
            obs[others], rewards[others] = np.nan, np.nan
        seen = dataclasses.replace(rollout, rewards=rewards, groups=(dataclasses.replace(group, obs=obs),))
        hook, nets = make(hook_class)
        data = seen.to_tensors()
        given = hook.rewards(data, nets, everywhere(data)).gift_weights[:, :, agent]
        hook.observe(seen, nets)
        losses = hook.losses(nets)
        found.append((given, *(losses[name][agent] for name in losses)))
    for plain, blinded in zip(*found, strict=True):
        assert torch.equal(plain, blinded)
        assert torch.isfinite(blinded).all()
