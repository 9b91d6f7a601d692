"""Constant gifts: settings and entry of the registry."""

from __future__ import annotations

from dataclasses import dataclass

from rllib_lase.registry.spec import AlgorithmSpec
from rllib_lase.settings import Settings, setting


@dataclass(frozen=True)
class FixedShareSettings(Settings):
    """Constant gifts: always the same share, to all co-players alike."""

    share: float = setting(
        0.5, "share of its reward that every agent gives away, all co-players together", minimum=0, maximum=1
    )


FIXED_SHARE = AlgorithmSpec(
    "fixed_share",
    "constant gifts: every agent always gives the same share of its reward, to all alike",
    "rllib_lase.rllib.algorithms:FixedShareConfig",
    FixedShareSettings,
)
