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

#: Exit code of a job whose command succeeded, but whose results are not where they were asked for.
NOT_DELIVERED = 4


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
    code, written = _run(order.command, folder, order.in_copy)
    if not written:
        _say("The command wrote no files.")
        shutil.rmtree(folder, ignore_errors=True)
        return code
    delivered = _deliver(folder, written, job_id, target, order.keep)
    return code if delivered else code or NOT_DELIVERED


def _deliver(folder: Path, written: Sequence[Path], job_id: str, target: str | None, keep: bool) -> bool:
    """Brings results away and removes the folder, which stays if they could be brought nowhere.

    What cannot be uploaded is archived instead.

    Returns:
        Whether all went where it was asked for.
    """
    problems = []
    is_away = False
    if target:
        try:
            upload(folder, written, target)
            _say(f"Results uploaded: {target}")
            is_away = True
        except Exception as error:  # whatever the storage's client raises: it is the message
            problems.append(f"they could not be uploaded to {target}: {_one_line(error)}")
    if keep or not is_away:
        try:
            archive = _archive(folder, written, job_id)
        except Exception as error:  # Ray's, the disk's: none may cost the run
            problems.append(f"they could not be archived: {_one_line(error)}")
            place = target if is_away else f"{folder} on the node {os.uname().nodename}; copy them from there"
            _say("; ".join([f"Results are in {place}", *problems]))
        else:
            is_away = True
            cure = f"fetch them: lase submit --results {job_id}, with the --address of this cluster"
            _say("; ".join([f"Results kept on this node: {archive}", *(problems and [*problems, cure])]))
    if is_away:
        shutil.rmtree(folder, ignore_errors=True)
    return not problems


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
    """Packs files where Ray's log service finds them; half an archive is none."""
    results = _logs_folder() / RESULTS_FOLDER
    results.mkdir(exist_ok=True)
    archive = results / f"{job_id}.tar.gz"
    try:
        with tarfile.open(archive, "w:gz") as packed:
            for path in files:
                packed.add(folder / path, str(path))
    except BaseException:
        archive.unlink(missing_ok=True)
        raise
    return archive


def _logs_folder() -> Path:
    """The logs of the session of Ray that this job belongs to."""
    import ray

    ray.init(log_to_driver=False, logging_level="ERROR")
    folder = Path(ray._private.worker.global_worker.node.get_logs_dir_path())
    ray.shutdown()
    return folder


def _job_id() -> str:
    job = json.loads(os.environ["RAY_JOB_CONFIG_JSON_ENV_VAR"])
    return str(job["metadata"]["job_submission_id"])


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
