"""What a search maximises: one social metric, or a weighted sum of several. Knows neither Ray nor torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from rllib_lase.evaluation.metrics import share_given
from rllib_lase.run_schema import as_floats
from rllib_lase.settings import suggestion

METRICS = ("collective_reward", "min_reward", "equality", "equality_after_gifting", "share_given")
"""Social metrics that every trial reports; `min_reward` is the reward of the agent that gets least."""

#: Objective -> weight of each metric.
Objective = Mapping[str, float]

DEFAULT: Objective = {"collective_reward": 1.0}


def read_objective(text: str) -> Objective:
    """Reads `collective_reward`, or a mix such as `collective_reward=1,equality_after_gifting=20`.

    Raises:
        ValueError: with what was expected.
    """
    weights: dict[str, float] = {}
    for part in text.split(","):
        name, equals, number = (word.strip() for word in part.partition("="))
        if name not in METRICS:
            raise ValueError(f"unknown metric {name!r}; {suggestion(name, METRICS)}")
        if name in weights:
            raise ValueError(f"{name} is there twice")
        try:
            weights[name] = float(number) if equals else 1.0
        except ValueError:
            raise ValueError(f"expected a number as the weight of {name}") from None
        if not math.isfinite(weights[name]) or weights[name] == 0:
            raise ValueError(f"expected a finite weight of {name} other than 0")
    return weights


def objective_name(objective: Objective) -> str:
    """For people, as `read_objective` reads it."""
    if list(objective.values()) == [1.0]:
        return next(iter(objective))
    return ",".join(f"{name}={weight:g}" for name, weight in objective.items())


def objective_value(objective: Objective, metrics: Mapping[str, float]) -> float:
    """The weighted sum; equality counts 0 where it is undefined, as nobody shares a sum that is not positive.

    Args:
        objective: Weights.
        metrics: The metrics of `METRICS` that are defined.

    Returns:
        NaN if another metric than equality is undefined.
    """
    return sum(
        weight * metrics.get(name, 0.0 if name.startswith("equality") else math.nan)
        for name, weight in objective.items()
    )


def row_metrics(row: Mapping[str, float]) -> dict[str, float]:
    """The metrics of a row of progress.parquet that are defined in it."""
    rewards = [value for name, value in row.items() if name.startswith("reward/")]
    found = {"min_reward": float(min(rewards)), **{name: row[name] for name in METRICS if name in row}}
    return {name: value for name, value in found.items() if math.isfinite(value)}


def summary_metrics(summary: Mapping[str, Any]) -> dict[str, float]:
    """The metrics of a run's evaluation, by its summary, that are defined."""
    found = {
        name: float(as_floats(summary[name]))
        for name in ("collective_reward", "equality", "equality_after_gifting")
    }
    found["min_reward"] = float(np.min(as_floats(summary["reward_per_agent"])))
    found["share_given"] = float(share_given(as_floats(summary["gift_weights"])).mean())
    return {name: value for name, value in found.items() if math.isfinite(value)}
