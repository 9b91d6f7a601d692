"""Going on with a run that was cut off: what has learnt, the run's tables so far, and the time they took."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from rllib_lase.rllib.algorithm import SocialAlgorithm
from rllib_lase.runs import RunFolder

_ALGORITHM = "algorithm"


class Clock:
    """Time that a run has taken, over all its parts."""

    def __init__(self) -> None:
        self._wall_start = time.perf_counter()
        self._cpu_start = time.process_time()

    def add_earlier(self, wall_seconds: float, cpu_seconds: float) -> None:
        """Adds the parts before this one."""
        self._wall_start -= wall_seconds
        self._cpu_start -= cpu_seconds

    @property
    def wall_seconds(self) -> float:
        """Wall time so far."""
        return time.perf_counter() - self._wall_start

    @property
    def cpu_seconds(self) -> float:
        """CPU time of the training process so far; of earlier parts also that of their actors."""
        return time.process_time() - self._cpu_start


class Intervals:
    """Says when another interval of env steps has gone by.

    Args:
        env_steps: Length of one; None: never.
        start: Env steps done before.
    """

    def __init__(self, env_steps: int | None, start: int = 0) -> None:
        self._length = env_steps
        self._passed = 0 if env_steps is None else start // env_steps

    def end(self, env_steps: int) -> bool:
        """Whether one has ended since the last call."""
        if self._length is None:
            return False
        before, self._passed = self._passed, env_steps // self._length
        return self._passed > before


def save_interim(path: Path, algorithm: SocialAlgorithm, run: RunFolder) -> None:
    """Writes a checkpoint that a run in another folder can go on from.

    Args:
        path: Its folder, empty or not there yet.
        algorithm: What is trained.
        run: The run's folder, with at least one row of progress.
    """
    algorithm.save_to_path(path / _ALGORITHM)
    run.flush()
    for table in run.tables_so_far:
        shutil.copy(table, path / table.name)


def restore_interim(path: Path, algorithm: SocialAlgorithm, run: RunFolder) -> None:
    """Goes on where `save_interim` was called; settings may have changed, but for the networks' shapes.

    Raises:
        CheckpointError: a file is missing or damaged, or belongs to another algorithm or game.
        RunError: a table is missing or damaged.
    """
    algorithm.restore_from_path(path / _ALGORITHM)
    run.take_over(path)
