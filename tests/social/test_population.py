"""Mixed populations: gifts, what preferences see of them, and that each works as among its own kind."""

import dataclasses

import numpy as np
import pytest
import torch

from rllib_lase.registry import ALGORITHMS, resolve_algorithm
from rllib_lase.registry.mixing import UNMIXABLE, learner_specs, population_spec
from rllib_lase.registry.seating import Seating
from rllib_lase.social.hook import POLICY
from rllib_lase.social.population import PopulationHook
from tests.rollouts import random_rollout
from tests.social.fragments import spaces

SMALL = {
    "hidden_size": 16,
    "sr_batch_size": 16,
    "conversion_batch_size": 16,
    "moa_batch_size": 16,
    "share": 0.6,
}
MIXABLE = [algo for algo in ALGORITHMS if algo not in UNMIXABLE]
MIXED = ["lase", "go", "independent", "random"]


def hook_classes(names):
    partners = Seating.read(names).partners
    return [
        resolve_algorithm(partner.name)[0].config_class().hook_class if partner.kind == "learner" else None
        for partner in partners
    ]


def make(names, **settings):
    """The hook of a population, and its networks."""
    settings_class = population_spec(learner_specs(Seating.read(names))).settings_class
    known = {name: value for name, value in {**SMALL, **settings}.items() if hasattr(settings_class, name)}
    hook = PopulationHook(settings_class(**known), spaces(len(names)), 0, hook_classes(names))
    return hook, networks_of(hook, names)


def make_alone(algo, num_agents, **settings):
    """The hook of one algorithm for everybody."""
    spec = ALGORITHMS[algo]
    known = {k: v for k, v in {**SMALL, **settings}.items() if hasattr(spec.settings_class, k)}
    hook = spec.config_class().hook_class(spec.settings_class(**known), spaces(num_agents), 0)
    return hook, networks_of(hook, [algo] * num_agents)


def networks_of(hook, names):
    networks = []
    for agent, hook_class in enumerate(hook_classes(names)):
        torch.manual_seed(agent)
        own = {} if hook_class is None else {POLICY: hook.make_policy(agent), **hook.extra_modules(agent)}
        networks.append(own)
    return networks


def rollout_for(num_agents=4, seed=0, **kwargs):
    return random_rollout(np.random.default_rng(seed), num_agents=num_agents, **kwargs)


def judge(hook, networks, rollout, carry=None):
    data = rollout.to_tensors()
    return hook.rewards(data, networks, torch.ones_like(data.dones), carry)


@pytest.mark.parametrize("algo", MIXABLE)
def test_an_algorithm_in_every_seat_does_to_the_bit_what_it_does_alone(algo):
    settings = {"relationship_smoothing": 0.5, "gift_negative_rewards": False}
    (mixed, nets), (alone, own_nets) = make([algo] * 3, **settings), make_alone(algo, 3, **settings)
    carries = [hook.initial_carry(4) for hook in (mixed, alone)]
    for seed in range(2):
        rollout = rollout_for(3, seed, episode_length=5, leavers=True)
        found, expected = (
            judge(hook, own, rollout, carry)
            for hook, own, carry in zip((mixed, alone), (nets, own_nets), carries, strict=True)
        )
        carries = [found.carry, expected.carry]
        assert torch.equal(found.rewards, expected.rewards)
        assert found.moved == expected.moved
        if found.moved:
            assert torch.equal(found.after_gifting, expected.after_gifting)
            assert torch.equal(found.gifts(), expected.gifts())
        assert found.measured.keys() == expected.measured.keys()
        for name, moments in found.measured.items():
            assert torch.equal(moments.mean(), expected.measured[name].mean())
        for hook, own in ((mixed, nets), (alone, own_nets)):
            hook.observe(rollout, own)
        due = [hook.updates_due(1 + seed) for hook in (mixed, alone)]
        assert due[0] == due[1]
        for _ in range(due[0]):
            losses, others = mixed.losses(nets), alone.losses(own_nets)
            assert losses.keys() == others.keys()
            assert all(torch.equal(losses[group], others[group]) for group in losses)


def test_gifts_are_taken_first_and_reach_everybody():
    hook, networks = make(["fixed_share", "independent", "random"])
    rollout = dataclasses.replace(
        rollout_for(3), rewards=np.full((3, 8, 4), [[[10.0]], [[1.0]], [[0.0]]], np.float32)
    )
    learnt = judge(hook, networks, rollout)
    expected = torch.tensor([4.0, 4.0, 3.0])
    torch.testing.assert_close(learnt.rewards[:, 0, 0], expected)
    torch.testing.assert_close(learnt.after_gifting[:, 0, 0], expected)
    torch.testing.assert_close(
        learnt.gift_weights[0, 0], torch.tensor([[0.4, 0.3, 0.3], [0, 1, 0], [0, 0, 1.0]])
    )


def test_who_learns_from_the_group_sees_everybodys_reward_after_gifts():
    hook, networks = make(["fixed_share", "go", "svo"], svo_degrees=90.0, svo_form="linear")
    rollout = dataclasses.replace(
        rollout_for(3), rewards=np.full((3, 8, 4), [[[10.0]], [[1.0]], [[0.0]]], np.float32)
    )
    learnt = judge(hook, networks, rollout)
    after = learnt.after_gifting[:, 0, 0]
    torch.testing.assert_close(after, torch.tensor([4.0, 4.0, 3.0]))
    torch.testing.assert_close(learnt.rewards[1, 0, 0], after.mean())
    torch.testing.assert_close(learnt.rewards[2, 0, 0], after[:2].mean(), msg="the mean of its co-players")
    assert learnt.rewards[0, 0, 0] == after[0]


def test_gifts_only_move_rewards_and_who_is_no_giver_keeps_its_own():
    hook, networks = make(["lase", "lase_uniform", "ia", "cooperator"])
    rollout = rollout_for(4, num_steps=12, episode_length=6, leavers=True)
    learnt = judge(hook, networks, rollout)
    torch.testing.assert_close(
        learnt.after_gifting.sum(0), torch.from_numpy(rollout.rewards).sum(0), atol=1e-5, rtol=0
    )
    torch.testing.assert_close(learnt.gift_weights.sum(-1), torch.ones(12, 4, 4))
    assert (learnt.gift_weights[:, :, 1, 1] < 1).any()
    kept = learnt.gift_weights[:, :, 2:]
    assert torch.equal(kept, torch.eye(4)[2:].expand_as(kept))


def test_each_preference_measures_its_own_agents_alone():
    hook, networks = make(["lase", "si", "independent", "random"])
    measured = judge(hook, networks, rollout_for()).measured
    assert measured["inferred_weight"].mean().isfinite().tolist() == [True, False, False, False]
    assert measured["influence"].mean().isfinite().tolist() == [False, True, False, False]


def test_preferences_are_updated_as_often_as_each_wants():
    hook, networks = make(
        ["lase", "si", "lase_uniform", "random"], sr_num_updates=3, sr_update_frequency=2, moa_num_updates=1
    )
    hook.observe(rollout_for(), networks)
    groups = []
    for round_index in (1, 2):
        groups.append([sorted(hook.losses(networks)) for _ in range(hook.updates_due(round_index))])
    assert groups == [[["moa"]], [["conversion", "moa", "sr"], ["conversion", "sr"], ["conversion", "sr"]]]


def test_losses_are_those_of_the_agents_that_have_such_networks():
    hook, networks = make(["si", "lase", "independent", "lase_uniform"])
    hook.observe(rollout_for(), networks)
    hook.updates_due(1)
    losses = hook.losses(networks)
    assert {group: (terms != 0).tolist() for group, terms in losses.items()} == {
        "moa": [True, False, False, False],
        "sr": [False, True, False, True],
        "conversion": [False, True, False, False],
    }
    assert hook.learning_rate("moa") == hook.settings.moa_lr
    assert hook.grad_clip("conversion") == hook.settings.sr_grad_clip
    with pytest.raises(KeyError, match="no parameter group 'worth'"):
        hook.learning_rate("worth")


def test_what_preferences_carry_goes_on_from_fragment_to_fragment():
    names = ["ia", "lase", "ia", "random"]
    (whole, nets), (parts, _) = (make(names, relationship_smoothing=0.8) for _ in range(2))
    rollout = rollout_for(4, num_steps=8, episode_length=5)
    data, everywhere = rollout.to_tensors(), torch.ones(8, 4, dtype=torch.bool)
    expected = whole.rewards(data, nets, everywhere, whole.initial_carry(4))
    carry, found = parts.initial_carry(4), []
    for start in (0, 4):
        cut = dataclasses.replace(
            data,
            obs=tuple(own[start : start + 5] for own in data.obs),
            dones=data.dones[start : start + 4],
            **{name: getattr(data, name)[:, start : start + 4] for name in ("actions", "rewards", "active")},
        )
        found.append(parts.rewards(cut, nets, everywhere[:4], carry))
        carry = found[-1].carry
    torch.testing.assert_close(torch.cat([part.rewards for part in found], 1), expected.rewards)
    torch.testing.assert_close(carry, expected.carry, equal_nan=True)


def test_the_state_is_restored_exactly():
    names = ["lase", "si", "random", "independent"]
    (hook, nets), (twin, _) = make(names), make(names)
    hook.observe(rollout_for(), nets)
    hook.updates_due(1)
    hook.losses(nets)
    twin.set_state(hook.get_state())
    found = []
    for each in (hook, twin):
        each.updates_due(1)
        found.append(each.losses(nets))
    assert all(torch.equal(found[0][group], found[1][group]) for group in ("sr", "conversion", "moa"))


def test_an_agent_that_does_not_learn_has_no_networks():
    hook, _ = make(["lase", "random"])
    assert list(hook.agents) == [0]
    with pytest.raises(ValueError, match="agent_1 does not learn"):
        hook.make_policy(1)
