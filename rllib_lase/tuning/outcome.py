"""What came out of a search: a row per trial, a table over seeds, and the best configuration of each game."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.fs

from rllib_lase.defaults import default_env_steps, default_optimizer
from rllib_lase.evaluation.search_table import SEARCH_FILE
from rllib_lase.evaluation.statistics import t_interval
from rllib_lase.registry import StockSpec, resolve_algorithm
from rllib_lase.run_schema import normalise, read_json, write_json
from rllib_lase.run_tables import publish
from rllib_lase.settings import learner_name
from rllib_lase.tuning.objective import METRICS, Objective, objective_name
from rllib_lase.tuning.search import Search
from rllib_lase.tuning.trial import whole_settings

_COPIED = (
    "config.json",
    "progress.parquet",
    "gifts.parquet",
    "episodes.parquet",
    "summary.json",
    "episode.gif",
    "report.html",
)


@dataclass(frozen=True)
class Outcome:
    """A search that has ended, or was stopped.

    Attributes:
        trials: A row per trial: `trial` (its folder), `game`, `algo` (as the search names it), `algorithm`
            (with its optimiser), `seed`, what was searched, `status` (finished, stopped by the scheduler,
            failed, unfinished), `env_steps`, `seconds`, `objective`, the metrics of `METRICS` and `error`.
        table: Finished trials that differ in their seed only: `trials` (names with commas between), `seeds`,
            and of the objective and each metric the mean, `<metric>_low` and `<metric>_high` (95 % Student-t
            interval) and `<metric>_std`. Best first within each game.
        best: Game -> what `lase train --config` takes.
    """

    trials: pd.DataFrame
    table: pd.DataFrame
    best: Mapping[str, Mapping[str, Any]]

    @property
    def failed(self) -> pd.DataFrame:
        """Trials that failed for good."""
        return self.trials[self.trials["status"] == "failed"]

    @property
    def num_unfinished(self) -> int:
        """Trials that `--resume` would go on with."""
        return int((self.trials["status"] == "unfinished").sum())


def read_outcome(search: Search, results: Any) -> Outcome:
    """Reads Tune's results.

    Args:
        search: What was searched.
        results: Tune's `ResultGrid`.
    """
    rows = [_row(search, result) for result in results]
    trials = pd.DataFrame(rows, columns=_columns(search)).sort_values("trial", ignore_index=True)
    finished = trials[trials["status"] == "finished"]
    keys = ["game", "algo", "algorithm", *search.searched]
    groups = [_group(members, keys) for _, members in finished.groupby(keys, sort=False, dropna=False)]
    table = pd.DataFrame(groups)
    if groups:
        games = {game: index for index, game in enumerate(search.games)}
        table = table.sort_values(
            ["game", "objective"],
            key=lambda column: column.map(games) if column.name == "game" else -column,
            ignore_index=True,
        )
    configs = {Path(result.path).name: result.config for result in results}
    return Outcome(trials, table, _best(table, search, configs))


def write_outcome(outcome: Outcome, out: Path) -> None:
    """Writes `trials` and `table` as parquet and CSV, and `best-GAME.json` for each game."""
    for name, frame in (("trials", outcome.trials), ("table", outcome.table)):
        publish(pa.Table.from_pandas(frame, preserve_index=False), out / f"{name}.parquet")
        frame.to_csv(out / f"{name}.csv", index=False)
    for game, config in outcome.best.items():
        write_json(best_path(out, game), config)


def best_path(out: Path, game: str) -> Path:
    """Where the best configuration of a game is."""
    return out / f"best-{game.replace(':', '-').replace('/', '-')}.json"


def write_description(search: Search, objective: Objective, title: str, command: str, out: Path) -> None:
    """Writes `search.json`: what was asked for."""
    content = {"title": title, "command": command, "warning": search.warning, **asked(search, objective)}
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / SEARCH_FILE, content)


def differences(search: Search, objective: Objective, out: Path) -> list[str]:
    """Where the search of a folder is not the one that is asked for, one line each."""
    path = out / SEARCH_FILE
    if not path.is_file():
        return []
    there, now = read_json(path), normalise(asked(search, objective))
    return [f"{path}: {key}: {there[key]} there, {now[key]} here" for key in now if there[key] != now[key]]


def asked(search: Search, objective: Objective) -> dict[str, Any]:
    """The part of search.json that tells searches apart."""
    return {
        "objective": objective_name(objective),
        "searched": search.searched,
        "search": search.description(),
    }


def fetch_runs(outcome: Outcome, folder: str, out: Path) -> None:
    """Copies what pages and tables need of the trials' folders from the search's storage; no checkpoints."""
    files, root = pyarrow.fs.FileSystem.from_uri(folder)
    local = pyarrow.fs.LocalFileSystem()
    for trial in outcome.trials["trial"]:
        for name in _COPIED:
            source = f"{root}/{trial}/{name}"
            if files.get_file_info(source).type == pyarrow.fs.FileType.File:
                (out / trial).mkdir(parents=True, exist_ok=True)
                pyarrow.fs.copy_files(
                    source, str(out / trial / name), source_filesystem=files, destination_filesystem=local
                )


def send_tables(out: Path, folder: str) -> None:
    """Copies what `lase tune` wrote beside the trials' folders to the search's storage."""
    files, root = pyarrow.fs.FileSystem.from_uri(folder)
    local = pyarrow.fs.LocalFileSystem()
    for path in sorted(path for path in out.iterdir() if path.is_file()):
        target = f"{root}/{path.name}"
        pyarrow.fs.copy_files(str(path), target, source_filesystem=local, destination_filesystem=files)


def _columns(search: Search) -> list[str]:
    known = ["trial", "game", "algo", "algorithm", "seed", *search.searched, "status", "env_steps", "seconds"]
    return [*known, "objective", *METRICS, "error"]


def _row(search: Search, result: Any) -> dict[str, Any]:
    config, metrics = result.config, result.metrics or {}
    algo = config["run"]["algo"]
    row = {
        "trial": Path(result.path).name,
        "game": config["run"]["game"],
        "algo": algo,
        "algorithm": learner_name(resolve_algorithm(algo)[0].algo_id, _optimizer(config)),
        "seed": config["seed"],
        **{name: _plain(_lookup(config, name)) for name in search.searched},
        "status": _status(result),
        "env_steps": int(metrics.get("env_steps", 0)),
        "seconds": float(metrics.get("time_total_s", math.nan)),
    }
    row |= {name: float(metrics.get(name, math.nan)) for name in ("objective", *METRICS)}
    return row | {"error": "" if result.error is None else str(result.error).strip().splitlines()[-1]}


def _status(result: Any) -> str:
    metrics = result.metrics or {}
    if result.error is not None:
        return "failed"
    if metrics.get("evaluated"):
        return "finished"
    return "stopped" if metrics.get("done") else "unfinished"


def _optimizer(config: Mapping[str, Any]) -> str | None:
    spec, fixed = resolve_algorithm(config["run"]["algo"])
    if isinstance(spec, StockSpec):
        return None
    return fixed or config["plan"]["optimizer"] or default_optimizer(config["run"]["game"])


def _group(members: pd.DataFrame, keys: Sequence[str]) -> dict[str, Any]:
    row: dict[str, Any] = {name: members[name].iloc[0] for name in keys}
    row |= {"trials": ",".join(members["trial"]), "seeds": len(members)}
    for name in ("objective", *METRICS):
        row |= t_interval(members[name]).columns(name)
    return row | {"seconds": float(members["seconds"].mean())}


def _best(
    table: pd.DataFrame, search: Search, configs: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """The best of each game among what was finished with every seed."""
    if table.empty:
        return {}
    whole = table[(table["seeds"] == len(search.seeds)) & table["objective"].notna()]
    firsts = whole.drop_duplicates("game")
    return {
        row["game"]: _train_config(configs[row["trials"].partition(",")[0]]) for _, row in firsts.iterrows()
    }


def _train_config(config: Mapping[str, Any]) -> dict[str, Any]:
    run, plan = config["run"], config["plan"]
    steps = plan["env_steps"] or default_env_steps(run["game"])
    algo, optimizer = resolve_algorithm(run["algo"])[0].algo_id, _optimizer(config)
    content = {"game": run["game"], "algo": algo, "env_steps": steps}
    content |= {"optimizer": optimizer} if optimizer else {}
    params = {name: _plain(value) for name, value in config["game_params"].items()}
    settings = {name: _plain(value) for name, value in whole_settings(config).items()}
    return {**content, "game_params": params, "settings": settings}


def _lookup(config: Mapping[str, Any], name: str) -> Any:
    part, _, key = name.partition("/")
    return config[part][key]


def _plain(value: Any) -> Any:
    """Python's own number where a domain drew NumPy's."""
    return value.item() if hasattr(value, "item") else value
