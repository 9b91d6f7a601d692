"""Inequity aversion against numbers worked out by hand."""

from __future__ import annotations

import pytest
import torch

from rllib_lase.core.inequity import inequity_averse_rewards, smoothed_rewards

SMOOTHED = torch.tensor([1.0, 4.0, 10.0])
REWARDS = torch.tensor([2.0, 0.0, 7.0])
ALL = torch.ones(3, dtype=torch.bool)


@pytest.mark.parametrize(
    ("alpha", "beta", "expected"),
    [
        # Agent 0 is behind by 3 and 9, agent 1 is behind by 6 and ahead by 3, agent 2 is ahead by 9 and 6.
        pytest.param(1.0, 0.0, [2 - 12 / 2, 0 - 6 / 2, 7], id="others have more"),
        pytest.param(0.0, 1.0, [2, 0 - 3 / 2, 7 - 15 / 2], id="others have less"),
        pytest.param(5.0, 0.05, [2 - 30, 0 - 15 - 0.075, 7 - 0.375], id="both"),
    ],
)
def test_inequity_hurts_both_sides_each_with_its_own_weight(
    alpha: float, beta: float, expected: list[float]
) -> None:
    found = inequity_averse_rewards(REWARDS, SMOOTHED, ALL, alpha, beta)
    torch.testing.assert_close(found, torch.tensor(expected))


def test_equal_agents_feel_nothing() -> None:
    found = inequity_averse_rewards(REWARDS, torch.full((3,), 3.0), ALL, 5.0, 0.05)
    assert torch.equal(found, REWARDS)


def test_a_departed_agent_is_neither_envied_nor_envious() -> None:
    active = torch.tensor([True, True, False])
    found = inequity_averse_rewards(REWARDS, SMOOTHED, active, 5.0, 0.05)
    torch.testing.assert_close(found, torch.tensor([2 - 5 * 3.0, 0 - 0.05 * 3, 7.0]))


def test_the_last_agent_in_the_game_has_nobody_to_compare_itself_with() -> None:
    found = inequity_averse_rewards(REWARDS, SMOOTHED, torch.tensor([True, False, False]), 5.0, 0.05)
    assert torch.equal(found, REWARDS)


def test_smoothed_rewards_decay_and_start_afresh_with_an_episode() -> None:
    rewards = torch.tensor([[8.0, 0, 0, 1], [0, 4, 0, 0]]).unsqueeze(-1)
    dones = torch.tensor([[False], [True], [False], [False]])
    found, after = smoothed_rewards(rewards, dones, torch.tensor([[16.0, 0.0]]), 0.5)
    expected = torch.tensor([[16.0, 8, 0, 1], [0, 4, 0, 0]]).unsqueeze(-1)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(after, torch.tensor([[1.0, 0.0]]))


def test_nothing_is_carried_past_an_episode_that_ends_with_the_fragment() -> None:
    rewards, dones = torch.ones(3, 1, 2), torch.tensor([[True, False]])
    _, after = smoothed_rewards(rewards, dones, torch.zeros(2, 3), 0.9)
    assert torch.equal(after, torch.tensor([[0.0] * 3, [1.0] * 3]))
