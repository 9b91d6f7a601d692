"""How fast training is: against RLlib's own PPO, against bare torch, and LASE against independent learners.

Run:

    OMP_NUM_THREADS=1 PYTHONHASHSEED=0 python -m benchmarks.training --json training.json

About five minutes, a third of them for the LASE run whose policies the last part plays; `--checkpoint PATH`
keeps that run. Everything happens in this process with one torch thread. Contestants take turns; every ratio
is the median over the turns of CPU time per env step. Expect training to be tens of times as fast as
RLlib's PPO with one environment, to take less than twice the time of the tensor work alone, and LASE to cost
less than twice as much as independent learners.

The first part: Cleanup 8x8 with 4 agents, a separate network each (conv16-conv32-fc128), batches of 640 env
steps, one epoch, Adam. Ours is A2C on 64 copies x 10 steps, through `Algorithm.train()`, as is RLlib's PPO.
The second part: the tuned settings of Cleanup for each optimiser, with networks that a LASE run has trained,
since LASE's cost depends on how often agents are rewarded; learning rates are about 0, so that they stay.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.bare_torch import BareTorch
from benchmarks.own_algorithms import OwnAlgorithm, a2c_settings, frozen_pair, trained_networks
from benchmarks.stock_rllib import StockPPO
from benchmarks.timing import Turn, alternate, machine_facts, rate, ratio, spread, write_json
from rllib_lase.defaults import default_env_steps
from rllib_lase.rllib.session import ray_session
from rllib_lase.settings import Optimizer

COPIES, FRAGMENT = 64, 10
LR = 1e-4
#: Collective reward per episode of a policy that counts as trained.
TRAINED_REWARD = 25.0
#: Rounds of a turn: whole episodes of 100 steps (four or two), 6400 env steps with the tuned settings.
FROZEN_ROUNDS: Mapping[Optimizer, int] = {"a2c": 40, "ppo": 4}


def compare_frameworks(repeats: int, rounds: int) -> dict[str, Any]:
    """Ours, RLlib's PPO with 1 and with 16 environments, and bare torch.

    Args:
        repeats: Turns of each.
        rounds: Rounds of 640 env steps in a turn of ours and of bare torch.
    """
    settings = a2c_settings(COPIES, FRAGMENT, rounds, LR)
    ours = OwnAlgorithm("ours, a2c, 64 copies", "independent", settings)
    bare = BareTorch(ours.nets(), ours.record(8, settings), rounds, LR)
    one = StockPPO(1, COPIES * FRAGMENT, LR, 1)
    sixteen = StockPPO(16, COPIES * FRAGMENT, LR, 2)
    turns = alternate([ours, bare, one, sixteen], repeats)
    for contestant in (ours, one, sixteen):
        contestant.stop()
    own = turns[ours.name]
    pairs = {
        "ratio_stock_1": (turns[one.name], own),
        "ratio_stock_16": (turns[sixteen.name], own),
        "share_of_torch": (turns[bare.name], own),
    }
    return _ratios(pairs) | {"contestants": _rates(turns)}


def compare_lase(
    repeats: int, checkpoint: Path | None, train_steps: int, min_reward: float = TRAINED_REWARD
) -> dict[str, Any]:
    """LASE and independent learners on the same trained policies, for both optimisers.

    Args:
        repeats: Turns of each.
        checkpoint: Where the trained run is kept, or None.
        train_steps: Length of the run if it has to be trained.
        min_reward: Collective reward per episode that its policies must reach.
    """
    networks = trained_networks(checkpoint, train_steps)
    results: dict[str, Any] = {"contestants": {}, "time_shares": {}, "collective_reward": {}}
    pairs = {}
    for optimizer, rounds in FROZEN_ROUNDS.items():
        lase, independent = frozen_pair(optimizer, networks, rounds)
        # LASE's replay fills up first: 16,384 env steps.
        turns = alternate([lase, independent], repeats, warm_up=3)
        pairs[f"lase_over_independent_{optimizer}"] = (turns[lase.name], turns[independent.name])
        results["contestants"] |= _rates(turns)
        for contestant in (lase, independent):
            reward = contestant.collective_reward()
            assert reward >= min_reward, f"{contestant.name}: the policies collect {reward:.1f} per episode"
            results["collective_reward"][contestant.name] = reward
            results["time_shares"][contestant.name] = contestant.time_shares(max(2, repeats // 2))
            contestant.stop()
    return _ratios(pairs) | results


def _ratios(pairs: Mapping[str, tuple[Sequence[Turn], Sequence[Turn]]]) -> dict[str, Any]:
    values: dict[str, Any] = {name: ratio(*pair) for name, pair in pairs.items()}
    values |= {f"{name}_wall": ratio(*pair, clock="wall") for name, pair in pairs.items()}
    return values | {f"{name}_spread": spread(*pair) for name, pair in pairs.items()}


def _rates(turns: Mapping[str, Sequence[Turn]]) -> dict[str, dict[str, float]]:
    return {
        name: {
            "env_steps_per_second": rate(own, "wall"),
            "env_steps_per_cpu_second": rate(own, "cpu"),
            "env_steps_per_turn": own[0].env_steps,
        }
        for name, own in turns.items()
    }


def table(results: Mapping[str, Any]) -> str:
    """All results as text."""
    lines = [f"{'env steps per':32}{'CPU second':>12}{'second':>12}"]
    for name, rates in results["contestants"].items():
        cpu, wall = rates["env_steps_per_cpu_second"], rates["env_steps_per_second"]
        lines.append(f"{name:32}{cpu:12,.0f}{wall:12,.0f}")
    lines += ["", f"{'ratio':32}{'CPU time':>12}{'wall':>12}{'single turns':>20}"]
    for name in (name.removesuffix("_wall") for name in results if name.endswith("_wall")):
        low, high = results[f"{name}_spread"]
        lines.append(
            f"{name:32}{results[name]:12.2f}{results[f'{name}_wall']:12.2f}{f'{low:.2f} - {high:.2f}':>20}"
        )
    shares = results["time_shares"]
    parts = list(next(iter(shares.values())))
    lines += ["", f"{'% of CPU time':20}" + "".join(f"{part:>14}" for part in parts)]
    for name, own in shares.items():
        lines.append(f"{name:20}" + "".join(f"{100 * own[part]:14.1f}" for part in parts))
    rewards = ", ".join(f"{name} {reward:.1f}" for name, reward in results["collective_reward"].items())
    lines += ["", f"collective reward per episode: {rewards}"]
    lines += [", ".join(f"{name} {value}" for name, value in results["machine"].items())]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Measures, prints the table, writes the JSON file if asked to; returns its content."""
    parser = argparse.ArgumentParser(description="How fast training is, as ratios within one run.")
    parser.add_argument("--json", type=Path, help="write the results to this file")
    parser.add_argument("--checkpoint", type=Path, help="keep the trained LASE run in this folder")
    parser.add_argument("--repeats", type=int, default=7, help="turns of each contestant")
    parser.add_argument("--rounds", type=int, default=40, help="rounds in a turn of ours and of bare torch")
    parser.add_argument(
        "--train-steps", type=int, default=default_env_steps("cleanup"), help="length of the LASE run"
    )
    parser.add_argument(
        "--min-reward", type=float, default=TRAINED_REWARD, help="collective reward that it must reach"
    )
    options = parser.parse_args(arguments)
    with ray_session():
        torch.set_num_threads(1)
        frameworks = compare_frameworks(options.repeats, options.rounds)
        lase = compare_lase(options.repeats, options.checkpoint, options.train_steps, options.min_reward)
    contestants = frameworks.pop("contestants") | lase.pop("contestants")
    results = frameworks | lase | {"contestants": contestants, "machine": machine_facts()}
    results["machine"]["repeats"] = options.repeats
    print(table(results))
    if options.json is not None:
        write_json(options.json, results)
    return results


if __name__ == "__main__":
    main()
