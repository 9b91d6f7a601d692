"""What a training round costs, as a model of agents, copies and runners; and what stops growth first.

Run:

    OMP_NUM_THREADS=1 PYTHONHASHSEED=0 python -m benchmarks.cost_model --json cost_model.json

About three minutes on a quiet machine. LASE with PPO, 50 steps per round, on Cleanup and snowdrift: CPU
time of each part of a round for several numbers of agents N and of copies B, and a fit of every part by the
terms that its work consists of, with coefficients that cannot be negative. A configuration that the fit has
not seen is predicted and then measured. Beside it: what a rollout weighs, how long one takes from another
process, and how many results Tune's driver takes in per second. From these, what many nodes would do:

- one run, whose remote runners sample at once while a single learner waits for all of them and then learns;
- a search, whose trials are independent, and report each iteration to one driver.

Policies are fresh: LASE infers relationships for rewarded steps only, so trained ones cost more (up to twice
an independent learner's time, see `benchmarks.training`). What many nodes would do is extrapolation.
"""

from __future__ import annotations

import argparse
import pickle
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import ray
import torch
from ray import tune
from scipy.optimize import nnls

from benchmarks.own_algorithms import PARTS, OwnAlgorithm
from benchmarks.timing import machine_facts, write_json
from rllib_lase.defaults import default_settings
from rllib_lase.registry import ALGORITHMS
from rllib_lase.rllib.session import ray_session

STEPS, ROUNDS = 50, 2
GAMES = ("cleanup", "snowdrift")
FITTED = tuple((agents, copies) for agents in (2, 4, 8) for copies in (16, 32, 64))
HELD_OUT = (6, 48)
#: What runs where the copies are, and so in parallel over remote runners.
SAMPLING = ("env", "acting")
NODES = (1, 10, 100, 1000)
CORES_PER_NODE = 8
#: Between nodes, where this machine has nothing to measure: 10 Gbit/s.
NETWORK_BYTES_PER_SECOND = 1.25e9
_TUNE_TRIALS, _TUNE_RESULTS = 2, 150


def terms(part: str, agents: int, copies: int) -> list[float]:
    """What a part's time is made of: calls, agents, samples of agents, and pairs of agents.

    Observations have a plane per agent, so that a sample's work grows with N, too.
    """
    samples, batch = STEPS * agents * copies, float(copies)
    if part in ("sr", "conversion"):  # minibatches of a fixed size
        return [1, agents, agents**2]
    if part == "env":
        return [STEPS, samples]
    if part in ("acting", "policy", "relationships", "replay"):
        return [1, agents, samples, samples * agents]
    return [1, agents, batch * agents]


def measure(game: str, agents: int, copies: int, iterations: int) -> tuple[dict[str, float], int]:
    """CPU seconds of one round by part, and a rollout's bytes."""
    spec = ALGORITHMS["lase"]
    settings = default_settings(game, spec, "ppo").replace(
        num_envs_per_env_runner=copies, rollout_fragment_length=STEPS, rounds_per_iteration=ROUNDS
    )
    contestant = OwnAlgorithm(f"{game} N={agents} B={copies}", "lase", settings, game, {"num_agents": agents})
    contestant.train()
    seconds = contestant.part_seconds(iterations)
    weight = len(pickle.dumps(contestant.runner.sample_rollout(STEPS, 0.0), pickle.HIGHEST_PROTOCOL))
    contestant.stop()
    return {part: own / ROUNDS for part, own in seconds.items()}, weight


@dataclass(frozen=True)
class CostModel:
    """CPU seconds of a round of one game.

    Attributes:
        coefficients: Part -> a coefficient for each of its `terms`.
    """

    coefficients: Mapping[str, Sequence[float]]

    @classmethod
    def fit(cls, measured: Mapping[tuple[int, int], Mapping[str, float]]) -> CostModel:
        """Fits relative errors, so that small configurations count as much as large ones."""
        coefficients = {}
        for part in PARTS:
            seconds = np.array([max(own[part], 1e-9) for own in measured.values()])
            rows = np.array([terms(part, *shape) for shape in measured])
            coefficients[part] = nnls(rows / seconds[:, None], np.ones(len(seconds)))[0].tolist()
        return cls(coefficients)

    def seconds(self, part: str, agents: int, copies: int) -> float:
        """Of one part."""
        return float(np.dot(self.coefficients[part], terms(part, agents, copies)))

    def sampling(self, agents: int, copies: int) -> float:
        """Of what every runner does for itself."""
        return sum(self.seconds(part, agents, copies) for part in SAMPLING)

    def learning(self, agents: int, copies: int) -> float:
        """Of what the learner does."""
        return sum(self.seconds(part, agents, copies) for part in PARTS if part not in SAMPLING)

    def total(self, agents: int, copies: int) -> float:
        """Of a round in one process."""
        return self.sampling(agents, copies) + self.learning(agents, copies)


def model_of(game: str, iterations: int) -> tuple[CostModel, dict[str, Any]]:
    """A game's model, and how it does on the configuration that was left out."""
    measured, weights = {}, {}
    for shape in FITTED:
        measured[shape], weights[shape] = measure(game, *shape, iterations)
    model = CostModel.fit(measured)
    predicted = model.total(*HELD_OUT)
    seen = sum(measure(game, *HELD_OUT, iterations)[0].values())
    fit_errors = [model.total(*shape) / sum(own.values()) - 1 for shape, own in measured.items()]
    bytes_per_env_step = weights[(4, 32)] / (32 * STEPS)
    return model, {
        "coefficients": dict(model.coefficients),
        "measured": [
            {"agents": n, "copies": b, "cpu_seconds": dict(own)} for (n, b), own in measured.items()
        ],
        "largest_error_of_fit": max(map(abs, fit_errors)),
        "held_out": {"agents": HELD_OUT[0], "copies": HELD_OUT[1], "predicted": predicted, "measured": seen},
        "prediction_error": predicted / seen - 1,
        "rollout_bytes_per_env_step": bytes_per_env_step,
    }


def measure_transfer(repeats: int = 15) -> dict[str, float]:
    """Seconds of a call to another process, and bytes per second of its answer through the object store."""

    class Other:
        def send(self, size: int) -> Any:
            return np.zeros(size, np.uint8)

    other = ray.remote(num_cpus=1)(Other).remote()
    ray.get(other.send.remote(1))

    def seconds(size: int) -> float:
        times = []
        for _ in range(repeats):
            start = time.perf_counter()
            ray.get(other.send.remote(size))
            times.append(time.perf_counter() - start)
        return min(times)

    size = 64_000_000
    call, whole = seconds(1), seconds(size)
    ray.kill(other)
    return {"seconds_per_call": call, "bytes_per_second": size / max(whole - call, 1e-9)}


def measure_tune() -> float:
    """Results per second that Tune's driver takes in, from trials that do nothing else."""

    def report_only(config: Mapping[str, Any]) -> None:
        start = time.time()
        for k in range(_TUNE_RESULTS):
            tune.report({"k": k, "first": start, "now": time.time()})

    with tempfile.TemporaryDirectory() as folder:
        results = tune.Tuner(
            report_only,
            param_space={"trial": tune.grid_search(list(range(_TUNE_TRIALS)))},
            run_config=tune.RunConfig(storage_path=folder, verbose=0),
        ).fit()
        first = min(result.metrics["first"] for result in results)
        last = max(result.metrics["now"] for result in results)
    return float(_TUNE_TRIALS * _TUNE_RESULTS / (last - first))


def one_run(model: CostModel, bytes_per_env_step: float, call: float, nodes: int) -> dict[str, Any]:
    """A run of 4 agents with 32 copies per runner, a runner on every core and one learner."""
    agents, copies = 4, 32
    runners = nodes * CORES_PER_NODE
    env_steps = runners * copies * STEPS
    parts = {
        "sampling": model.sampling(agents, copies),
        "learning": model.learning(agents, copies * runners),
        "transfer": env_steps * bytes_per_env_step / NETWORK_BYTES_PER_SECOND + runners * call,
    }
    seconds = sum(parts.values())
    return {
        "nodes": nodes,
        "env_steps_per_second": env_steps / seconds,
        "seconds_per_round": seconds,
        "bottleneck": max(parts, key=lambda part: parts[part]),
        **{f"share_{part}": own / seconds for part, own in parts.items()},
    }


def search(
    model: CostModel, results_per_second: float, nodes: int, seconds_per_result: float
) -> dict[str, Any]:
    """A search of independent trials, one on every core."""
    trials = nodes * CORES_PER_NODE
    per_core = 32 * STEPS / model.total(4, 32)
    demand = trials / seconds_per_result
    served = min(1.0, results_per_second / demand)
    return {
        "nodes": nodes,
        "trials_at_once": trials,
        "results_per_second": demand,
        "env_steps_per_second": trials * per_core * served,
        "bottleneck": "cores" if served == 1 else "Tune's driver",
    }


def table(results: Mapping[str, Any]) -> str:
    """All results as text."""
    lines = []
    for game, own in results["games"].items():
        held = own["held_out"]
        lines.append(
            f"{game}: fit within {100 * own['largest_error_of_fit']:.0f} %; N={held['agents']} "
            f"B={held['copies']} predicted {1000 * held['predicted']:.0f} ms, measured "
            f"{1000 * held['measured']:.0f} ms ({100 * own['prediction_error']:+.0f} %); "
            f"{own['rollout_bytes_per_env_step']:.0f} bytes per env step"
        )
    transfer = results["transfer"]
    lines.append(
        f"a call {1e3 * transfer['seconds_per_call']:.2f} ms, {transfer['bytes_per_second'] / 1e6:.0f} MB/s; "
        f"Tune's driver {results['tune_results_per_second']:.0f} results/s"
    )
    for game, own in results["games"].items():
        lines += ["", f"{game:12}{'one run: env steps/s':>22}{'bottleneck':>14}"
                  f"{'search: env steps/s':>22}{'bottleneck':>16}"]  # fmt: skip
        for run, many in zip(own["one_run"], own["search"], strict=True):
            lines.append(
                f"{run['nodes']:7} nodes{run['env_steps_per_second']:20,.0f}{run['bottleneck']:>14}"
                f"{many['env_steps_per_second']:22,.0f}{many['bottleneck']:>16}"
            )
    return "\n".join([*lines, "", ", ".join(f"{k} {v}" for k, v in results["machine"].items())])


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Measures, prints the table, writes the JSON file if asked to; returns its content."""
    parser = argparse.ArgumentParser(description="What a round costs, and what stops growth first.")
    parser.add_argument("--json", type=Path, help="write the results to this file")
    parser.add_argument("--games", default=",".join(GAMES), help="ids with commas between")
    parser.add_argument("--iterations", type=int, default=4, help="measured iterations of a configuration")
    parser.add_argument(
        "--seconds-per-result", type=float, default=1.0, help="of a trial's iteration, in the extrapolation"
    )
    options = parser.parse_args(arguments)
    games: dict[str, Any] = {}
    with ray_session(num_cpus=2):
        torch.set_num_threads(1)
        transfer, driver = measure_transfer(), measure_tune()
        for game in options.games.split(","):
            model, own = model_of(game, options.iterations)
            weight, call = own["rollout_bytes_per_env_step"], transfer["seconds_per_call"]
            own["one_run"] = [one_run(model, weight, call, nodes) for nodes in NODES]
            own["search"] = [search(model, driver, nodes, options.seconds_per_result) for nodes in NODES]
            games[game] = own
    results = {
        "games": games,
        "transfer": transfer,
        "tune_results_per_second": driver,
        "machine": machine_facts(),
    }
    print(table(results))
    if options.json is not None:
        write_json(options.json, results)
    return results


if __name__ == "__main__":
    main()
