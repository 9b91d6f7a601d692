"""What passes between agents that live in processes of their own, and what that costs.

Run:

    OMP_NUM_THREADS=1 PYTHONHASHSEED=0 python -m benchmarks.decentralised --json decentralised.json

About a minute. Cleanup with 4 agents and the tuned settings, in one process and divided among 2 and 4 actors
with the same seed. Bytes are those of the arrays that are sent, counted where they are sent; for comparison
stand the bytes that a central learner would be sent (observations, rewards, actions, log-probabilities,
values). Times are wall times of
the fastest iteration, since other work on the machine only makes them longer.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.timing import machine_facts, write_json
from rllib_lase.rllib.algorithm import SocialAlgorithm
from rllib_lase.rllib.algorithms import LASEConfig
from rllib_lase.rllib.session import ray_session

GAME, SEED = "cleanup", 0


def measure(learners: int, iterations: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """One run's figures, and its policies' weights at the end."""
    config = LASEConfig().environment(GAME).debugging(seed=SEED, log_level="ERROR")
    config.training(decentralised_learners=learners, rounds_per_iteration=2)
    algorithm: SocialAlgorithm = config.build_algo()
    seconds = []
    for _ in range(iterations):
        start = time.perf_counter()
        algorithm.train()
        seconds.append(time.perf_counter() - start)
    report, weights = algorithm.report, algorithm.module_state()
    runner = algorithm.env_runner
    rollout = runner.sample_rollout(config.rollout_fragment_length, 0.0)
    arrays = [group.obs[:, 1:] for group in rollout.groups]
    arrays += [rollout.rewards, rollout.actions, rollout.action_logp, rollout.vf_preds[:, 1:]]
    central = sum(array.nbytes for array in arrays) / rollout.env_steps()
    algorithm.stop()
    figures = {
        "learners": learners,
        "env_steps_per_second": report.iteration_env_steps / min(seconds),
        "central_bytes_per_env_step": central,
        **report.transfer,
    }
    return figures, weights


def largest_difference(first: dict[str, Any], second: dict[str, Any]) -> float:
    """Of any weight of any policy."""
    return max(
        float(np.abs(values - second[agent_id][name]).max())
        for agent_id, own in first.items()
        for name, values in own.items()
    )


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Measures, prints the table, writes the JSON file if asked to; returns its content."""
    parser = argparse.ArgumentParser(description="What passes between decentralised agents.")
    parser.add_argument("--json", type=Path, help="write the results to this file")
    parser.add_argument("--iterations", type=int, default=5, help="of 2 rounds each")
    parser.add_argument("--learners", type=int, nargs="*", default=[2, 4], help="numbers of actors")
    options = parser.parse_args(arguments)
    runs = []
    with ray_session(1 + max(options.learners)):
        alone, expected = measure(0, options.iterations)
        for learners in options.learners:
            figures, weights = measure(learners, options.iterations)
            runs.append(figures | {"largest_weight_difference": largest_difference(expected, weights)})
    results = {"alone": alone, "divided": runs, "machine": machine_facts()}
    for run in [alone, *runs]:
        print(", ".join(f"{name} {value:,.6g}" for name, value in run.items()))
    if options.json is not None:
        write_json(options.json, results)
    return results


if __name__ == "__main__":
    main()
