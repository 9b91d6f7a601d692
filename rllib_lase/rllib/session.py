"""A local Ray for the length of a command."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator

import ray
import torch


@contextlib.contextmanager
def ray_session(num_cpus: int = 1) -> Iterator[None]:
    """A quiet local Ray with one thread per process; one that already runs is used and left alone.

    Args:
        num_cpus: Processes that may work at a time, this one among them.
    """
    torch.set_num_threads(1)
    if ray.is_initialized():
        yield
        return
    environment = {"PYTHONHASHSEED": os.environ.get("PYTHONHASHSEED", "0"), "OMP_NUM_THREADS": "1"}
    logging.getLogger("ray.rllib").setLevel(logging.ERROR)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    ray.init(
        address="local",
        num_cpus=num_cpus,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="ERROR",
        runtime_env={"env_vars": environment},
    )
    try:
        yield
    finally:
        ray.shutdown()
