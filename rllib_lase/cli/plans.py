"""From a command's words to checked plans of runs. Imports neither Ray nor torch: a mistake shows at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import mixed_motive
from rllib_lase.cli.options import Option, Words, json_pair, one_of, pair, setting_options, whole_number
from rllib_lase.command_lines import option_name
from rllib_lase.defaults import EVALUATION_EPISODES, default_env_steps, default_optimizer, default_settings
from rllib_lase.environments import is_import_path, load_env_fn
from rllib_lase.registry import ALGORITHMS, STOCK, AlgorithmSpec, StockSpec, known_ids, resolve_algorithm
from rllib_lase.registry.seating import Seating
from rllib_lase.settings import Optimizer, Settings, SettingsError, closest, learner_name, setting_names

#: An algorithm and its policy optimiser; RLlib's own have none.
Learner = tuple[AlgorithmSpec | StockSpec, Optimizer | None]

#: What stands in a folder's name for what should not.
_IN_A_NAME = str.maketrans({":": "-", ",": "+", " ": ""})


@dataclass(frozen=True)
class RunPlan:
    """One run, checked.

    Attributes:
        game: Game id.
        game_params: What the game is made with, its preset among them.
        algo: Algorithm id.
        optimizer: Policy optimiser; None for RLlib's own algorithms.
        seed: Seed of everything.
        env_steps: Budget.
        changes: Settings that were given; the others have the game's tuned values, or RLlib's defaults.
        settings: All settings; of RLlib's own algorithms those that are not RLlib's defaults.
        seating: Who plays in a mixed population.
    """

    game: str
    game_params: Mapping[str, Any]
    algo: str
    optimizer: Optimizer | None
    seed: int
    env_steps: int
    changes: Mapping[str, Any]
    settings: Mapping[str, Any]
    seating: Seating | None = None

    @property
    def name(self) -> str:
        """Name of its folder."""
        return "-".join([*self.learner_parts, f"seed{self.seed}"]).translate(_IN_A_NAME)

    @property
    def learner_parts(self) -> list[str]:
        """Algorithm, or who plays in a population, and optimiser, where there is a choice."""
        who = self.algo if self.seating is None else self.seating.title
        return [who, *([self.optimizer] if self.optimizer else [])]

    @property
    def learner(self) -> str:
        """Algorithm, or who plays in a population, with the optimiser, as in every table."""
        return learner_name(self.algo if self.seating is None else self.seating.title, self.optimizer)

    def with_seed(self, seed: int) -> RunPlan:
        """The same run with another seed."""
        return dataclasses.replace(self, seed=seed)

    def config(self) -> dict[str, Any]:
        """What config.json will say of it, but for versions."""
        return {
            "game": self.game,
            "game_params": dict(self.game_params),
            "preset": self.game_params.get("preset"),
            "algo": self.algo,
            "optimizer": self.optimizer,
            "seed": self.seed,
            "env_steps": self.env_steps,
            "settings": dict(self.settings),
            **({} if self.seating is None else self.seating.description()),
        }

    def is_plan_of(self, config: Mapping[str, Any]) -> bool:
        """Whether a run with this config.json did exactly this."""
        return all(config[key] == value for key, value in self.config().items())


def game_options() -> list[Option]:
    """Which game, and how."""
    games = ", ".join(mixed_motive.GAMES)
    return [
        Option("GAME", f"one of {games}; or where an environment is imported from, module:function, such as "
               "pettingzoo.sisl.pursuit_v5:parallel_env", group="what to train"),
        Option("--preset", "named set of the game's parameters [the game's first]", metavar="NAME",
               group="what to train"),
        Option("--game-params", "parameters of the game to change, such as num_agents=5 view_radius=3, or "
               "the environment's options",
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
        Option("--checkpoint-interval", "keep a checkpoint after each iteration that ends another N env "
               "steps, for `lase train --resume` (of our own algorithms) and `lase crossplay "
               "--checkpoints all` [the last one]",
               whole_number(1), "N", "what to train"),
        Option("--rllib", "settings of RLlib's own algorithms (rllib:...) that differ from RLlib's defaults, "
               "such as lr=3e-4 train_batch_size_per_learner=2000; the settings below are not theirs",
               json_pair, "NAME=VALUE", "what to train", many=True),
        Option("--overwrite", "replace runs that are already there", group="where"),
    ]  # fmt: skip


def all_setting_options(algos: Sequence[str], game: str, optimizer: str | None) -> list[Option]:
    """The settings of some of our algorithms, each once; those that all of ours have come first."""
    options: dict[str, Option] = {}
    specs = [ALGORITHMS[algo] for algo in algos]
    if not specs:
        return []
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
    if is_import_path(game):
        words.problems += _path_problems(game, words)
        return game, params
    preset = words.values.get("preset", params.pop("preset", None))
    problems = mixed_motive.check_params(game, preset, **params)
    words.problems += [_one_line(problem) for problem in problems]
    if game in mixed_motive.GAMES:
        preset = preset or mixed_motive.GAMES[game].default_preset
    return game, {"preset": preset, **params}


def _path_problems(game: str, words: Words) -> list[str]:
    """What is wrong with an environment's import path."""
    problems = []
    if "preset" in words.values:
        problems.append("--preset: only our own games have presets; leave it out, or use --game-params")
    try:
        load_env_fn(game)
    except ValueError as error:
        problems.append(f"GAME: {error}")
    return problems


def check_learner(name: str, words: Words, option: str) -> Learner | None:
    """The algorithm that a name means and its optimiser; problems go into the words."""
    known = known_ids()
    if name not in known:
        words.problems.append(
            f"{option}: unknown algorithm {name!r}{closest(name, known) or '.'} Known: {', '.join(known)}."
        )
        return None
    spec, fixed = resolve_algorithm(name)
    if isinstance(spec, StockSpec):
        if option == "--algo" and "optimizer" in words.values:
            words.problems.append(f"--optimizer: {name} brings its own; leave the option out")
        return spec, None
    game = words.values.get("game", "")
    reason = spec.unsupported(game, _game_params(words))
    if reason:
        words.problems.append(f"{option}: {spec.algo_id} cannot play {game}: {reason}")
    given = cast("Optimizer | None", words.values.get("optimizer"))
    if fixed and given and fixed != given and option == "--algo":
        words.problems.append(f"--optimizer: {name!r} is short for independent ({fixed}), found {given!r}")
    return spec, fixed or given or default_optimizer(game)


def make_plan(
    learner: Learner,
    game: str,
    params: Mapping[str, Any],
    seed: int,
    words: Words,
    *,
    alone: bool = True,
    seating: Seating | None = None,
) -> RunPlan:
    """The plan of a run; problems with its settings, each once, go into the words.

    Settings that change nothing for the algorithm are a problem if it is `alone`; beside others they are
    meant for those.
    """
    spec, optimizer = learner
    env_steps = words.values.get("env_steps", default_env_steps(game))
    changes: dict[str, Any]
    settings: Mapping[str, Any]
    if isinstance(spec, StockSpec):
        changes = dict(words.values.get("rllib", ()))
        settings = {**spec.settings, **changes}
    else:
        known = set(setting_names(spec.settings_class)) - (
            frozenset() if alone else spec.settings_class.unused
        )
        changes = {name: value for name, value in _own_settings(words).items() if name in known}
        settings = dataclasses.asdict(_check_settings(spec, optimizer, changes, env_steps, words))
    return RunPlan(game, params, spec.algo_id, optimizer, seed, env_steps, changes, settings, seating)


def _check_settings(
    spec: AlgorithmSpec, optimizer: Optimizer | None, changes: Mapping[str, Any], env_steps: int, words: Words
) -> Settings:
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


def _own_settings(words: Words) -> dict[str, Any]:
    """The settings of our algorithms among the values."""
    by_key = {
        name.strip("_"): name for spec in ALGORITHMS.values() for name in setting_names(spec.settings_class)
    }
    return {by_key[key]: value for key, value in words.values.items() if key in by_key and key != "optimizer"}


def check_owners(words: Words, learners: Sequence[Learner]) -> None:
    """Settings that none of the algorithms has become problems."""
    specs = [spec for spec, _ in learners]
    ours = [spec.algo_id for spec in specs if not isinstance(spec, StockSpec)]
    chosen = " and ".join(dict.fromkeys(spec.algo_id for spec in specs))
    if specs and len(ours) == len(specs) and "rllib" in words.values:
        words.problems.append(
            f"--rllib: {chosen} has no settings of RLlib's; it belongs to {', '.join(STOCK)}"
        )
    for name, value in _own_settings(words).items():
        owners = [spec.algo_id for spec in ALGORITHMS.values() if name in setting_names(spec.settings_class)]
        if not specs or any(algo_id in owners for algo_id in ours):
            continue
        cure = f"it belongs to {', '.join(owners)}"
        if not ours:
            cure = f"RLlib's own settings are passed as --rllib {name.strip('_')}={value}, if it has this one"
        words.problems.append(f"{option_name(name)}: {chosen} has no such setting; {cure}")


def check_rllib_settings(words: Words, learners: Sequence[Learner]) -> None:
    """Settings of RLlib's are checked against its config classes; wrong ones become problems.

    Imports Ray if there are such settings, and nothing else is wrong: to be done last.
    """
    specs = [spec for spec, _ in learners if isinstance(spec, StockSpec)]
    if words.problems or not specs or "rllib" not in words.values:
        return
    from rllib_lase.rllib.stock import setting_problems

    given = dict(words.values["rllib"])
    lines = [f"--rllib: {problem}" for spec in specs for problem in setting_problems(spec, given)]
    words.problems += dict.fromkeys(lines)


def _game_params(words: Words) -> dict[str, Any]:
    """The game's parameters as far as they were given, `preset` among them."""
    given = {"preset": words.values["preset"]} if "preset" in words.values else {}
    return dict(words.values.get("game_params", ())) | given


def out_folder(words: Words, default: str) -> Path:
    """The folder to write to."""
    return Path(words.values.get("out", default))


def _one_line(text: str) -> str:
    return " ".join(text.split())
