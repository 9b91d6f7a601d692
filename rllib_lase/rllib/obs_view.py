"""`ObsView`: observations as our networks read them best. Knows neither environments nor Ray.

Numbers with bounds are brought to [0, 1], images to a few cells with the channels first.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import Space, spaces
from numpy.typing import NDArray

from rllib_lase.observations import EncodedBox, one_hot_groups

#: Images have at most so many rows and columns; larger ones are averaged over blocks.
MAX_IMAGE_SIDE = 16
#: Ranges wider than this are taken for unbounded: a number would vanish in them.
LARGEST_RANGE = 1e6


class ObsView:
    """How the observations of one space are rewritten, and the space that they then belong to."""

    def __init__(self, encoded: Space[Any]) -> None:
        """Reads how to rewrite them.

        Args:
            encoded: The space of the observations as an `ObsEncoder` writes them.
        """
        assert isinstance(encoded, spaces.Box), f"observations are encoded as a Box, found {encoded}"
        box = encoded
        low, high = (np.asarray(bound, np.float64) for bound in (box.low, box.high))
        with np.errstate(invalid="ignore"):
            width = high - low
        bounded = np.isfinite(width) & (width > 0) & (width <= LARGEST_RANGE)
        self._offset = np.where(bounded, low, 0).astype(np.float32)
        self._scale = np.where(bounded, 1 / np.where(bounded, width, 1), 1).astype(np.float32)
        self._axes = _image_axes(box)
        shown = [
            self._as_image(bound[None])[0]
            for bound in (np.where(bounded, 0, low), np.where(bounded, 1, high))
        ]
        with np.errstate(over="ignore"):
            lowest, highest = (bound.astype(np.float32) for bound in shown)
        self.space = EncodedBox(spaces.Box(lowest, highest, dtype=np.float32), one_hot_groups(box))

    def __call__(self, obs: NDArray[Any]) -> NDArray[Any]:
        """`(B, *obs)` rewritten, float32."""
        return self._as_image((obs - self._offset) * self._scale)

    def _as_image(self, values: NDArray[Any]) -> NDArray[Any]:
        if self._axes is None:
            return values
        image = values[:, None] if len(self._axes) == 2 else np.transpose(values, (0, *self._axes))
        for axis in (2, 3):
            image = _block_means(image, axis)
        return image


def _image_axes(box: spaces.Box) -> tuple[int, ...] | None:
    """The axes of an image's observations in the order channels, rows, columns; None for anything else."""
    shape = box.shape
    if len(shape) == 2 and box.dtype == np.uint8 and min(shape) > MAX_IMAGE_SIDE:
        return (1, 2)
    if len(shape) != 3:
        return None
    if shape[2] <= 4 and min(shape[:2]) > shape[2]:
        return (3, 1, 2)
    return (1, 2, 3) if min(shape[1:]) > MAX_IMAGE_SIDE else None


def _block_means(values: NDArray[Any], axis: int) -> NDArray[Any]:
    """Means along an axis over `MAX_IMAGE_SIDE` blocks of nearly equal length; short axes stay."""
    length = values.shape[axis]
    if length <= MAX_IMAGE_SIDE:
        return values
    starts = np.arange(MAX_IMAGE_SIDE) * length // MAX_IMAGE_SIDE
    lengths = np.diff(np.append(starts, length)).reshape([-1 if k == axis else 1 for k in range(values.ndim)])
    sums: NDArray[Any] = np.add.reduceat(values, starts, axis)
    means: NDArray[Any] = sums / lengths.astype(values.dtype)
    return means
