"""The algorithms by id: which config class runs them, which settings they take, which games they play.

One module per algorithm holds its settings and its entry; the preference itself is the file of the same name
in `rllib_lase.social`. Pure data: classes are named, not imported, so that looking an algorithm up is cheap.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from rllib_lase.registry.go import GO
from rllib_lase.registry.independent import INDEPENDENT
from rllib_lase.registry.lase import LASE, LASE_UNIFORM
from rllib_lase.registry.lio import LIO
from rllib_lase.registry.spec import AlgorithmSpec
from rllib_lase.settings import Optimizer, suggestion

__all__ = ["ALGORITHMS", "SHORT_IDS", "AlgorithmSpec", "resolve_algorithm"]

_SPECS = (
    LASE,
    LASE_UNIFORM,
    GO,
    INDEPENDENT,
    LIO,
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
