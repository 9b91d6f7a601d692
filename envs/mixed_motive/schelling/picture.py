"""A Schelling diagram as a picture; the only file of the games that needs matplotlib."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mixed_motive.errors import GameError
from mixed_motive.schelling.statistics import Band

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from mixed_motive.schelling.diagram import SchellingDiagram

__all__ = ["diagram_figure", "require_picture", "save_picture"]

# Of Okabe and Ito's colours, which people with colour vision deficiency tell apart.
_COOPERATOR, _DEFECTOR, _EVERYBODY = "#0072b2", "#d55e00", "#60656c"


def require_picture(path: Path) -> None:
    """Say what a picture needs and is not there, before any episode is played for it.

    Raises:
        ImportError: Without matplotlib.
        GameError: If the file cannot be written, or its ending is no kind of picture.
    """
    try:
        import matplotlib  # noqa: F401  # only whether it is there
    except ImportError:
        raise ImportError(
            "pictures of Schelling diagrams need matplotlib, which the games alone do not bring: "
            "pip install matplotlib"
        ) from None
    from matplotlib.backend_bases import FigureCanvasBase

    known = sorted(FigureCanvasBase.get_supported_filetypes())
    problems = []
    if path.suffix[1:].lower() not in known:
        problems.append(f"{path.name!r} has no known ending; expected one of: .{', .'.join(known)}")
    if path.is_dir():
        problems.append(f"{path} is a folder; expected a file")
    elif not path.parent.is_dir():
        problems.append(f"there is no folder {path.parent}; make it first")
    elif not os.access(path if path.exists() else path.parent, os.W_OK):
        problems.append(f"{path} cannot be written; expected a place where you may write")
    if problems:
        raise GameError("picture of a Schelling diagram", problems)


def save_picture(diagram: SchellingDiagram, path: Path) -> None:
    """Draw into a file.

    Raises:
        ImportError: Without matplotlib.
        GameError: If the file cannot be written, or its ending is no kind of picture.
    """
    require_picture(path)
    diagram_figure(diagram).savefig(path, dpi=90)


def diagram_figure(diagram: SchellingDiagram) -> Figure:
    """Both curves with their bands, beside them the average of all; the verdict in the title."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.4, 3.8), layout="constrained")
    curves, average = figure.subplots(1, 2, sharey=True, width_ratios=(1.6, 1))
    _curve(curves, diagram.cooperator, _COOPERATOR, "o-", "a cooperator")
    _curve(curves, diagram.defector, _DEFECTOR, "s-", "a defector")
    curves.set_xlabel("how many of the others cooperate")
    curves.set_ylabel("return per episode")
    curves.legend(frameon=False)
    _curve(average, diagram.everybody, _EVERYBODY, "o-", "average of all")
    average.set_xlabel("how many of all cooperate")
    average.legend(frameon=False)
    for axes in (curves, average):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color="#e6e7e9")
        axes.set_axisbelow(True)
        axes.xaxis.get_major_locator().set_params(integer=True)
    figure.suptitle(f"{diagram.title}: {diagram.verdict}", fontweight="bold", fontsize=11)
    return figure


def _curve(axes: Axes, band: Band, colour: str, style: str, label: str) -> None:
    x = np.arange(len(band.mean))
    axes.fill_between(x, band.low, band.high, color=colour, alpha=0.25, linewidth=0)
    axes.plot(x, band.mean, style, color=colour, label=label, markersize=5)
