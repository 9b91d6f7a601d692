"""How settings are spelled on the command line, and the commands that repeat a run or a comparison."""

from __future__ import annotations

import dataclasses
import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rllib_lase.defaults import EVALUATION_EPISODES, default_settings
from rllib_lase.registry import ALGORITHMS, STOCK
from rllib_lase.registry.mixing import learner_specs, population_spec
from rllib_lase.registry.seating import Seating

if TYPE_CHECKING:
    from rllib_lase.runs import RunFolder


def option_name(setting: str) -> str:
    """The option of a setting: "--lambda" for "lambda_"."""
    return f"--{setting.strip('_').replace('_', '-')}"


def train_command(config: Mapping[str, Any], out: Path, evaluation_episodes: int | None = None) -> str:
    """The `lase train` command of a run.

    Args:
        config: The run's config.
        out: The folder to write to.
        evaluation_episodes: Episodes of the run's evaluation; None takes the usual number.

    Returns:
        One shell line; settings that have the game's tuned value are left out.
    """
    words = [*train_words(config, out), *_evaluation_words(evaluation_episodes)]
    return shlex.join(["lase", "train", *words])


def run_command(run: RunFolder, out: Path) -> str:
    """The `lase train` command that repeats a run, finished or not, in the folder `out`."""
    return train_command(run.config, out, _episodes_of(run))


def _episodes_of(run: RunFolder) -> int | None:
    """Episodes of a run's evaluation; None if it was not evaluated."""
    return int(run.summary()["num_evaluation_episodes"]) if run.has_summary else None


def _evaluation_words(episodes: int | None) -> list[str]:
    usual = episodes is None or episodes == EVALUATION_EPISODES
    return [] if usual else ["--evaluation-episodes", str(episodes)]


def train_words(config: Mapping[str, Any], out: Path) -> list[str]:
    """The words of that command after `lase train`."""
    words = [config["game"], *_who_words(config)]
    words += ["--optimizer", config["optimizer"]] if config["optimizer"] else []
    return [*words, "--seed", str(config["seed"]), *_option_words(config), "--out", str(out)]


def _who_words(config: Mapping[str, Any]) -> list[str]:
    """The algorithm, or who plays in a mixed population."""
    if "population" not in config:
        return ["--algo", config["algo"]]
    words = ["--population", ",".join(config["population"])]
    words += ["--switch", *config["switches"]] if config["switches"] else []
    return [*words, "--shuffle-seats"] if config["shuffle_seats"] else words


def compare_command(runs: Sequence[RunFolder], out: Path) -> list[str]:
    """The commands that repeat a comparison.

    Args:
        runs: Its runs.
        out: The folder to write to.

    Returns:
        One `lase compare` line where it can express the runs: one game, the same options and seeds in a row
        for every algorithm. Else one `lase train` line per run.
    """
    seeds: dict[tuple[str, str | None], list[int]] = {}
    for run in runs:
        seeds.setdefault((run.config["algo"], run.config["optimizer"]), []).append(run.config["seed"])
    num_seeds = len(next(iter(seeds.values())))
    first = min(next(iter(seeds.values())))
    regular = all(sorted(values) == list(range(first, first + num_seeds)) for values in seeds.values())
    optimizers = {optimizer for algo, optimizer in seeds if optimizer and algo != "independent"}
    options = {
        (run.config["game"], *_option_words(run.config), *_evaluation_words(_episodes_of(run)))
        for run in runs
    }
    regular = regular and not any("population" in run.config for run in runs)
    if not regular or len(optimizers) > 1 or len(options) > 1:
        return [run_command(run, out / run.path.name) for run in runs]
    game, *rest = options.pop()
    algos = ",".join(optimizer if optimizer and algo == "independent" else algo for algo, optimizer in seeds)
    words = ["lase", "compare", game, "--algos", algos, "--seeds", str(num_seeds)]
    words += ["--first-seed", str(first)] if first else []
    words += [word for optimizer in optimizers for word in ("--optimizer", optimizer)]
    return [shlex.join([*words, *rest, "--out", str(out)])]


def _option_words(config: Mapping[str, Any]) -> list[str]:
    """Budget, preset, parameters of the game, and the settings that differ from the tuned ones."""
    words = ["--env-steps", str(config["env_steps"])]
    words += ["--preset", config["preset"]] if config["preset"] else []
    params = [f"{name}={value}" for name, value in config["game_params"].items() if name != "preset"]
    words += ["--game-params", *params] if params else []
    if config["algo"] in STOCK:
        return [*words, *_rllib_words(config)]
    spec = ALGORITHMS.get(config["algo"])
    if "population" in config:
        spec = population_spec(learner_specs(Seating.described(config)))
    tuned = dataclasses.asdict(default_settings(config["game"], spec, config["optimizer"])) if spec else {}
    tuned["schedule_env_steps"] = config["env_steps"]
    for name, value in config["settings"].items():
        if name == "optimizer" or (name in tuned and tuned[name] == value):
            continue
        option = option_name(name)
        if isinstance(value, bool):
            words.append(option if value else option.replace("--", "--no-", 1))
        else:
            words += [option, str(value)]
    return words


def _rllib_words(config: Mapping[str, Any]) -> list[str]:
    """The settings of RLlib's that were given: `--rllib lr=0.0003`."""
    usual = STOCK[config["algo"]].settings
    given = {name: value for name, value in config["settings"].items() if usual.get(name) != value}
    pairs = [
        f"{name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in given.items()
    ]
    return ["--rllib", *pairs] if pairs else []
