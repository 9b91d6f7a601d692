import numpy as np
import torch

from rllib_lase.social.carry import LaneCarry
from tests.rollouts import random_rollout


def rollout(first_step, num_envs=4):
    return random_rollout(np.random.default_rng(0), num_steps=5, num_envs=num_envs, first_step=first_step)


def test_a_lane_goes_on_where_it_stopped():
    carry, initial = LaneCarry(), torch.zeros(4, 3)
    assert torch.equal(carry.take(rollout(0), initial), initial)
    kept = torch.arange(12.0).view(4, 3)
    carry.keep(rollout(0), kept)
    assert torch.equal(carry.take(rollout(5), initial), kept)


def test_a_lane_that_has_jumped_or_is_new_starts_afresh():
    carry = LaneCarry()
    carry.keep(rollout(0, num_envs=2), torch.ones(2, 3))
    assert torch.equal(carry.take(rollout(6, num_envs=2), torch.zeros(2, 3)), torch.zeros(2, 3))
    taken = carry.take(rollout(5, num_envs=4), torch.zeros(4, 3))
    assert torch.equal(taken, torch.tensor([[1.0] * 3, [1.0] * 3, [0.0] * 3, [0.0] * 3]))


def test_the_state_is_restored_exactly_and_nothing_is_carried_where_nothing_was_kept():
    carry, restored = LaneCarry(), LaneCarry()
    assert carry.take(rollout(0), None) is None
    carry.keep(rollout(0), torch.full((4, 2), 0.5))
    restored.set_state(carry.get_state())
    assert torch.equal(restored.take(rollout(5), torch.zeros(4, 2)), torch.full((4, 2), 0.5))
    carry.keep(rollout(5), None)
    assert torch.equal(carry.take(rollout(10), torch.zeros(4, 2)), torch.zeros(4, 2))
