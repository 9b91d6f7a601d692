"""Tail probabilities for checks of means and rates, without SciPy."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

__all__ = ["binomial_p_value", "distances_from_common_mean", "normal_tail"]


def normal_tail(z: float) -> float:
    """P(Z > z) for a standard normal Z."""
    return 0.5 * math.erfc(z / math.sqrt(2.0))


def binomial_p_value(events: int, trials: int, probability: float) -> float:
    """Chance of a number of events at least as far out, on either side.

    Args:
        events: Events seen, in [0, trials].
        trials: Trials.
        probability: Chance of an event in a trial, in [0, 1].

    Returns:
        Twice the exact binomial tail from `events` outwards, at most 1.
    """
    if probability in (0.0, 1.0):
        return float(events == trials * probability)
    log_pmf = (
        math.lgamma(trials + 1)
        - math.lgamma(events + 1)
        - math.lgamma(trials - events + 1)
        + events * math.log(probability)
        + (trials - events) * math.log1p(-probability)
    )
    upwards = events > trials * probability
    odds = probability / (1.0 - probability)
    total, term, k = 0.0, 1.0, events
    while term > 1e-17 * total:
        total += term
        term *= odds * (trials - k) / (k + 1) if upwards else k / (odds * (trials - k + 1))
        k += 1 if upwards else -1
    return min(1.0, 2.0 * math.exp(log_pmf) * total)


def distances_from_common_mean(returns: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """How far each agent's mean return is from the mean over agents, in standard errors.

    The deviations are taken within each episode, so that what an episode gives to all alike cancels, and
    their variance is pooled over the agents, who by hypothesis are alike: an agent that by chance was never
    lucky would have none of its own.

    Args:
        returns: (episodes, agents).

    Returns:
        (agents,) signed distances; 0 where there is no deviation at all, infinite where there is no variance.
    """
    deviations = returns - returns.mean(axis=1, keepdims=True)
    means = deviations.mean(axis=0)
    # Rounding of float rewards is no deviation.
    means[np.abs(means) < 1e-6 * max(1.0, float(np.abs(returns).mean()))] = 0.0
    error = math.sqrt(float(deviations.var(axis=0, ddof=1).mean()) / len(returns))
    if error == 0.0:
        return np.where(means == 0.0, 0.0, np.copysign(np.inf, means))
    distances: npt.NDArray[np.float64] = means / error
    return distances
