"""Independent learners: no setting beside the common ones."""

from __future__ import annotations

from rllib_lase.registry.spec import AlgorithmSpec
from rllib_lase.settings import Settings

INDEPENDENT = AlgorithmSpec(
    "independent",
    "independent learners: everyone learns from its own reward",
    "rllib_lase.rllib.algorithms:IndependentConfig",
    Settings,
)
