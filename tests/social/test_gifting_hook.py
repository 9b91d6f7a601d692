import dataclasses

import numpy as np
import pytest
import torch

import mixed_motive
from rllib_lase.registry import ALGORITHMS
from rllib_lase.registry.gifting import GiftingSettings
from rllib_lase.social.gifting import GiftingHook
from tests.interpreter import run_python
from tests.rollouts import random_rollout
from tests.social.fragments import cut, judge, judge_in_fragments, spaces

GIFT = 4
BUDGETS = ["zero_sum", "fixed", "replenishable"]


def make(**settings):
    return GiftingHook(GiftingSettings(**settings), spaces(), 0)


def scene(actions, rewards):
    """One copy: a row of steps per agent."""
    data = random_rollout(np.random.default_rng(0), num_steps=len(actions[0]), num_envs=1).to_tensors()
    return dataclasses.replace(
        data, actions=torch.tensor(actions).unsqueeze(-1), rewards=torch.tensor(rewards).unsqueeze(-1)
    )


def test_the_giver_pays_what_the_others_receive():
    data = scene([[GIFT, 0], [0, GIFT], [3, GIFT]], [[0.0, 5], [1, 0], [0, 0]])
    learnt = judge(make(gift_value=2.0), data)
    expected = torch.tensor([[0.0 - 2, 5 + 1 + 1], [1 + 1, 0 - 2 + 1], [0 + 1, 0 - 2 + 1]])
    torch.testing.assert_close(learnt.rewards.squeeze(-1), expected)
    torch.testing.assert_close(learnt.gifts()[1, 0], torch.tensor([[0.0, 0, 0], [1, 0, 1], [1, 1, 0]]))
    assert learnt.moved
    assert learnt.gift_weights is None


def test_free_gifts_run_out_and_are_no_reward_that_moved():
    data = scene([[GIFT] * 4, [0] * 4, [0] * 4], [[0.0] * 4, [0] * 4, [0] * 4])
    learnt = judge(make(gift_budget="fixed", gifts_per_episode=3, gift_value=0.1), data)
    expected = torch.tensor([[0.0] * 4, [0.05, 0.05, 0.05, 0], [0.05, 0.05, 0.05, 0]])
    torch.testing.assert_close(learnt.rewards.squeeze(-1), expected)
    torch.testing.assert_close(learnt.carry, torch.tensor([[0.0, 3, 3]]))
    assert not learnt.moved
    assert learnt.gifts() is None


def test_a_replenishable_budget_grows_with_rewards_and_not_with_penalties_or_gifts():
    actions = [[GIFT, GIFT, GIFT, GIFT], [0, 0, 0, GIFT], [0] * 4]
    data = scene(actions, [[3.0, -9, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    learnt = judge(make(gift_budget="replenishable", gift_value=2.0, replenish_rate=1.5), data)
    # Agent 0 has earned 3 * 1.5 / 2 gifts after the first step; agent 1 was only given to.
    expected = torch.tensor([[3.0, -9, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0]])
    torch.testing.assert_close(learnt.rewards.squeeze(-1), expected)
    torch.testing.assert_close(learnt.carry, torch.tensor([[0.25, 0, 0]]))


@pytest.mark.parametrize("budget", BUDGETS)
def test_fragments_give_what_the_whole_gives_to_the_bit(budget):
    rng = np.random.default_rng(1)
    data = random_rollout(rng, num_steps=24, episode_length=11, leavers=True).to_tensors()
    data = dataclasses.replace(data, actions=torch.where(data.actions > 1, GIFT, data.actions))
    hook = make(gift_budget=budget, gifts_per_episode=3)
    whole, parts = judge(hook, data), judge_in_fragments(hook, data, 6)
    assert torch.equal(whole.rewards, torch.cat([part.rewards for part in parts], 1))
    if budget == "zero_sum":
        assert whole.carry is None
        torch.testing.assert_close(whole.rewards.sum(0), data.rewards.sum(0))
    else:
        assert torch.equal(whole.carry, parts[-1].carry)
        afresh = [judge(hook, cut(data, start, start + 6)) for start in range(0, 24, 6)]
        assert not torch.equal(whole.rewards, torch.cat([part.rewards for part in afresh], 1))


@pytest.mark.parametrize("budget", BUDGETS)
def test_a_departed_agent_neither_gives_nor_receives(budget):
    data = scene([[GIFT, GIFT], [GIFT, 0], [0, GIFT]], [[0.0, 0], [0, 0], [0, 0]])
    active = torch.tensor([[True, False], [True, True], [True, True]]).unsqueeze(-1)
    learnt = judge(make(gift_budget=budget), dataclasses.replace(data, active=active))
    free = torch.tensor([0.0, 1.0, 0.0])
    paid = torch.tensor([0.0, 0.0, 1.0]) if budget == "zero_sum" else torch.zeros(3)
    expected = torch.zeros(3) if budget == "replenishable" else free - paid
    torch.testing.assert_close(learnt.rewards[:, 1, 0], expected)


def test_with_nobody_there_nothing_is_paid():
    data = scene([[GIFT], [0], [0]], [[1.0], [0], [0]])
    active = torch.tensor([True, False, False]).view(3, 1, 1)
    learnt = judge(make(), dataclasses.replace(data, active=active))
    assert torch.equal(learnt.rewards, data.rewards)


def test_an_agents_budget_depends_on_its_own_rewards_alone():
    data = random_rollout(np.random.default_rng(3), num_steps=20).to_tensors()
    hook = make(gift_budget="replenishable")
    hidden = data.rewards.clone()
    hidden[1:] = torch.nan
    seen, blind = judge(hook, data), judge(hook, dataclasses.replace(data, rewards=hidden))
    assert torch.equal(seen.carry[:, 0], blind.carry[:, 0])


def test_the_gift_stays():
    table = GiftingHook.action_table(GiftingSettings(), 7, 4)
    assert table.tolist() == [0, 1, 2, 3, 4, 5, 6, 4]


def test_an_environment_in_which_every_action_does_something_is_refused():
    with pytest.raises(ValueError, match="none of this environment's 3 actions is known to"):
        GiftingHook.action_table(GiftingSettings(), 3, None)


def test_games_without_an_action_that_does_nothing_are_refused_with_the_reason():
    spec = ALGORITHMS["gifting"]
    refused = {game for game in mixed_motive.GAMES if spec.unsupported(game)}
    assert refused == {"coingame", "matrix", "ipd", "public_goods", "escape_room"}
    assert spec.unsupported("ipd").endswith("this game has no action 'stay', only cooperate, defect")
    assert spec.unsupported("cleanup", {"preset": "ssdg", "obs": "float32"}) is None


def test_whether_a_game_can_be_played_is_said_without_compiling_anything():
    code = (
        "import sys; from rllib_lase.registry import ALGORITHMS; "
        "print(ALGORITHMS['gifting'].unsupported('coingame') is None, 'numba' in sys.modules)"
    )
    assert run_python(code) == "False False"
