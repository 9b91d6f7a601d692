"""Where a runner acts, and whether the GPUs that a config asks for can be had."""

from __future__ import annotations

import logging

import ray
import torch
from ray.rllib.algorithms.algorithm_config import AlgorithmConfig
from ray.rllib.utils.framework import get_device

from rllib_lase.settings import Settings, SettingsError

logger = logging.getLogger(__name__)


def acting_device(config: AlgorithmConfig, worker_index: int, num_workers: int) -> torch.device:
    """The device that a runner's policies act on.

    Args:
        config: Any algorithm's config; `num_gpus_per_env_runner` is what it asks for.
        worker_index: 0 for the runner of the algorithm's own process.
        num_workers: Remote runners beside it.

    Returns:
        RLlib's choice where a runner has a share of a GPU. A runner in the algorithm's own process has one if
        it is the only one and training; else the CPU.

    Raises:
        SettingsError: if a GPU is asked for and torch sees none in this process.
    """
    asked = config.num_gpus_per_env_runner
    if not asked or (worker_index == 0 and (num_workers > 0 or config.in_evaluation)):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise SettingsError([_unseen("num_gpus_per_env_runner", asked)])
    device: torch.device = get_device(config, asked)
    return device


def refuse_missing_gpus(settings: Settings) -> None:
    """Refuses GPUs that are not there; in a cluster, which may grow, a warning says what is waited for.

    Ray itself would let remote runners and learners wait for ever without a word.

    Args:
        settings: The algorithm's. Ray must be running.

    Raises:
        SettingsError: naming every setting that asks in vain.
    """
    here: dict[str, float] = {}
    remote: dict[str, float] = {}
    for name, processes in (
        ("num_gpus_per_env_runner", settings.num_env_runners),
        ("num_gpus_per_learner", settings.num_learners),
    ):
        asked = getattr(settings, name)
        if asked:
            (remote if processes else here)[name] = asked * max(1, processes)
    if here and not torch.cuda.is_available():
        raise SettingsError([_unseen(name, asked) for name, asked in here.items()])
    there = ray.cluster_resources().get("GPU", 0) if remote else 0
    if sum(remote.values()) <= there:
        return
    asked = ", ".join(f"{name} asks for {count:g}" for name, count in remote.items())
    if _is_own_ray():
        raise SettingsError(
            [f"{name}: Ray has {there:g} GPUs here, and {asked}; leave it at 0" for name in remote]
        )
    logger.warning("Ray's cluster has %g GPUs, and %s: waiting until it has grown", there, asked)


def _unseen(name: str, asked: float) -> str:
    return f"{name}: {asked:g} asked for, but torch sees no GPU here (or is its CPU build); leave it at 0"


def _is_own_ray() -> bool:
    """Whether this process has started Ray, for itself alone: then no node will come."""
    node = ray._private.worker._global_node  # as RLlib's get_device; Ray has no public word for it
    return node is not None and node.head
