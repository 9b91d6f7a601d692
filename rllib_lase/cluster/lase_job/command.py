"""A `lase` command as a job: checks the node, runs it in a folder of its own, brings away what it wrote."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

from .storage import storage_problem, upload
from .versions import own_problems

#: Folder of archived results in the logs of Ray's session, from where Ray's log service hands them out.
RESULTS_FOLDER = "lase_results"

#: Exit code of a job whose node, or whose storage, would not have done.
UNFIT = 3


def main(words: Sequence[str] | None = None) -> int:
    """Entry of the job; returns its exit code, which is the command's unless it could not start."""
    parser = argparse.ArgumentParser(prog="lase_job")
    parser.add_argument("--storage", help="URI or folder that results are uploaded to")
    parser.add_argument("--keep", action="store_true", help="archive results where they can be fetched from")
    parser.add_argument("--in-copy", action="store_true", help="run in a copy of the working directory")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="words after `lase`")
    order = parser.parse_args(words)
    problems = own_problems()
    if problems:
        node = os.uname().nodename
        _say(f"Nothing was started: {sys.executable} on {node} cannot run rllib-lase.")
        for problem in problems:
            _say(f"  {problem.what}. Cure, on every node: {problem.cure}")
        return UNFIT
    job_id = _job_id()
    target = f"{order.storage.rstrip('/')}/{job_id}" if order.storage else None
    if target:
        reason = storage_problem(target)
        if reason:
            _say(f"Nothing was started: --storage {order.storage} cannot be written from this node: {reason}")
            _say(
                "  Cure: check address, credentials and rights on the node, or mount a folder that all share."
            )
            return UNFIT
    folder = Path(tempfile.mkdtemp(prefix=f"lase-{job_id}-"))
    try:
        code, written = _run(order.command, folder, order.in_copy)
        if not written:
            _say("The command wrote no files.")
        if target and written:
            upload(folder, written, target)
            _say(f"Results uploaded: {target}")
        if order.keep and written:
            _say(f"Results kept on this node: {_archive(folder, written, job_id)}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return code


def _run(words: Sequence[str], folder: Path, in_copy: bool) -> tuple[int, list[Path]]:
    """Runs `lase` in a folder of its own; returns its exit code and the files that it wrote, from there.

    Ray stops a job by a signal to all of its processes: `lase` saves what it has, which is then brought away.
    """
    if in_copy:
        shutil.copytree(Path.cwd(), folder, dirs_exist_ok=True, symlinks=True)
    before = _stamps(folder)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)  # a handler, not SIG_IGN, which the command would inherit
    code = subprocess.call([sys.executable, "-m", "rllib_lase", *words], cwd=folder)
    after = _stamps(folder)
    return code, [path for path, stamp in after.items() if before.get(path) != stamp]


def _stamps(folder: Path) -> dict[Path, tuple[int, int]]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(folder): (path.stat().st_mtime_ns, path.stat().st_size) for path in files}


def _archive(folder: Path, files: Sequence[Path], job_id: str) -> Path:
    """Packs files where Ray's log service finds them."""
    import ray

    ray.init(log_to_driver=False, logging_level="ERROR")
    results = Path(ray._private.worker.global_worker.node.get_logs_dir_path()) / RESULTS_FOLDER
    ray.shutdown()
    results.mkdir(exist_ok=True)
    archive = results / f"{job_id}.tar.gz"
    with tarfile.open(archive, "w:gz") as packed:
        for path in files:
            packed.add(folder / path, str(path))
    return archive


def _job_id() -> str:
    job = json.loads(os.environ["RAY_JOB_CONFIG_JSON_ENV_VAR"])
    return str(job["metadata"]["job_submission_id"])


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
