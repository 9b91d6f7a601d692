"""Values that environments return: copies, where two of them differ, whether one lies in its space."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces

__all__ = ["difference", "overwrite", "snapshot", "space_problem"]


def snapshot(value: Any) -> Any:
    """A copy of arrays and of what holds them; other values are taken to be immutable."""
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, Mapping):
        return {key: snapshot(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [snapshot(item) for item in value]
    return value


def difference(first: Any, second: Any, path: str = "") -> str | None:
    """Where two values differ, e.g. ``"['agent_0'][3]: 0.5 and 1.0"``; None if they are equal.

    NaN equals NaN; a list equals a tuple with the same items. Objects that do not define equality are not
    compared.
    """
    if isinstance(first, np.ndarray) or isinstance(second, np.ndarray):
        return _array_difference(first, second, path)
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        if list(first) != list(second):
            return f"{path}: keys {list(first)} and {list(second)}"
        pairs = [(f"{path}[{key!r}]", first[key], second[key]) for key in first]
    elif isinstance(first, list | tuple) and isinstance(second, list | tuple):
        if len(first) != len(second):
            return f"{path}: {len(first)} and {len(second)} items"
        pairs = [(f"{path}[{k}]", a, b) for k, (a, b) in enumerate(zip(first, second, strict=True))]
    else:
        return None if _equal(first, second) else f"{path}: {first!r} and {second!r}"
    return next((found for at, a, b in pairs if (found := difference(a, b, at)) is not None), None)


def overwrite(value: Any) -> None:
    """Write into every writeable array of a value, in place."""
    if isinstance(value, np.ndarray):
        if value.flags.writeable and value.dtype.kind in "biuf":
            value[...] = np.logical_not(value) if value.dtype.kind in "bu" else -1 - value
    elif isinstance(value, Mapping):
        for item in value.values():
            overwrite(item)
    elif isinstance(value, list | tuple):
        for item in value:
            overwrite(item)


def space_problem(
    space: spaces.Space[Any], value: Any, name: str = "observation"
) -> tuple[str, str, str] | None:
    """Why a value does not lie in a space: found, expected, cure; None if it does.

    Stricter than `space.contains`, which takes any dtype that can be cast safely.
    """
    if isinstance(space, spaces.Dict):
        if not isinstance(value, Mapping) or set(value) != set(space.spaces):
            keys = list(value) if isinstance(value, Mapping) else type(value).__name__
            return (
                f"{name} has {keys}",
                f"a dict with {list(space.spaces)}, as its space says",
                "return what the space says",
            )
        parts = [(f"{name}[{key!r}]", part, value[key]) for key, part in space.spaces.items()]
        return next((found for at, part, item in parts if (found := space_problem(part, item, at))), None)
    if isinstance(space, spaces.Tuple):
        if not isinstance(value, tuple) or len(value) != len(space.spaces):
            kind = f"{type(value).__name__} of {np.size(value)}"
            return (
                f"{name} is a {kind}",
                f"a tuple of {len(space.spaces)}, as its space says",
                "return what the space says",
            )
        items = zip(space.spaces, value, strict=True)
        return next(
            (
                found
                for k, (part, item) in enumerate(items)
                if (found := space_problem(part, item, f"{name}[{k}]"))
            ),
            None,
        )
    if isinstance(space, spaces.Box | spaces.MultiBinary | spaces.MultiDiscrete):
        found = _layout_problem(space, value, name)
        if found is not None:
            return found
    if isinstance(space, spaces.Box):
        return _bounds_problem(space, value, name)
    if space.contains(value):
        return None
    return f"{name} is {value!r}", f"an element of {space}", "return what the space says"


def _array_difference(first: Any, second: Any, path: str) -> str | None:
    if not (isinstance(first, np.ndarray) and isinstance(second, np.ndarray)):
        return f"{path}: {type(first).__name__} and {type(second).__name__}"
    if first.shape != second.shape or first.dtype != second.dtype:
        return f"{path}: {first.dtype} {first.shape} and {second.dtype} {second.shape}"
    if first.tobytes() == second.tobytes() and first.dtype.kind != "O":
        return None
    unequal = first != second
    if first.dtype.kind in "fc":
        unequal &= ~(np.isnan(first) & np.isnan(second))
    if not unequal.any():
        return None
    index = tuple(int(k) for k in np.argwhere(unequal)[0])
    return f"{path}{list(index)}: {first[index]} and {second[index]}"


def _equal(first: Any, second: Any) -> bool:
    if first is second or (_is_opaque(first) and _is_opaque(second)):
        return True
    if isinstance(first, float | np.floating) and isinstance(second, float | np.floating):
        return bool(first == second or (np.isnan(first) and np.isnan(second)))
    return bool(np.all(first == second))


def _is_opaque(value: object) -> bool:
    return all("__eq__" not in vars(kind) for kind in type(value).__mro__[:-1])


def _layout_problem(space: spaces.Space[Any], value: Any, name: str) -> tuple[str, str, str] | None:
    if not isinstance(value, np.ndarray):
        return (
            f"{name} is of type {type(value).__name__}",
            "a NumPy array, as its space says",
            "return np.asarray(...)",
        )
    if value.shape != space.shape:
        return (
            f"{name} has shape {value.shape}",
            f"shape {space.shape}, as its space says",
            "give every agent in every step, the last one too, an observation of that shape",
        )
    if value.dtype != space.dtype:
        return (
            f"{name} has dtype {value.dtype}",
            f"dtype {space.dtype}, as its space says",
            f"return array.astype(np.{space.dtype}), or declare the space with dtype=np.{value.dtype}",
        )
    return None


def _bounds_problem(space: spaces.Box, value: Any, name: str) -> tuple[str, str, str] | None:
    inside = (value >= space.low) & (value <= space.high)
    if inside.all():
        return None
    index = tuple(int(k) for k in np.argwhere(~inside)[0])
    low, high = space.low[index], space.high[index]
    if np.isnan(value[index]):
        return (
            f"{name}{list(index)} is NaN",
            f"a number in [{low}, {high}]",
            "look for a division by zero, or an array from np.empty that was not filled",
        )
    return (
        f"{name}{list(index)} is {value[index]}",
        f"a value in [{low}, {high}], as its space says",
        "widen the space or clip the value; the last step and rare events are what such bounds miss",
    )
