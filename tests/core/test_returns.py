"""GAE over fragments with episode ends inside, against the slow sum of discounted TD errors."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rllib_lase.core.returns import generalized_advantages
from tests.core import oracles

discounts = st.sampled_from([0.0, 0.5, 0.98, 1.0])


def advantages(
    rewards: list[float],
    vf_preds: list[float],
    final_vf_preds: list[float] | None = None,
    terminateds: list[bool] | None = None,
    truncateds: list[bool] | None = None,
    gamma: float = 0.5,
    lambda_: float = 1.0,
) -> list[float]:
    """The core's advantages of one agent in one copy."""
    steps = len(rewards)
    found = generalized_advantages(
        torch.tensor(rewards).unsqueeze(-1),
        torch.tensor(vf_preds).unsqueeze(-1),
        torch.tensor(final_vf_preds or [0.0] * steps).unsqueeze(-1),
        torch.tensor(terminateds or [False] * steps).unsqueeze(-1),
        torch.tensor(truncateds or [False] * steps).unsqueeze(-1),
        gamma,
        lambda_,
    )
    return found.squeeze(-1).tolist()


@given(st.integers(0, 2**32 - 1), discounts, discounts)
def test_vectorised_advantages_equal_the_loop(seed: int, gamma: float, lambda_: float) -> None:
    rng = np.random.default_rng(seed)
    agents, steps, copies = 2, 9, 3
    rewards, final_values = rng.normal(size=(2, agents, steps, copies))
    values = rng.normal(size=(agents, steps + 1, copies))
    terminated, truncated = rng.random((2, agents, steps, copies)) < 0.2
    expected = np.zeros((agents, steps, copies))
    for agent in range(agents):
        for copy in range(copies):
            one = (agent, slice(None), copy)
            expected[one], _ = oracles.generalized_advantages(
                rewards[one],
                values[one],
                final_values[one],
                terminated[one],
                truncated[one],
                gamma,
                lambda_,
            )
    found = generalized_advantages(
        *(torch.tensor(a) for a in (rewards, values, final_values, terminated, truncated)), gamma, lambda_
    )
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10)


def test_a_fragment_without_an_end_bootstraps_from_its_last_observation() -> None:
    # delta_1 = 1 + 0.5 * 8 - 4 = 1; delta_0 = 2 + 0.5 * 4 - 0 = 4; A_0 = 4 + 0.5 * 1.
    assert advantages([2.0, 1.0], [0.0, 4.0, 8.0]) == [4.5, 1.0]


def test_truncation_bootstraps_from_the_value_of_the_final_observation() -> None:
    assert advantages([1.0], [0.0, 100.0], final_vf_preds=[6.0], truncateds=[True]) == [4.0]


def test_termination_bootstraps_from_nothing() -> None:
    assert advantages([1.0], [0.0, 100.0], final_vf_preds=[6.0], terminateds=[True]) == [1.0]


def test_an_agent_that_terminates_in_the_last_step_of_an_episode_is_terminated() -> None:
    found = advantages([1.0], [0.0, 100.0], final_vf_preds=[6.0], terminateds=[True], truncateds=[True])
    assert found == [1.0]


def test_nothing_of_the_next_episode_reaches_back_over_a_reset_inside_the_fragment() -> None:
    before = advantages(
        [1.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0], [0.0, 2.0, 0.0], truncateds=[False, True, False]
    )
    other_next_episode = advantages(
        [1.0, 1.0, -50.0], [0.0, 0.0, 70.0, 90.0], [0.0, 2.0, 0.0], truncateds=[False, True, False]
    )
    assert before[:2] == other_next_episode[:2] == [2.0, 2.0]


def test_steps_after_an_agent_has_left_do_not_reach_its_last_step() -> None:
    # The agent leaves in step 0; steps 1 and 2 of the same episode are not its own.
    found = advantages(
        [10.0, 3.0, 3.0],
        [1.0, 9.0, 9.0, 9.0],
        terminateds=[True, False, False],
        truncateds=[False, False, True],
    )
    assert found[0] == 9.0


def test_lambda_zero_is_the_td_error() -> None:
    assert advantages([2.0, 1.0], [0.0, 4.0, 8.0], lambda_=0.0) == [4.0, 1.0]


def test_lambda_one_is_the_discounted_return_minus_the_value() -> None:
    rewards, values = [1.0, 2.0, 3.0], [0.3, -0.7, 0.9, 0.0]
    found = advantages(rewards, values, terminateds=[False, False, True], gamma=0.5, lambda_=1.0)
    returns = [1 + 0.5 * 2 + 0.25 * 3, 2 + 0.5 * 3, 3]
    expected = [episode_return - value for episode_return, value in zip(returns, values, strict=False)]
    assert found == pytest.approx(expected)


def test_values_that_are_not_used_may_be_nan() -> None:
    nan = float("nan")
    assert advantages([1.0, 1.0], [0.0, 2.0, nan], [nan, 4.0], truncateds=[False, True]) == [2.5, 1.0]
