"""The commands that repeat a run or a comparison, written out from their settings."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rllib_lase.defaults import default_settings
from rllib_lase.registry import ALGORITHMS
from rllib_lase.runs import RunFolder


def train_command(config: Mapping[str, Any], out: Path) -> str:
    """The `lase train` command of a run.

    Args:
        config: The run's config.
        out: The folder to write to.

    Returns:
        One shell line; settings that have the game's tuned value are left out.
    """
    words = ["lase", "train", config["game"], "--algo", config["algo"], "--optimizer", config["optimizer"]]
    words += ["--seed", str(config["seed"]), "--env-steps", str(config["env_steps"])]
    return shlex.join([*words, *_option_words(config), "--out", str(out)])


def compare_command(runs: Sequence[RunFolder], out: Path) -> list[str]:
    """The commands that repeat a comparison.

    Args:
        runs: Its runs.
        out: The folder to write to.

    Returns:
        One `lase compare` line where it can express the runs: one game, the same options and seeds 0, 1, ..
        for every algorithm. Else one `lase train` line per run.
    """
    seeds: dict[tuple[str, str], list[int]] = {}
    for run in runs:
        seeds.setdefault((run.config["algo"], run.config["optimizer"]), []).append(run.config["seed"])
    options = {
        (run.config["game"], "--env-steps", str(run.config["env_steps"]), *_option_words(run.config))
        for run in runs
    }
    num_seeds = len(next(iter(seeds.values())))
    optimizers = {optimizer for algo, optimizer in seeds if algo != "independent"}
    regular = all(sorted(values) == list(range(num_seeds)) for values in seeds.values())
    if len(options) > 1 or len(optimizers) > 1 or not regular:
        return [train_command(run.config, out / run.path.name) for run in runs]
    game, *rest = options.pop()
    algos = ",".join(optimizer if algo == "independent" else algo for algo, optimizer in seeds)
    words = ["lase", "compare", game, "--algos", algos, "--seeds", str(num_seeds)]
    words += [word for optimizer in optimizers for word in ("--optimizer", optimizer)]
    return [shlex.join([*words, *rest, "--out", str(out)])]


def _option_words(config: Mapping[str, Any]) -> list[str]:
    """Preset, parameters of the game, and the settings that differ from the tuned ones."""
    words = ["--preset", config["preset"]] if config["preset"] else []
    if config["game_params"]:
        words += ["--game-params", *(f"{name}={value}" for name, value in config["game_params"].items())]
    spec = ALGORITHMS.get(config["algo"])
    tuned = dataclasses.asdict(default_settings(config["game"], spec, config["optimizer"])) if spec else {}
    for name, value in config["settings"].items():
        if name == "optimizer" or (name in tuned and tuned[name] == value):
            continue
        option = name.strip("_").replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{option}" if value else f"--no-{option}")
        else:
            words += [f"--{option}", str(value)]
    return words
