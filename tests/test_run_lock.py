"""One process at a time writes a run's folder; who comes second is told who the first is."""

import contextlib
import errno
import fcntl
import os
import platform
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from rllib_lase.cli import entry
from rllib_lase.cli.train import read_plan
from rllib_lase.run_lock import LOCK_FILE, WriterLock, writer_problem
from rllib_lase.runs import RunError, RunFolder, resume_problem
from tests.interpreter import environment
from tests.synthetic_runs import progress_row, run_config, write_run

_WRITE = """
import sys
from pathlib import Path
from rllib_lase.run_lock import WriterLock
lock = WriterLock(Path(sys.argv[1]))
print("writing", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def writer(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that writes a folder until it is told to end, or killed."""
    command = [sys.executable, "-c", _WRITE, str(folder)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, env=environment(), **pipes) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "writing\n"
            yield process
        finally:
            process.kill()


def test_a_second_writer_is_told_the_folder_and_the_first_one(tmp_path: Path) -> None:
    with writer(tmp_path) as process:
        with pytest.raises(RunError) as error:
            RunFolder.create(tmp_path, run_config(), overwrite=True)
        words = str(error.value)
        assert writer_problem(tmp_path) == words
        assert not (tmp_path / "config.json").exists()
    assert f"{tmp_path}: process {process.pid} on {platform.node()} has been writing" in words
    assert f"kill {process.pid}" in words


def test_nothing_is_left_of_a_writer_that_was_killed(tmp_path: Path) -> None:
    with writer(tmp_path) as process:
        process.kill()
        process.wait()
        assert (tmp_path / LOCK_FILE).exists(), "it could not clean up"
        assert writer_problem(tmp_path) is None
        with RunFolder.create(tmp_path, run_config()):
            assert writer_problem(tmp_path) is not None
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]


def test_a_writer_that_ends_lets_the_folder_go(tmp_path: Path) -> None:
    with writer(tmp_path) as process:
        process.communicate("")
        assert process.returncode == 0
        assert list(tmp_path.iterdir()) == []


def test_a_run_that_is_being_written_is_neither_replaced_nor_gone_on_with_nor_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "independent-ppo-seed0"
    words = ["cleanup", "--algos", "ppo", "--seeds", "1", "--out", str(tmp_path)]
    plan = read_plan(["cleanup", "--algo", "ppo", "--out", str(tmp_path / "none")])[0]
    run = write_run(path, iterations=2, finished=False, **plan.config())
    run.checkpoint_path(100_000).mkdir(parents=True)
    lock = WriterLock(path)
    busy = f"{path}: process {os.getpid()} on {platform.node()} has been writing this folder since 20"
    for command in (
        ["train", "--resume", str(path)],
        ["train", "cleanup", "--out", str(path)],
        ["train", "cleanup", "--out", str(path), "--overwrite"],
        ["compare", *words],
        ["compare", *words, "--overwrite"],
    ):
        assert entry.run(command) == 2
        assert busy in capsys.readouterr().err
    with pytest.raises(RunError, match="has been writing this folder"):
        RunFolder.reopen(path)
    lock.release()
    assert resume_problem(run) is None


def test_a_folder_is_free_as_soon_as_its_writer_is_done(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path, run_config()) as run, pytest.raises(RunError, match="has been writing"):
        RunFolder.create(tmp_path, run_config(), overwrite=True)
    with RunFolder.create(tmp_path, run_config(seed=1)) as second:
        assert second.config["seed"] == 1
    assert run.config["seed"] == 0


def test_who_lost_its_folder_publishes_nothing_more_and_leaves_the_lock_of_the_next(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path, run_config()) as waiting:
        waiting.append_progress(progress_row(1, 100))
        with RunFolder.create(tmp_path, run_config(), overwrite=True, take=True) as next_attempt:
            next_attempt.append_progress(progress_row(1, 100))
            next_attempt.append_progress(progress_row(2, 200))
            with pytest.raises(RunError, match="another attempt has taken this run over"):
                waiting.append_progress(progress_row(2, 150))
            waiting.__exit__(None, None, None)
            assert writer_problem(tmp_path) is not None
    assert len(RunFolder.open(tmp_path).progress()) == 2


def test_a_folder_that_was_let_go_is_not_written_any_more(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path, run_config()) as run:
        run.append_progress(progress_row(1, 100))
    with pytest.raises(RunError, match="opened for reading"):
        run.append_progress(progress_row(2, 200))


def test_a_forked_child_that_ends_leaves_the_lock_to_its_parent(tmp_path: Path) -> None:
    code = "import sys; from tests.test_run_lock import fork_with_a_lock; fork_with_a_lock(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], env=environment(), check=True)


def fork_with_a_lock(folder: str) -> None:
    """Forks with a lock in hand; the child ends as a process ends, and the lock is there still."""
    lock = WriterLock(Path(folder))
    child = os.fork()
    if child == 0:
        sys.exit()
    os.waitpid(child, 0)
    assert not lock.is_lost


def test_who_asks_at_the_wrong_moment_keeps_nobody_from_writing(tmp_path: Path) -> None:
    """To ask is to hold a shared lock for a moment, here until the first pause of whoever wants to write."""
    (tmp_path / LOCK_FILE).touch()
    file = os.open(tmp_path / LOCK_FILE, os.O_RDONLY)
    fcntl.flock(file, fcntl.LOCK_SH)
    threading.Timer(0.02, os.close, [file]).start()
    WriterLock(tmp_path).release()


def test_where_the_file_system_knows_no_locks_a_warning_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(file: int, kind: int) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", unknown)
    with (
        pytest.warns(UserWarning, match="knows no locks. Nothing keeps a second process"),
        RunFolder.create(tmp_path, run_config()),
    ):
        assert writer_problem(tmp_path) is None
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]


def test_a_lock_alone_does_not_make_a_folder_somebody_elses(tmp_path: Path) -> None:
    (tmp_path / LOCK_FILE).touch()
    with RunFolder.create(tmp_path, run_config()) as run:
        assert run.config["seed"] == 0
