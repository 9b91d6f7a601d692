"""What remote env runners cost beside sampling and learning: calls, transfer of rollouts and weights.

Run:

    OMP_NUM_THREADS=1 PYTHONHASHSEED=0 python -m benchmarks.remote_runners --json remote_runners.json

About a minute. LASE with two remote runners and the learner in this process: Cleanup with rounds of 1,600
env steps, and snowdrift with rounds of 160 and several rounds per call. The time of a call (its rounds
sampled and learnt from) is split into sampling (the slower runner's own time), learning (this process's time
within the update, less that of fetching rollouts) and the rest, which is what Ray costs: calls, rollouts and
weights by reference, waiting for answers. Other work on the machine makes calls longer in all parts, and the
rest most of all, since it waits for processes to be run: shares are those of the calls with the least rest
(median of the fastest quarter), and the median over all calls stands beside.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.timing import machine_facts, write_json
from rllib_lase.rllib.algorithm import SocialAlgorithm
from rllib_lase.rllib.algorithms import LASEConfig
from rllib_lase.rllib.session import ray_session

RUNNERS = 2


@dataclass(frozen=True)
class Case:
    """A game with the shape of its rounds: B copies of each runner, T steps, F rounds per call."""

    game: str
    copies: int
    steps: int
    rounds_per_call: int


CASES = (Case("cleanup", 16, 50, 1), Case("snowdrift", 8, 10, 8))


@dataclass
class Call:
    """Seconds of one call: of all, of sampling, of learning."""

    total: float
    sampling: float
    learning: float

    @property
    def rest(self) -> float:
        """Calls and transfer."""
        return self.total - self.sampling - self.learning

    @property
    def share(self) -> float:
        """Of calls and transfer, in all."""
        return self.rest / self.total


def measure(case: Case, calls: int) -> dict[str, Any]:
    """The shares of one game."""
    config = LASEConfig().environment(case.game).debugging(seed=0, log_level="ERROR")
    config.training(
        rounds_per_iteration=case.rounds_per_call,
        fragments_per_call=case.rounds_per_call,
        max_staleness=case.rounds_per_call - 1,
    )
    config.env_runners(
        num_env_runners=RUNNERS, num_envs_per_env_runner=case.copies, rollout_fragment_length=case.steps
    )
    algorithm: SocialAlgorithm = config.build_algo()
    seen: list[Call] = []
    for _ in range(4):  # the replay fills, kernels compile
        algorithm.train()
    watch = _Watch(algorithm)
    for _ in range(calls):
        watch.start()
        algorithm._remote_rounds()
        seen.append(watch.stop())
    algorithm.stop()
    quiet = sorted(seen, key=lambda call: call.share)[: max(1, calls // 4)]
    return {
        "env_steps_per_round": RUNNERS * case.copies * case.steps,
        "rounds_per_call": case.rounds_per_call,
        "calls_and_transfer": statistics.median(call.share for call in quiet),
        "sampling": statistics.median(call.sampling / call.total for call in quiet),
        "learning": statistics.median(call.learning / call.total for call in quiet),
        "calls_and_transfer_all": statistics.median(call.share for call in seen),
        "milliseconds_per_call": 1000 * statistics.median(call.total for call in quiet),
        "milliseconds_of_rest": 1000 * statistics.median(call.rest for call in quiet),
    }


class _Watch:
    """Takes the time of one call's parts."""

    def __init__(self, algorithm: SocialAlgorithm) -> None:
        learner, sampling = algorithm.learner_group._learner, algorithm._remote_sampling
        update, collect = learner._update_round, sampling.collect

        def timed_update(*arguments: Any) -> None:
            start = time.perf_counter()
            update(*arguments)
            self._learning += time.perf_counter() - start

        def noted_collect(*arguments: Any) -> Any:
            answers = collect(*arguments)
            self._sampling = max(answer.seconds for answer in answers)
            return answers

        vars(learner)["_update_round"] = timed_update
        vars(sampling)["collect"] = noted_collect

    def start(self) -> None:
        self._learning = self._sampling = 0.0
        self._began = time.perf_counter()

    def stop(self) -> Call:
        return Call(time.perf_counter() - self._began, self._sampling, self._learning)


def table(results: Mapping[str, Mapping[str, Any]]) -> str:
    """All results as text."""
    lines = [
        f"{'game':12}{'rounds':>14}{'Ray %':>8}{'(all)':>8}{'sampling %':>12}{'learning %':>12}{'ms':>8}"
    ]
    for game, own in results.items():
        rounds = f"{own['rounds_per_call']} x {own['env_steps_per_round']}"
        lines.append(
            f"{game:12}{rounds:>14}{100 * own['calls_and_transfer']:8.1f}"
            f"{100 * own['calls_and_transfer_all']:8.1f}{100 * own['sampling']:12.1f}"
            f"{100 * own['learning']:12.1f}{own['milliseconds_per_call']:8.0f}"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Measures, prints the table, writes the JSON file if asked to; returns its content."""
    parser = argparse.ArgumentParser(description="What remote env runners cost.")
    parser.add_argument("--json", type=Path, help="write the results to this file")
    parser.add_argument("--calls", type=int, default=40, help="measured calls of each game")
    options = parser.parse_args(arguments)
    with ray_session(1 + RUNNERS):
        shares = {case.game: measure(case, options.calls) for case in CASES}
    print(table(shares))
    results = {"games": shares, "machine": machine_facts()}
    if options.json is not None:
        write_json(options.json, results)
    return results


if __name__ == "__main__":
    main()
