"""The same tuning budget for every algorithm of ours on a game: random search with Ray Tune on tuning seeds.

    python -m tune_configs.fair_tuning cleanup --algos lase,go,ia --out docs/tuning

Each algorithm gets `NUM_CONFIGS` configurations, the shipped one first, times `TUNING_SEEDS`, of the game's
number of env steps in `ENV_STEPS`. A configuration's score is its collective reward over the last fifth of
training, mean over seeds. Writes `<out>/<game>.csv`, a row per configuration and seed; algorithms that are
there already are replaced, others are kept. Reported results use other seeds.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ray import tune

from rllib_lase.defaults import default_settings
from rllib_lase.registry import ALGORITHMS
from rllib_lase.rllib.session import ray_session
from rllib_lase.train_spec import build_config
from rllib_lase.tuning.trial import schedule_ends

NUM_CONFIGS = 4
TUNING_SEEDS = (100, 101)
#: Env steps of one trial: enough to tell configurations apart, less than a full run.
ENV_STEPS: Mapping[str, int] = {
    "cleanup": 250_000,
    "coingame": 150_000,
    "snowdrift": 100_000,
    "stag_hunt": 500_000,
    "harvest": 100_000,
    "ipd": 200_000,
    "public_goods": 60_000,
    "escape_room": 60_000,
}
#: Games that are not searched on their own default: on the stag hunt's nobody meets a stag within the budget.
PRESETS: Mapping[str, str] = {"stag_hunt": "lase_repository"}
SCORED_SHARE = 0.2

#: What is searched for every algorithm ...
COMMON: Mapping[str, Sequence[Any]] = {
    "lr": (5e-4, 1e-3, 2e-3),
    "entropy_coeff": (0.003, 0.01, 0.03, 0.05),
}
_SR: Mapping[str, Sequence[Any]] = {"sr_policy_rule": ("eq5", "soft_q"), "sr_num_updates": (1, 2, 4)}
#: ... and what only that algorithm has, or has on another scale.
OWN: Mapping[str, Mapping[str, Sequence[Any]]] = {
    "lase": _SR,
    "lase_uniform": _SR,
    "lase_oracle": _SR,
    "lase_shared": _SR,
    "ia": {"ia_alpha": (0.0, 0.5, 5.0), "ia_beta": (0.05, 0.5)},
    "svo": {"svo_form": ("reward_angle", "linear"), "svo_degrees": (15.0, 30.0, 45.0, 60.0)},
    "fixed_share": {"share": (0.25, 0.5, 0.75)},
    "gifting": {"gift_budget": ("zero_sum", "fixed", "replenishable"), "gift_value": (0.3, 1.0)},
    "si": {"influence_weight_end": (0.03, 0.1, 0.3, 1.0), "moa_num_updates": (1, 2, 4)},
    "lio": {"incentive_lr": (3e-4, 1e-3, 3e-3), "inner_lr": (0.05, 0.2), "max_incentive": (1.0, 2.0)},
    "lola": {"lr": (0.25, 0.5, 1.0), "lookahead_lr": (0.5, 1.0, 1.5)},
}


def space_of(algo: str) -> dict[str, Sequence[Any]]:
    """What is searched: setting -> the values it may take; nothing that the algorithm has no use for."""
    unused = ALGORITHMS[algo].settings_class.unused
    return {name: v for name, v in {**COMMON, **OWN.get(algo, {})}.items() if name not in unused}


def search(game: str, algo: str, env_steps: int, num_configs: int, concurrent: int) -> pd.DataFrame:
    """One algorithm's search.

    Args:
        game: Game id.
        algo: Algorithm id.
        env_steps: Of each trial.
        num_configs: Configurations, the shipped one among them.
        concurrent: Trials at a time, one core each.

    Returns:
        A row per configuration and seed: `game`, `algo`, `optimizer`, `config` (0 is the shipped one),
        `seed`, `env_steps`, `score`, and the settings searched.
    """
    space, spec = space_of(algo), ALGORITHMS[algo]
    defaults = default_settings(game, spec).replace(schedule_env_steps=env_steps)
    game_params = {"preset": PRESETS[game]} if game in PRESETS else {}
    points = draw_points(space, {name: getattr(defaults, name) for name in space}, num_configs)

    def trial(drawn: dict[str, int]) -> None:
        point = points[drawn["config"]]
        settings = defaults.replace(**point, **schedule_ends(point, defaults))
        algorithm = build_config(spec, settings, game, game_params, drawn["seed"]).build_algo()
        rewards = []
        while algorithm.env_steps < env_steps:
            algorithm.train()
            finished = algorithm.report.finished
            rewards.append(finished.returns.mean(0).sum() if len(finished) else math.nan)
        algorithm.stop()
        tune.report({"score": float(np.nanmean(rewards[-max(1, round(len(rewards) * SCORED_SHARE)) :]))})

    with tempfile.TemporaryDirectory() as storage:
        results = tune.Tuner(
            trial,
            param_space={
                "config": tune.grid_search(list(range(len(points)))),
                "seed": tune.grid_search(list(TUNING_SEEDS)),
            },
            # A process plays many trials: starting one takes longer than some of them.
            tune_config=tune.TuneConfig(max_concurrent_trials=concurrent, reuse_actors=True),
            run_config=tune.RunConfig(
                storage_path=storage, verbose=0, failure_config=tune.FailureConfig(max_failures=1)
            ),
        ).fit()
        rows = [_row(result, points) for result in results]
    frame = pd.DataFrame(rows).sort_values(["config", "seed"], ignore_index=True)
    return frame.assign(game=game, algo=algo, optimizer=defaults.optimizer, env_steps=env_steps)


def draw_points(
    space: Mapping[str, Sequence[Any]], shipped: Mapping[str, Any], count: int
) -> list[dict[str, Any]]:
    """Different configurations: the shipped one, then random ones; fewer if there are no more.

    Args:
        space: Setting -> the values it may take.
        shipped: Setting -> the shipped value, which belongs to the space, too.
        count: How many at most.
    """
    values = {name: list(dict.fromkeys([shipped[name], *choices])) for name, choices in space.items()}
    generator = np.random.default_rng(0)
    points = [dict(shipped)]
    while len(points) < min(count, math.prod(map(len, values.values()))):
        point = {name: choices[generator.integers(len(choices))] for name, choices in values.items()}
        if point not in points:
            points.append(point)
    return points


def _row(result: Any, points: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One trial's configuration, seed and score; a trial that failed has no score."""
    row = {**result.config, **points[result.config["config"]]}
    if result.error is not None:
        sys.stderr.write(f"failed: {row}: {result.error}\n")
        return row | {"score": math.nan}
    return row | {"score": result.metrics["score"]}


def choose(frame: pd.DataFrame) -> pd.DataFrame:
    """The configuration to play with, per algorithm.

    The best by its mean score over seeds, if that is above the shipped one's best seed: what is no better
    than the spread of seeds changes nothing.
    """
    seeds = frame.groupby(["algo", "config"], sort=True)["score"].agg(["mean", "max"]).reset_index()
    best = seeds.loc[seeds.groupby("algo")["mean"].idxmax()]
    shipped = seeds.loc[seeds["config"] == 0]
    bar = best["algo"].map(shipped.set_index("algo")["max"])
    chosen = pd.concat([best[best["mean"] > bar], shipped]).drop_duplicates("algo").sort_values("algo")
    chosen = chosen.drop(columns="max").rename(columns={"mean": "score"})
    firsts = frame.drop_duplicates(["algo", "config"]).drop(columns=["seed", "score"])
    return chosen.merge(firsts, on=["algo", "config"]).dropna(axis=1, how="all")


def main(words: Sequence[str] | None = None) -> None:
    """Searches, writes the table and prints what was chosen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("game", choices=list(ENV_STEPS))
    parser.add_argument("--algos", default=",".join(ALGORITHMS), help="ids with commas between [all]")
    parser.add_argument("--out", type=Path, default=Path("docs/tuning"), help="folder of the tables")
    parser.add_argument("--env-steps", type=int, help="of each trial [the game's]")
    parser.add_argument("--configs", type=int, default=NUM_CONFIGS, help=f"per algorithm [{NUM_CONFIGS}]")
    parser.add_argument("--jobs", type=int, default=2, help="trials at a time [2]")
    given = parser.parse_args(words)
    unknown = [algo for algo in given.algos.split(",") if algo not in ALGORITHMS]
    if unknown:
        parser.error(f"unknown algorithms {', '.join(unknown)}; known: {', '.join(ALGORITHMS)}")
    path = given.out / f"{given.game}.csv"
    given.out.mkdir(parents=True, exist_ok=True)
    table = pd.read_csv(path) if path.is_file() else pd.DataFrame(columns=["algo"])
    with ray_session(num_cpus=given.jobs):
        for algo in given.algos.split(","):
            reason = ALGORITHMS[algo].unsupported(given.game)
            if reason:
                sys.stdout.write(f"{algo} cannot play {given.game}: {reason}\n")
                continue
            steps = given.env_steps or ENV_STEPS[given.game]
            found = search(given.game, algo, steps, given.configs, given.jobs)
            table = pd.concat([table[table["algo"] != algo], found], ignore_index=True)
            table.to_csv(path, index=False, float_format="%.6g")
            sys.stdout.write(f"{choose(found).to_string(index=False)}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
