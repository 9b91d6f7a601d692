import dataclasses

import numpy as np
import torch

from rllib_lase.registry.ia import IASettings
from rllib_lase.social.ia import IAHook
from tests.rollouts import random_rollout
from tests.social.fragments import judge, judge_in_fragments, spaces


def make(**settings):
    return IAHook(IASettings(**settings), spaces(), 0)


def test_three_agents_over_three_steps_by_hand():
    hook = make(gamma=0.8, ia_lambda=0.625, ia_alpha=1.0, ia_beta=0.1)  # half is left after a step
    data = random_rollout(np.random.default_rng(0), num_steps=3, num_envs=1).to_tensors()
    rewards = torch.tensor([[4.0, 0, 0], [0, 0, 1], [0, 2, 0]]).unsqueeze(-1)
    learnt = judge(hook, dataclasses.replace(data, rewards=rewards))
    # Smoothed: (4, 0, 0), (2, 0, 2), (1, 1, 1).
    expected = torch.tensor([[4 - 0.4, 0 - 0.1, 0], [-2, -2, 1], [-2, 2 - 0.1, 0]])
    torch.testing.assert_close(learnt.rewards.squeeze(-1), expected)
    torch.testing.assert_close(learnt.carry, torch.ones(1, 3))
    assert not learnt.moved


def test_fragments_give_what_the_whole_gives_to_the_bit():
    rng = np.random.default_rng(1)
    data = random_rollout(rng, num_steps=12, episode_length=5, leavers=True).to_tensors()
    hook = make()
    whole, parts = judge(hook, data), judge_in_fragments(hook, data, 4)
    assert torch.equal(whole.rewards, torch.cat([part.rewards for part in parts], 1))
    assert torch.equal(whole.carry, parts[-1].carry)
    assert whole.carry.any()
    forgetful = judge(hook, dataclasses.replace(data, dones=torch.zeros_like(data.dones)))
    assert not torch.equal(whole.rewards, forgetful.rewards), "episodes' ends matter here"


def test_without_weights_everybody_learns_from_its_own_reward():
    data = random_rollout(np.random.default_rng(2)).to_tensors()
    assert torch.equal(judge(make(ia_alpha=0.0, ia_beta=0.0), data).rewards, data.rewards)
