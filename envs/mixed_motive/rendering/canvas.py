"""A small canvas: smooth shapes and crisp text on an RGB array, with NumPy alone."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["Canvas", "Colour", "agent_colour", "ink_on"]

Colour = tuple[int, int, int]

# Five columns by seven rows, one string of 35 bits for each character.
_GLYPHS = {
    "0": "01110 10001 10011 10101 11001 10001 01110",
    "1": "00100 01100 00100 00100 00100 00100 01110",
    "2": "01110 10001 00001 00110 01000 10000 11111",
    "3": "11110 00001 00001 01110 00001 00001 11110",
    "4": "00010 00110 01010 10010 11111 00010 00010",
    "5": "11111 10000 11110 00001 00001 10001 01110",
    "6": "00110 01000 10000 11110 10001 10001 01110",
    "7": "11111 00001 00010 00100 01000 01000 01000",
    "8": "01110 10001 10001 01110 10001 10001 01110",
    "9": "01110 10001 10001 01111 00001 00010 01100",
    "-": "00000 00000 00000 11111 00000 00000 00000",
    "+": "00000 00100 00100 11111 00100 00100 00000",
    ".": "00000 00000 00000 00000 00000 01100 01100",
    "e": "00000 00000 01110 10001 11111 10000 01110",
    "a": "00000 00000 01110 00001 01111 10001 01111",
    "b": "10000 10000 11110 10001 10001 10001 11110",
    "c": "00000 00000 01111 10000 10000 10000 01111",
    "d": "00001 00001 01111 10001 10001 10001 01111",
    "f": "00110 01001 01000 11100 01000 01000 01000",
    "g": "00000 00000 01111 10001 01111 00001 01110",
    "h": "10000 10000 11110 10001 10001 10001 10001",
    "i": "00100 00000 01100 00100 00100 00100 01110",
    "m": "00000 00000 11010 10101 10101 10101 10101",
    "n": "00000 00000 11110 10001 10001 10001 10001",
    "o": "00000 00000 01110 10001 10001 10001 01110",
    "p": "00000 00000 11110 10001 11110 10000 10000",
    "r": "00000 00000 10110 11001 10000 10000 10000",
    "s": "00000 00000 01111 10000 01110 00001 11110",
    "t": "01000 01000 11100 01000 01000 01001 00110",
    "v": "00000 00000 10001 10001 10001 01010 00100",
    "w": "00000 00000 10001 10001 10101 10101 01010",
    "C": "01110 10001 10000 10000 10000 10001 01110",
    "D": "11110 10001 10001 10001 10001 10001 11110",
}

# Told apart with every common kind of colour blindness, and on water, grass and road (after Okabe and Ito).
_AGENT_COLOURS: tuple[Colour, ...] = (
    (240, 165, 0),
    (122, 60, 160),
    (105, 205, 245),
    (245, 235, 90),
    (225, 120, 175),
    (0, 70, 165),
    (248, 248, 248),
    (35, 35, 40),
)


def agent_colour(index: int) -> Colour:
    """The colour of an agent in every picture."""
    if index < len(_AGENT_COLOURS):
        return _AGENT_COLOURS[index]
    # Beyond the first eight: steps of the golden angle around the colour wheel, in two lightnesses.
    hue = (index * 0.618034) % 1.0
    value = 240 if index % 2 else 160
    wheel = [abs((hue * 6 + shift) % 6 - 3) - 1 for shift in (0, 4, 2)]
    r, g, b = (int(value * (0.25 + 0.75 * min(max(w, 0.0), 1.0))) for w in wheel)
    return r, g, b


def ink_on(colour: Colour) -> Colour:
    """Black or white, whichever reads better on a colour."""
    r, g, b = colour
    return (20, 20, 20) if 0.299 * r + 0.587 * g + 0.114 * b > 140 else (255, 255, 255)


class Canvas:
    """An RGB picture to draw on. Coordinates are in pixels, (row, column), shapes are anti-aliased.

    Args:
        height: Rows.
        width: Columns.
        colour: Of the background.
    """

    def __init__(self, height: int, width: int, colour: Colour) -> None:
        self._pixels = np.empty((height, width, 3), np.float32)
        self._pixels[:] = colour

    @classmethod
    def over(cls, picture: npt.NDArray[np.uint8]) -> Canvas:
        """A canvas that begins as a copy of an (H, W, 3) picture."""
        canvas = cls(picture.shape[0], picture.shape[1], (0, 0, 0))
        canvas._pixels[:] = picture
        return canvas

    def to_array(self) -> npt.NDArray[np.uint8]:
        """(H, W, 3) uint8."""
        return (self._pixels + 0.5).astype(np.uint8)

    def rectangle(self, top: int, left: int, height: int, width: int, colour: Colour) -> None:
        """A filled rectangle on whole pixels."""
        self._pixels[top : top + height, left : left + width] = colour

    def tint(self, top: int, left: int, height: int, width: int, colour: Colour, share: float) -> None:
        """A rectangle on whole pixels that covers what is there by a share in [0, 1]."""
        part = self._pixels[top : top + height, left : left + width]
        part += share * (np.array(colour, np.float32) - part)

    def ellipse(
        self,
        row: float,
        col: float,
        radius_rows: float,
        radius_cols: float,
        colour: Colour,
        above: float | None = None,
    ) -> None:
        """A filled ellipse; only its part above a row, where one is given."""
        top, left = int(row - radius_rows - 1), int(col - radius_cols - 1)
        bottom, right = int(row + radius_rows + 2), int(col + radius_cols + 2)
        top, left = max(top, 0), max(left, 0)
        part = self._pixels[top:bottom, left:right]
        r, c = np.ogrid[top : top + part.shape[0], left : left + part.shape[1]]
        r, c = r + 0.5, c + 0.5
        norm = np.sqrt(((r - row) / radius_rows) ** 2 + ((c - col) / radius_cols) ** 2)
        cover = np.clip((1.0 - norm) * min(radius_rows, radius_cols) + 0.5, 0.0, 1.0)
        if above is not None:
            cover = cover * np.clip(above - r + 0.5, 0.0, 1.0)
        part += cover[..., None] * (np.array(colour, np.float32) - part)

    def line(self, points: Sequence[tuple[float, float]], width: float, colour: Colour) -> None:
        """A line with round ends through two or more points."""
        half = width / 2
        part, r, c = self._around(points, half)
        cover = np.zeros(part.shape[:2])
        for (row, col), (to_row, to_col) in itertools.pairwise(points):
            down, across = to_row - row, to_col - col
            along = ((r - row) * down + (c - col) * across) / max(down**2 + across**2, 1e-9)
            along = np.clip(along, 0.0, 1.0)
            distance = np.hypot(r - row - along * down, c - col - along * across)
            np.maximum(cover, np.clip(half - distance + 0.5, 0.0, 1.0), out=cover)
        part += cover[..., None] * (np.array(colour, np.float32) - part)

    def triangle(self, corners: Sequence[tuple[float, float]], colour: Colour, rim: float = 0.0) -> None:
        """A filled triangle, grown by `rim` on every side; its corners in either order."""
        (r0, c0), (r1, c1), (r2, c2) = corners
        turn = math.copysign(1.0, (r1 - r0) * (c2 - c0) - (c1 - c0) * (r2 - r0))
        # A grown corner would reach far beyond; at twice the rim it is cut off.
        part, r, c = self._around(corners, 2 * rim)
        cover = np.ones(part.shape[:2])
        for (row, col), (to_row, to_col) in itertools.pairwise([*corners, corners[0]]):
            down, across = to_row - row, to_col - col
            inside = turn * (down * (c - col) - across * (r - row)) / math.hypot(down, across)
            np.minimum(cover, np.clip(inside + rim + 0.5, 0.0, 1.0), out=cover)
        part += cover[..., None] * (np.array(colour, np.float32) - part)

    def _around(
        self, points: Sequence[tuple[float, float]], margin: float
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """The pixels around some points, with the rows (h, 1) and columns (1, w) of their middles."""
        rows, cols = [row for row, _ in points], [col for _, col in points]
        top, left = max(int(min(rows) - margin - 1), 0), max(int(min(cols) - margin - 1), 0)
        bottom, right = max(int(max(rows) + margin + 2), 0), max(int(max(cols) + margin + 2), 0)
        part = self._pixels[top:bottom, left:right]
        r, c = np.ogrid[top : top + part.shape[0], left : left + part.shape[1]]
        return part, r + 0.5, c + 0.5

    def text(self, row: float, col: float, text: str, scale: int, colour: Colour) -> None:
        """Characters of 5x7 dots, `scale` pixels a dot, centred; those without a glyph leave a gap.

        What reaches beyond the right or the lower edge is cut off.
        """
        top = round(row - 3.5 * scale)
        left = round(col - (6 * len(text) - 1) * scale / 2)
        for k, character in enumerate(text):
            if character not in _GLYPHS:
                continue
            dots = np.array([[dot == "1" for dot in line] for line in _GLYPHS[character].split()])
            mask = dots.repeat(scale, 0).repeat(scale, 1)
            start = left + 6 * scale * k
            part = self._pixels[top : top + 7 * scale, start : start + 5 * scale]
            part[mask[: part.shape[0], : part.shape[1]]] = colour

    def agent(self, row: float, col: float, radius: float, index: int, hollow: bool = False) -> None:
        """A disc, or a ring around grey, in the agent's colour with its number, dark rim around it."""
        colour = agent_colour(index)
        self.ellipse(row, col, radius, radius, (25, 25, 30))
        rim = max(1.0, radius * 0.1)
        self.ellipse(row, col, radius - rim, radius - rim, colour)
        if hollow:
            colour = (95, 95, 100)
            self.ellipse(row, col, radius * 0.7, radius * 0.7, colour)
        label = str(index)
        scale = int(1.5 * radius / max(7, 6 * len(label)))
        if scale > 0:
            self.text(row, col, label, scale, ink_on(colour))

    def progress(self, top: int, height: int, share: float) -> None:
        """A bar over the whole width that shows how much of the episode has passed."""
        width = self._pixels.shape[1]
        self.rectangle(top, 0, height, width, (40, 44, 52))
        self.rectangle(top, 0, height, round(share * width), (235, 235, 235))
