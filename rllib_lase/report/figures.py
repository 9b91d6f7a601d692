"""The kinds of pictures: curves, heat maps of gifts and other matrices, bars per agent. Data in, figure out.

Figures are made as objects, without pyplot's global state; `theme.render_svg` puts the theme in force.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
from matplotlib.collections import PatchCollection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator

from rllib_lase.report.curves import SeedCurves
from rllib_lase.report.theme import LIGHT

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

FloatArray = npt.NDArray[np.float64]

_WIDTH = 9.0
_MAX_NUMBERED_AGENTS = 12
_LEVEL_LETTERS = 10
"""Longest name of an agent that stands level under an axis."""
_TITLE_LETTERS = 90
"""Letters of bold titles side by side over the whole width."""
_LEGEND_LETTERS, _KEY_LETTERS = 110, 7
"""Letters in one line of a legend, and those in whose place an entry's key stands."""


@dataclass(frozen=True)
class Line:
    """A curve: its mean over seeds, a band of one standard deviation, and the seeds as thin lines."""

    label: str
    colour: int
    curves: SeedCurves
    dashed: bool = False


@dataclass(frozen=True)
class CurvePanel:
    """A set of axes with curves over env steps.

    Attributes:
        title: what the y axis shows.
        lines: the curves.
        limits: y limits; taken from the data where None.
        ceiling: the highest value that can be reached, a dotted line.
    """

    title: str
    lines: Sequence[Line]
    limits: tuple[float, float] | None = None
    ceiling: float | None = None


@dataclass(frozen=True)
class HeatMap:
    """Gift weights (N, N), giver in the row, under a title."""

    title: str
    gift_weights: FloatArray


@dataclass(frozen=True)
class MatrixPanel:
    """Any numbers as a heat map.

    Attributes:
        title: heading.
        values: (R, C); NaN where undefined.
        texts: (R, C) what stands in the cells.
    """

    title: str
    values: FloatArray
    texts: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Bars:
    """One bar per agent with its interval.

    Attributes:
        label: name in the legend; empty for a panel with one set of bars.
        values: (N,) heights.
        low: (N,) lower ends of the intervals; NaN for none.
        high: (N,) upper ends.
    """

    label: str
    values: FloatArray
    low: FloatArray
    high: FloatArray


@dataclass(frozen=True)
class BarPanel:
    """Bars of all agents: one set, or two sets side by side (before and after).

    Attributes:
        title: heading; empty for none.
        quantity: what the y axis shows; empty where a panel to the left says it.
        tick_labels: N names under the bars.
        bars: one or two sets, the second one hatched.
        colour: place in the palette.
    """

    title: str
    quantity: str
    tick_labels: Sequence[str]
    bars: Sequence[Bars]
    colour: int


def draw_curves(panels: Sequence[CurvePanel], columns: int = 1) -> Figure:
    """Curves over env steps, one legend for all panels.

    Args:
        panels: At least one.
        columns: Panels side by side.

    Returns:
        The figure.
    """
    figure, grid = _figure(len(panels), columns, height=3.1 if columns == 1 else 2.5)
    for index, (panel, axes) in enumerate(zip(panels, grid, strict=True)):
        _curve_axes(panel, axes)
        if index + columns >= len(panels):
            axes.set_xlabel("Environment steps")
    _add_legend(figure)
    return figure


def draw_heat_maps(maps: Sequence[HeatMap], agent_labels: Sequence[str]) -> Figure:
    """Gift weights as heat maps on one scale: giver in the row, receiver in the column.

    The diagonal, the share kept, is neutral, so that the colours tell the gifts apart.

    Args:
        maps: At least one, all (N, N).
        agent_labels: N names.

    Returns:
        The figure, with numbers in the cells up to twelve agents.
    """
    num_agents = len(agent_labels)
    columns = 1 if len(maps) == 1 else 4 if num_agents <= 4 else 2
    side = 4.4 if columns == 1 else _WIDTH / columns
    figure, grid = _figure(len(maps), columns, height=side - 0.6, width=side * columns)
    largest = largest_gift(maps) or 1.0
    every = 1 if num_agents <= _MAX_NUMBERED_AGENTS else 8
    ticks = range(0, num_agents, every)
    for index, (heat_map, axes) in enumerate(zip(maps, grid, strict=True)):
        _heat_map_axes(heat_map, axes, largest, font_size=9 if columns * num_agents <= 12 else 7)
        axes.set_aspect("equal")
        _name_places(axes, ticks, [agent_labels[i] for i in ticks])
        axes.set_yticks(ticks, [agent_labels[i] for i in ticks])
        axes.set_xlabel("receiver")
        if index % columns == 0:
            axes.set_ylabel("giver")
    return figure


def draw_matrices(
    panels: Sequence[MatrixPanel],
    row_labels: Sequence[str],
    column_labels: Sequence[str],
    row_axis: str,
    column_axis: str,
) -> Figure:
    """Matrices as heat maps, two side by side; the colours of each run from its lowest to its highest number.

    Args:
        panels: At least one, all (R, C).
        row_labels: R names.
        column_labels: C names.
        row_axis: What the rows are.
        column_axis: What the columns are.

    Returns:
        The figure.
    """
    columns = min(2, len(panels))
    longest = max(map(len, column_labels))
    width = columns * (1.6 + 0.075 * max(map(len, row_labels)) + 0.8 * len(column_labels))
    height = 0.9 + 0.42 * len(row_labels) + 0.05 * longest
    figure, grid = _figure(len(panels), columns, height, max(width, 4.0 * columns))
    for index, (panel, axes) in enumerate(zip(panels, grid, strict=True)):
        undefined = np.isnan(panel.values)
        defined = panel.values[~undefined]
        low, spread = (defined.min(), np.ptp(defined)) if defined.size else (0.0, 0.0)
        strength = np.where(undefined, 0.0, (panel.values - low) / (spread or 1.0))
        _cells(axes, strength, undefined, panel.texts, font_size=9)
        axes.set_title(panel.title)
        axes.set_xticks(range(len(column_labels)), column_labels)
        if longest > 8:
            for label in axes.get_xticklabels():
                label.set(rotation=35, ha="right", rotation_mode="anchor")
        axes.set_yticks(
            range(len(row_labels)), row_labels if index % columns == 0 else [""] * len(row_labels)
        )
        axes.set_xlabel(column_axis)
        if index % columns == 0:
            axes.set_ylabel(row_axis)
    return figure


def largest_gift(maps: Sequence[HeatMap]) -> float:
    """The largest weight off the diagonals, which has the full colour; 0 where nobody gives."""
    off_diagonal = ~np.eye(len(maps[0].gift_weights), dtype=bool)
    gifts = np.stack([heat_map.gift_weights[off_diagonal] for heat_map in maps])
    return float(np.nan_to_num(gifts).max(initial=0.0))


def draw_bars(panels: Sequence[BarPanel | None], columns: int, share_rows: bool) -> Figure:
    """Bars per agent in a grid.

    Args:
        panels: Row by row; None leaves a place empty.
        columns: Panels side by side.
        share_rows: Whether the panels of a row show one quantity, on one scale.

    Returns:
        The figure.
    """
    height = 1.9 + max(_height_of_names(panel.tick_labels) for panel in panels if panel is not None)
    figure, grid = _figure(len(panels), columns, height, sharey="row" if share_rows else False)
    for panel, axes in zip(panels, grid, strict=True):
        if panel is None:
            axes.set_visible(False)
        else:
            _bar_axes(panel, axes, _TITLE_LETTERS // columns)
    _add_legend(figure)
    return figure


def _add_legend(figure: Figure) -> None:
    """One legend above all axes; none for a single entry."""
    entries: dict[str, Artist] = {}
    for axes in figure.axes:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    if len(entries) > 1:
        columns = min(len(entries), 6, max(1, _LEGEND_LETTERS // (_KEY_LETTERS + max(map(len, entries)))))
        figure.legend(list(entries.values()), list(entries), loc="outside upper left", ncols=columns)


def _name_places(axes: Axes, places: npt.ArrayLike, labels: Sequence[str]) -> None:
    """Names under an axis, slanted where they would not fit side by side."""
    slanted = _height_of_names(labels) > 0
    axes.set_xticks(places, labels, rotation=30 if slanted else 0, ha="right" if slanted else "center")


def _height_of_names(labels: Sequence[str]) -> float:
    """Inches that slanted names take, 0 for level ones."""
    longest = max(map(len, labels))
    return 0.045 * longest if longest > _LEVEL_LETTERS else 0.0


def _figure(
    num_panels: int,
    columns: int,
    height: float,
    width: float = _WIDTH,
    sharey: Literal["row", False] = False,
) -> tuple[Figure, list[Axes]]:
    """A figure with `num_panels` axes, row by row; what is left of the last row stays empty."""
    rows = math.ceil(num_panels / columns)
    engine = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1)
    figure = Figure(figsize=(width, height * rows + 0.5), layout=engine)
    grid: list[Axes] = list(figure.subplots(rows, columns, squeeze=False, sharey=sharey).flat)
    for axes in grid[num_panels:]:
        axes.set_visible(False)
    return figure, grid[:num_panels]


def _curve_axes(panel: CurvePanel, axes: Axes) -> None:
    axes.set_title(panel.title)
    if panel.ceiling is not None:
        axes.axhline(panel.ceiling, color=LIGHT.muted, linestyle=":", linewidth=1.2)
        axes.annotate(
            f"ceiling {panel.ceiling:g}",
            (1, panel.ceiling),
            xycoords=("axes fraction", "data"),
            xytext=(0, -4),
            textcoords="offset points",
            ha="right",
            va="top",
            color=LIGHT.muted,
            fontsize=8,
        )
    for line in panel.lines:
        colour = LIGHT.palette[line.colour % len(LIGHT.palette)]
        style = (0, (4, 2)) if line.dashed else "solid"
        steps, mean, std = line.curves.env_steps, line.curves.mean, line.curves.std
        if len(line.curves.values) > 1:
            for values in line.curves.values:
                axes.plot(steps, values, color=colour, linewidth=0.6, alpha=0.35)
            axes.fill_between(steps, mean - std, mean + std, color=colour, alpha=0.16, linewidth=0)
        marker = "o" if steps.size == 1 else None
        axes.plot(steps, mean, color=colour, linestyle=style, marker=marker, label=line.label)
    if panel.limits:
        axes.set_ylim(*panel.limits)
    axes.margins(x=0.01)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.xaxis.set_major_formatter(FuncFormatter(_steps_text))


def _heat_map_axes(heat_map: HeatMap, axes: Axes, largest: float, font_size: float) -> None:
    weights = heat_map.gift_weights
    neutral = np.eye(len(weights), dtype=bool) | np.isnan(weights)
    strength = np.where(neutral, 0.0, np.clip(weights / largest, 0, 1))
    texts = [["n/a" if np.isnan(weight) else f"{weight:.2f}" for weight in row] for row in weights]
    _cells(axes, strength, neutral, texts if len(weights) <= _MAX_NUMBERED_AGENTS else None, font_size)
    axes.set_title(heat_map.title)


def _cells(
    axes: Axes,
    strength: FloatArray,
    neutral: npt.NDArray[np.bool_],
    texts: Sequence[Sequence[str]] | None,
    font_size: float,
) -> None:
    """Coloured cells (R, C), the first row on top: neutral ones grey, others by their strength in [0, 1]."""
    rows, columns = strength.shape
    cells = list(np.ndindex(rows, columns))
    grey = to_rgba(LIGHT.grid)
    faces = [
        grey if neutral[cell] else to_rgba(LIGHT.gift, 0.05 + 0.95 * float(strength[cell])) for cell in cells
    ]
    squares = [Rectangle((j - 0.5, i - 0.5), 1, 1) for i, j in cells]
    axes.add_collection(PatchCollection(squares, facecolors=faces, edgecolors=LIGHT.ground))
    for i, row in enumerate(texts or ()):
        for j, text in enumerate(row):
            ink = LIGHT.muted if neutral[i, j] else LIGHT.ground if strength[i, j] > 0.6 else LIGHT.ink
            axes.text(j, i, text, ha="center", va="center", fontsize=font_size, color=ink)
    axes.set(xlim=(-0.5, columns - 0.5), ylim=(rows - 0.5, -0.5))
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)


def _bar_axes(panel: BarPanel, axes: Axes, title_letters: int) -> None:
    colour = LIGHT.palette[panel.colour % len(LIGHT.palette)]
    places = np.arange(len(panel.tick_labels))
    width = 0.76 / len(panel.bars)
    for index, bars in enumerate(panel.bars):
        left = places + (index - (len(panel.bars) - 1) / 2) * width
        axes.bar(
            left,
            bars.values,
            width * 0.92,
            color=colour if index == 0 else LIGHT.ground,
            edgecolor=colour,
            hatch=None if index == 0 else "/////",
            linewidth=1,
            label=bars.label or None,
        )
        spread = np.nan_to_num(np.stack([bars.values - bars.low, bars.high - bars.values]))
        if spread.any():
            axes.errorbar(left, bars.values, spread, fmt="none", ecolor=LIGHT.ink, elinewidth=1)
    axes.axhline(0, color=LIGHT.muted, linewidth=0.8)
    axes.set_title(textwrap.fill(panel.title, title_letters))
    axes.set_ylabel(panel.quantity)
    every = math.ceil(len(places) / 12)
    _name_places(axes, places[::every], list(panel.tick_labels)[::every])
    axes.tick_params(axis="x", length=0)
    axes.spines["bottom"].set_visible(False)


def _steps_text(steps: float, _: int) -> str:
    """350000 as 350k, 2000000 as 2M."""
    for factor, unit in ((1e6, "M"), (1e3, "k")):
        if abs(steps) >= factor:
            return f"{steps / factor:g}{unit}"
    return f"{steps:g}"
