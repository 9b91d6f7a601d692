"""The games again in plain Python, one copy at a time: to be read, and to test the compiled ones against."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from mixed_motive.oracles.base import Oracle, OracleStep
from mixed_motive.oracles.cleanup import CleanupOracle
from mixed_motive.oracles.matrix import MatrixOracle
from mixed_motive.oracles.snowdrift import SnowdriftOracle

__all__ = ["ORACLES", "Oracle", "OracleStep"]

# By game id: called with (params, seed, env_index).
ORACLES: Mapping[str, Callable[[Any, int, int], Oracle]] = MappingProxyType(
    {"cleanup": CleanupOracle, "snowdrift": SnowdriftOracle, "matrix": MatrixOracle, "ipd": MatrixOracle}
)
