"""ASHA against plain random search on Snowdrift with the same budget of env steps.

Run:

    OMP_NUM_THREADS=1 PYTHONHASHSEED=0 python -m benchmarks.asha --json asha.json

Both draw settings of LASE from the same ranges; ASHA stops two thirds of its trials after a ninth and again
after a third of a trial's budget, and so draws more often. A repeat has its own draws and its own training
seed. A good configuration is one whose evaluation reaches `GOOD` times the best of the repeat's searches.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ray import tune
from ray.tune.search.basic_variant import BasicVariantGenerator

from benchmarks.timing import machine_facts, write_json
from rllib_lase.tuning import Search, asha
from rllib_lase.tuning.outcome import read_outcome
from rllib_lase.tuning.run import Place, run_search

GOOD = 0.9
RANDOM_DRAWS = 5
#: Of nine trials six play a ninth of the budget, two a third, one all of it: 2.3 budgets; of 18 twice that.
ASHA_DRAWS = 18


def search(name: str, repeat: int, env_steps: int) -> Search:
    """One search of a repeat."""
    return Search(
        games=["snowdrift"],
        algos=["lase"],
        seeds=[100 + repeat],
        settings={
            "lr": tune.loguniform(1e-4, 1e-2),
            "entropy_coeff": tune.loguniform(1e-3, 3e-1),
            "rounds_per_iteration": 1,
        },
        env_steps=env_steps,
        num_samples=ASHA_DRAWS if name == "ASHA" else RANDOM_DRAWS,
        scheduler=asha if name == "ASHA" else None,
        search_alg=lambda: BasicVariantGenerator(random_state=repeat),
    )


def play(repeats: int, env_steps: int) -> pd.DataFrame:
    """All trials of all searches, with `search` and `repeat`."""
    frames = []
    for repeat in range(repeats):
        for name in ("random", "ASHA"):
            chosen = search(name, repeat, env_steps)
            with tempfile.TemporaryDirectory() as folder:
                place = Place(f"{folder}/search", concurrent=2)
                results = run_search(chosen, {"collective_reward": 1.0}, place)
                frames.append(read_outcome(chosen, results).trials.assign(search=name, repeat=repeat))
    return pd.concat(frames, ignore_index=True)


def summary(trials: pd.DataFrame) -> pd.DataFrame:
    """A row per search and repeat: what it spent, its best, and the trial seconds per good configuration."""
    rows = []
    finished = trials[trials["status"] == "finished"]
    bars = (GOOD * finished.groupby("repeat")["objective"].max()).to_dict()
    for (repeat, name), group in trials.groupby(["repeat", "search"]):
        done = group[group["status"] == "finished"]["objective"]
        good = int((done >= bars[repeat]).sum())
        seconds = group["seconds"].sum()
        rows.append(
            {
                "repeat": repeat,
                "search": name,
                "trials": len(group),
                "finished": len(done),
                "env_steps": int(group["env_steps"].sum()),
                "seconds": seconds,
                "best": done.max(),
                "good": good,
                "seconds_per_good": seconds / good if good else np.inf,
            }
        )
    return pd.DataFrame(rows)


def main(words: Sequence[str] | None = None) -> None:
    """Plays, prints the table and writes it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--env-steps", type=int, default=90_000, help="of a whole trial [90,000]")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args(words)
    found = summary(play(given.repeats, given.env_steps))
    print(found.to_string(index=False, float_format="%.4g"))
    spread = found.groupby("search")[["env_steps", "seconds", "best", "seconds_per_good"]]
    print(spread.agg(["mean", "min", "max"]).to_string(float_format="%.4g"))
    if given.json:
        content: dict[str, Any] = {"machine": machine_facts(), "rows": found.to_dict("records")}
        write_json(given.json, content)


if __name__ == "__main__":
    main()
