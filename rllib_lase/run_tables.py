"""Rows of a run's tables, gathered in memory as columns and published as parquet by an atomic rename."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from rllib_lase.run_schema import (
    INTEGER_PROGRESS_COLUMNS,
    PROGRESS_COLUMNS,
    RunError,
    check_columns,
    is_number,
)


class ProgressRows:
    """Rows of progress.parquet as columns; numbers only."""

    def __init__(self) -> None:
        self.changed = False
        self._columns: dict[str, list[float]] = {name: [] for name in PROGRESS_COLUMNS}
        self._length = 0

    def append(self, row: Mapping[str, float], path: Path) -> None:
        """Adds a row after checking it; `path` is for the messages."""
        check_columns(row, PROGRESS_COLUMNS, path)
        for name, value in row.items():
            whole = name in INTEGER_PROGRESS_COLUMNS
            if not is_number(value) or (whole and value != value // 1):
                expected = "a whole number" if whole else "a number, NaN where undefined"
                raise RunError(f"{path}: column {name!r} holds {value!r}; expected {expected}.")
        last = self._columns["iteration"][-1] if self._length else -1
        if row["iteration"] <= last:
            raise RunError(f"{path}: iteration {row['iteration']} comes after {last:g}; expected it to rise.")
        for name in row:
            if name not in self._columns:
                self._columns[name] = [float("nan")] * self._length
        for name, values in self._columns.items():
            values.append(row.get(name, float("nan")))
        self._length += 1
        self.changed = True

    def table(self) -> pa.Table:
        """All rows so far, in the file's columns."""
        types = {
            name: pa.int64() if name in INTEGER_PROGRESS_COLUMNS else pa.float64() for name in self._columns
        }
        return pa.table({name: pa.array(values, types[name]) for name, values in self._columns.items()})


class GiftRows:
    """Matrices of gifts.parquet; turned into rows when they are written."""

    def __init__(self) -> None:
        self.changed = False
        self._agent_ids: tuple[str, ...] = ()
        self._when: list[tuple[int, int]] = []
        self._weights: list[npt.NDArray[np.float64]] = []
        self._steps: list[npt.NDArray[np.int64]] = []

    def append(
        self,
        iteration: int,
        env_steps: int,
        agent_ids: tuple[str, ...],
        weights: npt.NDArray[np.float64],
        steps: npt.NDArray[np.int64],
    ) -> None:
        """Adds one iteration's matrix (N, N) and the steps (N,) behind it."""
        if self._agent_ids not in ((), agent_ids):
            raise RunError(
                f"gifts.parquet: agents {', '.join(agent_ids)} after {', '.join(self._agent_ids)}; "
                "expected the same agents in the same order in every iteration."
            )
        self._agent_ids = agent_ids
        self._when.append((iteration, env_steps))
        self._weights.append(weights)
        self._steps.append(steps)
        self.changed = True

    def take_over(self, rows: pd.DataFrame) -> None:
        """Adds the rows of an earlier part of the same run, in the file's columns."""
        if rows.empty:
            return
        agent_ids = tuple(dict.fromkeys(rows["giver"]))
        n = len(agent_ids)
        matrices = rows["gift_weight"].to_numpy().reshape(-1, n, n)
        steps = rows["recorded_steps"].to_numpy().reshape(-1, n, n)[..., 0]
        when = rows[["iteration", "env_steps"]].to_numpy()[:: n * n]
        for (iteration, env_steps), weights, counts in zip(when, matrices, steps, strict=True):
            self.append(int(iteration), int(env_steps), agent_ids, weights, counts)

    def table(self) -> pa.Table:
        """All rows so far, in the file's columns."""
        n, length = len(self._agent_ids), len(self._when)
        when = np.asarray(self._when, dtype=np.int64).reshape(length, 2)
        giver, receiver = (index.ravel() for index in np.indices((n, n)))
        names = pa.array(self._agent_ids, pa.string())

        def agents(index: npt.NDArray[np.int64]) -> pa.Array:
            return pa.DictionaryArray.from_arrays(pa.array(np.tile(index, length), pa.int32()), names).cast(
                "string"
            )

        return pa.table(
            {
                "iteration": np.repeat(when[:, 0], n * n),
                "env_steps": np.repeat(when[:, 1], n * n),
                "giver": agents(giver),
                "receiver": agents(receiver),
                "gift_weight": np.stack(self._weights).ravel(),
                "recorded_steps": np.repeat(np.stack(self._steps).ravel(), n),
            }
        )


def publish(table: pa.Table, path: Path) -> None:
    """Writes a parquet file beside its place and moves it there in one step."""
    part = path.with_name(f".{path.name}.part")
    pq.write_table(table, part, compression="zstd")
    part.replace(path)
