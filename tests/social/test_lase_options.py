"""What LASE's options do, alone and together."""

import dataclasses
import itertools

import gymnasium as gym
import numpy as np
import pytest
import torch

from rllib_lase.registry.lase import LASESettings
from rllib_lase.social.hook import JointSpaces
from rllib_lase.social.lase import LASEHook, LASEOracleHook, LASEUniformHook
from rllib_lase.social.visibility import visible_co_players
from tests.rollouts import random_rollout

OBS = gym.spaces.Box(0, 1, (4, 5, 5), np.uint8)
OPTIONS = {
    "relationship_smoothing": 0.7,
    "relationship_scale": "advantage",
    "gift_negative_rewards": False,
    "max_share_given": 0.05,
    "mask_unseen": True,
    "refuse_gifts": True,
}
PAIRS = list(itertools.combinations(OPTIONS, 2))


def make(hook_class=LASEHook, shapes=None, **settings):
    boxes = [
        OBS if shape is None else gym.spaces.Box(0, 1, shape, np.uint8) for shape in shapes or [None] * 3
    ]
    actions = gym.spaces.Discrete(10 if settings.get("refuse_gifts") else 5)
    spaces = JointSpaces(("a", "b", "c"), tuple(boxes), (actions,) * 3)
    torch.manual_seed(0)
    small = {"hidden_size": 16, "sr_batch_size": 32, "conversion_batch_size": 32}
    hook = hook_class(LASESettings(**small | settings), spaces, 0)
    return hook, [hook.extra_modules(agent) for agent in range(3)]


def episodes(seed=0, num_steps=12, refuse_gifts=False, hide=True, **kwargs):
    """Episodes of six steps, in which agent 0 leaves halfway and co-players are often out of sight."""
    rng = np.random.default_rng(seed)
    actions = 10 if refuse_gifts else 5
    rollout = random_rollout(
        rng, num_steps=num_steps, num_actions=actions, episode_length=6, leavers=True, **kwargs
    )
    if hide:
        obs = rollout.groups[0].obs
        obs[:, :, :, :3] *= rng.random((*obs.shape[:3], 3, 1, 1)) < 0.5
    return rollout


def everywhere(data):
    return torch.ones_like(data.dones)


def part(data, start, stop):
    """The steps from `start` to `stop` alone."""
    steps = ("actions", "action_logp", "rewards", "final_vf_preds", "terminateds", "truncateds", "active")
    cut = {name: getattr(data, name)[:, start:stop] for name in steps}
    obs = tuple(own[start : stop + 1] for own in data.obs)
    return dataclasses.replace(data, obs=obs, dones=data.dones[start:stop], **cut)


def off_diagonal(weights):
    return weights - torch.diag_embed(torch.diagonal(weights, dim1=-2, dim2=-1))


@pytest.mark.parametrize("hook_class", [LASEHook, LASEUniformHook, LASEOracleHook])
@pytest.mark.parametrize("names", PAIRS, ids="+".join)
def test_any_two_options_leave_gifts_zero_sum_losses_finite_and_the_state_exact(hook_class, names):
    chosen = {name: OPTIONS[name] for name in names}
    refusing = {"refuse_gifts": "refuse_gifts" in chosen}
    hook, nets = make(hook_class, **chosen)
    hook.observe(episodes(**refusing), nets)
    losses = hook.losses(nets)
    assert all(torch.isfinite(values).all() for values in losses.values())
    data = episodes(1, **refusing).to_tensors()
    learnt = hook.rewards(data, nets, everywhere(data), hook.initial_carry(4))
    weights = learnt.gift_weights
    assert torch.allclose(learnt.rewards.sum(0), data.rewards.sum(0), atol=1e-5)
    assert torch.allclose(weights.sum(-1), torch.ones(()), atol=1e-6)
    assert weights.min() >= 0
    given = off_diagonal(weights)
    assert 0 < given.max() <= 0.5 + 1e-6
    assert given.sum(-1).max() <= chosen.get("max_share_given", 1) + 1e-6
    moved = off_diagonal(learnt.gifts())
    after = data.rewards + (moved.sum(-2) - moved.sum(-1)).permute(2, 0, 1)
    assert torch.allclose(after, learnt.rewards, atol=1e-5)
    assert not (given[~data.active.permute(1, 2, 0)] > 0).any()
    assert not (given.transpose(-1, -2)[~data.active.permute(1, 2, 0)] > 0).any()
    twin, _ = make(hook_class, **chosen)
    twin.set_state(hook.get_state())
    expected, found = hook.losses(nets), twin.losses(nets)
    assert all(torch.equal(expected[group], found[group]) for group in expected)
    again = twin.rewards(data, nets, everywhere(data), twin.initial_carry(4))
    later = hook.rewards(data, nets, everywhere(data), hook.initial_carry(4))
    assert torch.equal(again.rewards, later.rewards)


def test_all_options_together_do_what_each_alone_promises():
    hook, nets = make(**OPTIONS)
    hook.observe(episodes(refuse_gifts=True), nets)
    hook.losses(nets)
    data = episodes(1, refuse_gifts=True).to_tensors()
    learnt = hook.rewards(data, nets, everywhere(data))
    given = off_diagonal(learnt.gift_weights)
    refused = (data.actions >= 5).permute(1, 2, 0)
    assert torch.allclose(learnt.rewards.sum(0), data.rewards.sum(0), atol=1e-5)
    assert 0 < given.sum(-1).max() <= 0.05 + 1e-6
    assert (given.transpose(-1, -2)[refused] == 0).all()
    assert off_diagonal(learnt.gifts()).min() >= 0, "penalties stay at home"


# --- smoothing ------------------------------------------------------------------------------------


def smoothed_by_hand(raw, data, smoothing):
    """w_bar of every pair and copy, step by step in plain Python."""
    expected = torch.zeros_like(raw)
    steps, copies, agents, _ = raw.shape
    for b, i, j in itertools.product(range(copies), range(agents), range(agents)):
        if i == j:
            continue
        past = None
        for t in range(steps):
            if data.active[i, t, b] and data.active[j, t, b]:
                now = float(raw[t, b, i, j])
                past = now if past is None else smoothing * past + (1 - smoothing) * now
                expected[t, b, i, j] = past
            if data.dones[t, b]:
                past = None
    return expected


@pytest.mark.parametrize("cuts", [(), (5,), (1, 6, 7, 11)])
def test_smoothing_runs_over_the_steps_of_an_episode_however_they_are_cut_into_fragments(cuts):
    plain, nets = make()
    hook, _ = make(relationship_smoothing=0.7)
    data = episodes(hide=False).to_tensors()
    raw = off_diagonal(plain.rewards(data, nets, everywhere(data)).gift_weights)
    expected = smoothed_by_hand(raw, data, 0.7)
    assert not torch.allclose(raw, expected, atol=1e-3)
    carry, found = hook.initial_carry(4), []
    for start, stop in itertools.pairwise((0, *cuts, 12)):
        piece = part(data, start, stop)
        learnt = hook.rewards(piece, nets, torch.zeros_like(piece.dones), carry)
        found.append(off_diagonal(learnt.gift_weights))
        carry = learnt.carry
    assert torch.allclose(torch.cat(found), expected, atol=1e-6)
    assert carry.isnan().all(), "the last step ended all episodes"


def test_what_was_not_smoothed_is_not_carried():
    hook, nets = make()
    data = episodes().to_tensors()
    assert hook.initial_carry(4) is None
    assert hook.rewards(data, nets, everywhere(data)).carry is None


# --- scale ----------------------------------------------------------------------------------------


def test_judging_a_rollout_leaves_the_scale_of_q_alone_and_learning_moves_it():
    hook, nets = make(relationship_scale="advantage")
    rollout = episodes()
    data = rollout.to_tensors()
    assert torch.equal(
        hook.rewards(data, nets, everywhere(data)).gift_weights, torch.eye(3).expand(12, 4, 3, 3)
    ), "before the first update nobody knows a scale"
    hook.observe(rollout, nets)
    hook.losses(nets)
    known = hook.get_state()["q_scale"]
    assert min(known) > 0
    hook.rewards(data, nets, everywhere(data))
    assert hook.get_state()["q_scale"] == known
    hook.losses(nets)
    assert all(
        abs(a / b - 1) < 0.02 and a != b for a, b in zip(known, hook.get_state()["q_scale"], strict=True)
    )


def test_the_scale_is_the_mean_of_absolute_q_where_q_is_known():
    hook, nets = make(relationship_scale="advantage")
    with torch.no_grad():
        for agent, own in enumerate(nets):
            own["sr"].q_out.weight.zero_()
            own["sr"].q_out.bias.fill_(-2.0 - agent)
    hook.observe(episodes(), nets)
    for _ in range(3):
        hook.losses(nets)
    assert hook.get_state()["q_scale"] == pytest.approx([2, 3, 4])


# --- sight ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("hook_class", [LASEHook, LASEUniformHook, LASEOracleHook])
def test_nothing_is_given_to_who_is_out_of_sight_and_as_much_as_ever_to_who_is_not(hook_class):
    (masked, nets), (plain, _) = make(hook_class, mask_unseen=True), make(hook_class)
    data = episodes().to_tensors()
    seen = torch.stack([visible_co_players(own[:-1], 3) for own in data.obs], 2)
    found = off_diagonal(masked.rewards(data, nets, everywhere(data)).gift_weights)
    free = off_diagonal(plain.rewards(data, nets, everywhere(data)).gift_weights)
    assert (found[~seen] == 0).all()
    assert torch.equal(found[seen], free[seen])
    assert (found > 0).any()
    assert (free[~seen] > 0).any()


def test_eq4_learns_from_who_is_in_sight_only():
    rollout = episodes()
    rollout.groups[0].obs[0, :, :, 1] = 0  # agent 0 never sees agent 1
    twisted = dataclasses.replace(rollout, actions=rollout.actions.copy())
    twisted.actions[1] = (twisted.actions[1] + 1) % 5 * rollout.active[1]
    results = []
    for given in (rollout, twisted):
        hook, nets = make(mask_unseen=True)
        hook.observe(given, nets)
        results.append(hook.losses(nets)["conversion"])
    assert torch.equal(results[0][0], results[1][0])
    assert not torch.equal(results[0][2], results[1][2]), "agent 2 does see it"
    rollout.groups[0].obs[:, :, :, :3] = 0
    hook, nets = make(mask_unseen=True)
    hook.observe(rollout, nets)
    assert (hook.losses(nets)["conversion"] == 0).all(), "nobody sees anybody"


# --- refusal --------------------------------------------------------------------------------------


def test_gifts_to_a_refuser_stay_with_the_giver_and_all_others_get_theirs():
    (refusing, nets), (plain, _) = make(refuse_gifts=True), make()
    rollout = episodes(refuse_gifts=True, hide=False)
    data = rollout.to_tensors()
    played = dataclasses.replace(data, actions=data.actions % 5)
    found = off_diagonal(refusing.rewards(data, nets, everywhere(data)).gift_weights)
    free = off_diagonal(plain.rewards(played, nets, everywhere(data)).gift_weights)
    takes = (data.actions < 5).permute(1, 2, 0).unsqueeze(-2).expand_as(free)
    assert torch.equal(found[takes], free[takes])
    assert (found[~takes] == 0).all()
    assert (free[~takes] > 0).any()


def test_networks_learn_from_the_games_own_actions_whether_gifts_were_refused_or_not():
    (refusing, nets), (plain, _) = make(refuse_gifts=True), make()
    rollout = episodes(refuse_gifts=True)
    assert (rollout.actions >= 5).any()
    refusing.observe(rollout, nets)
    plain.observe(dataclasses.replace(rollout, actions=rollout.actions % 5), nets)
    expected, found = plain.losses(nets), refusing.losses(nets)
    assert all(torch.equal(expected[group], found[group]) for group in expected)


def test_every_action_is_there_twice_where_gifts_can_be_refused():
    assert LASEHook.action_table(LASESettings(), 3, None) is None
    table = LASEHook.action_table(LASESettings(refuse_gifts=True), 3, None)
    assert table.tolist() == [0, 1, 2, 0, 1, 2]


def test_how_often_gifts_are_refused_is_counted_where_something_was_offered():
    hook, nets = make(refuse_gifts=True)
    data = episodes(refuse_gifts=True).to_tensors()
    always = dataclasses.replace(data, actions=data.actions % 5 + 5 * (torch.arange(3) == 1)[:, None, None])
    moments = hook.rewards(always, nets, everywhere(data)).measured["gifts_refused"]
    assert moments.mean().tolist() == [0, 1, 0]
    taken = dataclasses.replace(always, actions=always.actions % 5)
    offered = off_diagonal(hook.rewards(taken, nets, everywhere(data)).gift_weights).amax(-2) > 0
    assert moments.count.tolist() == offered.sum((0, 1)).tolist()


# --- the oracle -----------------------------------------------------------------------------------


def test_the_oracle_asks_its_own_policy_at_what_the_co_player_saw():
    hook, nets = make(LASEOracleHook)
    assert set(nets[0]) == {"sr"}
    with torch.no_grad():
        nets[0]["sr"].pi_out.weight.mul_(300)
    data = episodes(hide=False).to_tensors()
    moments = hook.rewards(data, nets, everywhere(data)).measured["predicted_action_prob"]
    sr, total, count = nets[0]["sr"], 0.0, 0
    for j in (1, 2):
        both = data.active[0] & data.active[j]
        logits = sr.policy_inputs(sr.encoder(data.obs[j][:-1][both].float())).detach()
        taken = logits.softmax(-1).gather(-1, data.actions[j][both].unsqueeze(-1))
        total, count = total + float(taken.sum()), count + len(taken)
    assert moments.count[0] == count
    assert float(moments.mean()[0]) == pytest.approx(total / count, rel=1e-5)


def test_the_oracle_refuses_agents_that_see_different_shapes():
    with pytest.raises(ValueError, match=r"one shape, found a: \(4, 5, 5\), b: \(4, 5, 5\), c: \(6, 5, 5\)"):
        make(LASEOracleHook, shapes=[None, None, (6, 5, 5)])


# --- what is measured -----------------------------------------------------------------------------


def test_uniform_prediction_is_measured_as_such():
    hook, nets = make(LASEUniformHook)
    data = episodes().to_tensors()
    recorded = torch.zeros_like(data.dones)
    recorded[1:3, :2] = True
    measured = hook.rewards(data, nets, recorded).measured
    assert measured["predicted_action_prob"].count.tolist() == [8, 8, 8], "4 steps, 2 co-players"
    assert measured["predicted_action_prob"].mean().tolist() == pytest.approx([0.2] * 3)
    assert measured["predicted_action_cross_entropy"].mean().tolist() == pytest.approx([np.log(5)] * 3)
    later = torch.zeros_like(data.dones)
    later[5] = True
    gone = hook.rewards(data, nets, later).measured["predicted_action_prob"]
    assert gone.count.tolist() == [0, 4, 4], "agent 0 has left: it predicts nobody, and nobody predicts it"
    assert gone.mean()[0].isnan()


def test_mean_and_spread_of_the_weights_are_those_of_the_matrices():
    hook, nets = make()
    data = episodes().to_tensors()
    learnt = hook.rewards(data, nets, everywhere(data))
    rows = learnt.gift_weights[..., 1, :][data.active[1]]
    both = data.active.permute(1, 2, 0)[data.active[1]]
    kept = torch.cat([rows[:, 0][both[:, 0]], rows[:, 2][both[:, 2]]]).double()
    moments = learnt.measured["inferred_weight"]
    assert moments.count[1] == len(kept)
    assert float(moments.mean()[1]) == pytest.approx(float(kept.mean()))
    assert float(moments.std()[1]) == pytest.approx(float(kept.std(unbiased=False)))
    twice = moments + moments
    assert torch.allclose(twice.std(), moments.std())
    assert twice.count[1] == 2 * len(kept)
