"""Social value orientation against numbers worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from rllib_lase.core.value_orientation import angular_svo_rewards, linear_svo_rewards, mean_of_others

REWARDS = torch.tensor([3.0, 1.0, 5.0])
OTHERS = torch.tensor([3.0, 4.0, 2.0])


def test_others_are_the_co_players_in_the_game() -> None:
    everybody = torch.ones(3, dtype=torch.bool)
    torch.testing.assert_close(mean_of_others(REWARDS, everybody), OTHERS)
    without = mean_of_others(REWARDS, torch.tensor([True, True, False]))
    torch.testing.assert_close(without, torch.tensor([1.0, 3.0, 0.0]))
    alone = mean_of_others(REWARDS, torch.tensor([True, False, False]))
    assert torch.equal(alone, torch.zeros(3))


def test_the_linear_form_goes_from_ones_own_reward_to_the_others() -> None:
    assert torch.equal(linear_svo_rewards(REWARDS, OTHERS, 0.0), REWARDS)
    torch.testing.assert_close(linear_svo_rewards(REWARDS, OTHERS, math.pi / 2), OTHERS)
    half = linear_svo_rewards(REWARDS, OTHERS, math.pi / 4)
    torch.testing.assert_close(half, (REWARDS + OTHERS) / math.sqrt(2))


@pytest.mark.parametrize(
    ("own", "others", "degrees", "distance"),
    [
        (1.0, 1.0, 45, 0),
        (1.0, 0.0, 45, 45),
        (0.0, 1.0, 45, 45),
        (0.0, 1.0, 0, 90),
        (1.0, 0.0, 90, 90),
        (2.0, 0.0, 0, 0),
        (1.0, math.sqrt(3), 0, 60),
        (1.0, -1.0, 0, 45),
        (-1.0, 0.0, 45, 135),
        (-1.0, 0.0, -90, 90),
        (-1.0, 1.0, -90, 135),
        (0.0, 0.0, 45, 0),
    ],
)
def test_the_reward_angle_costs_its_distance_to_the_orientation(
    own: float, others: float, degrees: float, distance: float
) -> None:
    found = angular_svo_rewards(torch.tensor([own]), torch.tensor([others]), math.radians(degrees), 0.5)
    torch.testing.assert_close(found, torch.tensor([own - 0.5 * math.radians(distance)]))
