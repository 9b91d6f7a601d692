"""Trees of plain values as JSON and named arrays, and back, with their exact types."""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import Any, NoReturn, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

Arrays: TypeAlias = dict[str, NDArray[Any]]

_INTEGERS = ("bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64")
_DTYPES = (*_INTEGERS, "float16", "float32", "float64")
#: Whole numbers beyond this are not exact in every reader of JSON.
_EXACT_INT = 2**53


class CheckpointError(RuntimeError):
    """A checkpoint cannot be written or read; the message names the file or the entry, and the cure."""


def write_tree(state: Any) -> tuple[Any, Arrays]:
    """Splits a tree into JSON and arrays.

    Lists, str, bool, None and most numbers stand for themselves; everything else is an object of one entry
    that names its type: `{"dict": [[key, value], ...]}`, `{"tuple": [...]}`, `{"array": name}`, and so on.

    Raises:
        CheckpointError: for a value of a type that is not supported; the message says where it stands.
    """
    arrays: Arrays = {}
    return _write(state, "state", arrays), arrays


def read_tree(structure: Any, arrays: Arrays) -> Any:
    """Puts together what `write_tree` split; the arrays may be shared with the result."""
    if isinstance(structure, list):
        return [read_tree(item, arrays) for item in structure]
    if not isinstance(structure, dict):
        return structure
    ((tag, content),) = structure.items()
    if tag == "dict":
        return {key: read_tree(value, arrays) for key, value in content}
    if tag == "tuple":
        return tuple(read_tree(item, arrays) for item in content)
    if tag == "int":
        return int(content)
    if tag == "float":
        return float(content)
    array = arrays[content]
    if tag == "scalar":
        return array[()]
    if tag == "tensor":
        return torch.from_numpy(array)
    return torch.from_numpy(array).view(torch.bfloat16) if tag == "bfloat16" else array


def _write(value: Any, path: str, arrays: Arrays) -> Any:
    kind = type(value)
    if value is None or kind in (bool, str):
        return value
    if kind is int:
        return value if abs(value) <= _EXACT_INT else {"int": str(value)}
    if kind is float:
        return value if math.isfinite(value) else {"float": str(value)}
    if kind is list:
        return [_write(item, f"{path}[{k}]", arrays) for k, item in enumerate(value)]
    if kind is tuple:
        return {"tuple": [_write(item, f"{path}[{k}]", arrays) for k, item in enumerate(value)]}
    if kind in (dict, OrderedDict):
        for key in value:
            if type(key) not in (str, int):
                _refuse(path, f"a key {key!r} of type {type(key).__name__}", "keys of type str or int")
        return {"dict": [[key, _write(item, f"{path}[{key!r}]", arrays)] for key, item in value.items()]}
    if isinstance(value, torch.Tensor):
        return _write_tensor(value, path, arrays)
    if not isinstance(value, np.generic) and kind is not np.ndarray:
        _refuse(
            path,
            f"a {kind.__module__}.{kind.__qualname__}",
            "dicts, lists, tuples, NumPy arrays and scalars, torch tensors, numbers, str, bool and None",
        )
    return _write_array(value, "scalar" if isinstance(value, np.generic) else "array", path, arrays)


def _write_tensor(tensor: torch.Tensor, path: str, arrays: Arrays) -> dict[str, str]:
    if tensor.layout != torch.strided or tensor.is_quantized:
        _refuse(path, f"a tensor of layout {tensor.layout}", "a dense tensor")
    dense = tensor.detach().cpu().contiguous()
    if dense.dtype == torch.bfloat16:
        return _write_array(dense.view(torch.int16).numpy(), "bfloat16", path, arrays)
    try:
        array: NDArray[Any] = dense.numpy()
    except TypeError:
        _refuse(path, f"a tensor of dtype {tensor.dtype}", f"bfloat16, {', '.join(_DTYPES)}")
    return _write_array(array, "tensor", path, arrays)


def _write_array(value: NDArray[Any] | np.generic, tag: str, path: str, arrays: Arrays) -> dict[str, str]:
    array = np.asarray(value, order="C")
    if array.dtype.name not in _DTYPES or not array.dtype.isnative:
        _refuse(path, f"dtype {array.dtype}", f"{', '.join(_DTYPES)}, in this machine's byte order")
    arrays[path] = array
    return {tag: path}


def _refuse(path: str, found: str, expected: str) -> NoReturn:
    raise CheckpointError(
        f"{path}: found {found}; expected {expected}. Likely cause: an object in place of its state. Cure: "
        "save what it is made of, e.g. its state_dict() or get_state()."
    )
