"""The algorithms by id: which config class runs them, which settings they take, what they claim.

Pure data: the classes are named, not imported, so that looking an algorithm up costs nothing.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from rllib_lase.settings import GOSettings, LASESettings, Optimizer, Settings, suggestion

if TYPE_CHECKING:
    from rllib_lase.rllib.config import SocialConfig


@dataclass(frozen=True)
class AlgorithmSpec:
    """One algorithm.

    Attributes:
        algo_id: Name on the command line and in every table.
        title: One line for people.
        config: `module:class` of its RLlib config.
        settings_class: Its settings and their ranges.
    """

    algo_id: str
    title: str
    config: str
    settings_class: type[Settings]

    def config_class(self) -> type[SocialConfig]:
        """Imports (Ray, torch) and returns the RLlib config class."""
        module, name = self.config.split(":")
        loaded: type[SocialConfig] = getattr(importlib.import_module(module), name)
        return loaded


_SPECS = (
    AlgorithmSpec(
        "lase",
        "LASE: gifts by inferred social relationships",
        "rllib_lase.rllib.algorithms:LASEConfig",
        LASESettings,
    ),
    AlgorithmSpec(
        "lase_uniform",
        "LASE without perspective taking: co-players are predicted to act uniformly",
        "rllib_lase.rllib.algorithms:LASEUniformConfig",
        LASESettings,
    ),
    AlgorithmSpec(
        "go",
        "group optimisation: everyone learns from the group's reward",
        "rllib_lase.rllib.algorithms:GOConfig",
        GOSettings,
    ),
    AlgorithmSpec(
        "independent",
        "independent learners: everyone learns from its own reward",
        "rllib_lase.rllib.algorithms:IndependentConfig",
        Settings,
    ),
)

ALGORITHMS: Mapping[str, AlgorithmSpec] = MappingProxyType({spec.algo_id: spec for spec in _SPECS})

#: Short ids: independent learners with that optimiser.
SHORT_IDS: Mapping[str, tuple[str, Optimizer]] = MappingProxyType(
    {"a2c": ("independent", "a2c"), "ppo": ("independent", "ppo")}
)


def resolve_algorithm(name: str) -> tuple[AlgorithmSpec, Optimizer | None]:
    """The algorithm that `name` means, and the optimiser that a short id fixes.

    Raises:
        KeyError: if there is no such algorithm; the message suggests the closest.
    """
    algo_id, optimizer = SHORT_IDS.get(name, (name, None))
    if algo_id not in ALGORITHMS:
        raise KeyError(f"unknown algorithm {name!r}: {suggestion(name, [*ALGORITHMS, *SHORT_IDS])}")
    return ALGORITHMS[algo_id], optimizer
