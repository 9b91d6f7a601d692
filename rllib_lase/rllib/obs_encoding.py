"""Observations of any Gymnasium space as arrays of one fixed shape, uint8 or float32.

Knows nothing of environments: a wrong observation is described here and reported by the caller.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium import Space, spaces
from numpy.typing import NDArray

from rllib_lase.observations import EncodedBox

_ENCODABLE = (
    spaces.Box,
    spaces.Discrete,
    spaces.MultiBinary,
    spaces.MultiDiscrete,
    spaces.Dict,
    spaces.Tuple,
)


@dataclass(frozen=True)
class ObsEncoder:
    """How the observations of one space become arrays.

    A Box keeps its shape (`()` becomes `(1,)`); uint8 stays uint8, every other dtype becomes float32. All
    other spaces are flattened to one float32 vector as `gymnasium.spaces.flatten` does it: a Discrete is
    one-hot, the parts of a Dict or Tuple stand one after the other. Values are not scaled here.

    Attributes:
        space: What the environment's observations belong to.
        encoded: What the arrays belong to; an `EncodedBox` where they hold one-hot codes.
    """

    space: Space[Any]
    encoded: spaces.Box

    def problem(self, obs: Any, thorough: bool) -> tuple[str, str] | None:
        """What was found and what was expected, where `obs` does not fit the space.

        Args:
            obs: An observation as the environment gives it.
            thorough: Look at every value; if False at structure, shapes and dtypes only.
        """
        if isinstance(self.space, spaces.Box):
            return _box_problem(self.space, obs, thorough)
        return _problem(self.space, obs, thorough, "")

    def write(self, obs: Any, out: NDArray[Any]) -> None:
        """Writes an observation that fits the space into `out`, of the encoded shape and dtype."""
        array = np.asarray(obs) if isinstance(self.space, spaces.Box) else spaces.flatten(self.space, obs)
        out[...] = array


def make_encoder(space: Space[Any]) -> ObsEncoder:
    """The encoder of a space.

    Raises:
        ValueError: if the space, or a part of it, has no arrays of one fixed shape.
    """
    unsupported = _first_unsupported(space)
    if unsupported is not None:
        raise ValueError(
            f"{unsupported}; expected Box, Discrete, MultiBinary, MultiDiscrete, or a Dict or Tuple of these"
        )
    if isinstance(space, spaces.Box) and space.dtype == np.uint8 and space.shape:
        return ObsEncoder(space, space)
    flat = space if isinstance(space, spaces.Box) and space.shape else spaces.flatten_space(space)
    assert isinstance(flat, spaces.Box)
    dtype: type[Any] = np.uint8 if isinstance(space, spaces.Box) and space.dtype == np.uint8 else np.float32
    with np.errstate(over="ignore"):  # the bounds of an unbounded float64 Box become infinite
        low, high = flat.low.astype(dtype), flat.high.astype(dtype)
    encoded = spaces.Box(low, high, dtype=dtype)
    codes = _codes(space, 0)[1]
    return ObsEncoder(space, EncodedBox(encoded, tuple(codes)) if codes else encoded)


def _codes(space: Space[Any], begin: int) -> tuple[int, list[tuple[int, int]]]:
    """Where a part that begins there ends in the flat vector, and which one-hot codes it holds."""
    if isinstance(space, spaces.Dict | spaces.Tuple):
        parts = space.spaces.values() if isinstance(space, spaces.Dict) else space.spaces
        found: list[tuple[int, int]] = []
        for part in parts:
            begin, codes = _codes(part, begin)
            found += codes
        return begin, found
    sizes: list[int] = []
    if isinstance(space, spaces.Discrete):
        sizes = [int(space.n)]
    elif isinstance(space, spaces.MultiDiscrete):
        sizes = [int(size) for size in np.asarray(space.nvec).reshape(-1)]
    if not sizes:
        return begin + spaces.flatdim(space), []
    ends = begin + np.cumsum(sizes)
    return int(ends[-1]), [(int(end) - size, int(end)) for end, size in zip(ends, sizes, strict=True)]


def _first_unsupported(space: Space[Any]) -> Space[Any] | None:
    if not isinstance(space, _ENCODABLE):
        return space
    parts: tuple[Space[Any], ...] = ()
    if isinstance(space, spaces.Dict):
        parts = tuple(space.spaces.values())
    elif isinstance(space, spaces.Tuple):
        parts = tuple(space.spaces)
    return next((found for found in map(_first_unsupported, parts) if found is not None), None)


def _problem(space: Space[Any], obs: Any, thorough: bool, path: str) -> tuple[str, str] | None:
    at = f"{path}: " if path else ""
    if isinstance(space, spaces.Dict):
        found = sorted(obs) if isinstance(obs, dict) else type(obs).__name__
        if not isinstance(obs, dict) or obs.keys() != space.spaces.keys():
            return f"{at}{found}", f"a dict with the keys {sorted(space.spaces)}"
        parts = [(part, obs[key], f"{path}[{key!r}]") for key, part in space.spaces.items()]
    elif isinstance(space, spaces.Tuple):
        if not isinstance(obs, tuple | list) or len(obs) != len(space.spaces):
            found = f"{len(obs)} parts" if isinstance(obs, tuple | list) else type(obs).__name__
            return f"{at}{found}", f"a tuple of {len(space.spaces)} parts"
        parts = [(part, obs[k], f"{path}[{k}]") for k, part in enumerate(space.spaces)]
    elif isinstance(space, spaces.Box):
        problem = _box_problem(space, obs, thorough)
        return (at + problem[0], problem[1]) if problem else None
    else:
        return None if space.contains(obs) else (f"{at}{obs!r} ({type(obs).__name__})", str(space))
    problems = (_problem(part, value, thorough, where) for part, value, where in parts)
    return next((problem for problem in problems if problem is not None), None)


def _box_problem(space: spaces.Box, obs: Any, thorough: bool) -> tuple[str, str] | None:
    array = np.asarray(obs)
    if array.shape != space.shape:
        return f"shape {array.shape}", f"shape {space.shape}"
    dtype = np.dtype(space.dtype)
    if array.dtype != dtype and not np.can_cast(array.dtype, dtype, "same_kind"):
        return f"dtype {array.dtype}", f"dtype {dtype}"
    if thorough:
        outside = (array < space.low) | (array > space.high)
        if outside.any():
            first = tuple(int(k) for k in np.argwhere(outside)[0])
            return f"{array[first]} at {list(first)}", f"a value in [{space.low[first]}, {space.high[first]}]"
    return None
