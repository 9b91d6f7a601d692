"""How an agent's observation is written. Kernels write two encodings; the other two are made from those."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["CODE", "ENCODINGS", "PLANES", "Obs", "encode", "native_encoding"]

Obs = npt.NDArray[np.uint8] | npt.NDArray[np.float32]

# What kernels are told to write.
PLANES, CODE = 0, 1

#: Every encoding with what it is.
ENCODINGS = {
    "planes": "binary uint8, one plane for each agent, each kind of object and the cells outside the map",
    "code": "uint8, one class for each cell",
    "float32": "planes as float32, for networks that take nothing else",
    "rgb": "uint8 (rows, columns, 3), one pixel for each cell",
}

_NATIVE = {"planes": PLANES, "code": CODE, "float32": PLANES, "rgb": CODE}


def native_encoding(encoding: str) -> int:
    """What the kernel writes for an encoding: `PLANES` or `CODE`."""
    return _NATIVE[encoding]


def encode(native: npt.NDArray[np.uint8], palette: npt.NDArray[np.uint8] | None, out: Obs) -> None:
    """Make "float32" out of planes, or "rgb" out of classes.

    Args:
        native: What the kernel wrote, of any shape.
        palette: (number of classes, 3) uint8 for "rgb", None for "float32".
        out: Filled: the shape of `native`, for "rgb" with the three colours behind.
    """
    if palette is None:
        np.copyto(out, native)
    else:
        # Every class has a colour; "clip" spares NumPy a copy of `out`.
        np.take(palette, native, axis=0, out=out, mode="clip")
