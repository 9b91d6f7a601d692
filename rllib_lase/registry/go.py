"""Group optimisation: settings and entry of the registry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rllib_lase.registry.spec import AlgorithmSpec
from rllib_lase.settings import Settings, setting

RewardAggregation = Literal["sum", "mean"]


@dataclass(frozen=True)
class GOSettings(Settings):
    """Group optimisation: everyone learns from the group's reward."""

    reward_aggregation: RewardAggregation = setting("mean", "learn from the sum or the mean of all rewards")


GO = AlgorithmSpec(
    "go",
    "group optimisation: everyone learns from the group's reward",
    "rllib_lase.rllib.algorithms:GOConfig",
    GOSettings,
)
