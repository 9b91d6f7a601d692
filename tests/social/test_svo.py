import dataclasses
import math

import numpy as np
import pytest
import torch

from rllib_lase.registry.svo import SVOSettings
from rllib_lase.social.svo import SVOHook
from tests.rollouts import random_rollout
from tests.social.fragments import judge, spaces


def make(**settings):
    return SVOHook(SVOSettings(**settings), spaces(), 0)


def data_of(*rewards):
    data = random_rollout(np.random.default_rng(0), num_steps=1, num_envs=1).to_tensors()
    return dataclasses.replace(data, rewards=torch.tensor(rewards).view(3, 1, 1))


@pytest.mark.parametrize(
    ("degrees", "expected"),
    [
        (0, [3, 1, 5]),
        (90, [3, 4, 2]),
        (45, [6 / math.sqrt(2), 5 / math.sqrt(2), 7 / math.sqrt(2)]),
        (-90, [-3, -4, -2]),
    ],
)
def test_the_linear_form_weighs_ones_own_reward_and_the_mean_of_the_others(degrees, expected):
    learnt = judge(make(svo_form="linear", svo_degrees=degrees), data_of(3.0, 1.0, 5.0))
    torch.testing.assert_close(learnt.rewards.flatten(), torch.tensor(expected, dtype=torch.float32))
    assert not learnt.moved
    assert learnt.carry is None


def test_a_prosocial_agent_is_content_where_all_get_the_same():
    hook = make(svo_form="reward_angle", svo_degrees=45.0, svo_weight=2.0)
    torch.testing.assert_close(judge(hook, data_of(2.0, 2.0, 2.0)).rewards.flatten(), torch.full((3,), 2.0))
    found = judge(hook, data_of(2.0, 0.0, 0.0)).rewards.flatten()
    off = 2 * math.pi / 4
    torch.testing.assert_close(found, torch.tensor([2 - off, 0 - off, 0 - off]))


def test_an_agent_that_left_is_no_other():
    data = data_of(3.0, 1.0, 0.0)
    data = dataclasses.replace(data, active=torch.tensor([True, True, False]).view(3, 1, 1))
    learnt = judge(make(svo_form="linear", svo_degrees=90), data)
    torch.testing.assert_close(learnt.rewards.flatten(), torch.tensor([1.0, 3.0, 0.0]))
