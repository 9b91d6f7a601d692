"""Checkers for any PettingZoo `ParallelEnv`; a `CheckFailure` says what was found, where, and the cure.

Knows neither Ray nor torch. The games of this library are checked by the same functions; what holds in them,
step by step, is in `mixed_motive.testing.laws`.
"""

import importlib
from types import ModuleType
from typing import TYPE_CHECKING

from mixed_motive.testing.api import check_api
from mixed_motive.testing.conservation import Law, Transition, check_conservation
from mixed_motive.testing.failure import CheckFailure, CheckReport, Finding
from mixed_motive.testing.horizon import check_horizon
from mixed_motive.testing.observations import check_aliasing, check_observations, check_rewards
from mixed_motive.testing.rates import check_rate, count_events
from mixed_motive.testing.rendering import check_rendering
from mixed_motive.testing.seeding import check_seed
from mixed_motive.testing.suite import check_env
from mixed_motive.testing.symmetry import check_symmetry, symmetry_false_alarm_rate

if TYPE_CHECKING:
    from mixed_motive.testing import laws

__all__ = [
    "CheckFailure",
    "CheckReport",
    "Finding",
    "Law",
    "Transition",
    "check_aliasing",
    "check_api",
    "check_conservation",
    "check_env",
    "check_horizon",
    "check_observations",
    "check_rate",
    "check_rendering",
    "check_rewards",
    "check_seed",
    "check_symmetry",
    "count_events",
    "laws",
    "symmetry_false_alarm_rate",
]


def __getattr__(name: str) -> ModuleType:
    """The laws of our own games, imported when they are first asked for."""
    if name == "laws":
        return importlib.import_module(f"{__name__}.laws")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
