"""`lase tune`: runs a search file of Ray Tune's, goes on with it, and writes its tables and its page."""

from __future__ import annotations

import dataclasses
import os
import re
import runpy
import shlex
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rllib_lase.cli.config_file import read_config
from rllib_lase.cli.options import Option, UsageError, Words, print_help, read_words, whole_number
from rllib_lase.machine import usable_cores
from rllib_lase.settings import suggestion

if TYPE_CHECKING:
    from rllib_lase.tuning.objective import Objective
    from rllib_lase.tuning.outcome import Outcome
    from rllib_lase.tuning.run import Place
    from rllib_lase.tuning.search import Search

_EXTRA = "in a checkout of rllib-lase: pip install '.[tune]'"
_DESCRIPTION = """Runs the trials of a search file with Ray Tune, each a whole run with its evaluation, and
writes them as run folders, with trials.csv, table.csv, best-GAME.json and report.html. A search file
assigns a Search to SEARCH; tune_configs/ has one for each question, to copy and edit."""
_EPILOG = """examples:
  lase tune tune_configs/compare.py --smoke
  lase tune tune_configs/optuna_lase.py --objective collective_reward=1,equality_after_gifting=20
  lase tune tune_configs/optuna_lase.py --resume
  lase train --config runs/tune/optuna_lase/best-cleanup.json --seed 1
  tensorboard --logdir runs/tune/optuna_lase"""


def _objective(word: str) -> Objective:
    from rllib_lase.tuning.objective import read_objective

    return read_objective(word)


_OPTIONS = [
    Option("FILE", "the search file, such as tune_configs/compare.py", Path),
    Option("--objective", "what is maximised: collective_reward, min_reward, equality, "
           "equality_after_gifting, share_given, or a mix such as "
           "collective_reward=1,equality_after_gifting=20 [collective_reward]",
           _objective, "METRICS"),
    Option("--config", "JSON file, such as another search's best-GAME.json, whose game, algo and settings "
           "stand in place of the search file's, but for what is searched", Path, "FILE"),
    Option("--env-steps", "budget of each trial [the file's]", whole_number(1), "N"),
    Option("--num-samples", "how often values are drawn [the file's]", whole_number(1), "N"),
    Option("--smoke", "the small search that the file names, to see that all works"),
    Option("--resume", "go on with the search in the folder: finished trials stay, others run to their end",
           group="faults"),
    Option("--max-failures", "how often a failed trial starts again [1]", whole_number(0), "N", "faults"),
    Option("--out", "folder of the search [runs/tune/NAME of the file]", str, "DIR", "where"),
    Option("--storage", "folder or URI in which Tune keeps trials, such as /nfs/searches or "
           "s3://bucket/searches [the parent of --out]; every node of a cluster must reach it", str, "URI",
           "where"),
    Option("--address", "Ray cluster to run on, such as auto or HOST:6379, whose nodes have rllib-lase and "
           "what the file imports; `lase submit --working-dir . tune FILE` sends both along [RAY_ADDRESS, "
           "else this machine]", str, "ADDRESS", "where"),
    Option("--concurrent", "trials at a time [the cores of this machine; on a cluster what fits]",
           whole_number(1), "N", "where"),
    Option("--wandb", "log to this Weights & Biases project; the key is WANDB_API_KEY of the environment",
           str, "PROJECT", "logs"),
    Option("--mlflow", "log to MLflow at this tracking URI", str, "URI", "logs"),
]  # fmt: skip


def run(words: Sequence[str]) -> int:
    """Runs the command; returns its exit code."""
    if {"-h", "--help"} & set(words):
        print_help("lase tune", _DESCRIPTION, _OPTIONS, _EPILOG)
        return 0
    given = read_search_words(words)
    search, title = _search(given)
    objective, out, place = _plan(search, given)
    if given.problems:
        raise UsageError(given.problems)
    from rllib_lase.run_lock import WriterLock

    out.mkdir(parents=True, exist_ok=True)
    lock = WriterLock(out)
    try:
        return _run(search, title, objective, out, place, words)
    finally:
        lock.release()


def read_search_words(words: Sequence[str]) -> Words:
    """The words, whatever is in the file that they name.

    Raises:
        UsageError: with everything that is wrong.
    """
    given = read_words(words, _OPTIONS)
    if "file" not in given.values:
        given.problems.append("FILE: missing; give a search file, such as tune_configs/compare.py")
    if given.problems:
        raise UsageError(given.problems)
    return given


def _search(given: Words) -> tuple[Search, str]:
    """The search of the file as the words change it, and the first line of the file's docstring."""
    from rllib_lase.tuning.search import Search

    path = given.values["file"]
    if not path.is_file():
        raise UsageError([f"FILE: {path}: no such file; expected a search file"])
    try:
        names = runpy.run_path(str(path))
    except ModuleNotFoundError as error:
        cure = _EXTRA if error.name == "optuna" else "install it, or add its folder to PYTHONPATH"
        raise UsageError([f"FILE: {path} needs {error.name}, which cannot be found: {cure}"]) from error
    except Exception as error:  # whatever a file of the user's may raise
        raise UsageError([f"FILE: {path}{_line_of(error, path)}: {_what(error, Search)}"]) from error
    search = names.get("SEARCH")
    if not isinstance(search, Search):
        others = [name for name, value in names.items() if isinstance(value, Search)]
        found = f"there is one in {', '.join(others)}" if others else f"found {type(search).__name__}"
        raise UsageError([f"FILE: {path}: assigns no Search to SEARCH; {found}"])
    if given.values.get("smoke"):
        if not search.smoke:
            given.problems.append(f"--smoke: {path} names no small search; add smoke={{...}} to its Search")
        search = search.small()
    search = _with_config(search, given)
    changes = {name: given.values[name] for name in ("env_steps", "num_samples") if name in given.values}
    search = dataclasses.replace(search, **changes)
    given.problems += [f"{path}: {problem}" for problem in search.problems()]
    title = (names.get("__doc__") or path.stem).strip().splitlines()[0].rstrip(".")
    return search, f"Small search: {title}" if given.values.get("smoke") else title


def _line_of(error: Exception, path: Path) -> str:
    """Where in a file an error came up: ", line 7"; empty if elsewhere."""
    if isinstance(error, SyntaxError):
        return f", line {error.lineno}"
    frames = [
        frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)
    ]
    return f", line {frames[-1]}" if frames else ""


def _what(error: Exception, search_class: type[Search]) -> str:
    """An error of a search file in words; an unknown field with the closest one that there is."""
    unknown = re.fullmatch(r"Search\.__init__\(\) got an unexpected keyword argument '(\w+)'", str(error))
    if unknown is None:
        return f"{type(error).__name__}: {error}"
    fields = [field.name for field in dataclasses.fields(search_class)]
    return f"Search has no {unknown[1]!r}; {suggestion(unknown[1], fields)}"


def _with_config(search: Search, given: Words) -> Search:
    """The search with the fixed values of the file of `--config`."""
    path = given.values.get("config")
    if path is None:
        return search
    content, problems = read_config(path)
    given.problems += [f"--config: {path}: {problem}" for problem in problems]
    if problems:
        return search
    changes: dict[str, Any] = {}
    for key, name in (("game", "games"), ("algo", "algos")):
        values = getattr(search, name)
        if key in content and len(values) > 1 and content[key] not in values:
            given.problems.append(f"--config: {path}: {key}: {content[key]!r} is none of the search's {name}")
        elif key in content and len(values) == 1:
            changes[name] = (content[key],)
    for part in ("settings", "game_params"):
        own = getattr(search, part)
        searched = {name: value for name, value in own.items() if f"{part}/{name}" in search.searched}
        changes[part] = {**own, **content.get(part, {}), **searched}
    changes["settings"].pop("optimizer", None)
    for name in ("optimizer", "env_steps"):
        if content.get(name) is not None:
            changes[name] = content[name]
    return dataclasses.replace(search, **changes)


def _plan(search: Search, given: Words) -> tuple[Objective, Path, Place]:
    """Objective, folder and place; problems go into the words."""
    from rllib_lase.tuning.objective import DEFAULT
    from rllib_lase.tuning.run import Place

    values = given.values
    objective: Objective = values.get("objective", DEFAULT)
    out = Path(values.get("out", f"runs/tune/{values['file'].stem}")).absolute()
    parent = values.get("storage", str(out.parent)).rstrip("/")
    if "://" not in parent:
        parent = str(Path(parent).absolute())
    address = values.get("address", os.environ.get("RAY_ADDRESS"))
    concurrent = values.get("concurrent", None if address else usable_cores())
    loggers = {name: values.get(name) for name in ("wandb", "mlflow")}
    place = Place(f"{parent}/{out.name}", address, concurrent, values.get("max_failures", 1), **loggers)
    given.problems += place.problems()
    if not given.problems:
        given.problems += _folder_problems(search, objective, out, place, "resume" in values)
    return objective, out, place


def _folder_problems(
    search: Search, objective: Objective, out: Path, place: Place, resume: bool
) -> list[str]:
    """Why the search cannot start in its folder, or cannot go on there."""
    from rllib_lase.evaluation.search_table import SEARCH_FILE
    from rllib_lase.run_lock import LOCK_FILE, writer_problem
    from rllib_lase.tuning.outcome import differences
    from rllib_lase.tuning.run import holds_search

    writer = writer_problem(out)
    if writer:
        return [f"--out: {writer}"]
    there = holds_search(place.folder)
    if resume and not there:
        return [f"--resume: {place.folder}: holds no search; leave --resume out to start it"]
    if resume:
        lines = differences(search, objective, out)
        return [f"--resume: {line}. Resume with the same file and words" for line in lines]
    if there:
        return [f"--out: {place.folder}: holds a search already; --resume goes on with it, or choose another"]
    if out.is_dir() and any(path.name not in (SEARCH_FILE, LOCK_FILE) for path in out.iterdir()):
        return [f"--out: {out}: holds other things; choose an empty or a new folder"]
    return []


def _run(
    search: Search, title: str, objective: Objective, out: Path, place: Place, words: Sequence[str]
) -> int:
    from rllib_lase.report import write_report
    from rllib_lase.tuning.objective import objective_name
    from rllib_lase.tuning.outcome import (
        fetch_runs,
        read_outcome,
        send_tables,
        write_description,
        write_outcome,
    )
    from rllib_lase.tuning.run import run_search

    resume = "--resume" in words
    _say(f"{title}\n{search.num_trials} trials, maximising {objective_name(objective)}, in {out}")
    if search.warning:
        _say(f"Warning: {search.warning}")
    if not resume:
        write_description(search, objective, title, shlex.join(["lase", "tune", *words]), out)
    outcome = read_outcome(search, run_search(search, objective, place, resume=resume))
    if Path(place.folder) != out:
        fetch_runs(outcome, place.folder, out)
    write_outcome(outcome, out)
    page = write_report(out) if not outcome.table.empty else None
    if Path(place.folder) != out:
        send_tables(out, place.folder)
    _conclude(outcome, search, out, page)
    if len(outcome.trials) - outcome.num_unfinished < search.num_trials:
        _say(f"Interrupted; --resume goes on. Finished trials are in {out}", sys.stderr)
        return 130
    return 1 if len(outcome.failed) else 0


def _conclude(outcome: Outcome, search: Search, out: Path, page: Path | None) -> None:
    """Prints the table, where things are, and which trials failed."""
    from rllib_lase.cli.console import table_console
    from rllib_lase.evaluation.search_table import CAPTION, rich_tables
    from rllib_lase.tuning.outcome import best_path

    console = table_console()
    if not outcome.table.empty:
        for table in rich_tables(outcome.table, search.searched):
            console.print(table)
        _say(CAPTION)
    for game in outcome.best:
        _say(f"best   {best_path(out, game)}")
    _say(f"table  {out / 'table.csv'}\ntrials {out / 'trials.csv'}")
    if page is not None:
        _say(f"report {page}")
    for _, row in outcome.failed.iterrows():
        _say(f"failed: {row['trial']}: {row['error']}", sys.stderr)


def _say(text: str, stream: Any = None) -> None:
    (stream or sys.stdout).write(f"{text}\n")
