"""Statistics over seeds: Student-t and bootstrap intervals and the interquartile mean, in NumPy alone.

One value per seed goes in; NaN marks a seed for which the metric is undefined and is left out.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
Statistic = Callable[[FloatArray], FloatArray]
"""Maps (..., S) values to (...), reducing the last axis."""


@dataclass(frozen=True)
class Interval:
    """An estimate over seeds with its confidence interval.

    Attributes:
        estimate: the statistic over the seeds; NaN without any defined value.
        low: lower end of the interval; NaN where it cannot be told (fewer than two values).
        high: upper end.
        std: sample standard deviation over seeds (n - 1); NaN for fewer than two values.
        num_values: number of seeds with a defined value.
    """

    estimate: float
    low: float
    high: float
    std: float
    num_values: int

    @property
    def half_width(self) -> float:
        """Half the interval's width, for "mean +/- half width"."""
        return (self.high - self.low) / 2

    def columns(self, name: str) -> dict[str, float]:
        """Estimate, ends and deviation as columns of a table: `name`, `name_low`, `name_high`, `name_std`."""
        return {
            name: self.estimate,
            f"{name}_low": self.low,
            f"{name}_high": self.high,
            f"{name}_std": self.std,
        }


def t_interval(values: npt.ArrayLike, confidence: float = 0.95) -> Interval:
    """Mean over seeds with its Student-t confidence interval.

    Args:
        values: (S,) one value per seed; NaN are left out.
        confidence: coverage, in (0, 1).

    Returns:
        The interval `mean +/- t * std / sqrt(n)`, t with n - 1 degrees of freedom.

    Raises:
        ValueError: `values` is not one-dimensional or `confidence` out of range.
    """
    x = _defined(values, confidence)
    n = x.size
    if n == 0:
        return Interval(math.nan, math.nan, math.nan, math.nan, 0)
    mean = float(x.mean())
    if n == 1:
        return Interval(mean, math.nan, math.nan, math.nan, 1)
    std = float(x.std(ddof=1))
    half = student_t_quantile(0.5 + confidence / 2, n - 1) * std / math.sqrt(n)
    return Interval(mean, mean - half, mean + half, std, n)


def interquartile_mean(values: npt.ArrayLike) -> FloatArray:
    """Mean of the middle half: `floor(S / 4)` values are cut at each end.

    Args:
        values: (..., S) at least one value along the last axis.

    Returns:
        (...) float64.

    Source:
        Agarwal et al. 2021 (arXiv 2108.13264), with the trimming of `scipy.stats.trim_mean(x, 0.25)`.
    """
    x = np.sort(np.asarray(values, dtype=np.float64), axis=-1)
    cut = x.shape[-1] // 4
    return np.asarray(x[..., cut : x.shape[-1] - cut].mean(axis=-1))


def bootstrap_interval(
    values: npt.ArrayLike,
    statistic: Statistic | None = None,
    confidence: float = 0.95,
    num_resamples: int = 10_000,
    seed: int = 0,
) -> Interval:
    """A statistic over seeds with its percentile bootstrap interval.

    Args:
        values: (S,) one value per seed; NaN are left out.
        statistic: maps (..., S) to (...); the interquartile mean unless given.
        confidence: coverage, in (0, 1).
        num_resamples: resamples drawn with replacement.
        seed: seed of the resampling; the same seed gives the same interval.

    Returns:
        The interval between the `(1 -/+ confidence) / 2` quantiles of the resampled statistic.

    Raises:
        ValueError: `values` is not one-dimensional or `confidence` out of range.

    Source:
        Efron and Tibshirani 1993, chapter 13; Agarwal et al. 2021 for its use over few seeds.
    """
    statistic = statistic or interquartile_mean
    x = _defined(values, confidence)
    n = x.size
    if n == 0:
        return Interval(math.nan, math.nan, math.nan, math.nan, 0)
    estimate = float(statistic(x))
    if n == 1:
        return Interval(estimate, math.nan, math.nan, math.nan, 1)
    picks = np.random.default_rng(seed).integers(n, size=(num_resamples, n))
    tail = (1 - confidence) / 2
    low, high = np.quantile(statistic(x[picks]), [tail, 1 - tail])
    return Interval(estimate, float(low), float(high), float(x.std(ddof=1)), n)


def bootstrap_of_means(
    rows: npt.ArrayLike,
    statistic: Statistic,
    confidence: float = 0.95,
    num_resamples: int = 10_000,
    seed: int = 0,
) -> Interval:
    """A function of column means over episodes, with its percentile bootstrap interval.

    Args:
        rows: (E, N) one row per episode, e.g. every agent's reward in it; rows are drawn whole.
        statistic: maps means (..., N) to (...); resamples for which it is undefined are left out.
        confidence: coverage, in (0, 1).
        num_resamples: resamples of E rows, drawn with replacement.
        seed: seed of the resampling; the same seed gives the same interval.

    Returns:
        The interval; its `std` is that of the resampled statistic.

    Raises:
        ValueError: `rows` is not two-dimensional, or `confidence` out of range.

    Source:
        Efron and Tibshirani 1993, chapter 13.
    """
    x = np.asarray(rows, dtype=np.float64)
    if x.ndim != 2 or len(x) == 0:
        raise ValueError(f"rows have shape {x.shape}; expected (E, N), one row per episode, at least one.")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence}; expected a share such as 0.95, between 0 and 1.")
    n = len(x)
    estimate = float(statistic(x.mean(axis=0)))
    # How often each row is drawn decides a resample's means.
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=num_resamples)
    resampled = np.asarray(statistic(drawn @ x / n))
    resampled = resampled[~np.isnan(resampled)]
    if n == 1 or math.isnan(estimate) or resampled.size < 2:
        return Interval(estimate, math.nan, math.nan, math.nan, n)
    tail = (1 - confidence) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail])
    return Interval(estimate, float(low), float(high), float(resampled.std(ddof=1)), n)


def student_t_quantile(probability: float, degrees_of_freedom: int) -> float:
    """Quantile of Student's t distribution for whole degrees of freedom.

    The distribution function is a finite sum in `theta = atan(t / sqrt(df))`, which rises with t and is
    inverted by bisection.

    Args:
        probability: in (0, 1).
        degrees_of_freedom: at least 1.

    Returns:
        t with P(T <= t) = probability, to about 12 digits.

    Raises:
        ValueError: an argument is out of range.

    Source:
        Abramowitz and Stegun, 26.7.3 and 26.7.4.
    """
    if not 0 < probability < 1 or degrees_of_freedom < 1:
        raise ValueError(
            f"student_t_quantile({probability}, {degrees_of_freedom}): expected a probability in (0, 1) and "
            "at least 1 degree of freedom. An interval needs two values or more."
        )
    if probability < 0.5:
        return -student_t_quantile(1 - probability, degrees_of_freedom)
    central = 2 * probability - 1
    low, high = 0.0, math.pi / 2
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if _central_t_probability(middle, degrees_of_freedom) < central:
            low = middle
        else:
            high = middle
    return math.sqrt(degrees_of_freedom) * math.tan((low + high) / 2)


def _central_t_probability(theta: float, degrees_of_freedom: int) -> float:
    """P(|T| <= t) for t = sqrt(df) * tan(theta)."""
    cos2 = math.cos(theta) ** 2
    odd = degrees_of_freedom % 2 == 1
    term = math.cos(theta) if odd else 1.0
    total = 0.0 if degrees_of_freedom == 1 else term
    for k in range(3 if odd else 2, degrees_of_freedom - 1, 2):
        term *= cos2 * (k - 1) / k
        total += term
    if odd:
        return 2 / math.pi * (theta + math.sin(theta) * total)
    return math.sin(theta) * total


def _defined(values: npt.ArrayLike, confidence: float) -> FloatArray:
    """The values that are not NaN, after checking both arguments."""
    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 1:
        raise ValueError(
            f"values has shape {x.shape}; expected (S,), one value per seed. Reduce other axes first."
        )
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence}; expected a share such as 0.95, between 0 and 1.")
    return x[~np.isnan(x)]
