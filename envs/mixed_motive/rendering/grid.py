"""Pictures of games on a map: ground, objects and numbered agents."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from mixed_motive.rendering.arrows import Spot
from mixed_motive.rendering.canvas import Canvas, Colour, agent_colour, ink_on
from mixed_motive.rendering.palette import coin_owner

__all__ = ["agent_spots", "draw_grid"]

FRAME_PIXELS = 288
PROGRESS_PIXELS = 8
SMALLEST_CELL = 8
READABLE_CELL = 24
LARGEST_FRAME_PIXELS = 960

_GROUND: Mapping[str, tuple[Colour, Colour]] = MappingProxyType(
    {
        # Two tones, so that cells can be counted.
        "river": ((62, 124, 170), (56, 116, 162)),
        "grass": ((176, 196, 150), (168, 189, 142)),
        "orchard": ((106, 158, 84), (99, 150, 78)),
        "road": ((112, 120, 130), (105, 113, 123)),
        "wall": ((86, 80, 88), (78, 72, 80)),
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


def _hare(canvas: Canvas, row: float, col: float, size: float) -> None:
    fur, pale = (214, 204, 188), (244, 240, 232)
    for side in (-1, 1):
        canvas.ellipse(row - 0.22 * size, col + side * 0.12 * size, 0.22 * size, 0.075 * size, (96, 84, 70))
        canvas.ellipse(row - 0.22 * size, col + side * 0.12 * size, 0.19 * size, 0.05 * size, (236, 170, 170))
    canvas.ellipse(row + 0.14 * size, col, 0.27 * size, 0.29 * size, (96, 84, 70))
    canvas.ellipse(row + 0.14 * size, col, 0.24 * size, 0.26 * size, fur)
    canvas.ellipse(row + 0.25 * size, col, 0.11 * size, 0.15 * size, pale)
    for side in (-1, 1):
        canvas.ellipse(row + 0.08 * size, col + side * 0.11 * size, 0.045 * size, 0.04 * size, (30, 25, 25))
    canvas.ellipse(row + 0.19 * size, col, 0.035 * size, 0.045 * size, (220, 120, 130))


def _stag(canvas: Canvas, row: float, col: float, size: float) -> None:
    horn, fur, dark = (250, 236, 200), (150, 82, 36), (70, 36, 16)
    # Antlers: a stem that bends upwards, and a tine.
    antlers = (((-0.08, 0.08), (-0.28, 0.3), (-0.46, 0.26)), ((-0.2, 0.22), (-0.4, 0.1)))
    for side in (-1, 1):
        for branch in antlers:
            canvas.line([(row + r * size, col + side * c * size) for r, c in branch], 0.08 * size, horn)
        canvas.ellipse(row - 0.02 * size, col + side * 0.25 * size, 0.06 * size, 0.12 * size, dark)
    canvas.ellipse(row + 0.14 * size, col, 0.31 * size, 0.2 * size, dark)
    canvas.ellipse(row + 0.14 * size, col, 0.28 * size, 0.17 * size, fur)
    canvas.ellipse(row + 0.34 * size, col, 0.08 * size, 0.1 * size, dark)
    for side in (-1, 1):
        canvas.ellipse(
            row + 0.08 * size, col + side * 0.08 * size, 0.04 * size, 0.035 * size, (255, 250, 240)
        )


def _coin(canvas: Canvas, row: float, col: float, size: float, owner: int) -> None:
    """Gold with a milled edge; its middle has the colour and the number of the owner."""
    gold, dark, colour = (250, 204, 60), (120, 80, 10), agent_colour(owner)
    canvas.ellipse(row, col, 0.42 * size, 0.42 * size, dark)
    canvas.ellipse(row, col, 0.39 * size, 0.39 * size, gold)
    for k in range(16):
        down, right = math.sin(k * math.tau / 16), math.cos(k * math.tau / 16)
        canvas.ellipse(row + 0.34 * size * down, col + 0.34 * size * right, 0.025 * size, 0.025 * size, dark)
    canvas.ellipse(row, col, 0.27 * size, 0.27 * size, dark)
    canvas.ellipse(row, col, 0.25 * size, 0.25 * size, colour)
    label = str(owner)
    scale = int(0.5 * size / max(7, 6 * len(label)))
    if scale > 0:
        canvas.text(row, col, label, scale, ink_on(colour))


# By the bits of the beams that passed; a fining beam covers a cleaning one.
_BEAM_COLOURS: Mapping[int, Colour] = MappingProxyType(
    {1: (190, 250, 255), 2: (255, 140, 20), 3: (255, 140, 20)}
)

_OBJECTS: Mapping[str, Callable[[Canvas, float, float, float], None]] = MappingProxyType(
    {"waste": _waste, "apple": _apple, "pile": _pile, "hare": _hare, "stag": _stag}
)


def draw_grid(
    codes: npt.NDArray[np.uint8],
    positions: npt.NDArray[np.int32],
    object_names: Sequence[str],
    ground: Sequence[str | Sequence[str]],
    progress: float,
    beams: npt.NDArray[np.uint8] | None = None,
    facing: Sequence[int] | None = None,
    frozen: Sequence[bool] | None = None,
) -> npt.NDArray[np.uint8]:
    """A picture of one copy.

    Args:
        codes: (H, W) object codes; code k is `object_names[k - 1]`, 0 an empty cell.
        positions: (N, 2) row and column of each agent.
        object_names: Kinds of objects.
        ground: Kind of ground of each row, or of each cell of a row.
        progress: Share of the episode that has passed, in [0, 1].
        beams: (H, W) bits: 1 where a cleaning beam passed, 2 where a fining one did.
        facing: Where each agent looks: 0 up, 1 right, 2 down, 3 left.
        frozen: Whether each agent cannot act; such agents are hollow.

    Returns:
        (rows, columns, 3) uint8: about 288 pixels on the longer side of the map, up to 960 if it is large,
        but at least 8 for each cell; and a bar of the episode's progress below.
    """
    height, width = codes.shape
    cell = _cell_pixels(height, width)
    canvas = Canvas(height * cell + PROGRESS_PIXELS, width * cell, (0, 0, 0))
    occupied = set(map(tuple, positions.tolist()))
    for row in range(height):
        for col in range(width):
            line = ground[row]
            kind = line if isinstance(line, str) else line[col]
            canvas.rectangle(row * cell, col * cell, cell, cell, _GROUND[kind][(row + col) % 2])
            if beams is not None and beams[row, col] > 0:
                canvas.tint(row * cell, col * cell, cell, cell, _BEAM_COLOURS[int(beams[row, col])], 0.75)
            middle_row, middle_col = (row + 0.5) * cell, (col + 0.5) * cell
            code = int(codes[row, col])
            if code > 0:
                # With an agent on it, the object moves into the upper left corner.
                shift, size = (0.22 * cell, 0.7 * cell) if (row, col) in occupied else (0.0, cell)
                _draw_object(canvas, middle_row - shift, middle_col - shift, size, object_names[code - 1])
    for i, spot in enumerate(agent_spots(codes, positions)):
        if spot is not None:
            canvas.agent(*spot, i, hollow=frozen is not None and frozen[i])
            if facing is not None:
                _draw_facing(canvas, *spot, facing[i])
    canvas.progress(height * cell, PROGRESS_PIXELS, progress)
    return canvas.to_array()


def _draw_facing(canvas: Canvas, row: float, col: float, radius: float, facing: int) -> None:
    """An eye on the rim of an agent's disc, on the side where it looks."""
    down, right = ((-1, 0), (0, 1), (1, 0), (0, -1))[facing]
    row, col = row + 0.85 * radius * down, col + 0.85 * radius * right
    canvas.ellipse(row, col, 0.36 * radius, 0.36 * radius, (25, 25, 30))
    canvas.ellipse(row, col, 0.24 * radius, 0.24 * radius, (255, 255, 255))


def _draw_object(canvas: Canvas, row: float, col: float, size: float, name: str) -> None:
    owner = coin_owner(name)
    if owner is None:
        _OBJECTS[name](canvas, row, col, size)
    else:
        _coin(canvas, row, col, size, owner)


def agent_spots(codes: npt.NDArray[np.uint8], positions: npt.NDArray[np.int32]) -> list[Spot | None]:
    """Row, column and radius of each agent in `draw_grid`'s picture; None for those that have left.

    Agents that share a cell share its space, side by side.
    """
    cell = _cell_pixels(*codes.shape)
    agents_at: dict[tuple[int, int], list[int]] = defaultdict(list)
    for i, (row, col) in enumerate(positions.tolist()):
        agents_at[row, col].append(i)
    spots: list[Spot | None] = [None] * len(positions)
    for (row, col), here in agents_at.items():
        if row < 0:
            continue
        # An object keeps the upper left corner.
        corner, size = (0.32 * cell, 0.68 * cell) if codes[row, col] > 0 else (0.0, cell)
        top, left = row * cell + corner, col * cell + corner
        for i, (down, right, radius) in zip(here, _places(len(here)), strict=True):
            spots[i] = (top + down * size, left + right * size, radius * size)
    return spots


def _places(num_agents: int) -> list[Spot]:
    """Row, column and radius of agents that share a square of size 1."""
    if num_agents == 2:  # discs in opposite corners can be larger than side by side
        return [(0.29, 0.29, 0.27), (0.71, 0.71, 0.27)]
    per_side = math.ceil(math.sqrt(num_agents))
    step, rows = 1 / per_side, math.ceil(num_agents / per_side)
    top = (1 - rows * step) / 2
    return [
        (top + (k // per_side + 0.5) * step, (k % per_side + 0.5) * step, 0.44 * step)
        for k in range(num_agents)
    ]


def _cell_pixels(height: int, width: int) -> int:
    # Large maps get larger pictures as long as agents' numbers can be read. Even, as video codecs want it.
    longer = max(height, width)
    readable = min(READABLE_CELL, LARGEST_FRAME_PIXELS // longer)
    return max(SMALLEST_CELL, readable // 2 * 2, FRAME_PIXELS // longer // 2 * 2)
