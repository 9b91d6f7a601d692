"""One whole cross-play: check it, play it, write its folder. What `lase crossplay` calls."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pyarrow as pa

from rllib_lase.crossplay_plan import DESCRIPTION_FILE, CrossPlay, CrossPlayError, CrossPlaySpec, check
from rllib_lase.evaluation.crossplay import focal_frame, pairings_frame, sides_frame
from rllib_lase.report.crossplay import crossplay_svg
from rllib_lase.rllib.crossplay import numbered, play_match
from rllib_lase.run_schema import write_json
from rllib_lase.run_tables import publish

__all__ = ["CrossPlayError", "CrossPlaySpec", "Outcome", "check", "cross_play"]


@dataclass(frozen=True)
class Outcome:
    """What a cross-play came to.

    Behind a `player` stand its `run` and, in env steps, its `checkpoint`; behind an `opponent`
    `opponent_run` and `opponent_checkpoint`. Scripted players have no checkpoint.

    Attributes:
        plan: What was played.
        episodes: One row per match, episode and agent.
        sides: One row per match and side, as `evaluation.crossplay.sides_frame`.
        pairings: Over seat assignments, as `pairings_frame`, or with a background as `focal_frame`.
    """

    plan: CrossPlay
    episodes: pd.DataFrame
    sides: pd.DataFrame
    pairings: pd.DataFrame


def cross_play(spec: CrossPlaySpec, on_match: Callable[[int, int], None] | None = None) -> Outcome:
    """Does a whole cross-play.

    Args:
        spec: What to play. With more than one job, call this behind `if __name__ == "__main__":`, as other
            processes import the calling module.
        on_match: Called after each match with how many are played and how many there are.

    Returns:
        The outcome, which is in the folder, too: `crossplay.parquet`, `pairings.parquet`,
        `episodes.parquet`, `crossplay.svg` and `crossplay.json`.

    Raises:
        CrossPlayError: before anything is loaded.
        CheckpointError: before anything is played.
    """
    plan = check(spec)
    tables = []
    for table in _tables(plan):
        tables.append(table)
        if on_match is not None:
            on_match(len(tables), len(plan.matches))
    episodes = pd.concat(tables, ignore_index=True)
    over_assignments = focal_frame if plan.background else pairings_frame
    frames = (episodes, sides_frame(plan.matches, episodes), over_assignments(plan.matches, episodes))
    outcome = Outcome(plan, *(_with_checkpoints(plan, frame) for frame in frames))
    _write(outcome)
    return outcome


def _with_checkpoints(plan: CrossPlay, frame: pd.DataFrame) -> pd.DataFrame:
    """The table with run and checkpoint of every player and opponent behind their names."""
    known = {entrant.name: entrant for entrant in plan.entrants}
    for column, prefix in (("player", ""), ("opponent", "opponent_")):
        if column in frame:
            entrants = [known[name] for name in frame[column]]
            place = list(frame.columns).index(column) + 1
            env_steps = pd.Series([entrant.env_steps for entrant in entrants], frame.index, "Int64")
            frame.insert(place, f"{prefix}checkpoint", env_steps)
            frame.insert(place, f"{prefix}run", [entrant.run for entrant in entrants])
    return frame


def _write(outcome: Outcome) -> None:
    out = outcome.plan.spec.out
    out.mkdir(parents=True, exist_ok=True)
    tables = {"crossplay": outcome.sides, "pairings": outcome.pairings, "episodes": outcome.episodes}
    for name, table in tables.items():
        publish(pa.Table.from_pandas(table, preserve_index=False), out / f"{name}.parquet")
    svg = crossplay_svg(outcome.pairings, with_background=bool(outcome.plan.background))
    (out / "crossplay.svg").write_text(svg, encoding="utf-8")
    write_json(out / DESCRIPTION_FILE, outcome.plan.describe())


def _tables(plan: CrossPlay) -> Iterator[pd.DataFrame]:
    jobs = min(plan.spec.jobs, len(plan.matches))
    _load(plan)  # with several processes, too: here a damaged checkpoint is an error that says so
    if jobs == 1:
        yield from map(_play, range(len(plan.matches)))
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, _load, (plan,)) as pool:
        yield from pool.map(_play, range(len(plan.matches)))


_LOADED: dict[str, Any] = {}
"""What this process plays, as a pool cannot pass it on with every match: the plan, and agents by name."""


def _load(plan: CrossPlay) -> None:
    _LOADED["plan"] = plan
    _LOADED["agents"] = {entrant.name: entrant.load() for entrant in plan.entrants}


def _play(number: int) -> pd.DataFrame:
    plan: CrossPlay = _LOADED["plan"]
    match = plan.matches[number]
    table = play_match(plan.arena(), match, _LOADED["agents"], plan.spec.episodes, plan.spec.seed)
    return numbered(number, table)
