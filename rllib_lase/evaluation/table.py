"""The comparison table: one row per game, algorithm and optimiser, over the seeds of its finished runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from rllib_lase.evaluation.metrics import METRICS, share_given
from rllib_lase.evaluation.statistics import bootstrap_interval, t_interval
from rllib_lase.registry import ALGORITHMS, STOCK
from rllib_lase.run_schema import RunError, as_floats
from rllib_lase.runs import RunFolder

if TYPE_CHECKING:
    from rich.table import Table

INTERVAL_METRICS = ("collective_reward", "equality", "equality_after_gifting", "share_given")
"""Metrics that the table gives with their interval over seeds."""

MEAN_METRICS = ("env_steps", "wall_seconds", "cpu_seconds", "env_steps_per_second")
"""Bookkeeping that the table gives as a plain mean over seeds."""

_IDENTITY = ("game", "preset", "algo", "optimizer")
_REWARD_LISTS = ("reward_per_agent", "reward_after_gifting_per_agent", "counts_per_agent")


def group_runs(runs: Sequence[RunFolder]) -> dict[tuple[str, ...], list[RunFolder]]:
    """Runs that differ in nothing but their seed, grouped.

    Args:
        runs: Any runs.

    Returns:
        Runs by (game, preset, algo, optimizer, variant), algorithms in the order of their registry. The
        variant is empty unless runs of one algorithm differ in a setting: then it names it, "delta=0.2".

    Raises:
        RunError: two runs of a group have the same seed.
    """
    same_algorithm: dict[tuple[str, ...], list[RunFolder]] = {}
    for run in runs:
        key = tuple(str(run.config[name] or "") for name in _IDENTITY)
        same_algorithm.setdefault(key, []).append(run)
    rank = {algo_id: index for index, algo_id in enumerate([*ALGORITHMS, *STOCK])}
    groups: dict[tuple[str, ...], list[RunFolder]] = {}
    for key in sorted(same_algorithm, key=lambda key: (key[:2], rank.get(key[2], len(rank)), key[2:])):
        members = same_algorithm[key]
        differing = _differing_options(members)
        for run in members:
            options = _options(run.config)
            variant = ", ".join(f"{name}={options.get(name)}" for name in differing)
            groups.setdefault((*key, variant), []).append(run)
    for members in groups.values():
        _refuse_equal_seeds(members)
    return groups


def comparison_frame(runs: Sequence[RunFolder]) -> pd.DataFrame:
    """The table as numbers.

    Args:
        runs: Finished runs.

    Returns:
        One row per group of runs that differ in their seed only: `game`, `preset`, `algo`, `optimizer`,
        `algorithm` ("independent (ppo)"), `variant`, `seeds`; per metric of `INTERVAL_METRICS` its mean over
        seeds, `<metric>_low` and `<metric>_high` (95 % Student-t interval), `<metric>_std` and
        `<metric>_seeds` (seeds for which it is defined), and `<metric>_iqm` with `_iqm_low` and `_iqm_high`,
        the interquartile mean with its 95 % bootstrap interval; the means of `MEAN_METRICS`; `counts/<event>`
        per episode, sum over agents; and a game's own `<name>`, mean over agents. NaN where undefined.

    Raises:
        RunError: a run has no valid summary, or two runs of a group have the same seed.
    """
    rows = []
    for key, members in group_runs(runs).items():
        game, preset, algo, optimizer, variant = key
        row: dict[str, Any] = {
            "game": game,
            "preset": preset,
            "algo": algo,
            "optimizer": optimizer,
            "algorithm": members[0].algorithm,
            "variant": variant,
            "seeds": len(members),
        }
        values = pd.DataFrame([_scalars(run.summary()) for run in members])
        for name in INTERVAL_METRICS:
            interval = t_interval(values[name])
            robust = bootstrap_interval(values[name])
            row |= interval.columns(name) | {
                f"{name}_seeds": interval.num_values,
                f"{name}_iqm": robust.estimate,
                f"{name}_iqm_low": robust.low,
                f"{name}_iqm_high": robust.high,
            }
        rest = values.drop(columns=list(INTERVAL_METRICS))
        row |= {str(name): float(mean) for name, mean in rest.mean().items()}
        rows.append(row)
    return pd.DataFrame(rows)


def display_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """The table for people: texts under the metrics' labels; columns that say nothing are left out.

    Args:
        frame: As `comparison_frame` returns it.

    Returns:
        A frame of texts. "56.8 ± 2.1" is the mean over seeds and half of its 95 % interval, "(3 of 5)" tells
        that the value is defined for three seeds only, "n/a" that it is undefined.
    """
    columns: dict[str, list[str]] = {}
    if frame["game"].nunique() > 1 or frame["preset"].nunique() > 1:
        columns["Game"] = [
            f"{g} ({p})" if p else g for g, p in zip(frame["game"], frame["preset"], strict=True)
        ]
    columns["Algorithm"] = [
        f"{algorithm}, {variant}" if variant else algorithm
        for algorithm, variant in zip(frame["algorithm"], frame["variant"], strict=True)
    ]
    columns["Seeds"] = [str(seeds) for seeds in frame["seeds"]]
    for name in INTERVAL_METRICS:
        columns[METRICS[name].label] = [_interval_text(row, name) for _, row in frame.iterrows()]
    for name in _game_columns(frame):
        columns[readable(name)] = [format_number(value) for value in frame[name]]
    for name in MEAN_METRICS:
        if frame[name].isna().all():
            continue
        columns[METRICS[name].axis_label] = [format_number(value) for value in frame[name]]
    return pd.DataFrame(columns)


def rich_table(frame: pd.DataFrame, title: str, width: int) -> Table:
    """The table for a terminal.

    Args:
        frame: As `comparison_frame` returns it.
        title: Its heading.
        width: Characters of a line. Where they do not suffice, bookkeeping and then a game's own columns are
            left out, last ones first.

    Returns:
        A table that rich prints; the caption explains the interval.
    """
    from rich.table import Table

    shown = display_frame(frame)
    optional = [readable(name) for name in _game_columns(frame)]
    bookkeeping = ("env_steps_per_second", "env_steps", "wall_seconds", "cpu_seconds")
    optional += [label for name in bookkeeping if (label := METRICS[name].axis_label) in shown]
    left_out = 0
    while optional and _table_width(shown) > width:
        shown = shown.drop(columns=optional.pop())
        left_out += 1
    caption = "mean ± half of the 95 % interval over seeds; n/a: undefined"
    if left_out:
        caption += f"; columns left out for want of room: {left_out}"
    table = Table(title=title, caption=caption)
    for column in shown.columns:
        left = column in ("Game", "Algorithm")
        narrowest = max(map(len, column.split()))
        table.add_column(column, justify="left" if left else "right", no_wrap=left, min_width=narrowest)
    for row in shown.itertuples(index=False):
        table.add_row(*row)
    return table


def readable(name: str) -> str:
    """A column's name for people: "counts/waste_cleaned" as "Waste cleaned"."""
    return name.removeprefix("counts/").replace("_", " ").capitalize()


def format_number(value: float, like: float | None = None) -> str:
    """A number for a table; "n/a" where undefined.

    Args:
        value: The number.
        like: The number that decides how many decimals there are; `value` itself unless given.

    Returns:
        For instance "1,234", "56.8" or "0.81".
    """
    if np.isnan(value):
        return "n/a"
    size = abs(value if like is None else like)
    decimals = 0 if size >= 100 else 1 if size >= 10 else 2
    text = f"{value:,.{decimals}f}"
    return text.lstrip("-") if float(text.replace(",", "")) == 0 else text


def format_interval(row: pd.Series[Any], name: str) -> str:
    """A number with half of its interval, "56.8 ± 2.1", from `name`, `<name>_low` and `<name>_high`."""
    text = format_number(row[name])
    half_width = (row[f"{name}_high"] - row[f"{name}_low"]) / 2
    return text if np.isnan(half_width) else f"{text} ± {format_number(half_width, like=row[name])}"


def _interval_text(row: pd.Series[Any], name: str) -> str:
    text = format_interval(row, name)
    if 0 < row[f"{name}_seeds"] < row["seeds"]:
        text += f" ({row[f'{name}_seeds']} of {row['seeds']})"
    return text


def _table_width(shown: pd.DataFrame) -> int:
    """Characters that the table takes, heads broken at spaces, cells not."""
    widths = [max(map(len, [*column.split(), *shown[column]])) for column in shown.columns]
    return sum(widths) + 3 * len(widths) + 1


def _game_columns(frame: pd.DataFrame) -> list[str]:
    fixed = {*_IDENTITY, "algorithm", "variant", "seeds", *MEAN_METRICS}
    return [name for name in frame.columns if name not in fixed and not name.startswith(INTERVAL_METRICS)]


def _scalars(summary: Mapping[str, Any]) -> dict[str, float]:
    """One run's numbers: the metrics, and a game's own lists brought down to one number each."""
    # Runs of versions that did not count them have no "cpu_seconds".
    names = (*INTERVAL_METRICS[:3], *MEAN_METRICS)
    numbers = {name: float(as_floats(summary.get(name))) for name in names}
    numbers["share_given"] = float(share_given(as_floats(summary["gift_weights"])).mean())
    for name, counts in summary.get("counts_per_agent", {}).items():
        numbers[f"counts/{name}"] = float(as_floats(counts).sum())
    for key, value in summary.items():
        if key.endswith("_per_agent") and key not in _REWARD_LISTS:
            numbers[key.removesuffix("_per_agent")] = float(as_floats(value).mean())
    return numbers


def _options(config: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that was asked for but the seed, flat."""
    who = {name: str(config[name]) for name in ("population", "switches", "shuffle_seats") if name in config}
    return {"env_steps": config["env_steps"], **who, **config["game_params"], **config["settings"]}


def _differing_options(runs: Sequence[RunFolder]) -> list[str]:
    options = [_options(run.config) for run in runs]
    names = dict.fromkeys(name for option in options for name in option)
    return [name for name in names if any(o.get(name) != options[0].get(name) for o in options)]


def _refuse_equal_seeds(runs: Sequence[RunFolder]) -> None:
    seen: dict[int, RunFolder] = {}
    for run in runs:
        other = seen.setdefault(run.config["seed"], run)
        if other is not run:
            raise RunError(
                f"{run.path}: same seed {run.config['seed']} and same settings as {other.path}; expected "
                "different seeds, as an interval counts runs as independent. Move one of the two elsewhere."
            )
