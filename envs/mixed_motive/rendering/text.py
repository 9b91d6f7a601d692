"""A game's state as text for the terminal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["grid_text", "matrix_text"]

_GROUND = {
    "river": "~",
    "grass": ".",
    "orchard": ",",
    "road": ".",
    "wall": "#",
    "clean_beam": "/",
    "fire_beam": "*",
}


def grid_text(
    title: str,
    codes: npt.NDArray[np.uint8],
    positions: npt.NDArray[np.int32],
    object_names: Sequence[str],
    ground: Sequence[str | Sequence[str]],
) -> str:
    """The map, three characters a cell.

    First the object's first letter or the ground, then the agent's number, "+" for several.

    Args:
        title: First line.
        codes: (H, W) object codes, 0 for empty.
        positions: (N, 2) row and column of each agent, negative for those that have left.
        object_names: Kinds of objects, by code from 1; what follows on "_" is not shown.
        ground: Kind of ground of each row, or of each cell of a row.
    """
    agents_at: dict[tuple[int, int], list[int]] = defaultdict(list)
    left = []
    for i, (row, col) in enumerate(positions.tolist()):
        if row < 0:
            left.append(str(i))
        else:
            agents_at[row, col].append(i)
    lines = [title]
    for row, row_codes in enumerate(codes.tolist()):
        marks = []
        for col, code in enumerate(row_codes):
            here = agents_at.get((row, col), [])
            who = "" if not here else str(here[0]) if len(here) == 1 else "+"
            line = ground[row]
            kind = line if isinstance(line, str) else line[col]
            marks.append((object_names[code - 1][0] if code else _GROUND[kind]) + who.ljust(2))
        lines.append("".join(marks).rstrip())
    shared = [
        f"agents {', '.join(map(str, who))} at {cell}"
        for cell, who in sorted(agents_at.items())
        if len(who) > 1
    ]
    kinds = dict.fromkeys(name.partition("_")[0] for name in object_names)
    shown = dict.fromkeys(kind for line in ground for kind in ([line] if isinstance(line, str) else line))
    legend = [f"{kind[0]} {kind}" for kind in kinds]
    legend += [f"{_GROUND[kind]} {kind.replace('_', ' ')}" for kind in shown if _GROUND[kind] != "."]
    gone = [f"left the game: {', '.join(left)}"] if left else []
    return "\n".join([*lines, "; ".join([*legend, *shared, *gone])])


def matrix_text(title: str, payoffs: tuple[float, float, float, float], outcome: int) -> str:
    """The payoff table, agent 0's row and payoff first, the last joint action marked with "*".

    Args:
        title: First line.
        payoffs: R, S, T, P.
        outcome: The last joint action, 0 to 3 for CC, CD, DC, DD; anything else marks none.
    """
    reward, sucker, temptation, punishment = payoffs
    pairs = ((reward, reward), (sucker, temptation), (temptation, sucker), (punishment, punishment))
    cells = [
        f"{first:g}, {second:g}{' *' if k == outcome else ''}" for k, (first, second) in enumerate(pairs)
    ]
    wide = max(map(len, cells))
    lines = [title, f"  {'C'.ljust(wide)}  D"]
    lines += [f"{action} {cells[2 * k].ljust(wide)}  {cells[2 * k + 1]}" for k, action in enumerate("CD")]
    return "\n".join(lines)
