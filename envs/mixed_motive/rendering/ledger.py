"""A ledger beneath a picture: what each agent got by itself, gave, was given and has, a row per agent.

Knows rewards and gifts, no game.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from mixed_motive.checks import read_gifts
from mixed_motive.errors import GameError
from mixed_motive.rendering.canvas import Canvas, Colour
from mixed_motive.rendering.gifts import short_number

__all__ = ["Ledger"]

BLOCK_PIXELS = 288
ROW_PIXELS = 18
HEAD_PIXELS = 26
AGENT_RADIUS = 7.0
FIRST_COLUMN = 20
#: Agents in one block; more agents stand in further blocks beside it.
MAX_ROWS = 16

PAPER: Colour = (32, 35, 42)
STRIPE: Colour = (42, 46, 55)
HEADING: Colour = (160, 166, 176)
NUMBER: Colour = (232, 232, 232)
GAIN: Colour = (130, 220, 130)
LOSS: Colour = (255, 150, 110)
# Width of each column in pixels.
_WIDTHS: Mapping[str, int] = MappingProxyType({"reward": 35, "gave": 33, "got": 33, "has": 33})


class Ledger:
    """Sums rewards and gifts of one episode and writes them beneath its pictures.

    Args:
        num_agents: N.
        gifts: Whether there are gifts; without them only rewards are written.
    """

    def __init__(self, num_agents: int, gifts: bool) -> None:
        self._columns = ("reward", "gave", "got", "has") if gifts else ("reward",)
        self._num_agents = num_agents
        self._now: npt.NDArray[np.float64] = np.zeros((len(self._columns), num_agents))
        self._so_far = np.zeros_like(self._now)

    def add(self, rewards: npt.ArrayLike, gifts: npt.ArrayLike | None = None) -> None:
        """Enters a step.

        Args:
            rewards: (N,) rewards before gifts.
            gifts: (N, N) amounts, giver in the row, receiver in the column; the diagonal does not count.
                Only for a ledger with gifts.

        Raises:
            GameError: If an array has another shape or holds no finite numbers.
        """
        own = np.asarray(rewards)
        if own.shape != (self._num_agents,) or own.dtype.kind not in "iuf" or not np.isfinite(own).all():
            expected = f"{self._num_agents} finite numbers"
            raise GameError("ledger", [f"rewards are {own.dtype} {own.tolist()}, expected {expected}"])
        if len(self._columns) == 1:
            self._now[0] = own
        else:
            moved = read_gifts("ledger", gifts, self._num_agents)
            np.fill_diagonal(moved, 0.0)
            gave, got = -moved.sum(axis=1), moved.sum(axis=0)
            self._now[:] = own, gave, got, own + gave + got
        self._so_far += self._now

    def beneath(self, picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """A new (H, W, 3) picture with the ledger beneath; pictures of one size stay of one size.

        Its columns, for this step and for the episode so far: the reward, what was given away of it, what was
        got from others, and what that leaves. Zeros are left out in the columns of this step.
        """
        width = picture.shape[1]
        blocks = -(-self._num_agents // MAX_ROWS)
        rows = -(-self._num_agents // blocks)
        scale = max(1, width // (blocks * BLOCK_PIXELS))
        drawn = Canvas(HEAD_PIXELS + rows * ROW_PIXELS, blocks * BLOCK_PIXELS, PAPER)
        for block in range(blocks):
            agents = range(block * rows, min((block + 1) * rows, self._num_agents))
            self._draw_block(drawn, agents, block * BLOCK_PIXELS)
        ledger = drawn.to_array().repeat(scale, axis=0).repeat(scale, axis=1)
        return np.concatenate([_widened(picture, ledger.shape[1]), _widened(ledger, width)])

    def _draw_block(self, canvas: Canvas, agents: range, left: int) -> None:
        count = len(self._columns)
        widths = np.array(2 * [_WIDTHS[name] for name in self._columns])
        widths = widths * (BLOCK_PIXELS - FIRST_COLUMN) / widths.sum()
        middles = (left + FIRST_COLUMN + widths.cumsum() - widths / 2).tolist()
        half = (BLOCK_PIXELS - FIRST_COLUMN) / 2
        for part, title in enumerate(("this step", "episode so far")):
            canvas.text(7, left + FIRST_COLUMN + (part + 0.5) * half, title, 1, HEADING)
        for middle, name in zip(middles, 2 * self._columns, strict=True):
            canvas.text(18, middle, name, 1, HEADING)
        for row, i in enumerate(agents):
            top = HEAD_PIXELS + row * ROW_PIXELS
            if row % 2 == 0:
                canvas.rectangle(top, left, ROW_PIXELS, BLOCK_PIXELS, STRIPE)
            middle_row = top + ROW_PIXELS / 2
            canvas.agent(middle_row, left + 11, AGENT_RADIUS, i)
            for k, name in enumerate(self._columns):
                _draw_number(canvas, middle_row, middles[k], self._now[k, i], name, "")
                _draw_number(canvas, middle_row, middles[count + k], self._so_far[k, i], name, "0")
        height = HEAD_PIXELS + len(agents) * ROW_PIXELS
        canvas.rectangle(0, left + FIRST_COLUMN + round(half) - 1, height, 1, HEADING)


def _draw_number(canvas: Canvas, row: float, col: float, value: float, column: str, zero: str) -> None:
    """A number of a column; what moved between agents has its sign and is coloured by it."""
    text = short_number(value)
    if float(text) == 0:
        canvas.text(row, col, zero, 1, HEADING)
    elif column in ("gave", "got"):
        canvas.text(row, col, f"+{text}" if value > 0 else text, 1, GAIN if value > 0 else LOSS)
    else:
        canvas.text(row, col, text, 1, NUMBER)


def _widened(picture: npt.NDArray[np.uint8], width: int) -> npt.NDArray[np.uint8]:
    """The picture in the middle of a strip that is at least `width` pixels wide."""
    height, own = picture.shape[:2]
    wide = np.full((height, max(width, own), 3), PAPER, np.uint8)
    left = (wide.shape[1] - own) // 2
    wide[:, left : left + own] = picture
    return wide
