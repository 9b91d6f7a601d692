"""Pictures of games on a map: ground, objects and numbered agents."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from mixed_motive.rendering.canvas import Canvas, Colour

__all__ = ["draw_grid"]

FRAME_PIXELS = 288
PROGRESS_PIXELS = 8
SMALLEST_CELL = 8

_GROUND: Mapping[str, tuple[Colour, Colour]] = MappingProxyType(
    {
        # Two tones, so that cells can be counted.
        "river": ((62, 124, 170), (56, 116, 162)),
        "grass": ((176, 196, 150), (168, 189, 142)),
        "orchard": ((106, 158, 84), (99, 150, 78)),
        "road": ((112, 120, 130), (105, 113, 123)),
    }
)


def _waste(canvas: Canvas, row: float, col: float, size: float) -> None:
    for r, c, radius in ((0.12, -0.16, 0.2), (0.12, 0.17, 0.19), (-0.12, 0.0, 0.21), (0.05, 0.0, 0.2)):
        canvas.ellipse(row + r * size, col + c * size, radius * size, radius * size, (84, 58, 36))
    for r, c, radius in ((-0.14, -0.03, 0.09), (0.12, 0.16, 0.07), (0.14, -0.18, 0.07)):
        canvas.ellipse(row + r * size, col + c * size, radius * size, radius * size, (150, 168, 62))


def _apple(canvas: Canvas, row: float, col: float, size: float) -> None:
    canvas.ellipse(row - 0.24 * size, col + 0.0 * size, 0.13 * size, 0.035 * size, (84, 58, 36))
    canvas.ellipse(row - 0.27 * size, col + 0.13 * size, 0.06 * size, 0.12 * size, (60, 190, 70))
    for side in (-0.1, 0.1):
        canvas.ellipse(row + 0.06 * size, col + side * size, 0.25 * size, 0.2 * size, (205, 28, 44))
    canvas.ellipse(row - 0.04 * size, col - 0.14 * size, 0.06 * size, 0.045 * size, (250, 190, 190))


def _pile(canvas: Canvas, row: float, col: float, size: float) -> None:
    foot = row + 0.3 * size
    canvas.ellipse(foot, col, 0.52 * size, 0.42 * size, (172, 200, 226), above=foot)
    canvas.ellipse(foot, col - 0.05 * size, 0.44 * size, 0.3 * size, (250, 252, 255), above=foot)
    canvas.ellipse(foot, col + 0.22 * size, 0.25 * size, 0.2 * size, (226, 238, 250), above=foot)


_OBJECTS: Mapping[str, Callable[[Canvas, float, float, float], None]] = MappingProxyType(
    {"waste": _waste, "apple": _apple, "pile": _pile}
)


def draw_grid(
    codes: npt.NDArray[np.uint8],
    positions: npt.NDArray[np.int32],
    object_names: Sequence[str],
    ground: Sequence[str],
    progress: float,
) -> npt.NDArray[np.uint8]:
    """A picture of one copy.

    Args:
        codes: (H, W) object codes; code k is `object_names[k - 1]`, 0 an empty cell.
        positions: (N, 2) row and column of each agent.
        object_names: Kinds of objects.
        ground: Kind of ground of each row.
        progress: Share of the episode that has passed, in [0, 1].

    Returns:
        (rows, columns, 3) uint8, about 288 pixels on the longer side of the map, and a bar of the episode's
        progress below.
    """
    height, width = codes.shape
    cell = max(SMALLEST_CELL, FRAME_PIXELS // max(height, width))
    canvas = Canvas(height * cell + PROGRESS_PIXELS, width * cell, (0, 0, 0))
    agents_at: dict[tuple[int, int], list[int]] = defaultdict(list)
    for i, (row, col) in enumerate(positions.tolist()):
        agents_at[row, col].append(i)
    for row in range(height):
        for col in range(width):
            canvas.rectangle(row * cell, col * cell, cell, cell, _GROUND[ground[row]][(row + col) % 2])
            here = agents_at.get((row, col), [])
            middle_row, middle_col = (row + 0.5) * cell, (col + 0.5) * cell
            code = int(codes[row, col])
            if code > 0:
                # With an agent on it, the object moves into the upper left corner.
                shift, size = (0.22 * cell, 0.7 * cell) if here else (0.0, cell)
                _OBJECTS[object_names[code - 1]](canvas, middle_row - shift, middle_col - shift, size)
            _draw_agents(canvas, here, row * cell, col * cell, cell, beside_object=code > 0)
    canvas.progress(height * cell, PROGRESS_PIXELS, progress)
    return canvas.to_array()


def _draw_agents(
    canvas: Canvas, agents: Sequence[int], top: float, left: float, cell: float, beside_object: bool
) -> None:
    """Agents that share a cell share its space, side by side."""
    if not agents:
        return
    if beside_object:
        top, left, cell = top + 0.32 * cell, left + 0.32 * cell, 0.68 * cell
    per_side = math.ceil(math.sqrt(len(agents)))
    step = cell / per_side
    for k, i in enumerate(agents):
        row, col = divmod(k, per_side)
        canvas.agent(top + (row + 0.5) * step, left + (col + 0.5) * step, 0.44 * step, i)
