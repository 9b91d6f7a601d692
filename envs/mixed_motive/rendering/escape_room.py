"""Pictures and text of Escape Room: lever, start and door, and who is where."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mixed_motive.rendering.arrows import Spot
from mixed_motive.rendering.canvas import Canvas, Colour

__all__ = ["agent_spots", "draw_escape_room", "escape_room_text"]

FRAME_PIXELS = 288
PROGRESS_PIXELS = 8
ZONE = FRAME_PIXELS // 3
# Of each zone: above, what the place is; below, who is there.
SIGN = 132
FLOORS: tuple[Colour, ...] = ((196, 186, 168), (182, 188, 192), (168, 190, 170))
INK: Colour = (30, 32, 38)
IRON: Colour = (92, 98, 108)
KNOB: Colour = (205, 28, 44)
WOOD: Colour = (122, 80, 46)
DAYLIGHT: Colour = (255, 232, 128)
PAPER: Colour = (238, 238, 232)
LAMP_OFF: Colour = (120, 124, 130)
LAMP_ON: Colour = (60, 190, 70)


def draw_escape_room(places: Sequence[int], min_at_lever: int, progress: float) -> npt.NDArray[np.uint8]:
    """A picture of one copy: the lever on the left, the start in the middle, the door on the right.

    A lamp for each agent that the lever needs, lit for each that is there; the door stands open when all are.

    Args:
        places: Place of each agent: 0 lever, 1 start, 2 door.
        min_at_lever: Agents that must be at the lever for the door to be open.
        progress: Share of the episode that has passed, in [0, 1].

    Returns:
        (296, 288, 3) uint8.
    """
    canvas = Canvas(FRAME_PIXELS + PROGRESS_PIXELS, FRAME_PIXELS, INK)
    for k, floor in enumerate(FLOORS):
        canvas.rectangle(0, k * ZONE + 1, FRAME_PIXELS, ZONE - 2, floor)
    for i, spot in enumerate(agent_spots(places)):
        canvas.agent(*spot, i)
    at_lever = list(places).count(0)
    is_open = at_lever >= min_at_lever
    _draw_lever(canvas, pulled=is_open)
    _draw_lamps(canvas, at_lever, min_at_lever)
    _draw_door(canvas, is_open)
    canvas.progress(FRAME_PIXELS, PROGRESS_PIXELS, progress)
    return canvas.to_array()


def _draw_lever(canvas: Canvas, pulled: bool) -> None:
    foot_row, foot_col = 92.0, ZONE / 2
    lean = 26 if pulled else -26
    for k in range(41):  # the stick, as a row of dots
        canvas.ellipse(foot_row - 52 * k / 40, foot_col + lean * k / 40, 4, 4, IRON)
    canvas.ellipse(foot_row - 52, foot_col + lean, 10, 10, KNOB)
    canvas.ellipse(foot_row + 8, foot_col, 20, 30, INK, above=foot_row + 8)


def _draw_lamps(canvas: Canvas, lit: int, number: int) -> None:
    step = min(14.0, (ZONE - 12) / number)
    for k in range(number):
        col = ZONE / 2 + (k - (number - 1) / 2) * step
        canvas.ellipse(116, col, 0.42 * step, 0.42 * step, LAMP_ON if k < lit else LAMP_OFF)


def _draw_door(canvas: Canvas, is_open: bool) -> None:
    top, left, height, width = 16, 2 * ZONE + 24, 104, 48
    canvas.rectangle(top - 4, left - 4, height + 4, width + 8, INK)
    canvas.rectangle(top, left, height, width, DAYLIGHT if is_open else WOOD)
    if is_open:
        canvas.rectangle(top, left - 14, height, 12, WOOD)
        return
    for row in (top + 8, top + 58):  # panels
        canvas.rectangle(row, left + 8, 38, width - 16, (98, 62, 34))
    canvas.ellipse(top + 52, left + width - 6, 3.5, 3.5, DAYLIGHT)


def agent_spots(places: Sequence[int]) -> list[Spot]:
    """Row, column and radius of each agent in the picture.

    Args:
        places: Place of each agent: 0 lever, 1 start, 2 door.
    """
    spots = [(0.0, 0.0, 0.0)] * len(places)
    height = FRAME_PIXELS - SIGN - 8
    for place in range(3):
        agents = [i for i, at in enumerate(places) if at == place]
        steps = {
            cols: min((ZONE - 8) / cols, height / max(math.ceil(len(agents) / cols), 1))
            for cols in range(2, 9)
        }
        cols = max(steps, key=steps.__getitem__)
        step = steps[cols]
        for k, i in enumerate(agents):
            row, col = divmod(k, cols)
            in_row = min(cols, len(agents) - row * cols)
            across = (place + 0.5) * ZONE + (col - (in_row - 1) / 2) * step
            spots[i] = (SIGN + (row + 0.5) * step, across, 0.45 * step)
    return spots


def escape_room_text(title: str, places: Sequence[int], min_at_lever: int) -> str:
    """Who is where, and whether the door is open.

    Args:
        title: First line.
        places: Place of each agent: 0 lever, 1 start, 2 door.
        min_at_lever: Agents that must be at the lever for the door to be open.
    """
    at = [" ".join(str(i) for i, place in enumerate(places) if place == k) or "-" for k in range(3)]
    at_lever = list(places).count(0)
    door = "open" if at_lever >= min_at_lever else "closed"
    return "\n".join(
        [
            title,
            f"lever  {at[0]}  ({at_lever} of {min_at_lever} needed)",
            f"start  {at[1]}",
            f"door   {at[2]}  ({door})",
        ]
    )
