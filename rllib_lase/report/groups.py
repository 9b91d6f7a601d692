"""`Group`: runs that differ in their seed only, with the colour and the curves that they have in pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from rllib_lase.report.curves import seed_curves
from rllib_lase.report.figures import Line
from rllib_lase.report.theme import algorithm_colours
from rllib_lase.runs import RunFolder


@dataclass(frozen=True)
class Group:
    """Runs that differ in their seed only, under the name they have in every table.

    Attributes:
        label: "independent (ppo)", and what tells the runs from others of that algorithm.
        runs: one per seed.
    """

    label: str
    runs: Sequence[RunFolder]

    @property
    def algo(self) -> str:
        """The algorithm's id."""
        return str(self.runs[0].config["algo"])

    @cached_property
    def progress(self) -> list[pd.DataFrame]:
        """The training curves, one per run."""
        return [run.progress() for run in self.runs]

    @property
    def gives(self) -> bool:
        """Whether any agent ever gave anything away, or may have: an undefined share is no share of 0."""
        return any(bool((table["share_given"] != 0).any()) for table in self.progress)

    @property
    def gives_shares(self) -> bool:
        """Whether any agent ever gave a share of its reward away."""
        return any(bool((table["share_given"] > 0).any()) for table in self.progress)


def group_lines(groups: Sequence[Group], column: str, total: bool = False) -> list[Line]:
    """One line per group; `total` adds up all columns that start with `column`."""
    algorithms = [group.algo for group in groups]
    lines = []
    for place, (group, colour) in enumerate(zip(groups, group_colours(groups), strict=True)):
        tables = [_with_total(table, column) for table in group.progress] if total else group.progress
        # Two groups of one algorithm share its colour: the second one is dashed.
        dashed = not _are_many(groups) and group.algo in algorithms[:place]
        lines.append(Line(group.label, colour, seed_curves(tables, column), dashed=dashed))
    return lines


def group_colours(groups: Sequence[Group]) -> list[int]:
    """Each group's place in the palette: its algorithm's, or its own where an algorithm has many groups."""
    if _are_many(groups):
        return list(range(len(groups)))
    colours = algorithm_colours(group.algo for group in groups)
    return [colours[group.algo] for group in groups]


def _are_many(groups: Sequence[Group]) -> bool:
    """Whether an algorithm has more than two groups, so that its colour would not tell them apart."""
    return max(Counter(group.algo for group in groups).values()) > 2


def _with_total(table: pd.DataFrame, prefix: str) -> pd.DataFrame:
    parts = [name for name in table.columns if name.startswith(prefix)]
    return table.assign(**{prefix: table[parts].sum(axis=1, skipna=False)})
