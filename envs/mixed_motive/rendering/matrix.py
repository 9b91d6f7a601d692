"""Pictures of two-player matrix games: the payoff table with the last joint action lit."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mixed_motive.rendering.arrows import Spot
from mixed_motive.rendering.canvas import Canvas, Colour

__all__ = ["AGENT_SPOTS", "draw_matrix"]

FRAME_PIXELS = 288
PROGRESS_PIXELS = 8
MARGIN = 56
CELL = (FRAME_PIXELS - MARGIN) // 2
AGENT_SPOTS: tuple[Spot, Spot] = ((80, 16, 13), (16, 80, 13))
INK: Colour = (30, 32, 38)
PAPER: Colour = (238, 238, 232)
LIT: Colour = (255, 214, 92)


def draw_matrix(
    payoffs: tuple[float, float, float, float], outcome: int, progress: float
) -> npt.NDArray[np.uint8]:
    """A picture of one copy: agent 0 chooses the row, agent 1 the column.

    Args:
        payoffs: R, S, T, P.
        outcome: The last joint action, 0 to 3 for CC, CD, DC, DD with agent 0's first; anything else lights
            no cell.
        progress: Share of the episode that has passed, in [0, 1].

    Returns:
        (296, 288, 3) uint8.
    """
    reward, sucker, temptation, punishment = payoffs
    cells = ((reward, reward), (sucker, temptation), (temptation, sucker), (punishment, punishment))
    canvas = Canvas(FRAME_PIXELS + PROGRESS_PIXELS, FRAME_PIXELS, (206, 210, 214))
    for i, spot in enumerate(AGENT_SPOTS):
        canvas.agent(*spot, i)
    for k, action in enumerate("CD"):
        canvas.text(MARGIN + (k + 0.5) * CELL, 42, action, 3, INK)
        canvas.text(42, MARGIN + (k + 0.5) * CELL, action, 3, INK)
    for k, (first, second) in enumerate(cells):
        row, col = divmod(k, 2)
        top, left = MARGIN + row * CELL, MARGIN + col * CELL
        border = 6 if k == outcome else 2
        canvas.rectangle(top, left, CELL, CELL, INK)
        canvas.rectangle(
            top + border, left + border, CELL - 2 * border, CELL - 2 * border, LIT if k == outcome else PAPER
        )
        for line, (agent, payoff) in enumerate(((0, first), (1, second))):
            middle = top + CELL * (0.3 + 0.4 * line)
            canvas.agent(middle, left + 24, 11, agent)
            canvas.text(middle, left + 70, f"{payoff:.3g}", 2, INK)
    canvas.progress(FRAME_PIXELS, PROGRESS_PIXELS, progress)
    return canvas.to_array()
