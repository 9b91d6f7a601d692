"""Runs many `lase train` processes, a few at a time, and tells what each is doing."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

State = Literal["waiting", "starting", "training", "evaluating", "finished", "kept", "failed", "stopped"]

#: Seconds that a stopped run gets to leave before it is killed.
_GRACE_SECONDS = 10.0


@dataclass
class Job:
    """One run of a comparison.

    Attributes:
        name: Its folder's name.
        words: The words after `lase train`.
        log: Where its warnings and errors go.
        state: What it is doing.
        progress: The latest of what it reported: env_steps, collective_reward and so on.
        process: Its process, once started.
    """

    name: str
    words: Sequence[str]
    log: Path
    state: State = "waiting"
    progress: dict[str, Any] = field(default_factory=dict)
    process: subprocess.Popen[str] | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come of it."""
        return self.state in ("finished", "kept", "failed", "stopped")

    def last_words(self) -> str:
        """The last line of its log that says something."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.is_file() else []
        return next((line.strip() for line in reversed(lines) if line.strip()), "it left no message")


def run_jobs(jobs: Sequence[Job], at_once: int, on_change: Callable[[Job], None]) -> None:
    """Runs the waiting jobs, `at_once` of them at a time; the failure of one does not stop the others.

    Ctrl-C is passed on: the running jobs evaluate and save what they have learnt, the waiting ones do not
    start. A second Ctrl-C ends them at once.

    Args:
        jobs: In the order in which they start.
        at_once: Processes at a time.
        on_change: Called in this thread when a job has changed.

    Raises:
        KeyboardInterrupt: after the last process has ended.
    """
    messages: queue.Queue[tuple[Job, dict[str, Any] | None]] = queue.Queue()
    waiting = [job for job in jobs if job.state == "waiting"]
    running: list[Job] = []
    interrupted = False
    try:
        while waiting or running:
            try:
                while waiting and len(running) < at_once and not interrupted:
                    job = waiting.pop(0)
                    _start(job, messages)
                    running.append(job)
                    on_change(job)
                job, message = messages.get()
                if message is None:
                    running.remove(job)
                _note(job, message)
                on_change(job)
            except KeyboardInterrupt:
                if interrupted:
                    raise
                interrupted = True
                for job in waiting:
                    job.state = "stopped"
                waiting.clear()
                _signal(running, signal.SIGINT)
    finally:
        _end(running)
    if interrupted:
        raise KeyboardInterrupt


def _start(job: Job, messages: queue.Queue[tuple[Job, dict[str, Any] | None]]) -> None:
    """Starts a job in a process group of its own, so that Ctrl-C reaches it through us, once."""
    job.log.parent.mkdir(parents=True, exist_ok=True)
    environment = {
        "PYTHONHASHSEED": "0",
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    with job.log.open("w") as log:
        job.process = subprocess.Popen(
            _command(job),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=environment,
            start_new_session=True,
        )
    job.state = "starting"
    threading.Thread(target=_listen, args=(job, messages), daemon=True).start()


def _command(job: Job) -> list[str]:
    return [sys.executable, "-m", "rllib_lase.cli", "train", *job.words, "--progress", "json"]


def _listen(job: Job, messages: queue.Queue[tuple[Job, dict[str, Any] | None]]) -> None:
    """Passes on what a job prints; None when it has ended."""
    assert job.process is not None
    assert job.process.stdout is not None
    with job.process.stdout:
        for line in job.process.stdout:
            # Libraries may print to the same stream.
            with contextlib.suppress(ValueError):
                message = json.loads(line)
                if isinstance(message, dict):
                    messages.put((job, message))
    job.process.wait()
    messages.put((job, None))


def _note(job: Job, message: dict[str, Any] | None) -> None:
    if message is None:
        assert job.process is not None
        code = job.process.returncode
        job.state = "finished" if code == 0 else "stopped" if code == 130 else "failed"
    elif "env_steps" in message:
        job.progress = message
        done = message["env_steps"] >= message["total_env_steps"]
        job.state = "evaluating" if done else "training"


def _signal(jobs: Sequence[Job], number: signal.Signals, group: bool = False) -> None:
    for job in jobs:
        if job.process is not None:
            with contextlib.suppress(ProcessLookupError):
                (os.killpg if group else os.kill)(job.process.pid, number)


def _end(jobs: Sequence[Job]) -> None:
    """Ends what still runs: politely, then with its whole process group."""
    _signal(jobs, signal.SIGTERM)
    for job in jobs:
        job.state = "stopped"
        if job.process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                job.process.wait(_GRACE_SECONDS)
    _signal(jobs, signal.SIGKILL, group=True)
