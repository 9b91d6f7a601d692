"""Eq. 2: gifts move rewards, their sum stays."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rllib_lase.core.gifting import gift_weights, rewards_after_gifting
from tests.core import oracles
from tests.core.scenes import core_rewards, random_scenes

ALL = torch.ones(3, dtype=torch.bool)
FRACTIONS = torch.tensor([[0.0, 0.5, 0.25], [0.1, 0.0, 0.2], [0.0, 0.5, 0.0]])


@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [pytest.param(torch.float32, 1e-5, id="float32"), pytest.param(torch.float64, 1e-12, id="float64")],
)
@pytest.mark.parametrize("gift_negative_rewards", [True, False])
@pytest.mark.parametrize("num_agents", [2, 3, 5])
def test_vectorised_rewards_equal_the_loop(
    num_agents: int, gift_negative_rewards: bool, dtype: torch.dtype, tolerance: float
) -> None:
    scenes = random_scenes(seed=3, count=40, num_agents=num_agents, num_actions=3, departures=True)
    expected = [
        oracles.rewards_after_gifting(scene.weights(), scene.rewards, gift_negative_rewards)
        for scene in scenes
    ]
    found = core_rewards(scenes, dtype, gift_negative_rewards)
    # The tolerance is that of the weights, times rewards of at most 10.
    np.testing.assert_allclose(found.double(), np.array(expected), rtol=0, atol=10 * tolerance)


def test_the_giver_is_in_the_row_and_keeps_what_it_does_not_give() -> None:
    weights = gift_weights(FRACTIONS, ALL)
    torch.testing.assert_close(weights, torch.tensor([[0.25, 0.5, 0.25], [0.1, 0.7, 0.2], [0.0, 0.5, 0.5]]))
    total = rewards_after_gifting(torch.tensor([8.0, 0.0, -2.0]), weights)
    torch.testing.assert_close(total, torch.tensor([2.0, 3.0, 1.0]))


def test_what_stands_on_the_diagonal_of_the_fractions_does_not_matter() -> None:
    noisy = FRACTIONS + torch.diag(torch.tensor([0.9, -3.0, 0.1]))
    assert torch.equal(gift_weights(noisy, ALL), gift_weights(FRACTIONS, ALL))


def test_gifts_of_a_departed_agent_stay_with_the_giver() -> None:
    weights = gift_weights(FRACTIONS, torch.tensor([True, False, True]))
    torch.testing.assert_close(weights, torch.tensor([[0.75, 0.0, 0.25], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]))


def test_a_step_in_which_everybody_has_left_moves_nothing() -> None:
    assert torch.equal(gift_weights(FRACTIONS, ~ALL), torch.eye(3))


def test_a_co_player_that_takes_no_part_gives_nothing_but_receives() -> None:
    weights = gift_weights(FRACTIONS, ALL, gives=torch.tensor([True, False, True]))
    torch.testing.assert_close(weights, torch.tensor([[0.25, 0.5, 0.25], [0.0, 1.0, 0.0], [0.0, 0.5, 0.5]]))


def test_a_giver_that_has_left_gives_nothing() -> None:
    weights = gift_weights(FRACTIONS, torch.tensor([False, True, True]), gives=ALL)
    assert weights[0].tolist() == [1.0, 0.0, 0.0]


def test_masks_hold_for_each_step_by_itself() -> None:
    active = torch.tensor([[True, True, True], [True, False, True]])
    batched = gift_weights(FRACTIONS.expand(2, 3, 3), active)
    for step in range(2):
        assert torch.equal(batched[step], gift_weights(FRACTIONS, active[step]))


def test_two_agents_may_give_all_they_have() -> None:
    weights = gift_weights(torch.tensor([[0.0, 1.0], [1.0, 0.0]]), ALL[:2])
    total = rewards_after_gifting(torch.tensor([3.0, 5.0]), weights)
    assert total.tolist() == [5.0, 3.0]


def test_a_share_of_a_penalty_is_passed_on() -> None:
    total = rewards_after_gifting(torch.tensor([-4.0, 0.0, 0.0]), gift_weights(FRACTIONS, ALL))
    torch.testing.assert_close(total, torch.tensor([-1.0, -2.0, -1.0]))


def test_penalties_stay_at_home_when_only_positive_rewards_are_gifts() -> None:
    rewards = torch.tensor([-4.0, 10.0, 0.0])
    total = rewards_after_gifting(rewards, gift_weights(FRACTIONS, ALL), gift_negative_rewards=False)
    torch.testing.assert_close(total, torch.tensor([-3.0, 7.0, 2.0]))


@given(
    seed=st.integers(0, 2**32 - 1),
    num_agents=st.integers(2, 4),
    num_actions=st.integers(1, 4),
    gift_negative_rewards=st.booleans(),
)
def test_the_sum_of_rewards_is_the_same_after_gifting(
    seed: int, num_agents: int, num_actions: int, gift_negative_rewards: bool
) -> None:
    scenes = random_scenes(seed, 4, num_agents, num_actions, departures=True)
    found = core_rewards(scenes, torch.float32, gift_negative_rewards).sum(-1)
    expected = torch.tensor([scene.rewards.sum() for scene in scenes], dtype=torch.float32)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


@given(seed=st.integers(0, 2**32 - 1), num_agents=st.integers(2, 4))
def test_without_gifts_of_penalties_nobody_has_less_than_its_own_penalty(seed: int, num_agents: int) -> None:
    scenes = random_scenes(seed, 4, num_agents, 3)
    found = core_rewards(scenes, torch.float64, gift_negative_rewards=False)
    own_penalty = torch.tensor(np.array([np.minimum(scene.rewards, 0) for scene in scenes]))
    assert (found >= own_penalty - 1e-9).all()


def test_who_would_give_more_than_the_cap_gives_all_co_players_less_in_proportion() -> None:
    weights = gift_weights(FRACTIONS, ALL, max_share_given=0.3)
    expected = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.7, 0.2], [0.0, 0.3, 0.7]])
    torch.testing.assert_close(weights, expected)
    torch.testing.assert_close(
        gift_weights(FRACTIONS, ALL, max_share_given=0.8), gift_weights(FRACTIONS, ALL)
    )


def test_what_is_refused_stays_with_the_giver_and_raises_nobody_elses_gift() -> None:
    refused = torch.tensor([False, True, False])
    weights = gift_weights(FRACTIONS, ALL, refused=refused)
    torch.testing.assert_close(weights, torch.tensor([[0.75, 0.0, 0.25], [0.1, 0.7, 0.2], [0.0, 0.0, 1.0]]))
    capped = gift_weights(FRACTIONS, ALL, refused=refused, max_share_given=0.3)
    torch.testing.assert_close(capped[0], torch.tensor([0.9, 0.0, 0.1]))
