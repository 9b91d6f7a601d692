"""Gifts on top of a game's picture: an arrow from giver to receiver, with its amount.

Knows where agents are in a picture and who gave whom how much, not why.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mixed_motive.rendering.arrows import Box, Curve, Spot, clearest_box, clearest_curve, draw_arrow
from mixed_motive.rendering.canvas import Canvas, Colour, agent_colour, ink_on

__all__ = [
    "MAX_ARROWS",
    "SMALLEST_SHARE",
    "Gift",
    "draw_gifts",
    "gifts_text",
    "short_number",
    "visible_gifts",
]

#: A gift below this share of the largest reward that an agent split in the step is not shown.
SMALLEST_SHARE = 0.02
#: Of more gifts the largest are drawn, the others are summed up in a corner.
MAX_ARROWS = 6

PROGRESS_PIXELS = 8
BENCH_RADIUS = 10.0
NOTE: Colour = (32, 35, 42)


class Gift(NamedTuple):
    """One agent's gift to another in one step; a negative amount is a share of a penalty."""

    giver: int
    receiver: int
    amount: float


def visible_gifts(gifts: npt.NDArray[np.float64]) -> list[Gift]:
    """The gifts that are worth showing, largest first.

    Args:
        gifts: (N, N) amounts, giver in the row; the diagonal is what each kept.
    """
    least = SMALLEST_SHARE * _largest_reward(gifts)
    pairs = [Gift(int(i), int(j), float(gifts[i, j])) for i, j in np.argwhere(gifts) if i != j]
    return sorted((gift for gift in pairs if abs(gift.amount) >= least), key=lambda gift: -abs(gift.amount))


def _largest_reward(gifts: npt.NDArray[np.float64]) -> float:
    return float(np.abs(gifts).sum(axis=1).max())


def gifts_text(agent_ids: Sequence[str], gifts: npt.NDArray[np.float64]) -> list[str]:
    """A line for each gift, the largest first.

    Args:
        agent_ids: Names of the agents.
        gifts: (N, N) amounts, giver in the row; the diagonal is what each kept.
    """
    return [
        f"{agent_ids[giver]} gives {agent_ids[to]} {gift:.3g}" for giver, to, gift in visible_gifts(gifts)
    ]


def draw_gifts(
    picture: npt.NDArray[np.uint8], spots: Sequence[Spot | None], gifts: npt.NDArray[np.float64]
) -> npt.NDArray[np.uint8]:
    """An arrow in the giver's colour for each gift, as wide as its share of the step's largest reward.

    The `MAX_ARROWS` largest; how many others there are, and their sum, stands in a corner.
    Agents that are not in the picture give and receive on its lower edge.

    Args:
        picture: (H, W, 3), as a game draws it.
        spots: Where each agent is in it.
        gifts: (N, N) amounts, giver in the row; the diagonal is what each kept.

    Returns:
        (H, W, 3) uint8, a new array.
    """
    canvas = Canvas.over(picture)
    area = Box(0, 0, picture.shape[0] - PROGRESS_PIXELS, picture.shape[1])
    shown = visible_gifts(gifts)
    arrows, rest = shown[:MAX_ARROWS], shown[MAX_ARROWS:]
    places = _places(canvas, spots, arrows, area)
    curves: list[Curve] = []
    for giver, receiver, _ in arrows:
        others = [spot for i, spot in places.items() if i not in (giver, receiver)]
        curves.append(clearest_curve(places[giver], places[receiver], others, curves, area))
    largest = _largest_reward(gifts)
    for gift, curve in zip(reversed(arrows), reversed(curves), strict=True):  # the largest on top
        size = min(places[gift.giver][2], places[gift.receiver][2], 14.0) / 14
        width = max(1.0, size * (2 + 10 * abs(gift.amount) / largest))
        draw_arrow(canvas, curve, width, agent_colour(gift.giver))
    taken = [Box(round(r - size), round(c - size), *[round(2 * size)] * 2) for r, c, size in places.values()]
    if rest:
        taken.append(_draw_rest(canvas, rest, taken, area))
    taken += [Box(round(curve.end[0]) - 5, round(curve.end[1]) - 5, 10, 10) for curve in curves]  # heads
    for gift, curve in zip(arrows, curves, strict=True):
        text, scale = short_number(gift.amount), _label_scale(curve, places.values())
        box = clearest_box(curve, 7 * scale + 4, (6 * len(text) - 1) * scale + 4, taken, area)
        taken.append(box)
        _draw_note(canvas, box, text, scale, agent_colour(gift.giver))
    return canvas.to_array()


def short_number(value: float) -> str:
    """At most five characters with the sign, for whatever is not astronomic."""
    size = abs(value)
    digits = 2 if size < 9.995 else 1 if size < 99.95 else 0
    if size >= 9999.5:
        return f"{value:.0e}".replace("e+0", "e").replace("e+", "e")
    return f"{value if size >= 0.005 else 0:.{digits}f}"


def _places(
    canvas: Canvas, spots: Sequence[Spot | None], gifts: Sequence[Gift], area: Box
) -> dict[int, Spot]:
    """Places of the agents in the picture; those that only a gift brings there are drawn."""
    places = {i: spot for i, spot in enumerate(spots) if spot is not None}
    absent = sorted({i for gift in gifts for i in (gift.giver, gift.receiver)} - places.keys())
    step = min(2.6 * BENCH_RADIUS, area.width / max(len(absent), 1))
    for k, i in enumerate(absent):
        places[i] = (area.height - BENCH_RADIUS - 2, (k + 0.5) * step, BENCH_RADIUS)
        canvas.agent(*places[i], i)
    return places


def _label_scale(curve: Curve, spots: Iterable[Spot]) -> int:
    """Large, unless the arrow is short or agents are small."""
    large = math.dist(curve.start, curve.end) >= 80 and min(radius for *_, radius in spots) >= 10
    return 2 if large else 1


def _draw_rest(canvas: Canvas, rest: Sequence[Gift], taken: Sequence[Box], area: Box) -> Box:
    """The sum of the gifts without an arrow, in the corner that hides least."""
    text = f"{len(rest)} more {short_number(sum(gift.amount for gift in rest))}"
    width = 6 * len(text) + 3
    corners = [
        Box(top, left, 11, width)
        for top in (area.height - 13, 2)
        for left in (max(area.width - width - 2, 0), 2)
    ]
    box = min(corners, key=lambda corner: sum(corner.overlap(other) for other in taken))
    _draw_note(canvas, box, text, 1, NOTE)
    return box


def _draw_note(canvas: Canvas, box: Box, text: str, scale: int, colour: Colour) -> None:
    ink = ink_on(colour)
    canvas.rectangle(*box, ink)
    canvas.rectangle(box.top + 1, box.left + 1, box.height - 2, box.width - 2, colour)
    canvas.text(box.top + box.height / 2, box.left + box.width / 2, text, scale, ink)
