"""The page of a search with Tune: its tables, pictures of the best, and what stopped or failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from rllib_lase.evaluation.search_table import CAPTION, SEARCH_FILE, shown_tables
from rllib_lase.report.groups import Group
from rllib_lase.report.parts import embed, game_title, run_row, shared_options, versions
from rllib_lase.report.pictures import comparison_pictures
from rllib_lase.run_schema import RunError, read_json
from rllib_lase.runs import RunFolder

_PICTURED = 8
"""Configurations of a game that pictures show, best first: more curves cannot be told apart."""


def search_context(root: Path, runs: Sequence[RunFolder]) -> dict[str, Any]:
    """What the template needs for a search.

    Args:
        root: The search's folder, with search.json, trials.parquet and table.parquet.
        runs: The runs in it.

    Raises:
        RunError: no trial is finished.
    """
    about = read_json(root / SEARCH_FILE)
    trials, table = (pd.read_parquet(root / f"{name}.parquet") for name in ("trials", "table"))
    if table.empty:
        raise RunError(f"{root}: none of the search's {len(trials)} trials is finished. Let one finish.")
    by_name = {run.path.name: run for run in runs if run.is_finished}
    finished = list(by_name.values())
    sections: list[dict[str, Any]] = [
        {"heading": "", "table": _table(heading, shown), "pictures": []}
        for heading, shown in shown_tables(table, about["searched"])
    ]
    for _, rows in table.groupby("game", sort=False):
        groups = _groups(rows, about["searched"], by_name)
        pictures = embed(comparison_pictures(groups)) if groups else []
        heading = game_title(groups[0].runs[0].config) if groups else ""
        sections.append({"heading": heading, "table": None, "pictures": pictures})
    return {
        "title": about["title"],
        "lead": f"{len(trials)} trials, maximising {about['objective']}.",
        "notes": _notes(about, trials),
        "tiles": [],
        "gif": None,
        "sections": sections,
        "options": {**{f"search: {k}": v for k, v in about["search"].items()}, **shared_options(finished)},
        "commands": [about["command"]],
        "versions": versions(finished),
        "runs": [run_row(run) for run in finished],
    }


def _table(heading: str, shown: pd.DataFrame) -> dict[str, Any]:
    caption = f"{CAPTION[0].upper()}{CAPTION[1:]}. From the trials' evaluations, with sampled actions."
    return {
        "title": heading,
        "caption": caption,
        "columns": list(shown.columns),
        "rows": shown.to_numpy().tolist(),
    }


def _groups(rows: pd.DataFrame, searched: Sequence[str], by_name: Mapping[str, RunFolder]) -> list[Group]:
    """The best configurations of a game under the names of their values."""
    groups = []
    for _, row in rows.head(_PICTURED if searched else len(rows)).iterrows():
        values = [f"{name.partition('/')[2]}={_short(row[name])}" for name in searched]
        members = [by_name[trial] for trial in row["trials"].split(",") if trial in by_name]
        if members:
            groups.append(Group(", ".join([row["algorithm"], *values]), members))
    return groups


def _notes(about: Mapping[str, Any], trials: pd.DataFrame) -> list[str]:
    notes = [about["warning"]] if about["warning"] else []
    stopped = int((trials["status"] == "stopped").sum())
    if stopped:
        notes.append(
            f"The scheduler stopped {stopped} of {len(trials)} trials early; tables show the others."
        )
    for status in ("failed", "unfinished"):
        names = list(trials.loc[trials["status"] == status, "trial"])
        if names:
            notes.append(f"Left out, because {status}: {', '.join(names)}.")
    return notes


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
