"""Gymnasium's spaces as plain values, and back: those whose observations policies read, and of actions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import Space, spaces
from numpy.typing import NDArray


def write_space(space: Space[Any]) -> dict[str, Any]:
    """A space as a tree that a checkpoint can hold.

    Raises:
        ValueError: for a space of another kind than Box, Discrete, MultiBinary, MultiDiscrete, Dict or Tuple.
    """
    if isinstance(space, spaces.Box):
        bounds = {"low": _bound(space.low), "high": _bound(space.high)}
        return {"kind": "Box", **bounds, "shape": list(space.shape), "dtype": np.dtype(space.dtype).name}
    if isinstance(space, spaces.Discrete):
        return {"kind": "Discrete", "n": int(space.n), "start": int(space.start)}
    if isinstance(space, spaces.MultiBinary):
        n: Any = space.n  # also a tuple, which its annotation hides
        return {"kind": "MultiBinary", "n": n if isinstance(n, int) else list(space.shape)}
    if isinstance(space, spaces.MultiDiscrete):
        dtype = np.dtype(space.dtype).name
        return {"kind": "MultiDiscrete", "nvec": space.nvec, "start": space.start, "dtype": dtype}
    if isinstance(space, spaces.Dict):
        return {"kind": "Dict", "parts": {key: write_space(part) for key, part in space.spaces.items()}}
    if isinstance(space, spaces.Tuple):
        return {"kind": "Tuple", "parts": [write_space(part) for part in space.spaces]}
    raise ValueError(f"{space}: expected a Box, Discrete, MultiBinary, MultiDiscrete, Dict or Tuple")


def read_space(written: Mapping[str, Any]) -> Space[Any]:
    """The space that `write_space` wrote."""
    kind, parts = written["kind"], written.get("parts", ())
    if kind == "Box":
        shape, dtype = tuple(written["shape"]), np.dtype(written["dtype"])
        low, high = (np.full(shape, written[name], dtype) for name in ("low", "high"))
        return spaces.Box(low, high, shape, dtype.type)
    if kind == "Discrete":
        return spaces.Discrete(written["n"], start=written["start"])
    if kind == "MultiBinary":
        return spaces.MultiBinary(written["n"])
    if kind == "MultiDiscrete":
        return spaces.MultiDiscrete(written["nvec"], dtype=written["dtype"], start=written["start"])
    if kind == "Dict":
        return spaces.Dict({key: read_space(part) for key, part in parts.items()})
    return spaces.Tuple([read_space(part) for part in parts])


def _bound(values: NDArray[Any]) -> NDArray[Any] | np.generic:
    """One number where all are equal, which they are nearly always."""
    first: np.generic = values.flat[0] if values.size else np.dtype(values.dtype).type(0)
    return first if (values == first).all() else values
