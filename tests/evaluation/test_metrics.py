"""Metrics against cases worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rllib_lase.evaluation import collective_reward, equality, mean_gift_weights, share_given
from rllib_lase.evaluation.metrics import METRICS


@pytest.mark.parametrize(
    ("rewards", "expected"),
    [
        ([5, 5, 5, 5], 1.0),
        ([8, 0, 0, 0], 0.25),
        # sum over ordered pairs = 2 * (1 + 2 + 3 + 1 + 2 + 1) = 20; 2 * 4 * 10 = 80
        ([1, 2, 3, 4], 0.75),
        ([3.0], 1.0),
        # 2 * 5 / (2 * 2 * 1): an agent that loses pushes E below 1/N
        ([3, -2], -1.5),
    ],
)
def test_equality_of_hand_computed_cases(rewards: list[float], expected: float) -> None:
    assert equality(rewards) == pytest.approx(expected)


@pytest.mark.parametrize("rewards", [[0, 0], [2, -2], [-1, -1], [1, np.nan]])
def test_equality_is_undefined_without_a_positive_total(rewards: list[float]) -> None:
    assert np.isnan(equality(rewards))


def test_equality_works_along_leading_axes() -> None:
    e = equality(np.array([[[8.0, 0, 0, 0], [5, 5, 5, 5]], [[0, 0, 0, 0], [1, 2, 3, 4]]]))
    np.testing.assert_allclose(e, [[0.25, 1.0], [np.nan, 0.75]])


@given(hnp.arrays(np.float64, st.integers(1, 8), elements=st.floats(1e-3, 1e3)), st.floats(1e-3, 1e3))
def test_equality_is_bounded_and_free_of_scale_and_order(rewards: np.ndarray, scale: float) -> None:
    e = float(equality(rewards))
    assert 1 / rewards.size - 1e-9 <= e <= 1 + 1e-9
    assert e == pytest.approx(float(equality(rewards[::-1] * scale)))


def test_collective_reward_adds_the_agents() -> None:
    np.testing.assert_allclose(collective_reward([[1, 2, 3], [0, -1, 1]]), [6, 0])


def test_share_given_is_what_is_not_kept() -> None:
    np.testing.assert_allclose(share_given([[0.7, 0.3], [0.0, 1.0]]), [0.3, 0.0])


def test_mean_gift_weights_skip_steps_at_which_the_giver_had_left() -> None:
    w = np.array([[[0.5, 0.5], [0.2, 0.8]], [[0.9, 0.1], [99.0, np.nan]], [[0.1, 0.9], [0.4, 0.6]]])
    mean, steps = mean_gift_weights(w, [[True, True], [True, False], [True, True]])
    np.testing.assert_allclose(mean, [[0.5, 0.5], [0.3, 0.7]])
    np.testing.assert_array_equal(steps, [3, 2])


def test_gift_weights_of_a_giver_that_was_never_recorded_are_undefined() -> None:
    mean, steps = mean_gift_weights(np.full((4, 2, 2), 0.5), np.tile([True, False], (4, 1)))
    np.testing.assert_allclose(mean, [[0.5, 0.5], [np.nan, np.nan]])
    np.testing.assert_array_equal(steps, [4, 0])


def test_a_mask_per_step_is_refused_with_both_shapes() -> None:
    with pytest.raises(ValueError, match=r"\(4, 2, 2\) and recorded \(4,\)"):
        mean_gift_weights(np.zeros((4, 2, 2)), np.ones(4, dtype=bool))


@pytest.mark.parametrize("function", [equality, collective_reward])
def test_rewards_without_an_agent_are_refused(function: object) -> None:
    with pytest.raises(ValueError, match="N >= 1"):
        function(np.zeros((3, 0)))  # type: ignore[operator]


def test_every_metric_says_what_it_means() -> None:
    for name, metric in METRICS.items():
        assert metric.label, name
        assert metric.definition.endswith("."), name
