"""The objective of a search: how it is written, and what it makes of metrics that are undefined."""

import math

import pytest

from rllib_lase.run_schema import normalise
from rllib_lase.tuning.objective import (
    objective_name,
    objective_value,
    read_objective,
    row_metrics,
    summary_metrics,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("min_reward", {"min_reward": 1.0}),
        (
            "collective_reward=1, equality_after_gifting=20",
            {"collective_reward": 1.0, "equality_after_gifting": 20.0},
        ),
        ("share_given=-2", {"share_given": -2.0}),
    ],
)
def test_an_objective_is_read_and_named_again(text: str, expected: dict[str, float]) -> None:
    assert read_objective(text) == expected
    assert read_objective(objective_name(expected)) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("colective_reward", "unknown metric 'colective_reward'; did you mean 'collective_reward'?"),
        ("equality=many", "expected a number as the weight of equality"),
        ("equality=0", "expected a finite weight of equality other than 0"),
        ("equality,equality=2", "equality is there twice"),
    ],
)
def test_a_wrong_objective_is_explained(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("?", r"\?")):
        read_objective(text)


def test_the_value_is_the_weighted_sum_and_undefined_equality_counts_zero() -> None:
    objective = {"collective_reward": 1.0, "equality_after_gifting": 20.0}
    assert objective_value(objective, {"collective_reward": 3.0, "equality_after_gifting": 0.5}) == 13.0
    assert objective_value(objective, {"collective_reward": -3.0}) == -3.0
    assert math.isnan(objective_value(objective, {"equality_after_gifting": 0.5}))


def test_a_row_and_a_summary_give_the_same_metrics() -> None:
    row = {"reward/a": 4.0, "reward/b": 2.0, "collective_reward": 6.0, "share_given": 0.25, "env_steps": 9.0}
    undefined = {"equality": math.nan, "equality_after_gifting": 0.8}
    summary = normalise(
        {
            "collective_reward": 6.0,
            "reward_per_agent": [4.0, 2.0],
            "gift_weights": [[0.5, 0.5], [0.0, 1.0]],
            **undefined,
        }
    )
    expected = {
        "collective_reward": 6.0,
        "min_reward": 2.0,
        "share_given": 0.25,
        "equality_after_gifting": 0.8,
    }
    assert row_metrics({**row, **undefined}) == summary_metrics(summary) == expected
