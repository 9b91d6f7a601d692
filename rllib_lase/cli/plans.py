"""From a command's words to checked plans of runs. Imports neither Ray nor torch: a mistake shows at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import mixed_motive
from rllib_lase.cli.options import Option, Words, closest, one_of, pair, setting_options, whole_number
from rllib_lase.command_lines import option_name
from rllib_lase.defaults import EVALUATION_EPISODES, default_env_steps, default_optimizer, default_settings
from rllib_lase.registry import ALGORITHMS, SHORT_IDS, AlgorithmSpec, resolve_algorithm
from rllib_lase.settings import Optimizer, Settings, SettingsError, setting_names


@dataclass(frozen=True)
class RunPlan:
    """One run, checked.

    Attributes:
        game: Game id.
        game_params: What the game is made with, its preset among them.
        algo: Algorithm id.
        optimizer: Policy optimiser.
        seed: Seed of everything.
        env_steps: Budget.
        changes: Settings that were given; the others have the game's tuned values.
        settings: All settings.
    """

    game: str
    game_params: Mapping[str, Any]
    algo: str
    optimizer: Optimizer
    seed: int
    env_steps: int
    changes: Mapping[str, Any]
    settings: Settings

    @property
    def name(self) -> str:
        """Name of its folder in a comparison."""
        return f"{self.algo}-{self.optimizer}-seed{self.seed}"

    @property
    def learner(self) -> str:
        """Algorithm with its optimiser, as in every table."""
        return f"{self.algo} ({self.optimizer})"

    def with_seed(self, seed: int) -> RunPlan:
        """The same run with another seed."""
        return dataclasses.replace(self, seed=seed)

    def config(self) -> dict[str, Any]:
        """What config.json will say of it, but for versions."""
        return {
            "game": self.game,
            "game_params": dict(self.game_params),
            "preset": self.game_params["preset"],
            "algo": self.algo,
            "optimizer": self.optimizer,
            "seed": self.seed,
            "env_steps": self.env_steps,
            "settings": dataclasses.asdict(self.settings),
        }

    def is_plan_of(self, config: Mapping[str, Any]) -> bool:
        """Whether a run with this config.json did exactly this."""
        return all(config[key] == value for key, value in self.config().items())


def game_options() -> list[Option]:
    """Which game, and how."""
    games = ", ".join(mixed_motive.GAMES)
    return [
        Option("GAME", f"one of {games}", group="what to train"),
        Option("--preset", "named set of the game's parameters [the game's first]", metavar="NAME",
               group="what to train"),
        Option("--game-params", "parameters of the game to change, such as num_agents=5 view_radius=3",
               pair, "NAME=VALUE", "what to train", many=True),
    ]  # fmt: skip


def budget_options(game: str) -> list[Option]:
    """How it is trained, whatever the algorithm."""
    return [
        Option("--optimizer", f"policy optimiser [{default_optimizer(game)}, or the algorithm's short id]",
               one_of("a2c", "ppo"), "{a2c,ppo}", "what to train"),
        Option("--env-steps", f"env steps to train, in whole iterations [{default_env_steps(game):,}]",
               whole_number(1), "N", "what to train"),
        Option("--evaluation-episodes", f"episodes of the final evaluation [{EVALUATION_EPISODES}]",
               whole_number(1), "N", "what to train"),
        Option("--overwrite", "replace runs that are already there", group="where"),
    ]  # fmt: skip


def all_setting_options(algos: Sequence[str], game: str, optimizer: str | None) -> list[Option]:
    """The settings of some algorithms, each once; those that all algorithms have come first."""
    options: dict[str, Option] = {}
    specs = [ALGORITHMS[algo] for algo in algos]
    for settings_class, group in [
        (Settings, "settings of every algorithm [value for this game]"),
        *((spec.settings_class, f"settings of {spec.algo_id}") for spec in specs),
    ]:
        spec = next((spec for spec in specs if spec.settings_class is settings_class), specs[0])
        tuned = default_settings(game, spec, cast("Optimizer | None", optimizer))
        defaults = tuned.replace(schedule_env_steps=default_env_steps(game))
        for option in setting_options(settings_class, group, defaults):
            options.setdefault(option.name, option)
    return list(options.values())


def check_game(words: Words) -> tuple[str, dict[str, Any]]:
    """The game and its parameters; problems go into the words."""
    game = words.values.get("game")
    if game is None:
        known = ", ".join(mixed_motive.GAMES)
        words.problems.append(f"GAME: missing; choose from {known}")
        return "", {}
    params = dict(words.values.get("game_params", ()))
    preset = words.values.get("preset", params.pop("preset", None))
    problems = mixed_motive.check_params(game, preset, **params)
    words.problems += [_one_line(problem) for problem in problems]
    if game in mixed_motive.GAMES:
        preset = preset or mixed_motive.GAMES[game].default_preset
    return game, {"preset": preset, **params}


def check_learner(name: str, words: Words, option: str) -> tuple[AlgorithmSpec, Optimizer] | None:
    """The algorithm that a name means and its optimiser; problems go into the words."""
    known = [*ALGORITHMS, *SHORT_IDS]
    if name not in known:
        words.problems.append(
            f"{option}: unknown algorithm {name!r}{closest(name, known) or '.'} Known: {', '.join(known)}."
        )
        return None
    spec, fixed = resolve_algorithm(name)
    game = words.values.get("game", "")
    reason = spec.unsupported(game, _game_params(words))
    if reason:
        words.problems.append(f"{option}: {spec.algo_id} cannot play {game}: {reason}")
    given = cast("Optimizer | None", words.values.get("optimizer"))
    if fixed and given and fixed != given and option == "--algo":
        words.problems.append(f"--optimizer: {name!r} is short for independent ({fixed}), found {given!r}")
    return spec, fixed or given or default_optimizer(game)


def check_settings(
    spec: AlgorithmSpec, optimizer: Optimizer, changes: Mapping[str, Any], env_steps: int, words: Words
) -> Settings:
    """All settings of a run; problems, each once, go into the words."""
    defaults = default_settings(words.values.get("game", ""), spec, optimizer)
    game = words.values.get("game", "")
    try:
        settings = defaults.replace(**{"schedule_env_steps": env_steps, **changes})
        problems = settings.environment_problems(game, _game_params(words)) if game else []
    except SettingsError as error:
        settings, problems = defaults, error.errors
    for problem in problems:
        name, _, text = problem.partition(":")
        line = f"{option_name(name)}:{text}"
        if line not in words.problems:
            words.problems.append(line)
    return settings


def given_settings(words: Words, specs: Sequence[AlgorithmSpec]) -> dict[str, Any]:
    """The settings among the values; one that none of the algorithms has is a problem."""
    by_key = {
        name.strip("_"): name for spec in ALGORITHMS.values() for name in setting_names(spec.settings_class)
    }
    given = {
        by_key[key]: value for key, value in words.values.items() if key in by_key and key != "optimizer"
    }
    for name in given:
        owners = [spec.algo_id for spec in ALGORITHMS.values() if name in setting_names(spec.settings_class)]
        if specs and not any(spec.algo_id in owners for spec in specs):
            chosen = " and ".join(dict.fromkeys(spec.algo_id for spec in specs))
            words.problems.append(
                f"{option_name(name)}: {chosen} has no such setting; it belongs to {', '.join(owners)}"
            )
    return given


def _game_params(words: Words) -> dict[str, Any]:
    """The game's parameters as far as they were given, `preset` among them."""
    given = {"preset": words.values["preset"]} if "preset" in words.values else {}
    return dict(words.values.get("game_params", ())) | given


def out_folder(words: Words, default: str) -> Path:
    """The folder to write to."""
    return Path(words.values.get("out", default))


def _one_line(text: str) -> str:
    return " ".join(text.split())
