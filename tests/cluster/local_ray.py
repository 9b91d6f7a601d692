"""Ray on this machine with its own home, ports and folders, ended by process id."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import ray  # noqa: F401 - brings psutil, below

import psutil  # isort: skip

BIN = Path(sys.executable).parent


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


@contextlib.contextmanager
def own_home() -> Iterator[tuple[Path, dict[str, str]]]:
    """A user's home with a token, short enough for sockets, and the environment of its processes.

    Whatever still runs with that home at the end is ended.
    """
    home = Path(tempfile.mkdtemp(prefix="lase", dir="/tmp"))
    env = {name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "PYTHONPATH"))}
    env |= {"HOME": str(home), "RAY_TMPDIR": str(home / "ray"), "RAY_AUTH_MODE": "token"}
    env |= {"PATH": f"{BIN}:{env['PATH']}", "OMP_NUM_THREADS": "1", "RAY_USAGE_STATS_ENABLED": "0"}
    (home / "ray").mkdir()
    (home / ".ray").mkdir()
    (home / ".ray" / "auth_token").write_text("a-token-for-tests-of-thirty-two-characters")
    try:
        yield home, env
    finally:
        end_all_of(home)
        shutil.rmtree(home, ignore_errors=True)


def end_all_of(home: Path) -> None:
    """Ends processes whose HOME is this."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        left = [process for process in psutil.process_iter() if _home(process) == str(home)]
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)
        psutil.wait_procs(left, timeout=10)


def _home(process: psutil.Process) -> str | None:
    try:
        return str(process.environ().get("HOME"))
    except (psutil.Error, OSError):
        return None


def start(home: Path, env: Mapping[str, str], words: Sequence[str], log: str) -> None:
    """Starts a command of this virtual environment, which `own_home` ends; it prints to `home / log`."""
    with (home / log).open("w") as file:
        subprocess.Popen(
            [str(BIN / words[0]), *words[1:]],
            env=dict(env),
            cwd=home,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )


def start_options(home: Path) -> tuple[str, list[str]]:
    """The dashboard's address, and options of `ray start --head` that keep out of others' way."""
    gcs, dashboard, client, agent = free_ports(4)
    options = [
        f"--port={gcs}",
        f"--dashboard-port={dashboard}",
        f"--ray-client-server-port={client}",
        f"--dashboard-agent-listen-port={agent}",
        f"--temp-dir={home / 'ray'}",
        "--num-cpus=2",
        "--object-store-memory=100000000",
    ]
    return f"http://127.0.0.1:{dashboard}", options


def wait_for(address: str, env: Mapping[str, str], seconds: float = 120) -> None:
    """Waits until a dashboard takes jobs."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if call(env, "ray", "job", "list", "--address", address).returncode == 0:
            return
        time.sleep(1)
    raise TimeoutError(f"no dashboard at {address} after {seconds} s")


def call(
    env: Mapping[str, str], *words: str, cwd: Path | None = None, seconds: float = 300
) -> subprocess.CompletedProcess[str]:
    """Runs a command of this virtual environment; what it prints, errors included, is its stdout."""
    return subprocess.run(
        [str(BIN / words[0]), *words[1:]],
        env=dict(env),
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        check=False,
        timeout=seconds,
    )
