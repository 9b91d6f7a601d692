import dataclasses
import math

import gymnasium as gym
import numpy as np
import pytest
import torch

from mixed_motive import GAMES
from rllib_lase.core.influence import causal_influence
from rllib_lase.defaults import default_settings
from rllib_lase.networks import MOANet, PolicyNet
from rllib_lase.registry import ALGORITHMS
from rllib_lase.registry.si import SISettings
from rllib_lase.social.hook import POLICY, JointSpaces
from rllib_lase.social.si import SIHook
from tests.rollouts import random_rollout

SHAPE = (4, 5, 5)
LEARNS = {"moa_lr": 3e-3, "moa_batch_size": 64, "hidden_size": 16}


def make(num_agents=3, num_actions=5, shape=SHAPE, lstm_size=None, opinionated=True, **settings):
    """A hook and networks; `opinionated` ones predict and act far from uniformly."""
    sizes = (num_actions,) * num_agents if isinstance(num_actions, int) else num_actions
    spaces = JointSpaces(
        tuple(f"agent_{i}" for i in range(num_agents)),
        (gym.spaces.Box(0, 1, shape, np.uint8),) * num_agents,
        tuple(gym.spaces.Discrete(size) for size in sizes),
    )
    torch.manual_seed(0)
    given = {"hidden_size": 16, "moa_batch_size": 64} | settings
    hook = SIHook(SISettings(**given), spaces, 0)
    nets = [
        {POLICY: PolicyNet(shape, size, 16, lstm_size), **hook.extra_modules(agent)}
        for agent, size in enumerate(sizes)
    ]
    with torch.no_grad():
        for own in nets if opinionated else ():
            own["moa"].out.weight.mul_(100)
            own[POLICY].pi.weight.mul_(100)
    return hook, nets


def everywhere(data):
    return torch.ones_like(data.dones)


def cut(rollout, start, stop):
    """Steps `start` to `stop` of a rollout as a fragment of their own."""
    fields = ("actions", "action_logp", "rewards", "terminateds", "truncateds", "active", "counts")
    group = rollout.groups[0]
    return dataclasses.replace(
        rollout,
        groups=(dataclasses.replace(group, obs=group.obs[:, start : stop + 1]),),
        vf_preds=rollout.vf_preds[:, start : stop + 1],
        dones=rollout.dones[start:stop],
        lane_steps=rollout.lane_steps + start,
        final_index=np.zeros((0, 2), np.int64),
        final_vf_preds=rollout.final_vf_preds[:, :0],
        **{name: getattr(rollout, name)[:, start:stop] for name in fields},
    )


def train_moa(hook, nets, updates):
    optimizer = torch.optim.Adam([p for own in nets for p in own["moa"].parameters()], lr=3e-3)
    for _ in range(updates):
        optimizer.zero_grad()
        losses = hook.losses(nets)["moa"]
        losses.sum().backward()
        optimizer.step()
    return losses.detach()


# --- the network ----------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(7, 5, 5), (6, 7, 9), (5,)])
def test_the_sweep_equals_running_the_whole_network_with_each_own_action(shape):
    torch.manual_seed(0)
    net = MOANet(shape, (5, 3, 4), own=1, hidden_size=16).double()
    obs = torch.rand(6, *shape, dtype=torch.float64)
    actions = torch.stack([torch.randint(size, (6,)) for size in (5, 3, 4)], 1)
    swept = net.swept_logits(net.encoder(obs), actions)
    assert swept.shape == (6, 3, 2, 5)
    for action in range(3):
        replaced = actions.clone()
        replaced[:, 1] = action
        assert torch.allclose(swept[:, action], net.next_logits(net.encoder(obs), replaced), atol=1e-12)


def test_actions_that_a_co_player_does_not_have_are_never_predicted():
    net = MOANet((5,), (5, 3, 4), own=0, hidden_size=16)
    probs = net.next_logits(torch.rand(2, 5), torch.zeros(2, 3, dtype=torch.long)).softmax(-1)
    assert (probs[:, 0, 3:] == 0).all()
    assert (probs[:, 0, :3] > 0.2).all()
    assert (probs[:, 1, 4:] == 0).all()


# --- the reward -----------------------------------------------------------------------------------


@pytest.mark.parametrize("lstm_size", [None, 6])
def test_influence_equals_the_formula_step_by_step(lstm_size):
    hook, nets = make(lstm_size=lstm_size)
    rollout = random_rollout(np.random.default_rng(0), num_steps=6)
    if lstm_size is not None:
        state = np.random.default_rng(1).normal(size=(3, 4, 2 * lstm_size)).astype(np.float32)
        group = dataclasses.replace(rollout.groups[0], state_in=state)
        rollout = dataclasses.replace(rollout, groups=(group,))
    data = rollout.to_tensors()
    found = hook.influence(data, nets)
    for agent, own in enumerate(nets):
        state = data.state_in[agent]
        for t in range(6):
            obs = data.obs[agent][t]
            if state is None:
                logits = own[POLICY](obs).action_dist_inputs
            else:
                step, state = own[POLICY].forward_sequence(
                    obs.unsqueeze(0), state, torch.zeros(1, 4, dtype=torch.bool)
                )
                logits = step.action_dist_inputs[0]
            after_each = []
            for action in range(5):
                replaced = data.actions[:, t].T.clone()
                replaced[:, agent] = action
                after_each.append(own["moa"].next_logits(own["moa"].encoder(obs.float()), replaced))
            next_logp = torch.stack(after_each, 1).log_softmax(-1)
            kl = causal_influence(next_logp, logits.log_softmax(-1), data.actions[agent, t])
            assert torch.allclose(found[agent, t], kl.sum(1), atol=1e-5)
    assert found.min() > 1e-4


def test_agents_learn_from_the_weighted_sum_and_report_their_mean_influence():
    hook, nets = make(extrinsic_weight=0.5, influence_weight_end=2.0, influence_ramp_fraction=0.0)
    data = random_rollout(np.random.default_rng(0), episode_length=6, leavers=True).to_tensors()
    learnt, influence = hook.rewards(data, nets, everywhere(data)), hook.influence(data, nets)
    assert torch.allclose(learnt.rewards, 0.5 * data.rewards + 2 * influence)
    assert learnt.gift_weights is None
    mean = learnt.measured["influence"].mean()
    assert mean.shape == (3,)
    assert mean[0] == pytest.approx((influence[0].sum() / data.active[0].sum()).item())


def test_untrained_models_see_almost_no_influence():
    hook, nets = make(opinionated=False)
    data = random_rollout(np.random.default_rng(0)).to_tensors()
    assert hook.influence(data, nets).abs().max() < 1e-3


def test_nothing_counts_where_no_next_action_follows():
    hook, nets = make()
    rollout = random_rollout(np.random.default_rng(0), num_steps=12, episode_length=6, leavers=True)
    influence = hook.influence(rollout.to_tensors(), nets)
    ends, leaves, gone = rollout.dones, rollout.terminateds[0], ~rollout.active[0]
    assert ends.any()
    assert leaves.any()
    assert gone.any()
    assert (influence[:, torch.from_numpy(ends)] == 0).all(), "an episode's last step influences nobody"
    assert (influence[0, torch.from_numpy(leaves | gone)] == 0).all(), "nor does who leaves or has left"
    alone = torch.from_numpy(leaves | (gone & ~ends))
    assert (influence[1:, alone] > 0).all(), "the two that stay still influence each other"


def test_who_leaves_is_influenced_by_nobody():
    hook, nets = make(num_agents=2)
    rollout = random_rollout(
        np.random.default_rng(0), num_agents=2, num_steps=6, episode_length=6, leavers=True
    )
    influence = hook.influence(rollout.to_tensors(), nets)
    assert (influence[1, :3] > 0).all()
    assert (influence[1, 3:] == 0).all(), "agent 0 leaves in step 3, before it would act again"


@pytest.mark.parametrize("seam", range(1, 12))
def test_influence_does_not_depend_on_where_fragments_are_cut(seam):
    hook, nets = make()
    rollout = random_rollout(np.random.default_rng(0), num_steps=12, episode_length=6, leavers=True)
    whole = hook.influence(rollout.to_tensors(), nets)
    parts = [
        hook.influence(part.to_tensors(), nets) for part in (cut(rollout, 0, seam), cut(rollout, seam, 12))
    ]
    assert torch.allclose(torch.cat(parts, 1), whole, atol=1e-6)


def test_only_visible_co_players_count_if_asked():
    everybody, nets = make()
    visible, _ = make(only_when_visible=True)
    rollout = random_rollout(np.random.default_rng(0))
    obs = rollout.groups[0].obs
    obs[:, :, :, :3] = 0
    obs[0, :, :2, 1, 3, 3] = 1  # agent 0 sees agent 1 in copies 0 and 1
    obs[0, :, :1, 2, 0, 0] = 1  # and agent 2 in copy 0
    obs[1, :, :, 1, 2, 2] = 1  # agent 1 sees nobody but itself
    data = rollout.to_tensors()
    all_of_it, seen = everybody.influence(data, nets), visible.influence(data, nets)
    assert torch.allclose(seen[0, :, 0], all_of_it[0, :, 0], atol=1e-6)
    assert (seen[0, :, 1] > 0).all()
    assert (seen[0, :, 1] < all_of_it[0, :, 1]).all()
    assert (seen[0, :, 2:] == 0).all()
    assert (seen[1:] == 0).all()
    assert (all_of_it > 0).all()


def test_whom_nobody_sees_runs_no_network_of_the_others():
    hook, nets = make(only_when_visible=True)
    rollout = random_rollout(np.random.default_rng(0))
    rollout.groups[0].obs[:] = 0
    runs = []
    for own in nets:
        own["moa"].encoder.register_forward_hook(lambda *_: runs.append(1))
    hook.influence(rollout.to_tensors(), nets)
    assert not runs


def test_agents_may_have_different_numbers_of_actions():
    hook, nets = make(num_actions=(5, 2, 3))
    rollout = random_rollout(np.random.default_rng(0), num_actions=2)
    influence = hook.influence(rollout.to_tensors(), nets)
    assert torch.isfinite(influence).all()
    assert (influence > 0).all()
    hook.observe(rollout, nets)
    assert torch.isfinite(hook.losses(nets)["moa"]).all()


# --- the schedule ---------------------------------------------------------------------------------


def test_the_weight_rises_linearly_and_then_stays():
    hook, _ = make(
        influence_weight_start=0.1,
        influence_weight_end=0.5,
        influence_ramp_fraction=0.25,
        schedule_env_steps=4000,
    )
    weights = []
    for env_steps in (0, 500, 1000, 4000):
        hook.set_env_steps(env_steps)
        weights.append(hook.influence_weight)
    assert np.allclose(weights, [0.1, 0.3, 0.5, 0.5])


def test_asking_for_rewards_moves_no_schedule():
    hook, nets = make(influence_weight_end=1.0, schedule_env_steps=1000)
    hook.set_env_steps(100)
    data = random_rollout(np.random.default_rng(0)).to_tensors()
    first, second = (hook.rewards(data, nets, everywhere(data)).rewards for _ in range(2))
    assert torch.equal(first, second)
    assert hook.influence_weight == pytest.approx(0.2)


# --- the model of other agents --------------------------------------------------------------------


def copycats(rng, num_steps=50, num_envs=8, episode_length=None):
    """Agent 0 acts at random, agent 1 repeats agent 0's last action; two actions."""
    rollout = random_rollout(
        rng, 2, num_steps, num_envs, obs_shape=(6,), num_actions=2, episode_length=episode_length
    )
    actions = rollout.actions.copy()
    actions[1, 1:] = actions[0, :-1]
    return dataclasses.replace(rollout, actions=actions)


def test_who_is_copied_has_log_2_of_influence_and_the_copycat_none():
    hook, nets = make(2, 2, (6,), opinionated=False, **LEARNS)
    rng = np.random.default_rng(0)
    hook.observe(copycats(rng, num_steps=200), nets)
    losses = train_moa(hook, nets, 150)
    assert losses[0] < 0.02, "what agent 1 will do is known"
    assert losses[1] > 0.55, "what agent 0 will do is not"
    influence = hook.influence(copycats(rng).to_tensors(), nets)
    assert influence[0].mean() == pytest.approx(math.log(2), abs=0.02)
    assert influence[1].mean() < 0.05


@pytest.mark.parametrize("ended_by", ["truncateds", "terminateds"])
def test_the_model_never_learns_across_an_episodes_end(ended_by):
    # Within episodes of two steps agent 1 repeats agent 0; across their ends it does the opposite.
    rollout = copycats(np.random.default_rng(0), num_steps=100, episode_length=2)
    actions = rollout.actions.copy()
    actions[1, 2::2] = 1 - actions[0, 1:-1:2]
    hook, nets = make(2, 2, (6,), opinionated=False, **LEARNS)
    ends = {"truncateds": np.zeros_like(rollout.truncateds), "terminateds": rollout.terminateds}
    ends[ended_by] = rollout.truncateds
    hook.observe(dataclasses.replace(rollout, actions=actions, **ends), nets)
    assert train_moa(hook, nets, 150)[0] < 0.02


def test_the_model_never_learns_what_a_departed_agent_did():
    rollout = random_rollout(np.random.default_rng(0), num_steps=48, episode_length=6, leavers=True)
    results = []
    for left_behind in (0, 4):
        hook, nets = make()
        for own in nets:
            own["moa"].action_table.data[0] = 0  # agent 0's action is no input, so it could only be a target
        actions = np.where(rollout.active, rollout.actions, left_behind)
        hook.observe(dataclasses.replace(rollout, actions=actions), nets)
        results.append(hook.losses(nets)["moa"])
    assert torch.equal(*results)
    assert (results[0] > 0).all()


def test_each_agents_loss_depends_on_its_own_model_alone():
    hook, nets = make()
    hook.observe(random_rollout(np.random.default_rng(0), num_steps=20, episode_length=7, leavers=True), nets)
    losses = hook.losses(nets)["moa"]
    assert losses.shape == (3,)
    for agent in range(3):
        for other in range(3):
            parameters = list(nets[other]["moa"].parameters())
            gradients = torch.autograd.grad(losses[agent], parameters, retain_graph=True, allow_unused=True)
            touched = any(g is not None and bool(g.any()) for g in gradients)
            assert touched == (agent == other)


def test_the_loss_is_zero_while_nothing_was_observed_with_a_next_step():
    hook, nets = make()
    hook.observe(random_rollout(np.random.default_rng(0), num_steps=1), nets)
    assert hook.losses(nets)["moa"].abs().max() == 0


def test_a_restored_hook_draws_the_same_minibatches_and_has_the_same_weight():
    hook, nets = make(schedule_env_steps=1000)
    hook.observe(random_rollout(np.random.default_rng(0), num_steps=20), nets)
    hook.losses(nets)
    hook.set_env_steps(250)
    twin, _ = make(schedule_env_steps=1000)
    twin.set_state(hook.get_state())
    assert torch.equal(hook.losses(nets)["moa"], twin.losses(nets)["moa"])
    assert twin.influence_weight == hook.influence_weight > 0


# --- where it can be played -----------------------------------------------------------------------


def test_visibility_is_refused_where_observations_have_no_planes_of_agents():
    seeing = SISettings(only_when_visible=True)
    for env in ("ipd", "matrix", "public_goods", "escape_room", "somebody_elses_game"):
        (fault,) = seeing.environment_problems(env, {})
        assert fault.startswith("only_when_visible: ")
        assert env in fault
        assert SISettings(only_when_visible=False).environment_problems(env, {}) == []


def test_the_defaults_count_visible_co_players_wherever_that_can_be_known():
    for game in GAMES:
        possible = SISettings(only_when_visible=True).environment_problems(game, {}) == []
        assert default_settings(game, ALGORITHMS["si"]).only_when_visible == possible, game


def test_a_single_agent_has_nobody_to_influence():
    with pytest.raises(ValueError, match="at least 2 agents"):
        make(num_agents=1)
