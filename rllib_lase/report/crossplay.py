"""The picture of a cross-play: matrices of players against opponents, or of focal against background."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from rllib_lase.evaluation.table import format_number
from rllib_lase.report.theme import render_svg

_METRICS = {
    "reward": "Return per capita of the {row}",
    "opponent_reward": "Return per capita of the background",
    "reward_after_gifting": "Return per capita of the {row} after gifting",
    "collective_reward": "Collective reward",
    "equality": "Equality before gifting",
    "cooperation_rate": "Cooperation rate of the {row}",
}


def crossplay_svg(pairings: pd.DataFrame, *, with_background: bool) -> str:
    """Draws the heat maps in the report's theme.

    Args:
        pairings: As `pairings_frame` of `evaluation.crossplay`; with a background as `focal_frame`.
        with_background: Which of the two.

    Returns:
        SVG, the same text for the same numbers.
    """
    from rllib_lase.report.figures import MatrixPanel, draw_matrices

    frame = pairings.assign(column=_columns(pairings, with_background))
    rows, columns = list(dict.fromkeys(frame["player"])), list(dict.fromkeys(frame["column"]))
    panels = []
    for name in shown_metrics(pairings, with_background):
        table = frame.pivot(index="player", columns="column", values=name).reindex(
            index=rows, columns=columns
        )
        values = table.to_numpy(np.float64)
        texts = [[format_number(value) for value in row] for row in values]
        title = _METRICS[name].format(row="focal player" if with_background else "row's agents")
        panels.append(MatrixPanel(title, values, texts))
    axes = ("focal", "background") if with_background else ("player", "played with")
    return render_svg(lambda: draw_matrices(panels, rows, columns, *axes))


def shown_metrics(pairings: pd.DataFrame, with_background: bool) -> Sequence[str]:
    """The columns that are worth a matrix: those that say something of their own."""
    names = [name for name in _METRICS if name in pairings and pairings[name].notna().any()]
    if not with_background:
        names.remove("opponent_reward")  # the same matrix, transposed
    if "reward_after_gifting" in names and np.allclose(
        pairings["reward"], pairings["reward_after_gifting"], equal_nan=True
    ):
        names.remove("reward_after_gifting")
    return names


def _columns(pairings: pd.DataFrame, with_background: bool) -> list[str]:
    if not with_background:
        return list(pairings["opponent"])
    return [f"{row['opponent']}, {row['num_held']} focal ({row['mode']})" for _, row in pairings.iterrows()]
