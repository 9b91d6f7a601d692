"""`lase submit`: a `lase` command as a job on a Ray cluster, its log here, its results brought home."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rllib_lase.cli.compare import read_plans
from rllib_lase.cli.options import Option, UsageError, Words, print_help, read_words, text_pair, whole_number
from rllib_lase.cli.train import read_plan
from rllib_lase.cli.tune import read_search_words
from rllib_lase.run_checkpoints import split_checkpoint
from rllib_lase.settings import closest

if TYPE_CHECKING:
    from rllib_lase.cluster.client import Cluster, JobOrder

_DESCRIPTION = """Runs `lase COMMAND ...` on a Ray cluster by Ray Jobs: sends our code, prints the job's id
and its log, and brings home the files that the command wrote. Options of submit stand before COMMAND.
Ctrl-C leaves the job running; --stop ends it, and what it had learnt is saved. The cluster needs Ray and the
other packages; cluster/ has files that make one, docs/cluster.md says how."""
_EXAMPLE = """examples:
  lase submit train cleanup --seed 3
  lase submit --storage s3://bucket/lase --detach train cleanup
  lase submit --stop JOB_ID
  lase submit --results JOB_ID --fetch home"""
_USAGE = "lase submit [options] COMMAND ..."
#: What makes no sense as a job.
_NOT_A_JOB = ("submit", "doctor")
#: Options that `lase tune` has, too.
_OF_TUNE = {"--address", "--storage"}
#: Trainings: what reads their words and raises what is wrong.
_PLANNED: dict[str, Callable[[Sequence[str]], object]] = {"train": read_plan, "compare": read_plans}


def run(words: Sequence[str]) -> int:
    """Runs the command; returns its exit code."""
    own, command = _split(words)
    if {"-h", "--help"} & set(own) or not words:
        print_help("lase submit", _DESCRIPTION, _options(), _EXAMPLE, _USAGE)
        return 0
    given = read_words(own, _options())
    order = _order(given, command)
    if given.problems:
        raise UsageError(given.problems)
    from rllib_lase.cluster.client import DEFAULT_ADDRESS, Cluster

    address = given.values.get("address") or os.environ.get("RAY_API_SERVER_ADDRESS") or DEFAULT_ADDRESS
    cluster = Cluster(address)
    if "stop" in given.values:
        return _stop(cluster, given.values["stop"])
    if order is None:
        return _bring(cluster, given.values["results"], given)
    return _submit(cluster, order, given)


def _options() -> list[Option]:
    return [
        Option("--address", "the dashboard of the cluster, http://HOST:8265 [RAY_API_SERVER_ADDRESS, else "
               "http://127.0.0.1:8265, which is also where a tunnel ends]", str, "URL"),
        Option("--fetch", "folder that results are brought to [., unless there is a --storage]", str, "DIR"),
        Option("--storage", "where the cluster uploads results, in a folder JOB_ID: s3://..., gs://... or a "
               "folder that all nodes mount", str, "URI"),
        Option("--working-dir", "folder to send along, with environments or runs of your own that the "
               "command names [none]", str, "DIR"),
        Option("--env", "environment variables of the job", text_pair, "NAME=VALUE", many=True),
        Option("--cpus", "CPUs that the command itself needs, beside its env runners and learners [1]",
               whole_number(0), "N"),
        Option("--gpus", "GPUs that it needs [0]", whole_number(0), "N"),
        Option("--detach", "leave once the job is submitted"),
        Option("--results", "fetch the results of a job that has ended", str, "JOB_ID",
               "instead of a COMMAND"),
        Option("--stop", "end a job; what it had learnt is saved", str, "JOB_ID", "instead of a COMMAND"),
    ]  # fmt: skip


def _split(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The words before the command, and those from it on."""
    takes = {option.name: option for option in _options()}
    position = 0
    while position < len(words):
        word = words[position]
        if not word.startswith("-"):
            break
        option = takes.get(word)
        position += 1
        if option is not None and option.metavar:
            position += 1
            while option.many and position < len(words) and "=" in words[position].lstrip("-"):
                position += 1
    return list(words[:position]), list(words[position:])


def _order(given: Words, command: Sequence[str]) -> JobOrder | None:
    """The job; None where there is a job already. Problems go into the words."""
    from rllib_lase.cli.entry import COMMANDS

    values = given.values
    jobs = [f"--{name}" for name in ("stop", "results") if name in values]
    if jobs:
        if command or len(jobs) > 1:
            found = " ".join([*jobs, *command[:1]])
            given.problems.append(f"{jobs[0]}: stands alone, without another job or COMMAND, found {found}")
        return None
    known = [name for name in COMMANDS if name not in _NOT_A_JOB]
    if not command or command[0] not in known:
        what = f"unknown {command[0]!r}{closest(command[0], known) or '.'}" if command else "missing."
        given.problems.append(f"COMMAND: {what} Known: {', '.join(known)}")
        return None
    folder = Path(values["working_dir"]).absolute() if "working_dir" in values else None
    if folder is not None and not folder.is_dir():
        given.problems.append(f"--working-dir: expected a folder, found {values['working_dir']!r}")
        return None
    own = {option.name for option in _options()} - (_OF_TUNE if command[0] == "tune" else set())
    misplaced = [word for word in command[1:] if word.partition("=")[0] in own]
    if misplaced:
        given.problems.append(f"{misplaced[0]} is an option of submit: put it before {command[0]}")
        return None
    read = [word for before, word in itertools.pairwise(command) if before != "--out"]
    left_here = [word for word in read if folder is None and _is_own(word)]
    if left_here:
        given.problems.append(
            f"COMMAND: {left_here[0]} is yours, and the cluster has it not; send its folder along: "
            f"lase submit --working-dir . {' '.join(command)}"
        )
        return None
    given.problems += _command_problems(command, folder)
    storage = values.get("storage")
    keep = not storage or "fetch" in values
    from rllib_lase.cluster.client import JobOrder

    env: dict[str, str] = dict(values.get("env", ()))
    return JobOrder(command, folder, env, storage, keep, values.get("cpus", 1), values.get("gpus", 0))


def _command_problems(command: Sequence[str], folder: Path | None) -> list[str]:
    """What is wrong with a training or a search, as far as one can tell from here.

    Runs, files and environments that are not in `folder`, which is sent along, may be the cluster's.
    """
    name, words = command[0], command[1:]
    if {"-h", "--help"} & set(words):
        return []
    try:
        if name == "tune":
            file = read_search_words(words).values["file"]
            if not file.is_absolute() and (folder is None or not (folder / file).is_file()):
                where = f"in {folder}, the folder that is sent along" if folder else "sent along"
                return [f"tune: FILE: {file} is not {where}; name one below --working-dir"]
        elif name in _PLANNED and folder is None and not _names_what_is_there(words):
            _PLANNED[name](words)
    except UsageError as error:
        return [f"{name}: {line}" for line in error.problems if not line.startswith("--out: ")]
    return []


def _names_what_is_there(words: Sequence[str]) -> bool:
    """Whether the words of a training name a file, a run or an environment, which may be the cluster's."""
    parts = [part for word in words for part in word.split(",")]
    imported = any(":" in part and not part.startswith("rllib:") for part in parts)
    return imported or not {"--config", "--resume"}.isdisjoint(words)


def _is_own(word: str) -> bool:
    """Whether a word names a run or a Python file under this folder, the latter also as module:function."""
    if word.startswith("/"):
        return False
    if (split_checkpoint(word)[0] / "config.json").is_file():
        return True
    module, colon, _ = word.partition(":")
    name = f"{module.replace('.', '/')}.py" if colon else word
    return name.endswith(".py") and Path(name).is_file()


def _submit(cluster: Cluster, order: JobOrder, given: Words) -> int:
    from rllib_lase.cluster.client import write_out

    job_id = cluster.submit(order)
    fetched = f"lase submit --address {cluster.address} --results {job_id}"
    write_out(f"job {job_id} on {cluster.address}: lase {' '.join(order.words)}\n")
    if given.values.get("detach"):
        write_out(f"log     ray job logs --follow --address {cluster.address} {job_id}\n")
        write_out(f"stop    lase submit --address {cluster.address} --stop {job_id}\n")
        write_out(f"results {fetched}\n" if order.keep else f"results {order.storage}/{job_id}\n")
        return 0
    try:
        succeeded = cluster.follow(job_id, write_out)
    except KeyboardInterrupt:
        write_out(f"\nThe job goes on. Stop it: lase submit --address {cluster.address} --stop {job_id}\n")
        write_out(f"Fetch its results later: {fetched}\n" if order.keep else "")
        raise
    write_out(f"job {job_id}: {cluster.status(job_id).lower()}\n")
    if order.keep:
        _bring(cluster, job_id, given)
    return 0 if succeeded else 1


def _bring(cluster: Cluster, job_id: str, given: Words) -> int:
    """Fetches the results of a job; returns the exit code."""
    from rllib_lase.cluster.client import RUNNING, write_out

    status = cluster.status(job_id)
    if status in RUNNING:
        sys.stderr.write(f"job {job_id} is {status.lower()}; its results can be fetched once it has ended\n")
        return 1
    folder = cluster.fetch(job_id, Path(given.values.get("fetch", ".")))
    write_out(f"results {folder}\n" if folder else f"job {job_id} left no results to fetch\n")
    return 0 if folder else 1


def _stop(cluster: Cluster, job_id: str) -> int:
    from rllib_lase.cluster.client import write_out

    was_running = cluster.stop(job_id)
    write_out(f"job {job_id}: {'told to stop' if was_running else 'had ended already'}\n")
    return 0
