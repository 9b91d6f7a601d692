"""The folder of one run: made, written while training goes on, gone on with, replaced.

Knows the files and nothing of how they come about: neither Ray nor torch. Tables are kept in memory and
published by an atomic rename every few seconds, so that a run which is cut off leaves whole files behind.
"""

from __future__ import annotations

import importlib.metadata
import platform
import re
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from rllib_lase.registry import STOCK
from rllib_lase.run_checkpoints import CHECKPOINTS, find_checkpoint, set_aside_later
from rllib_lase.run_lock import LOCK_FILE, WriterLock, writer_problem
from rllib_lase.run_reader import RunReader
from rllib_lase.run_schema import (
    CONFIG_KEYS,
    EPISODE_COLUMNS,
    FORMAT,
    RunError,
    check_columns,
    check_config,
    check_summary,
    normalise,
    read_json,
    write_json,
)
from rllib_lase.run_tables import GiftRows, ProgressRows, publish
from rllib_lase.version import __version__

__all__ = ["RunError", "RunFolder", "creation_problem", "find_runs", "installed_versions"]

_FLUSH_SECONDS = 5.0
_FLUSH_SHARE = 0.02
"""Writing may take at most this share of the time, however long the tables grow."""

_LIBRARIES = ("ray", "torch", "numpy", "numba", "gymnasium", "pettingzoo", "pandas", "pyarrow")


class RunFolder(RunReader):
    """One run's folder. `create` makes it to be written, `reopen` to be written on, `open` to be read.

    Used as a context manager, a folder that is written publishes all it holds when the block is left, by
    Ctrl-C too. Nobody else can write it until then.
    """

    def __init__(self, path: Path, config: dict[str, Any], lock: WriterLock | None = None) -> None:
        super().__init__(path, config)
        self._lock = lock
        self._progress = ProgressRows()
        self._gifts = GiftRows()
        self._next_flush = time.monotonic() + _FLUSH_SECONDS

    @classmethod
    def create(
        cls, path: Path | str, config: Mapping[str, Any], *, overwrite: bool = False, take: bool = False
    ) -> RunFolder:
        """Makes the folder of a new run and writes its config.json.

        Args:
            path: The run's own folder; parents are made.
            config: The keys of `CONFIG_KEYS`; `format` and `versions` are filled in where absent.
            overwrite: Replace a run that is already there. Only a run's own files are removed.
            take: Take the folder from a writer that will not go on, though its process may live.

        Raises:
            RunError: The folder holds a run that has got anywhere and `overwrite` is not set, or other files,
                or somebody writes it, or `config` lacks a key.
        """
        folder = Path(path)
        content = normalise({"format": FORMAT, "versions": installed_versions(), **config})
        check_config(content, folder / "config.json")
        problem = _content_problem(folder, overwrite)
        if problem:
            raise RunError(problem)
        folder.mkdir(parents=True, exist_ok=True)
        lock = WriterLock(folder, take=take)
        problem = _content_problem(folder, overwrite)  # again: somebody may have finished meanwhile
        if problem:
            lock.release()
            raise RunError(problem)
        _remove_run(folder)
        write_json(folder / "config.json", {key: content[key] for key in [*CONFIG_KEYS, *content]})
        return cls(folder, content, lock)

    @classmethod
    def open(cls, path: Path | str) -> RunFolder:
        """Opens a run to read it, finished or not.

        Raises:
            RunError: there is no run at `path`, or its config.json is not what it should be.
        """
        folder = Path(path)
        if not (folder / "config.json").is_file():
            runs = find_runs(folder)
            cure = (
                f"It holds runs; did you mean {runs[0].path}?" if runs else "Give the folder named by --out."
            )
            raise RunError(f"{folder}: holds no run (no config.json). {cure}")
        config = read_json(folder / "config.json")
        check_config(config, folder / "config.json")
        return cls(folder, config)

    @classmethod
    def reopen(cls, path: Path | str) -> RunFolder:
        """Opens a run that was cut off, for `go_on`.

        Raises:
            RunError: there is no run, or it cannot go on, or somebody writes it.
        """
        run = cls.open(path)
        lock = WriterLock(run.path)
        problem = _end_problem(run)  # once nobody else can finish it
        if problem:
            lock.release()
            raise RunError(problem)
        run._lock = lock
        return run

    def append_progress(self, row: Mapping[str, float]) -> None:
        """Adds one iteration's row; cheap, as the file is written every few seconds only.

        Args:
            row: The columns of `PROGRESS_COLUMNS` and any others, all real numbers; NaN where undefined.
                A column may come up late or be left out: its gaps are NaN.

        Raises:
            RunError: a column is missing or holds no number, or `iteration` does not rise.
        """
        self._check_writable()
        self._progress.append(row, self.path / "progress.parquet")
        if time.monotonic() >= self._next_flush:
            self.flush()

    def append_gifts(
        self,
        iteration: int,
        env_steps: int,
        agent_ids: Sequence[str],
        gift_weights: npt.ArrayLike,
        recorded_steps: npt.ArrayLike,
    ) -> None:
        """Adds one iteration's mean gift weights.

        Args:
            iteration: As in the progress row.
            env_steps: As in the progress row.
            agent_ids: The N agents, in the order of the axes.
            gift_weights: (N, N) mean share of the giver (row) for the receiver (column); rows of NaN where
                nothing was recorded.
            recorded_steps: (N,) number of steps behind each giver's mean.

        Raises:
            RunError: the shapes do not fit the agents.
        """
        self._check_writable()
        weights = np.array(gift_weights, dtype=np.float64)
        steps = np.array(recorded_steps, dtype=np.int64)
        n = len(agent_ids)
        if weights.shape != (n, n) or steps.shape != (n,):
            raise RunError(
                f"{self.path / 'gifts.parquet'}: gift_weights has shape {weights.shape} and recorded_steps "
                f"{steps.shape}; expected ({n}, {n}) and ({n},) for agents {', '.join(agent_ids)}. "
                "Average over time and copies of the game first."
            )
        self._gifts.append(iteration, env_steps, tuple(agent_ids), weights, steps)

    def write_episodes(self, episodes: pd.DataFrame) -> None:
        """Writes the evaluation's episodes.

        Args:
            episodes: One row per episode and agent, with `EPISODE_COLUMNS` and one column per event counted.

        Raises:
            RunError: a column is missing.
        """
        self._check_writable()
        path = self.path / "episodes.parquet"
        check_columns(episodes.columns, EPISODE_COLUMNS, path)
        publish(pa.Table.from_pandas(episodes, preserve_index=False), path)

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Writes summary.json, which marks the run as done, after all rows; the keys are checked first.

        Raises:
            RunError: all faults in one message.
        """
        self._check_writable()
        path = self.path / "summary.json"
        content = normalise(summary)
        check_summary(content, path)
        self.flush()
        write_json(path, content)

    def flush(self) -> None:
        """Publishes the progress and gift rows so far."""
        start = time.monotonic()
        if self._progress.changed:
            publish(self._progress.table(), self.path / "progress.parquet")
        if self._gifts.changed:
            publish(self._gifts.table(), self.path / "gifts.parquet")
        self._progress.changed = self._gifts.changed = False
        now = time.monotonic()
        self._next_flush = now + max(_FLUSH_SECONDS, (now - start) / _FLUSH_SHARE)

    @property
    def tables_so_far(self) -> list[Path]:
        """The files of `append_progress` and `append_gifts`, as far as they are there."""
        return [path for path in (self.path / name for name in _TABLE_FILES) if path.is_file()]

    def take_over(self, folder: Path, env_steps: int | None = None) -> None:
        """Takes over the rows of the same run's earlier part, whose `tables_so_far` lie in `folder`.

        Args:
            folder: Where they are.
            env_steps: Rows of what came after so many are left out.

        Raises:
            RunError: there is no progress, or a file is not what it should be.
        """
        self._check_writable()
        earlier = RunReader(folder, self.config)
        progress, gifts = (
            table if env_steps is None else table[table["env_steps"] <= env_steps]
            for table in (earlier.progress(), earlier.gifts())
        )
        for row in progress.to_dict("records"):
            self._progress.append({str(name): value for name, value in row.items()}, folder)
        self._gifts.take_over(gifts)

    def go_on(self, env_steps: int) -> None:
        """Brings a reopened folder to where it was after so many env steps, without what came later.

        Raises:
            RunError: a file is not what it should be.
        """
        self.take_over(self.path, env_steps)
        set_aside_later(self.path, env_steps)
        _remove_files(self.path, _RESULT_FILES)

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._lock is None:
            return
        try:
            if not self._lock.is_lost:
                self.flush()
        finally:
            self._lock.release()
            self._lock = None

    def _published(self, name: str) -> Path:
        if self._lock is not None:
            self.flush()
        return super()._published(name)

    def _check_writable(self) -> None:
        if self._lock is None:
            raise RunError(
                f"{self.path}: opened for reading. Use RunFolder.create to write a new run, or "
                "RunFolder.reopen to go on with one."
            )
        if self._lock.is_lost:
            raise RunError(f"{self.path}: another attempt has taken this run over and writes it now.")


def find_runs(folder: Path | str) -> list[RunFolder]:
    """The run at `folder`, or the runs right below it, in natural order of names (seed2 before seed10)."""
    root = Path(folder)
    if (root / "config.json").is_file():
        return [RunFolder.open(root)]
    children = sorted(root.glob("*/config.json"), key=lambda path: _natural_key(path.parent.name))
    return [RunFolder.open(path.parent) for path in children]


def installed_versions() -> dict[str, str]:
    """Versions of Python, this package and the libraries that decide a run; absent ones are left out."""
    versions = {"python": platform.python_version(), "rllib-lase": __version__}
    for library in _LIBRARIES:
        try:
            versions[library] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


_TABLE_FILES = ("progress.parquet", "gifts.parquet")
_RESULT_FILES = ("episodes.parquet", "summary.json", "episode.gif", "render.gif", "report.html")


def creation_problem(path: Path | str, overwrite: bool = False) -> str | None:
    """Why a run cannot be created at `path`, or None if it can. Changes nothing."""
    return writer_problem(Path(path)) or _content_problem(Path(path), overwrite)


def _content_problem(folder: Path, overwrite: bool) -> str | None:
    if not folder.exists():
        return None
    if not folder.is_dir():
        return f"{folder}: is a file; expected a folder for the run. Choose another (--out)."
    content = sorted(entry.name for entry in folder.iterdir() if entry.name != LOCK_FILE)
    if content and "config.json" not in content:
        return (
            f"{folder}: holds other things ({', '.join(content[:3])}) but no run. "
            "Choose an empty or a new folder (--out)."
        )
    if overwrite or {"progress.parquet", "summary.json", CHECKPOINTS}.isdisjoint(content):
        return None
    run = RunFolder.open(folder)
    state = "a finished run" if run.is_finished else "a run that was not finished"
    cure = "Choose" if resume_problem(run) else f"Go on with it (lase train --resume {folder}), choose"
    return f"{folder}: already holds {state}. {cure} another folder (--out), or replace it (--overwrite)."


def resume_problem(run: RunReader) -> str | None:
    """Why a run cannot go on from its latest checkpoint, or None if it can."""
    return writer_problem(run.path) or _end_problem(run)


def _end_problem(run: RunReader) -> str | None:
    """Why a run that nobody writes cannot go on."""
    if run.is_finished:
        return f"{run.path}: is finished; there is nothing to go on with. Train longer in another folder."
    if run.config["algo"] in STOCK:
        return f"{run.path}: runs of RLlib's own algorithms cannot go on; start anew (--overwrite)."
    try:
        find_checkpoint(run.path)
    except RunError as error:
        return str(error)
    return None


def _remove_run(folder: Path) -> None:
    """Removes a run's own files, config.json last."""
    if (folder / CHECKPOINTS).is_dir():
        shutil.rmtree(folder / CHECKPOINTS)
    _remove_files(folder, (*_TABLE_FILES, *_RESULT_FILES, "config.json"))


def _remove_files(folder: Path, names: Sequence[str]) -> None:
    for name in names:
        (folder / name).unlink(missing_ok=True)


def _natural_key(name: str) -> list[tuple[str, int]]:
    return [(text, int(digits or 0)) for text, digits in re.findall(r"(\D*)(\d*)", name)]
