"""Ray for the length of a command: a local one, or the cluster that the environment names."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import warnings
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import ray
import torch

_CONNECT_SECONDS = 5.0


@contextlib.contextmanager
def ray_session(num_cpus: int = 1, address: str | None = None) -> Iterator[None]:
    """A quiet Ray with one thread per process; one that already runs is used and left alone.

    Args:
        num_cpus: Processes that may work at a time on a local Ray, this one among them.
        address: Cluster to use; None takes that of `RAY_ADDRESS`, which every Ray job has, else a local Ray.

    Raises:
        ConnectionError: there is no cluster at the address.
    """
    torch.set_num_threads(1)
    address = address or os.environ.get("RAY_ADDRESS")
    if address:
        _refuse_unreachable(address)
    if ray.is_initialized():
        yield
        return
    logging.getLogger("ray.rllib").setLevel(logging.ERROR)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    local = {"address": "local", "num_cpus": num_cpus, "include_dashboard": False}
    where: dict[str, Any] = {"address": address} if address else local
    ray.init(
        **where,
        log_to_driver=False,
        logging_level="ERROR",
        runtime_env={"env_vars": _environment()},
    )
    try:
        yield
    finally:
        ray.shutdown()


def _refuse_unreachable(address: str) -> None:
    """Tries HOST:PORT, since Ray itself tries for minutes; other addresses are Ray's to judge."""
    try:
        parts = urlsplit(address if "://" in address else f"//{address}")
        if parts.hostname and parts.port:
            socket.create_connection((parts.hostname, parts.port), _CONNECT_SECONDS).close()
    except (OSError, ValueError) as error:
        raise ConnectionError(
            f"no Ray cluster answers at {address}: {error}. Cure: the address that `ray start --head` "
            "printed, HOST:6379, from a machine of the cluster's network; from elsewhere `lase submit`"
        ) from error


def _environment() -> dict[str, str]:
    """What Ray's processes need beside what the job sets already: Ray refuses what is set twice."""
    environment = {"PYTHONHASHSEED": os.environ.get("PYTHONHASHSEED", "0"), "OMP_NUM_THREADS": "1"}
    job = json.loads(os.environ.get("RAY_JOB_CONFIG_JSON_ENV_VAR", "{}"))
    given = (job.get("runtime_env") or {}).get("env_vars") or {}
    return {name: value for name, value in environment.items() if name not in given}


def warn_about_hash_seed() -> None:
    """One warning where Python's hash seed is random: RLlib orders some sets by it."""
    if os.environ.get("PYTHONHASHSEED", "random") == "random":
        warnings.warn(
            "PYTHONHASHSEED is not fixed: runs with the same seed may differ between processes, since RLlib "
            "walks sets of agent ids. Start Python with PYTHONHASHSEED=0, or use the `lase` command",
            stacklevel=4,
        )
