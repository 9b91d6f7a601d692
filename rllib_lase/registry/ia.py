"""Inequity aversion: settings and entry of the registry."""

from __future__ import annotations

from dataclasses import dataclass

from rllib_lase.registry.spec import AlgorithmSpec
from rllib_lase.settings import Settings, setting


@dataclass(frozen=True)
class IASettings(Settings):
    """Inequity aversion: it hurts to have less than others, and a little to have more."""

    ia_alpha: float = setting(5.0, "weight of disadvantageous inequity: others have more", minimum=0)
    ia_beta: float = setting(0.05, "weight of advantageous inequity: others have less", minimum=0)
    ia_lambda: float = setting(
        0.975,
        "smoothing of the rewards that are compared: gamma times this is left of them after a step",
        minimum=0,
        maximum=1,
    )


IA = AlgorithmSpec(
    "ia",
    "inequity aversion: having less than others hurts, having more hurts a little",
    "rllib_lase.rllib.algorithms:IAConfig",
    IASettings,
)
