"""Social metrics, statistics over seeds and comparison tables. Knows of neither Ray nor torch."""

from rllib_lase.evaluation.metrics import collective_reward, equality, mean_gift_weights, share_given
from rllib_lase.evaluation.statistics import (
    Interval,
    bootstrap_interval,
    bootstrap_of_means,
    interquartile_mean,
    t_interval,
)

__all__ = [
    "Interval",
    "bootstrap_interval",
    "bootstrap_of_means",
    "collective_reward",
    "equality",
    "interquartile_mean",
    "mean_gift_weights",
    "share_given",
    "t_interval",
]
