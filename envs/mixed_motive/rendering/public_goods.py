"""Pictures and text of the public goods game: what each agent gave, and what came back from the pot."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mixed_motive.rendering.arrows import Spot
from mixed_motive.rendering.canvas import Canvas, Colour, agent_colour

__all__ = ["agent_spots", "draw_public_goods", "public_goods_text"]

FRAME_PIXELS = 288
PROGRESS_PIXELS = 8
MARGIN = 8
POT_PIXELS = 44
POT_WIDTH = 192
# Narrower cells have no room for a number.
NUMBERED_CELL = 56
INK: Colour = (30, 32, 38)
PAPER: Colour = (238, 238, 232)
GOLD: Colour = (236, 176, 32)
TABLE: Colour = (206, 210, 214)


def draw_public_goods(
    gifts: Sequence[float | None], endowment: float, returned: float, progress: float
) -> npt.NDArray[np.uint8]:
    """A picture of one copy: each agent beside a glass filled with what it gave.

    Below, the pot, filled by the agents in their colours, and what each got back from it.

    Args:
        gifts: What each agent gave in the last step; None if nobody has acted yet.
        endowment: The most that an agent can give.
        returned: What each agent got back from the pot.
        progress: Share of the episode that has passed, in [0, 1].

    Returns:
        (296, 288, 3) uint8.
    """
    canvas = Canvas(FRAME_PIXELS + PROGRESS_PIXELS, FRAME_PIXELS, TABLE)
    shares = [gift / endowment if gift and endowment > 0 else 0.0 for gift in gifts]
    pot_top = FRAME_PIXELS - POT_PIXELS
    cols, height, width = _cells(len(gifts))
    for i, spot in enumerate(agent_spots(len(gifts))):
        canvas.agent(*spot, i)
    for i, gift in enumerate(gifts):
        row, col = divmod(i, cols)
        top, left = MARGIN + row * height, MARGIN + col * width
        numbered = width >= NUMBERED_CELL
        _draw_glass(
            canvas,
            round(top + 0.08 * height),
            round(left + 0.66 * width),
            round((0.6 if numbered else 0.8) * height),
            round(0.24 * width),
            shares[i],
        )
        if numbered and gift is not None:
            canvas.text(top + 0.84 * height, left + 0.78 * width, f"{gift:.3g}", 2, INK)
    _draw_pot(canvas, pot_top, shares)
    if gifts[0] is not None:
        middle = MARGIN + POT_WIDTH + (FRAME_PIXELS - MARGIN - POT_WIDTH) / 2
        canvas.text(pot_top + 0.4 * POT_PIXELS, middle, f"+{returned:.3g}", 2, INK)
    canvas.progress(FRAME_PIXELS, PROGRESS_PIXELS, progress)
    return canvas.to_array()


def agent_spots(num_agents: int) -> list[Spot]:
    """Row, column and radius of each agent in the picture."""
    cols, height, width = _cells(num_agents)
    radius = min(0.27 * width, 0.42 * height)
    return [
        (MARGIN + (i // cols + 0.5) * height, MARGIN + (i % cols + 0.3) * width, radius)
        for i in range(num_agents)
    ]


def _cells(num_agents: int) -> tuple[int, float, float]:
    """Agents in a row, and height and width of each one's part of the picture."""
    cols = math.ceil(math.sqrt(num_agents))
    rows = math.ceil(num_agents / cols)
    return cols, (FRAME_PIXELS - POT_PIXELS - 2 * MARGIN) / rows, (FRAME_PIXELS - 2 * MARGIN) / cols


def _draw_glass(canvas: Canvas, top: int, left: int, height: int, width: int, share: float) -> None:
    canvas.rectangle(top, left, height, width, INK)
    inner_height, inner_width = height - 2, width - 2
    canvas.rectangle(top + 1, left + 1, inner_height, inner_width, PAPER)
    full = round(share * inner_height)
    canvas.rectangle(top + 1 + inner_height - full, left + 1, full, inner_width, GOLD)


def _draw_pot(canvas: Canvas, top: int, shares: Sequence[float]) -> None:
    height = POT_PIXELS - 2 * MARGIN
    canvas.rectangle(top, MARGIN, height, POT_WIDTH, INK)
    canvas.rectangle(top + 2, MARGIN + 2, height - 4, POT_WIDTH - 4, PAPER)
    edges = np.round(np.cumsum([0.0, *shares]) / len(shares) * (POT_WIDTH - 4)).astype(int).tolist()
    for i in range(len(shares)):
        canvas.rectangle(top + 2, MARGIN + 2 + edges[i], height - 4, edges[i + 1] - edges[i], agent_colour(i))


def public_goods_text(title: str, gifts: Sequence[float | None], endowment: float, returned: float) -> str:
    """What each agent gave, a line each, and the pot.

    Args:
        title: First line.
        gifts: What each agent gave in the last step; None if nobody has acted yet.
        endowment: The most that an agent can give.
        returned: What each agent got back from the pot.
    """
    wide = len(str(len(gifts) - 1))
    lines = [title]
    for i, gift in enumerate(gifts):
        who = f"agent {str(i).rjust(wide)}"
        if gift is None:
            lines.append(f"{who} has not acted yet")
        else:
            bar = round(10 * gift / endowment) if endowment > 0 else 0
            lines.append(f"{who} [{('#' * bar).ljust(10, '.')}] gave {gift:g} of {endowment:g}")
    if gifts[0] is not None:
        lines.append(f"pot {sum(gift for gift in gifts if gift):g}, each got {returned:g} back")
    return "\n".join(lines)
