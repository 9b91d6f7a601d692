"""A search's table for people: algorithms by games, or configurations by rank. Texts only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from rllib_lase.evaluation.metrics import METRICS
from rllib_lase.evaluation.table import format_interval, format_number, readable
from rllib_lase.registry import known_ids

if TYPE_CHECKING:
    from rich.table import Table

SEARCH_FILE = "search.json"
"""What a search's folder says of it: its title, objective, what was searched, and a warning."""

CAPTION = "mean ± half of the 95 % interval over seeds; n/a: undefined"
SHOWN_CONFIGURATIONS = 30

_SHOWN = ("objective", "collective_reward", "min_reward", "equality_after_gifting", "share_given")


def shown_tables(table: pd.DataFrame, searched: Sequence[str]) -> list[tuple[str, pd.DataFrame]]:
    """Tables of texts under their headings.

    Args:
        table: `Outcome.table`, with at least one row.
        searched: What was searched beside games, algorithms and seeds.

    Returns:
        Where nothing was searched, for each metric one with a row per algorithm and a column per game; else
        one with a row per configuration, best first.
    """
    names = [name for name in _SHOWN if name != "objective" or not _repeats_a_metric(table)]
    if not searched:
        return [(label(name), _by_game(table, name)) for name in names]
    shown = table.head(SHOWN_CONFIGURATIONS)
    columns: dict[str, list[str]] = {}
    if shown["game"].nunique() > 1:
        columns["Game"] = list(shown["game"])
    columns["Algorithm"] = list(shown["algorithm"])
    for name in searched:
        columns[name.partition("/")[2]] = [_value(value) for value in shown[name]]
    columns["Seeds"] = [str(seeds) for seeds in shown["seeds"]]
    columns |= {label(name): [format_interval(row, name) for _, row in shown.iterrows()] for name in names}
    columns["Seconds"] = [format_number(value) for value in shown["seconds"]]
    heading = "Configurations, best first"
    if len(table) > len(shown):
        heading += f" ({len(shown)} of {len(table)})"
    return [(heading, pd.DataFrame(columns))]


def rich_tables(table: pd.DataFrame, searched: Sequence[str]) -> list[Table]:
    """The same for a terminal."""
    from rich.table import Table

    tables = []
    for heading, shown in shown_tables(table, searched):
        rich = Table(title=heading)
        for column in shown.columns:
            left = column in ("Game", "Algorithm")
            rich.add_column(column, justify="left" if left else "right", no_wrap=left)
        for row in shown.itertuples(index=False):
            rich.add_row(*row)
        tables.append(rich)
    return tables


def label(name: str) -> str:
    """A metric's name for people."""
    if name == "min_reward":
        return "Lowest reward of an agent"
    return METRICS[name].label if name in METRICS else readable(name)


def _by_game(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """A row per algorithm, a column per game."""
    games, algorithms = list(dict.fromkeys(table["game"])), sorted(set(table["algo"]), key=_rank)
    columns: dict[str, list[str]] = {"Algorithm": algorithms}
    for game in games:
        cells = {
            row["algo"]: format_interval(row, name) for _, row in table[table["game"] == game].iterrows()
        }
        columns[game] = [cells.get(algo, "-") for algo in algorithms]
    return pd.DataFrame(columns)


def _rank(algo: str) -> int:
    return known_ids().index(algo)


def _repeats_a_metric(table: pd.DataFrame) -> bool:
    """Whether the objective is one of the metrics that are shown anyhow."""
    return any(table[name].equals(table["objective"]) for name in _SHOWN[1:])


def _value(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
