"""What a run's folder says: config, summary and tables, as far as they are written.

Changes nothing; knows neither Ray nor torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from rllib_lase.registry.seating import Seating
from rllib_lase.run_checkpoints import CHECKPOINTS, checkpoint_folder
from rllib_lase.run_schema import (
    EPISODE_COLUMNS,
    GIFT_COLUMNS,
    PROGRESS_COLUMNS,
    RunError,
    check_columns,
    check_summary,
    read_json,
)
from rllib_lase.settings import learner_name


class RunReader:
    """One run's folder, to be read."""

    def __init__(self, path: Path, config: dict[str, Any]) -> None:
        self.path = path
        self.config = config

    @property
    def checkpoints_path(self) -> Path:
        """Folder of the run's checkpoints; made by whoever writes one."""
        return self.path / CHECKPOINTS

    def checkpoint_path(self, env_steps: int) -> Path:
        """Folder of the checkpoint after so many env steps."""
        return self.checkpoints_path / checkpoint_folder(env_steps)

    @property
    def gif_path(self) -> Path:
        """The picture of one evaluation episode."""
        return self.path / "episode.gif"

    @property
    def report_path(self) -> Path:
        """The run's report page."""
        return self.path / "report.html"

    @property
    def agent_ids(self) -> tuple[str, ...]:
        """The agents, in the order of every list and matrix.

        Raises:
            RunError: there is no training curve to read them from.
        """
        prefix = "reward/"
        return tuple(name.removeprefix(prefix) for name in self.progress().columns if name.startswith(prefix))

    @property
    def has_summary(self) -> bool:
        """Whether the run was closed properly, finished or interrupted."""
        return (self.path / "summary.json").is_file()

    @property
    def is_finished(self) -> bool:
        """Whether the run came to its end and has been evaluated."""
        return self.has_summary and bool(self.summary()["status"] == "finished")

    @property
    def seating(self) -> Seating | None:
        """Who plays in a mixed population; None of other runs."""
        return Seating.described(self.config) if "population" in self.config else None

    @property
    def algorithm(self) -> str:
        """Algorithm, or who plays in a population, with the optimiser: "independent (ppo)"."""
        who = self.config["algo"] if self.seating is None else self.seating.title
        return learner_name(who, self.config["optimizer"])

    @property
    def agent_labels(self) -> dict[str, str]:
        """Each agent's name in reports; in a mixed population with who it is: "agent_0 (lase)"."""
        agents = self.agent_ids
        if self.seating is None:
            return {agent: agent for agent in agents}
        changing = {switch.seat for switch in self.seating.switches}
        return {
            agent: f"{agent} ({partner.label}{', changes' if seat in changing else ''})"
            for seat, (agent, partner) in enumerate(zip(agents, self.seating.partners, strict=True))
        }

    def seconds_until(self, env_steps: int) -> tuple[float, float]:
        """Wall and CPU seconds that training took for so many env steps, or for its last row before them.

        Raises:
            RunError: a file is not what it should be.
        """
        if self.has_summary:  # an interrupted run's, which may have been in the middle of an iteration
            summary = self.summary()
            if summary["env_steps"] == env_steps and "cpu_seconds" in summary:
                return float(summary["wall_seconds"]), float(summary["cpu_seconds"])
        rows = self.progress()
        earlier = rows[rows["env_steps"] <= env_steps]
        if earlier.empty:
            raise RunError(f"{self.path / 'progress.parquet'}: has no row up to {env_steps} env steps.")
        last = earlier.iloc[-1]
        return float(last["total_seconds"]), float(last["cpu_seconds"])

    def progress(self) -> pd.DataFrame:
        """The training curve, one row per iteration.

        Raises:
            RunError: there is no such file yet, or it lacks a column.
        """
        return self._read_table("progress.parquet", PROGRESS_COLUMNS)

    def gifts(self) -> pd.DataFrame:
        """Mean gift weights per iteration, long: one row per giver and receiver; empty if none were recorded.

        Raises:
            RunError: the file lacks a column.
        """
        if not self._published("gifts.parquet").is_file():
            return pd.DataFrame(columns=list(GIFT_COLUMNS))
        return self._read_table("gifts.parquet", GIFT_COLUMNS)

    def episodes(self) -> pd.DataFrame:
        """The evaluation, one row per episode and agent.

        Raises:
            RunError: there is no such file, or it lacks a column.
        """
        return self._read_table("episodes.parquet", EPISODE_COLUMNS)

    def summary(self) -> dict[str, Any]:
        """The summary; undefined numbers are None.

        Raises:
            RunError: there is none, or it is not what it should be.
        """
        path = self.path / "summary.json"
        summary = read_json(path)
        check_summary(summary, path)
        return summary

    def _read_table(self, name: str, columns: Sequence[str]) -> pd.DataFrame:
        path = self._published(name)
        if not path.is_file():
            raise RunError(f"{path}: no such file. Likely cause: the run was stopped before it was written.")
        try:
            table = pq.read_table(path)
        except pa.ArrowInvalid as error:
            raise RunError(f"{path}: not a parquet file ({error}). Restore it, or repeat the run.") from error
        check_columns(table.column_names, columns, path)
        frame: pd.DataFrame = table.to_pandas()
        return frame

    def _published(self, name: str) -> Path:
        """Where a table lies, with all of its rows."""
        return self.path / name
