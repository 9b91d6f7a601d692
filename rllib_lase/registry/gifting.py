"""Gifts as actions: settings and entry of the registry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import mixed_motive
from rllib_lase.registry.spec import AlgorithmSpec
from rllib_lase.settings import Settings, setting

GiftBudget = Literal["zero_sum", "fixed", "replenishable"]

#: What may stand beside a game's parameters and does not change its actions.
_NO_PARAMETERS = ("obs", "num_threads")


@dataclass(frozen=True)
class GiftingSettings(Settings):
    """Gifts as actions: one more action, which does nothing but give."""

    gift_budget: GiftBudget = setting(
        "zero_sum",
        "what pays for gifts: zero_sum, the giver's reward; fixed, so many per episode are free; "
        "replenishable, as many are free as the giver's rewards have earned",
    )
    gift_value: float = setting(1.0, "what a gift is worth, all receivers together", above=0)
    gifts_per_episode: int = setting(
        10, "fixed: gifts that each agent may make in an episode, at no cost to it", minimum=1
    )
    replenish_rate: float = setting(
        1.0, "replenishable: what the budget gains for each unit of positive reward", minimum=0
    )


def _needs_stay(game: str, params: Mapping[str, Any]) -> str | None:
    """Refuses games in which every action does something; faulty parameters are reported by others."""
    parameters = {name: value for name, value in params.items() if name not in _NO_PARAMETERS}
    if mixed_motive.check_params(game, **parameters):
        return None
    names = mixed_motive.action_names(game, **parameters)
    if "stay" in names:
        return None
    return (
        "whoever gives does nothing else in that step, and this game has no action 'stay', only "
        f"{', '.join(names)}"
    )


GIFTING = AlgorithmSpec(
    "gifting",
    "gifts as actions: whoever takes the gift action stays and rewards its co-players",
    "rllib_lase.rllib.algorithms:GiftingConfig",
    GiftingSettings,
    objection=_needs_stay,
)
