"""Training curves of several seeds on one grid of env steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

FloatArray = npt.NDArray[np.float64]

MAX_POINTS = 100
"""Points of a curve; more rows than that are averaged span by span."""


@dataclass(frozen=True)
class SeedCurves:
    """One quantity over training for several seeds.

    Attributes:
        env_steps: (G,) the grid.
        values: (S, G) one row per seed; NaN where undefined.
    """

    env_steps: FloatArray
    values: FloatArray

    @property
    def mean(self) -> FloatArray:
        """(G,) mean over the seeds for which the quantity is defined; NaN where it is for none."""
        defined = np.isfinite(self.values)
        total = np.where(defined, self.values, 0.0).sum(axis=0)
        result = np.full(total.shape, np.nan)
        np.divide(total, defined.sum(axis=0), out=result, where=defined.any(axis=0))
        return result

    @property
    def std(self) -> FloatArray:
        """(G,) sample standard deviation over seeds; NaN where fewer than two are defined."""
        defined = np.isfinite(self.values)
        count = defined.sum(axis=0)
        squares = np.where(defined, (self.values - self.mean) ** 2, 0.0).sum(axis=0)
        result = np.full(squares.shape, np.nan)
        np.divide(squares, count - 1, out=result, where=count > 1)
        return np.asarray(np.sqrt(result))


def seed_curves(tables: Sequence[pd.DataFrame], column: str) -> SeedCurves:
    """Brings the curves of several runs to one grid.

    The grid spans the env steps that all runs have in common, so that no mean changes its members on the way.

    Args:
        tables: One table per seed with `env_steps`, rising, and `column`.
        column: The quantity.

    Returns:
        The curves; a table without the column is NaN throughout.
    """
    first = max(float(table["env_steps"].iloc[0]) for table in tables)
    last = min(float(table["env_steps"].iloc[-1]) for table in tables)
    num_points = min(MAX_POINTS, *map(len, tables)) if last > first else 1
    grid = np.linspace(first, last, num_points)
    return SeedCurves(grid, np.stack([_resample(table, column, grid) for table in tables]))


def _resample(table: pd.DataFrame, column: str, grid: FloatArray) -> FloatArray:
    """Mean of the rows in the span that ends at each grid point; interpolated where no row falls into it."""
    if column not in table:
        return np.full(grid.shape, np.nan)
    x = table["env_steps"].to_numpy(dtype=np.float64)
    y = table[column].to_numpy(dtype=np.float64)
    spacing = grid[1] - grid[0] if grid.size > 1 else 1.0
    span = np.ceil((x - grid[0]) / spacing - 1e-9).astype(int).clip(min=0)
    inside = span < grid.size
    rows = np.bincount(span[inside], minlength=grid.size)
    defined = inside & np.isfinite(y)
    count = np.bincount(span[defined], minlength=grid.size)
    total = np.bincount(span[defined], weights=y[defined], minlength=grid.size)
    result = np.full(grid.shape, np.nan)
    np.divide(total, count, out=result, where=count > 0)
    empty = rows == 0
    if defined.any():
        result[empty] = np.interp(grid[empty], x[np.isfinite(y)], y[np.isfinite(y)])
    return result
