"""Rendered frames of an episode as an animated GIF."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image


def write_gif(
    path: Path | str,
    frames: Iterable[npt.NDArray[np.uint8]],
    seconds: float | Sequence[float] = 0.125,
    min_side: int = 320,
) -> Path:
    """Writes frames as a GIF that repeats for ever.

    Args:
        path: The file; replaced in one step if it is there.
        frames: Each (H, W, 3) uint8, as `render()` returns them; all of one size.
        seconds: How long each frame stays, one number for all or one for each; at least 0.02, as viewers
            slow down faster GIFs.
        min_side: Small frames are enlarged by a whole factor until their shorter side has this many pixels,
            so that cells stay sharp squares.

    Returns:
        The path.

    Raises:
        ValueError: there is no frame, a frame has another shape or dtype, or there are more or fewer times
            than frames.
    """
    path = Path(path)
    arrays = list(frames)
    if not arrays:
        raise ValueError(
            "no frames; expected at least one. Render the game after reset and after every step."
        )
    for index, frame in enumerate(arrays):
        if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
            raise ValueError(
                f"frame {index} has shape {frame.shape} and dtype {frame.dtype}; expected (H, W, 3) uint8, "
                "as render() returns it."
            )
        if frame.shape != arrays[0].shape:
            raise ValueError(
                f"frame {index} has shape {frame.shape}, frame 0 {arrays[0].shape}; expected one size. "
                "Render one copy of one game."
            )
    stays = list(seconds) if isinstance(seconds, Sequence) else [seconds] * len(arrays)
    if len(stays) != len(arrays):
        raise ValueError(f"{len(stays)} times for {len(arrays)} frames; expected one for each.")
    palette = _common_palette(arrays)
    height, width = arrays[0].shape[:2]
    factor = max(1, -(-min_side // min(height, width)))
    images = [
        Image.fromarray(frame)
        .quantize(palette=palette, dither=Image.Dither.NONE)
        .resize((width * factor, height * factor), Image.Resampling.NEAREST)
        for frame in arrays
    ]
    part = path.with_name(f".{path.name}.part")
    images[0].save(
        part,
        format="GIF",
        save_all=True,
        append_images=images[1:],
        duration=[round(1000 * max(stay, 0.02)) for stay in stays],
        loop=0,
        optimize=False,
    )
    part.replace(path)
    return path


def _common_palette(frames: list[npt.NDArray[np.uint8]]) -> Image.Image:
    """One palette for all frames, so that nothing flickers; from at most 64 of them."""
    sample = np.concatenate(frames[:: -(-len(frames) // 64)])
    return Image.fromarray(sample).quantize(256, dither=Image.Dither.NONE)
