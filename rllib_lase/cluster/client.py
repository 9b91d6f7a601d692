"""From this machine to a cluster's job server: submit, follow, stop, fetch. All by Ray Jobs' own HTTP.

Results come back through Ray's log service, the only part of that HTTP that hands out files: one port, which
is the dashboard's, does for everything.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import itertools
import logging
import os
import shlex
import socket
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import rllib_lase
from rllib_lase.cluster.lase_job.command import RESULTS_FOLDER

#: Where a dashboard is unless told otherwise; also what a tunnel to one looks like.
DEFAULT_ADDRESS = "http://127.0.0.1:8265"

#: Every process of a job: hash seed and threads as `lase` has them on one machine; a job that is stopped gets
#: Ctrl-C, and ten minutes to evaluate, save and upload what was learnt before Ray kills it.
JOB_ENVIRONMENT = {
    "PYTHONHASHSEED": "0",
    "OMP_NUM_THREADS": "1",
    "RAY_JOB_STOP_SIGNAL": "SIGINT",
    "RAY_JOB_STOP_WAIT_TIME_S": "600",
}

#: The states of a job that has not ended.
RUNNING = ("PENDING", "RUNNING")

_CHATTY = ("dashboard.modules.dashboard_sdk", "dashboard.modules.job.sdk", "_private.runtime_env.packaging")
_CONNECT_SECONDS = 10.0
_POLL_SECONDS = 1.0
_TUNNEL = "`ray dashboard CLUSTER.yaml` or `ssh -L 8265:127.0.0.1:8265 HEAD` makes a tunnel"


class ClusterError(Exception):
    """A cluster does not do what it is asked for; the message says why and what helps."""


@dataclass(frozen=True)
class JobOrder:
    """What to run on a cluster.

    Attributes:
        words: The words after `lase`.
        working_dir: Folder to send along, for environments and runs of one's own; None sends our code alone.
        env: Environment variables beside ours.
        storage: Where the cluster uploads results; None leaves them out.
        keep: Whether results are kept on the job's node, to be fetched.
        num_cpus: CPUs that the command reserves, beside those of env runners and learners.
        num_gpus: GPUs that it reserves.
    """

    words: Sequence[str]
    working_dir: Path | None = None
    env: dict[str, str] = field(default_factory=dict)
    storage: str | None = None
    keep: bool = True
    num_cpus: float = 1
    num_gpus: float = 0

    @property
    def entrypoint(self) -> str:
        """The job's shell command."""
        words = ["python", "-m", "lase_job", *(["--keep"] if self.keep else [])]
        words += ["--storage", self.storage] if self.storage else []
        words += ["--in-copy"] if self.working_dir else []
        return shlex.join([*words, *self.words])

    @property
    def runtime_env(self) -> dict[str, Any]:
        """Ray's runtime environment: our code on every node, the environment of every process."""
        return runtime_env(self.env, self.working_dir)


def runtime_env(env: dict[str, str], working_dir: Path | None = None) -> dict[str, Any]:
    """The runtime environment of a job of ours.

    Args:
        env: Environment variables beside `JOB_ENVIRONMENT`, over which they win.
        working_dir: Folder to send along.

    Returns:
        What `ray.init` and the job client take: package, games and entry point as modules of their own, as
        they are here, whether installed or in a source tree.
    """
    import mixed_motive

    package = Path(rllib_lase.__file__).parent
    games = Path(mixed_motive.__file__).parent
    entry = package / "cluster" / "lase_job"
    given: dict[str, Any] = {
        "py_modules": [str(path) for path in (package, games, entry)],
        "env_vars": {**JOB_ENVIRONMENT, **env},
        "excludes": ["__pycache__"],
    }
    if working_dir is not None:
        given["working_dir"] = str(working_dir)
    return given


class Cluster:
    """A cluster's job server.

    Args:
        address: Of the dashboard, "http://HOST:8265"; without "http://", too.

    Raises:
        ClusterError: nothing answers there, it refuses us, or it runs another Ray.
    """

    def __init__(self, address: str) -> None:
        if importlib.util.find_spec("aiohttp") is None:
            raise ClusterError(
                "Ray's job client is missing here. "
                "Cure, in a checkout of rllib-lase: pip install '.[cluster]'"
            )
        self.address = _checked(address)
        _take_token()
        # Ray's client would let these win over the address that it is given.
        for name in ("RAY_API_SERVER_ADDRESS", "RAY_ADDRESS"):
            os.environ.pop(name, None)
        import ray
        from ray.job_submission import JobSubmissionClient

        for name in _CHATTY:
            logging.getLogger(f"ray.{name}").setLevel(logging.WARNING)
        with self._explained():
            self._client = JobSubmissionClient(self.address)
        there = self._client._server_ray_version
        if there != ray.__version__:
            raise ClusterError(
                f"the cluster at {self.address} runs Ray {there}, and here is Ray {ray.__version__}. Cure: "
                f"the same on both sides, such as pip install 'ray[default]=={ray.__version__}' on every node"
            )

    def submit(self, order: JobOrder) -> str:
        """Sends code and starts the job.

        Returns:
            Its id.
        """
        with self._explained():
            return str(
                self._client.submit_job(
                    entrypoint=order.entrypoint,
                    runtime_env=order.runtime_env,
                    entrypoint_num_cpus=order.num_cpus,
                    entrypoint_num_gpus=order.num_gpus or None,
                    metadata={"lase": shlex.join(order.words)},
                )
            )

    def probe(self) -> str:
        """Starts the job that looks at every node; it reserves nothing.

        Returns:
            Its id.
        """
        with self._explained():
            environment = runtime_env({})
            return str(
                self._client.submit_job(entrypoint="python -m lase_job.probe", runtime_env=environment)
            )

    def follow(self, job_id: str, write: Callable[[str], object]) -> bool:
        """Passes a job's log on until it ends; whether it succeeded, and why not, goes there, too.

        Ctrl-C stops following, not the job.
        """

        async def tail() -> None:
            async for lines in self._client.tail_job_logs(job_id):
                write(lines)

        try:
            with self._explained():
                asyncio.run(tail())
        except ClusterError as error:
            write(f"The log broke off, the job goes on: {error}\n")
        info = self._info(job_id)
        while not info.status.is_terminal():
            time.sleep(_POLL_SECONDS)
            info = self._info(job_id)
        succeeded = str(info.status.value) == "SUCCEEDED"
        if not succeeded and info.driver_exit_code is None and info.message:
            write(f"{info.message}\n")
        return succeeded

    def wait(self, job_id: str, seconds: float) -> str:
        """Waits until a job has ended, or that long; returns its status."""
        end = time.monotonic() + seconds
        while (status := self.status(job_id)) in RUNNING and time.monotonic() < end:
            time.sleep(_POLL_SECONDS)
        return status

    def status(self, job_id: str) -> str:
        """PENDING, RUNNING, SUCCEEDED, FAILED or STOPPED."""
        return str(self._info(job_id).status.value)

    def log(self, job_id: str) -> str:
        """All that a job has printed."""
        with self._explained(job_id):
            return str(self._client.get_job_logs(job_id))

    def stop(self, job_id: str) -> bool:
        """Asks a job to end; whether it was running."""
        with self._explained(job_id):
            return bool(self._client.stop_job(job_id))

    def fetch(self, job_id: str, folder: Path) -> Path | None:
        """Brings the files that a job wrote into a folder.

        Args:
            job_id: A job that has ended.
            folder: Where to; nothing that is there is replaced.

        Returns:
            The folder; where one of the files is there already, its subfolder `job_id`, or `job_id-2` and so
            on if that is there, too; None if the job wrote nothing.

        Raises:
            ClusterError: the node with the files is gone.
        """
        if "Results kept on this node" not in self.log(job_id):
            return None
        wanted = {
            "node_id": self._info(job_id).driver_node_id,
            "filename": f"{RESULTS_FOLDER}/{job_id}.tar.gz",
            "lines": -1,
        }
        with self._explained(), tempfile.TemporaryFile() as packed:
            answer = self._client._do_request("GET", f"/api/v0/logs/file?{urlencode(wanted)}", stream=True)
            if answer.status_code != 200:
                raise ClusterError(
                    f"{job_id}: its results cannot be fetched: {' '.join(answer.text.split())}. They lie on "
                    "the node that it ran on, as long as that is there. Cure: --storage if nodes come and go"
                )
            for chunk in answer.iter_content(chunk_size=None):
                packed.write(chunk)
            packed.seek(0)
            return _unpack(packed, folder, job_id)

    def _info(self, job_id: str) -> Any:
        with self._explained(job_id):
            return self._client.get_job_info(job_id)

    @contextlib.contextmanager
    def _explained(self, job_id: str = "") -> Iterator[None]:
        """Turns what Ray's client raises into a message with a cure."""
        import aiohttp
        import requests
        from ray.exceptions import AuthenticationError

        try:
            yield
        except (ConnectionError, aiohttp.ClientError, requests.exceptions.ConnectionError) as error:
            raise ClusterError(
                _unreachable(self.address, "what answers there is no Ray dashboard")
            ) from error
        except (AuthenticationError, RuntimeError) as error:
            text = _one_line(error)
            if "uthentication" in text or "401" in text or "403" in text:
                raise ClusterError(
                    f"the cluster at {self.address} refuses our token, or there is none here. Cure: put its "
                    "token, `ray exec CLUSTER.yaml 'ray get-auth-token'`, into ~/.ray/auth_token here"
                ) from error
            if "413" in text:
                raise ClusterError(
                    "--working-dir is larger than the 100 MiB that Ray's dashboard takes. Cure: name what "
                    "the job has no use for, such as runs/, in the folder's .gitignore or .rayignore"
                ) from error
            if job_id and "404" in text:
                raise ClusterError(
                    f"no job {job_id} at {self.address}. `ray job list --address {self.address}` shows them"
                ) from error
            raise ClusterError(f"the cluster at {self.address}: {text}") from error


def _checked(address: str) -> str:
    """The dashboard's URL, where something listens."""
    url = address if "://" in address else f"http://{address}"
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ClusterError(
            f"{address} is not the address of a dashboard. Cure: http://HOST:8265; {_TUNNEL} to a head node "
            f"whose dashboard listens on loopback, and then it is {DEFAULT_ADDRESS}"
        )
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        socket.create_connection((parts.hostname, port), _CONNECT_SECONDS).close()
    except (OSError, ValueError) as error:
        raise ClusterError(_unreachable(url, str(error))) from error
    return url.rstrip("/")


def _unreachable(url: str, reason: str) -> str:
    return (
        f"no Ray dashboard answers at {url}: {reason}. Cure: is the cluster up (`ray exec CLUSTER.yaml 'ray "
        f"status'`)? Its dashboard has port 8265, not Ray's 6379 or 10001; {_TUNNEL}, and then the address "
        f"is {DEFAULT_ADDRESS}"
    )


def _take_token() -> None:
    """Uses a token where there is one: Ray's job client does not unless told to."""
    has_token = {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} & set(os.environ)
    if has_token or (Path.home() / ".ray" / "auth_token").is_file():
        os.environ.setdefault("RAY_AUTH_MODE", "token")


def _unpack(packed: Any, folder: Path, job_id: str) -> Path:
    """Unpacks an archive; the filter keeps its files inside the folder."""
    with tarfile.open(fileobj=packed, mode="r:gz") as archive:
        if any((folder / name).exists() for name in archive.getnames()):
            names = itertools.chain([job_id], (f"{job_id}-{number}" for number in itertools.count(2)))
            folder = next(folder / name for name in names if not (folder / name).exists())
        folder.mkdir(parents=True, exist_ok=True)
        archive.extractall(folder, filter="data")
    return folder


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def write_out(text: str) -> None:
    """Writes to the terminal at once."""
    sys.stdout.write(text)
    sys.stdout.flush()
