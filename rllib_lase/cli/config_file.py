"""`--config FILE`: what to train, from a JSON file that a search wrote, a run's config.json, or one's own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rllib_lase.cli.options import Option, Words
from rllib_lase.registry import known_ids, resolve_algorithm
from rllib_lase.registry.stock import StockSpec
from rllib_lase.settings import closest, suggestion, unknown_settings

CONFIG_OPTION = Option(
    "--config",
    "JSON file of game, algo, optimizer, seed, env_steps, preset, game_params and settings, such as a "
    "search's best-GAME.json or a run's config.json; words of the command line come before it",
    Path,
    "FILE",
    "what to train",
)

_KEYS: Mapping[str, tuple[type, ...]] = {
    "game": (str,),
    "algo": (str,),
    "optimizer": (str, type(None)),
    "seed": (int,),
    "env_steps": (int,),
    "preset": (str, type(None)),
    "game_params": (dict,),
    "settings": (dict,),
}
#: Keys of a run's config.json that say nothing about what is trained.
_RECORDS = ("format", "versions", "rllib", "evaluation_episodes", "checkpoint_interval")
_OF_POPULATIONS = ("population", "switches", "shuffle_seats")
_KINDS = {str: "a text", int: "a whole number", dict: "an object", type(None): "null"}


def lay_config_under(words: Words) -> None:
    """Adds what the file of `--config` says to the words, where they say nothing; problems go into them."""
    path = words.values.get("config")
    if path is None:
        return
    content, problems = read_config(path)
    words.problems += [f"--config: {path}: {problem}" for problem in problems]
    values = words.values
    if problems:
        if isinstance(content.get("game"), str):
            values.setdefault("game", content["game"])
        return
    for name in ("game", "algo", "optimizer", "seed", "env_steps", "preset"):
        if content.get(name) is not None:
            values.setdefault(name, content[name])
    params = {name: value for name, value in content.get("game_params", {}).items() if name != "preset"}
    if "preset" in content.get("game_params", {}):
        values.setdefault("preset", content["game_params"]["preset"])
    if params:
        values["game_params"] = [*params.items(), *values.get("game_params", ())]
    settings = dict(content.get("settings", {}))
    if not settings or content["algo"] != values["algo"]:
        return  # where another algorithm was asked for, the file's settings are not its own
    if isinstance(resolve_algorithm(values["algo"])[0], StockSpec):
        values["rllib"] = [*settings.items(), *values.get("rllib", ())]
        return
    settings.pop("optimizer", None)
    if settings.get("schedule_env_steps") == content.get("env_steps"):
        settings.pop("schedule_env_steps", None)  # schedules last as long as the training, however long
    for name, value in settings.items():
        values.setdefault(name.strip("_"), value)


def read_config(path: Path) -> tuple[dict[str, Any], list[str]]:
    """The file's content, and what is wrong with its names and kinds; ranges are checked with the rest."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        return {}, [f"{error.strerror}; expected a file"]
    except ValueError as error:
        return {}, [f"no valid JSON: {error}"]
    if not isinstance(content, dict):
        return {}, ["expected an object with game, algo and settings"]
    found = [key for key in _OF_POPULATIONS if key in content]
    if found:
        return {}, [f"{found[0]}: files say nothing of mixed populations; `lase train --population` has them"]
    content = {key: value for key, value in content.items() if key not in _RECORDS}
    problems = [f"{key}: unknown key; {suggestion(key, _KEYS)}" for key in content if key not in _KEYS]
    problems += [
        f"{key}: expected {' or '.join(_KINDS[kind] for kind in kinds)}, found {content[key]!r}"
        for key, kinds in _KEYS.items()
        if key in content and (not isinstance(content[key], kinds) or isinstance(content[key], bool))
    ]
    return content, problems or _setting_problems(content)


def _setting_problems(content: Mapping[str, Any]) -> list[str]:
    algo = content.get("algo")
    if algo is None:
        return ["settings: belong to an algorithm; name it as algo"] if content.get("settings") else []
    if algo not in known_ids():
        return [f"algo: unknown algorithm {algo!r}{closest(algo, known_ids())}"]
    spec, _ = resolve_algorithm(algo)
    if isinstance(spec, StockSpec):
        return []
    return [
        f"settings: {line}" for line in unknown_settings(spec.settings_class, content.get("settings", {}))
    ]
