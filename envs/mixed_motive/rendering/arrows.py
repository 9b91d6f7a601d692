"""Curved arrows between agents of a picture, and room for what is written beside them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mixed_motive.rendering.canvas import Canvas, Colour, ink_on

__all__ = ["Box", "Curve", "Spot", "clearest_box", "clearest_curve", "draw_arrow"]

#: Row, column and radius of an agent in a picture, in pixels.
Spot = tuple[float, float, float]
Point = tuple[float, float]

BENDS = (0.12, 0.3, 0.5, 0.8)
ROOM = 28.0
SAMPLES = np.linspace(0.05, 0.95, 13)
LABEL_PLACES = (0.5, 0.4, 0.6, 0.3, 0.7)
LABEL_SHIFTS = (0.0, 1.0, -1.0, 2.0, -2.0)


class Box(NamedTuple):
    """A rectangle of whole pixels."""

    top: int
    left: int
    height: int
    width: int

    def overlap(self, other: Box) -> int:
        """Pixels that both cover."""
        rows = min(self.top + self.height, other.top + other.height) - max(self.top, other.top)
        cols = min(self.left + self.width, other.left + other.width) - max(self.left, other.left)
        return max(rows, 0) * max(cols, 0)


class Curve(NamedTuple):
    """A quadratic Bezier curve."""

    start: Point
    control: Point
    end: Point

    def points(self, places: Iterable[float] = SAMPLES) -> npt.NDArray[np.float64]:
        """(K, 2) points; place 0 is the start, 1 the end."""
        t = np.array([*places])[:, None]
        start, control, end = np.array(self)
        points: npt.NDArray[np.float64] = (1 - t) ** 2 * start + 2 * t * (1 - t) * control + t**2 * end
        return points


def clearest_curve(
    start: Spot, end: Spot, others: Sequence[Spot], curves: Sequence[Curve], area: Box
) -> Curve:
    """Of flat and round arcs to both sides, the one that stays clearest of other agents and other arrows.

    Args:
        start: Agent at the arrow's foot.
        end: Agent at its tip.
        others: All other agents.
        curves: Arrows that are there already.
        area: Where arrows may go.
    """
    length = math.dist(start[:2], end[:2])
    # Neighbours, and agents that share a cell, need a detour to have an arrow at all.
    least = max(0.0, 2 * (start[2] + end[2]) + ROOM - length)
    crossed = np.concatenate([curve.points() for curve in curves]) if curves else np.empty((0, 2))
    discs = np.array(others).reshape(-1, 3)

    def cost(curve: Curve) -> float:
        points = curve.points()[:, None]
        hidden = np.clip(discs[:, 2] + 5 - np.linalg.norm(points - discs[:, :2], axis=2), 0, None).sum()
        close = np.clip(8 - np.linalg.norm(points - crossed, axis=2), 0, None).sum()
        detour = math.dist(curve.control, ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2))
        # Close to the area's edge there may be no room to bend.
        return float(3 * hidden + close + 0.2 * detour + 2 * max(least - detour, 0.0))

    bends = [side * (least + part * length) for part in BENDS for side in (1, -1)]
    return min((_arc(start, end, bend, area) for bend in bends), key=cost)


def _arc(start: Spot, end: Spot, bend: float, area: Box) -> Curve:
    """An arc from rim to rim; its control point lies `bend` pixels to the left of the straight way."""
    (row, col, radius), (to_row, to_col, to_radius) = start, end
    down, across = to_row - row, to_col - col
    length = math.hypot(down, across)
    control = (
        min(max((row + to_row) / 2 - bend * across / length, area.top + 2), area.top + area.height - 2),
        min(max((col + to_col) / 2 + bend * down / length, area.left + 2), area.left + area.width - 2),
    )
    return Curve(
        _towards((row, col), control, radius), control, _towards((to_row, to_col), control, to_radius + 1)
    )


def _towards(start: Point, end: Point, distance: float) -> Point:
    part = distance / max(math.dist(start, end), 1e-9)
    return start[0] + part * (end[0] - start[0]), start[1] + part * (end[1] - start[1])


def draw_arrow(canvas: Canvas, curve: Curve, width: float, colour: Colour) -> None:
    """An arrow along a curve with a thin rim that shows on every ground."""
    foot = _towards(curve.end, curve.control, 4 + 1.4 * width)
    down, across = curve.end[0] - foot[0], curve.end[1] - foot[1]
    half = (2.5 + 0.8 * width) / math.hypot(down, across)
    head = [
        curve.end,
        (foot[0] - half * across, foot[1] + half * down),
        (foot[0] + half * across, foot[1] - half * down),
    ]
    shaft = Curve(curve.start, curve.control, foot).points(np.linspace(0, 1, 17)).tolist()
    rim = ink_on(colour)
    canvas.line(shaft, width + 2, rim)
    canvas.triangle(head, rim, rim=1.0)
    canvas.line(shaft, width, colour)
    canvas.triangle(head, colour)


def clearest_box(curve: Curve, height: int, width: int, taken: Sequence[Box], area: Box) -> Box:
    """Room for a label on or beside a curve, where it hides least.

    Args:
        curve: What the label belongs to.
        height: Of the label.
        width: Of the label.
        taken: What should not be hidden.
        area: Where labels may be.
    """
    (row, col), (to_row, to_col) = curve.start, curve.end
    length = max(math.dist(curve.start, curve.end), 1e-9)
    aside = (to_col - col) / length * 0.8 * height, (row - to_row) / length * 0.8 * width
    boxes = []
    for shift in LABEL_SHIFTS:
        for middle_row, middle_col in curve.points(LABEL_PLACES).tolist():
            top = round(middle_row + shift * aside[0] - height / 2)
            left = round(middle_col + shift * aside[1] - width / 2)
            top = max(min(top, area.top + area.height - height), area.top)
            left = max(min(left, area.left + area.width - width), area.left)
            boxes.append(Box(top, left, height, width))
    return min(boxes, key=lambda box: sum(box.overlap(other) for other in taken))
