"""Intervals against SciPy."""

import numpy as np
import pytest
from scipy import stats

from rllib_lase.evaluation import (
    bootstrap_interval,
    bootstrap_of_means,
    equality,
    interquartile_mean,
    t_interval,
)
from rllib_lase.evaluation.statistics import student_t_quantile


@pytest.mark.parametrize("df", [1, 2, 3, 4, 5, 9, 30, 199, 1000])
@pytest.mark.parametrize("probability", [0.001, 0.05, 0.5, 0.9, 0.975, 0.9995])
def test_student_t_quantile_agrees_with_scipy(df: int, probability: float) -> None:
    assert student_t_quantile(probability, df) == pytest.approx(
        stats.t.ppf(probability, df), rel=1e-8, abs=1e-9
    )


@pytest.mark.parametrize("n", [2, 3, 5, 20])
def test_t_interval_agrees_with_scipy(n: int) -> None:
    x = np.random.default_rng(n).normal(3, 2, n)
    expected = stats.t.interval(0.95, n - 1, loc=x.mean(), scale=stats.sem(x))
    interval = t_interval(x)
    assert (interval.low, interval.high) == pytest.approx(expected)
    assert (interval.estimate, interval.std) == pytest.approx((x.mean(), x.std(ddof=1)))
    assert interval.half_width == pytest.approx((expected[1] - expected[0]) / 2)


def test_one_seed_has_a_mean_and_no_interval() -> None:
    for interval in (t_interval([2.0]), bootstrap_interval([2.0])):
        assert (interval.estimate, interval.num_values) == (2.0, 1)
        assert np.isnan([interval.low, interval.high, interval.std]).all()


def test_undefined_seeds_are_left_out_and_counted() -> None:
    interval = t_interval([1.0, np.nan, 3.0])
    assert (interval.estimate, interval.num_values) == (2.0, 2)
    assert np.isnan(t_interval([np.nan]).estimate)
    assert bootstrap_interval([np.nan, np.nan]).num_values == 0


@pytest.mark.parametrize("n", [1, 3, 4, 5, 8, 11])
def test_interquartile_mean_agrees_with_scipy(n: int) -> None:
    x = np.random.default_rng(n).normal(size=(2, n))
    np.testing.assert_allclose(interquartile_mean(x), stats.trim_mean(x, 0.25, axis=-1))


def _trimmed(x: np.ndarray, axis: int) -> np.ndarray:
    return np.asarray(stats.trim_mean(x, 0.25, axis))


@pytest.mark.parametrize(
    ("ours", "theirs"), [(interquartile_mean, _trimmed), (lambda x: x.mean(-1), np.mean)], ids=["iqm", "mean"]
)
def test_bootstrap_interval_agrees_with_scipy(ours: object, theirs: object) -> None:
    x = np.random.default_rng(7).normal(5, 1, 12)
    expected = stats.bootstrap((x,), theirs, method="percentile", n_resamples=20_000, rng=1, vectorized=True)
    interval = bootstrap_interval(x, ours, num_resamples=20_000)  # type: ignore[arg-type]
    assert interval.low == pytest.approx(expected.confidence_interval.low, abs=0.03)
    assert interval.high == pytest.approx(expected.confidence_interval.high, abs=0.03)


def test_bootstrap_interval_depends_on_nothing_but_its_seed() -> None:
    x = [1.0, 4.0, 2.0, 8.0]
    assert bootstrap_interval(x, seed=3) == bootstrap_interval(x, seed=3)
    assert bootstrap_interval(x, num_resamples=50, seed=3) != bootstrap_interval(x, num_resamples=50, seed=4)


def test_bad_arguments_are_refused_with_the_cure() -> None:
    with pytest.raises(ValueError, match="one value per seed"):
        t_interval([[1.0, 2.0]])
    with pytest.raises(ValueError, match=r"confidence is 95"):
        t_interval([1.0, 2.0], confidence=95)
    with pytest.raises(ValueError, match="two values or more"):
        student_t_quantile(0.9, 0)


def test_a_function_of_means_is_resampled_by_whole_rows_as_scipy_does_it() -> None:
    rows = np.random.default_rng(1).gamma(2, size=(40, 3)) * [1, 2, 6]
    expected = stats.bootstrap(
        tuple(rows.T),
        lambda *columns, axis: equality(np.stack([c.mean(axis) for c in columns], -1)),
        method="percentile",
        n_resamples=20_000,
        paired=True,
        rng=1,
        vectorized=True,
    )
    interval = bootstrap_of_means(rows, equality, num_resamples=20_000)
    assert interval.estimate == equality(rows.mean(0))
    assert interval.low == pytest.approx(expected.confidence_interval.low, abs=0.005)
    assert interval.high == pytest.approx(expected.confidence_interval.high, abs=0.005)
    assert interval.low < interval.estimate < interval.high


def test_a_function_of_means_that_is_undefined_has_no_interval() -> None:
    for rows in (np.zeros((5, 2)), np.ones((1, 2))):
        assert np.isnan(
            [bootstrap_of_means(rows, equality).low, bootstrap_of_means(rows, equality).high]
        ).all()
    assert bootstrap_of_means(np.ones((1, 2)), equality).estimate == 1
    with pytest.raises(ValueError, match=r"shape \(3,\); expected \(E, N\)"):
        bootstrap_of_means(np.ones(3), equality)
