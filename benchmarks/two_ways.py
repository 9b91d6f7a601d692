"""What gifts cost RLlib's own PPO, and how fast it is beside LASE on the batched path.

Run:

    OMP_NUM_THREADS=1 PYTHONHASHSEED=0 python -m benchmarks.two_ways --json two_ways.json

About two minutes. Cleanup 8x8 with 4 agents, a separate network each (conv16-conv32-fc128), batches of 640
env steps, one epoch, Adam, one process and one torch thread. LASE plays 64 copies, RLlib's runner 16
environments, and once our runner serves RLlib's PPO with 64 copies. SR networks get the same minibatches per
env step everywhere. Contestants take turns; every ratio is the median over the turns of CPU time per env
step. The agents are untrained: later gifts cost more, since weights are inferred where somebody is rewarded.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.own_algorithms import GAME, OwnAlgorithm
from benchmarks.stock_rllib import StockPPO
from benchmarks.timing import alternate, machine_facts, rate, ratio, spread, write_json
from rllib_lase.defaults import default_settings
from rllib_lase.registry import ALGORITHMS
from rllib_lase.rllib.session import ray_session

COPIES, FRAGMENT, ENVS = 64, 10, 16
LR = 1e-4


def compare(repeats: int, rounds: int) -> dict[str, Any]:
    """LASE on the batched path, and RLlib's PPO with and without gifts.

    Args:
        repeats: Turns of each.
        rounds: Batches in a turn of LASE; a turn of RLlib's PPO has one.
    """
    settings = default_settings(GAME, ALGORITHMS["lase"], "ppo").replace(
        num_envs_per_env_runner=COPIES,
        rollout_fragment_length=FRAGMENT,
        rounds_per_iteration=rounds,
        num_epochs=1,
        num_minibatches=1,
        sr_num_updates=1,
        lr=LR,
        lr_end=LR,
    )
    batch = COPIES * FRAGMENT
    lase = OwnAlgorithm(f"LASE (ppo), {COPIES} copies", "lase", settings)
    stock = StockPPO(ENVS, batch, LR, 1)
    gifts = StockPPO(ENVS, batch, LR, 1, gifts=True)
    batched = StockPPO(COPIES, batch, LR, 1, gifts=True, batched=True)
    contestants: list[OwnAlgorithm | StockPPO] = [lase, stock, gifts, batched]
    turns = alternate(contestants, repeats)
    for contestant in contestants:
        contestant.stop()
    pairs = {
        "gifts_over_none": (turns[gifts.name], turns[stock.name]),
        "ppo_with_gifts_over_lase": (turns[gifts.name], turns[lase.name]),
        "ppo_with_gifts_on_our_runner_over_lase": (turns[batched.name], turns[lase.name]),
    }
    return {
        "ratios": {name: {"median": ratio(*pair), "spread": spread(*pair)} for name, pair in pairs.items()},
        "env_steps_per_cpu_second": {name: rate(own, "cpu") for name, own in turns.items()},
    }


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Measures, prints the table, writes the JSON file if asked to; returns its content."""
    parser = argparse.ArgumentParser(description="What gifts cost RLlib's own PPO.")
    parser.add_argument("--json", type=Path, help="write the results to this file")
    parser.add_argument("--repeats", type=int, default=5, help="turns of each contestant")
    parser.add_argument("--rounds", type=int, default=5, help="batches in a turn of LASE")
    options = parser.parse_args(arguments)
    with ray_session():
        torch.set_num_threads(1)
        results = compare(options.repeats, options.rounds)
    results["machine"] = machine_facts()
    for name, steps in results["env_steps_per_cpu_second"].items():
        print(f"{name:40}{steps:10,.0f} env steps per CPU second")
    for name, value in results["ratios"].items():
        low, high = value["spread"]
        print(f"{name:40}{value['median']:10.2f} (single turns {low:.2f} to {high:.2f})")
    if options.json is not None:
        write_json(options.json, results)
    return results


if __name__ == "__main__":
    main()
