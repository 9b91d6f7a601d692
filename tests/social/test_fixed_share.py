import dataclasses

import numpy as np
import pytest
import torch

from rllib_lase.registry.fixed_share import FixedShareSettings
from rllib_lase.registry.go import GOSettings
from rllib_lase.social.fixed_share import FixedShareHook
from rllib_lase.social.go import GOHook
from tests.rollouts import random_rollout
from tests.social.fragments import judge, spaces


def make(share):
    return FixedShareHook(FixedShareSettings(share=share), spaces(), 0)


def test_the_share_is_split_equally_by_hand():
    data = random_rollout(np.random.default_rng(0), num_steps=2, num_envs=1).to_tensors()
    rewards = torch.tensor([[8.0, 0], [0, -4], [4, 0]]).unsqueeze(-1)
    learnt = judge(make(0.5), dataclasses.replace(data, rewards=rewards))
    expected = torch.tensor([[4.0 + 1, -1], [2 + 1, -2], [2 + 2, -1]]).unsqueeze(-1)
    torch.testing.assert_close(learnt.rewards, expected)
    constant = torch.tensor([[0.5, 0.25, 0.25], [0.25, 0.5, 0.25], [0.25, 0.25, 0.5]])
    torch.testing.assert_close(learnt.gift_weights, constant.expand(2, 1, 3, 3))
    torch.testing.assert_close(learnt.gifts()[0, 0, 0], torch.tensor([4.0, 2.0, 2.0]))


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_gifts_only_move_rewards(share):
    data = random_rollout(np.random.default_rng(1), episode_length=6, leavers=True).to_tensors()
    learnt = judge(make(share), data)
    torch.testing.assert_close(learnt.rewards.sum(0), data.rewards.sum(0))
    kept = torch.diagonal(learnt.gift_weights, dim1=-2, dim2=-1)[data.active.permute(1, 2, 0)]
    torch.testing.assert_close(kept, torch.full_like(kept, 1 - share))
    if share == 0:
        assert torch.equal(learnt.rewards, data.rewards)


def test_with_two_thirds_three_agents_learn_from_the_mean_of_all():
    data = random_rollout(np.random.default_rng(4)).to_tensors()
    group = judge(GOHook(GOSettings(reward_aggregation="mean"), spaces(), 0), data)
    torch.testing.assert_close(judge(make(2 / 3), data).rewards, group.rewards)


def test_a_departed_agent_neither_gives_nor_receives_and_the_others_share_its_part():
    data = random_rollout(np.random.default_rng(2), num_steps=6, episode_length=6, leavers=True).to_tensors()
    weights = judge(make(0.5), data).gift_weights[~data.active[0]]
    assert len(weights)
    expected = torch.tensor([[1.0, 0, 0], [0, 0.5, 0.5], [0, 0.5, 0.5]])
    torch.testing.assert_close(weights, expected.expand_as(weights))


def test_with_nobody_left_the_reward_stays():
    data = random_rollout(np.random.default_rng(3), num_steps=1, num_envs=1).to_tensors()
    data = dataclasses.replace(data, active=torch.tensor([True, False, False]).view(3, 1, 1))
    assert torch.equal(judge(make(1.0), data).gift_weights, torch.eye(3).view(1, 1, 3, 3))


def test_more_than_everything_cannot_be_given():
    assert FixedShareSettings(share=1.5).validate() == [
        "share: 1.5 is out of range; it must be at least 0 and at most 1"
    ]
