"""Checkpoints of a run on its way: what has learnt, the run's tables so far, and the time they took."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from rllib_lase.rllib.algorithm import SocialAlgorithm
from rllib_lase.run_schema import read_json, write_json
from rllib_lase.runs import RunFolder

_ALGORITHM, _CLOCK = "algorithm", "clock.json"


class Clock:
    """Time that a run has taken, over all its parts, and of them the present one by itself.

    Args:
        wall_seconds: Of the parts before this one.
        cpu_seconds: Likewise, of the training process.
    """

    def __init__(self, wall_seconds: float = 0.0, cpu_seconds: float = 0.0) -> None:
        self._wall_start = time.perf_counter() - wall_seconds
        self._cpu_start = time.process_time() - cpu_seconds

    @property
    def wall_seconds(self) -> float:
        """Wall time so far."""
        return time.perf_counter() - self._wall_start

    @property
    def cpu_seconds(self) -> float:
        """CPU time of the training process so far."""
        return time.process_time() - self._cpu_start


def save_interim(path: Path, algorithm: SocialAlgorithm, run: RunFolder, clock: Clock) -> None:
    """Writes a checkpoint of a run that goes on.

    Args:
        path: Its folder, empty or not there yet.
        algorithm: What is trained.
        run: The run's folder, with at least one row of progress.
        clock: The run's time.
    """
    algorithm.save_to_path(path / _ALGORITHM)
    run.flush()
    for table in run.tables_so_far:
        shutil.copy(table, path / table.name)
    write_json(path / _CLOCK, {"wall_seconds": clock.wall_seconds, "cpu_seconds": clock.cpu_seconds})


def restore_interim(path: Path, algorithm: SocialAlgorithm, run: RunFolder) -> Clock:
    """Goes on where `save_interim` was called; settings may have changed, but for the networks' shapes.

    Returns:
        The run's time, running.

    Raises:
        CheckpointError: a file is missing or damaged, or belongs to another algorithm or game.
        RunError: a table is missing or damaged.
    """
    algorithm.restore_from_path(path / _ALGORITHM)
    run.take_over(path)
    times = read_json(path / _CLOCK)
    return Clock(times["wall_seconds"], times["cpu_seconds"])
