"""The algorithms by id: which config class runs them, which settings they take, which games they play.

One module per algorithm of ours holds its settings and its entry; the preference itself is the file of that
name in `rllib_lase.social`. RLlib's own algorithms have a table of their own, `STOCK`. Pure data: classes are
named, not imported, so that looking an algorithm up is cheap.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from rllib_lase.registry.fixed_share import FIXED_SHARE
from rllib_lase.registry.gifting import GIFTING
from rllib_lase.registry.go import GO
from rllib_lase.registry.ia import IA
from rllib_lase.registry.independent import INDEPENDENT
from rllib_lase.registry.lase import LASE, LASE_ORACLE, LASE_SHARED, LASE_UNIFORM
from rllib_lase.registry.lio import LIO
from rllib_lase.registry.lola import LOLA
from rllib_lase.registry.si import SI
from rllib_lase.registry.spec import AlgorithmSpec
from rllib_lase.registry.stock import STOCK, StockSpec
from rllib_lase.registry.svo import SVO
from rllib_lase.settings import Optimizer, suggestion

__all__ = ["ALGORITHMS", "SHORT_IDS", "STOCK", "AlgorithmSpec", "StockSpec", "known_ids", "resolve_algorithm"]

_SPECS = (
    LASE,
    LASE_UNIFORM,
    LASE_ORACLE,
    LASE_SHARED,
    GO,
    IA,
    SVO,
    FIXED_SHARE,
    GIFTING,
    INDEPENDENT,
    SI,
    LIO,
    LOLA,
)

ALGORITHMS: Mapping[str, AlgorithmSpec] = MappingProxyType({spec.algo_id: spec for spec in _SPECS})

#: Short ids: independent learners with that optimiser.
SHORT_IDS: Mapping[str, tuple[str, Optimizer]] = MappingProxyType(
    {"a2c": ("independent", "a2c"), "ppo": ("independent", "ppo")}
)


def known_ids() -> tuple[str, ...]:
    """All that can be trained: our algorithms, short ids, RLlib's own algorithms."""
    return (*ALGORITHMS, *SHORT_IDS, *STOCK)


def resolve_algorithm(name: str) -> tuple[AlgorithmSpec | StockSpec, Optimizer | None]:
    """The algorithm that `name` means, and the optimiser that a short id fixes.

    Raises:
        KeyError: if there is no such algorithm; the message suggests the closest.
    """
    algo_id, optimizer = SHORT_IDS.get(name, (name, None))
    spec = ALGORITHMS.get(algo_id) or STOCK.get(algo_id)
    if spec is None:
        raise KeyError(f"unknown algorithm {name!r}: {suggestion(name, known_ids())}")
    return spec, optimizer
