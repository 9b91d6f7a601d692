"""Means with Student-t confidence bands over independent episodes, in NumPy alone."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import numpy.typing as npt

__all__ = ["Band", "mean_band", "t_quantile"]

FloatArray = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class Band:
    """Means with their confidence intervals, arrays of one shape.

    Attributes:
        mean: The means.
        low: Lower ends of the intervals.
        high: Upper ends.
    """

    mean: FloatArray
    low: FloatArray
    high: FloatArray


def mean_band(values: FloatArray, confidence: float) -> Band:
    """Mean and interval over the last axis: mean -+ t * std / sqrt(n), t with n - 1 degrees of freedom."""
    n = values.shape[-1]
    mean = values.mean(axis=-1)
    reach = t_quantile(confidence, n - 1) * values.std(axis=-1, ddof=1) / math.sqrt(n)
    return Band(mean, mean - reach, mean + reach)


def t_quantile(confidence: float, dof: int) -> float:
    """The t that a Student variable's absolute value stays below with probability `confidence`."""
    low, high = 0.0, math.pi / 2
    for _ in range(60):  # bisection on the angle atan(t / sqrt(dof)), to the last bit
        middle = (low + high) / 2
        if _t_coverage(middle, dof) < confidence:
            low = middle
        else:
            high = middle
    return math.tan(low) * math.sqrt(dof)


def _t_coverage(angle: float, dof: int) -> float:
    """P(|T| < tan(angle) * sqrt(dof)): Abramowitz and Stegun, 26.7.3 and 26.7.4."""
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = dof % 2 == 1
    term = cosine if odd else 1.0
    total = 0.0
    for k in range(3 if odd else 2, dof + 1, 2):
        total += term
        term *= cosine * cosine * (k - 1) / k
    return 2 / math.pi * (angle + sine * total) if odd else sine * total
