"""Colours and type of every picture, on light and on dark ground.

Pictures are drawn once, in the light theme; the dark one is the same drawing with its colours exchanged.
"""

from __future__ import annotations

import dataclasses
import io
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rllib_lase.registry import ALGORITHMS, STOCK

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Theme:
    """Colours of a picture.

    Attributes:
        ground: background of page and picture.
        ink: text and numbers.
        muted: axis texts.
        grid: grid lines and the neutral cells of a heat map.
        gift: colour of the largest gift in a heat map; smaller ones fade into the ground.
        palette: eight colours that people with colour vision deficiency tell apart, for lines and bars.
    """

    ground: str
    ink: str
    muted: str
    grid: str
    gift: str
    palette: tuple[str, ...]

    @property
    def colours(self) -> tuple[str, ...]:
        """All colours, in an order that is the same for every theme."""
        single = [getattr(self, field.name) for field in dataclasses.fields(self) if field.name != "palette"]
        return (*single, *self.palette)

    @property
    def rc(self) -> dict[Any, Any]:
        """Settings for matplotlib; text becomes outlines, so that every machine shows the same picture."""
        return {
            "figure.facecolor": self.ground,
            "savefig.facecolor": self.ground,
            "axes.facecolor": self.ground,
            "axes.edgecolor": self.muted,
            "axes.labelcolor": self.muted,
            "axes.linewidth": 0.8,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlecolor": self.ink,
            "axes.titlelocation": "left",
            "axes.titlesize": 10,
            "axes.titleweight": "bold",
            "axes.labelsize": 9,
            "axes.axisbelow": True,
            "axes.grid": True,
            "axes.grid.axis": "y",
            "grid.color": self.grid,
            "grid.linewidth": 0.8,
            "xtick.color": self.muted,
            "ytick.color": self.muted,
            "xtick.labelsize": 8.5,
            "ytick.labelsize": 8.5,
            "ytick.major.size": 0,
            "text.color": self.ink,
            "font.family": "DejaVu Sans",
            "font.size": 9,
            "legend.frameon": False,
            "legend.fontsize": 9,
            "legend.labelcolor": self.ink,
            "lines.linewidth": 2,
            "lines.solid_capstyle": "round",
            "svg.fonttype": "path",
            "svg.hashsalt": "rllib-lase",
        }


# Okabe and Ito's colours; their yellow, too pale for lines, gave way to a violet and a grey.
LIGHT = Theme(
    ground="#ffffff",
    ink="#1c2024",
    muted="#60656c",
    grid="#e6e7e9",
    gift="#0b5394",
    palette=("#0072b2", "#56b4e9", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#6a51a3", "#7f7f7f"),
)
DARK = Theme(
    ground="#16191d",
    ink="#eceef0",
    muted="#a3aab2",
    grid="#2c3137",
    gift="#7cc4f5",
    palette=("#4ba6e0", "#9bd5f7", "#f2813f", "#2fc598", "#e5a3c8", "#f3bb45", "#ab9bdc", "#a8a8a8"),
)


def algorithm_colours(algos: Iterable[str]) -> dict[str, int]:
    """Places in the palette of the algorithms of one picture.

    An algorithm has the colour of its place in the registry, so that pages agree, unless another one of the
    picture has it: then it gets the first that is free. RLlib's own algorithms start from the palette's end.

    Args:
        algos: Ids in any order; some may be unheard of.

    Returns:
        Different places for up to as many algorithms as the palette has colours; more of them share colours.
    """
    size = len(LIGHT.palette)
    wanted = {algo: place % size for place, algo in enumerate(ALGORITHMS)}
    wanted |= {algo: size - 1 - place % size for place, algo in enumerate(STOCK)}
    rank = {algo: place for place, algo in enumerate(wanted)}
    places: dict[str, int] = {}
    for algo in sorted(set(algos), key=lambda algo: (rank.get(algo, len(rank)), algo)):
        first = wanted.get(algo, 0)
        taken = set(places.values())
        turns = [(first + turn) % size for turn in range(size)]
        places[algo] = next((place for place in turns if place not in taken), first)
    return places


def render_svg(draw: Callable[[], Figure]) -> str:
    """Draws a picture in the light theme.

    Args:
        draw: Makes the figure; called with the theme's settings in force.

    Returns:
        SVG, the same text for the same input.
    """
    import matplotlib

    buffer = io.StringIO()
    with matplotlib.rc_context(LIGHT.rc):
        draw().savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def in_dark(svg: str) -> str:
    """The picture on dark ground.

    Args:
        svg: As `render_svg` returns it.

    Returns:
        The same drawing in the dark theme's colours.

    Raises:
        KeyError: the drawing uses a colour that is not the light theme's.
    """
    dark = dict(zip(LIGHT.colours, DARK.colours, strict=True))
    return re.sub(r"#[0-9a-f]{6}\b", lambda match: dark[match.group()], svg)
