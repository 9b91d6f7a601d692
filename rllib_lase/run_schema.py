"""What a run's files hold: keys, columns and their checks. Knows neither Ray nor torch.

A check lists every fault at once, with the file and the key in each line.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

FORMAT = 1
"""Version of the folder's layout; raised when an older reader would misread it."""

Status = Literal["finished", "interrupted"]

PROGRESS_COLUMNS = (
    "iteration",
    "env_steps",
    "num_episodes",
    "collective_reward",
    "equality",
    "equality_after_gifting",
    "share_given",
)
"""Columns that every row of progress.parquet has, besides `reward/<agent>` and the rest."""

INTEGER_PROGRESS_COLUMNS = ("iteration", "env_steps", "num_episodes")
GIFT_COLUMNS = ("iteration", "env_steps", "giver", "receiver", "gift_weight", "recorded_steps")
EPISODE_COLUMNS = ("episode", "agent_id", "length", "reward", "reward_after_gifting")


class RunError(ValueError):
    """A run's folder cannot be written or read; the message names the file and the cure."""


Problem = str | None
Check = Callable[[object], Problem]


def is_number(value: object) -> bool:
    """Whether `value` is a real number, Python's or NumPy's; a bool is none."""
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def _text(value: object) -> Problem:
    return None if isinstance(value, str) and value else "a text"


def _text_or_null(value: object) -> Problem:
    return None if value is None or isinstance(value, str) else "a text or null"


def _count(value: object) -> Problem:
    ok = isinstance(value, int | np.integer) and not isinstance(value, bool) and value >= 0
    return None if ok else "a whole number, 0 or more"


def _integer(value: object) -> Problem:
    ok = isinstance(value, int | np.integer) and not isinstance(value, bool)
    return None if ok else "a whole number"


def _number(value: object) -> Problem:
    return None if value is None or is_number(value) else "a number, or null where undefined"


def _mapping(value: object) -> Problem:
    ok = isinstance(value, Mapping) and all(isinstance(key, str) for key in value)
    return None if ok else "an object with text keys"


def _per_agent(value: object) -> Problem:
    ok = isinstance(value, list) and value and all(_number(item) is None for item in value)
    return None if ok else "a list with one number (or null) per agent"


def _matrix(value: object) -> Problem:
    ok = isinstance(value, list) and value and all(_per_agent(row) is None for row in value)
    return None if ok else "a list of rows, giver in the row, with one number (or null) per receiver"


def _status(value: object) -> Problem:
    return None if value in ("finished", "interrupted") else '"finished" or "interrupted"'


def _format(value: object) -> Problem:
    return None if value == FORMAT else f"{FORMAT}, the layout that this version reads"


CONFIG_KEYS: Mapping[str, Check] = MappingProxyType(
    {
        "format": _format,
        "game": _text,
        "game_params": _mapping,
        "preset": _text_or_null,
        "algo": _text,
        "optimizer": _text_or_null,
        "seed": _integer,
        "env_steps": _count,
        "settings": _mapping,
        "versions": _mapping,
    }
)
"""Keys of config.json: what was asked for. `env_steps` is the budget."""

SUMMARY_KEYS: Mapping[str, Check] = MappingProxyType(
    {
        "game": _text,
        "preset": _text_or_null,
        "algo": _text,
        "optimizer": _text_or_null,
        "seed": _integer,
        "status": _status,
        "env_steps": _count,
        "num_episodes": _count,
        "num_evaluation_episodes": _count,
        "wall_seconds": _number,
        "env_steps_per_second": _number,
        "collective_reward": _number,
        "reward_per_agent": _per_agent,
        "reward_after_gifting_per_agent": _per_agent,
        "equality": _number,
        "equality_after_gifting": _number,
        "gift_weights": _matrix,
    }
)
"""Keys of summary.json: what came out. `env_steps` and `num_episodes` are those of training."""


def check_config(config: Mapping[str, Any], path: Path) -> None:
    """Checks config.json.

    Raises:
        RunError: a key is missing or holds something else than it should (all faults in one message).
    """
    _raise(_key_problems(config, CONFIG_KEYS), path)


def check_summary(summary: Mapping[str, Any], path: Path) -> None:
    """Checks summary.json: its keys, one entry per agent everywhere, gift weights that are distributions.

    Keys beyond `SUMMARY_KEYS` are a game's own: `<name>_per_agent`, a list or lists by name.

    Raises:
        RunError: all faults in one message.
    """
    problems = _key_problems(summary, SUMMARY_KEYS)
    problems += [
        f"{key!r} holds {_shorten(value)}; expected a list with one number (or null) per agent"
        for key, value in _extra_lists(summary)
        if _per_agent(value) is not None
    ]
    if not problems:
        problems = _agent_problems(summary)
    _raise(problems, path)


def check_columns(found: Iterable[str], expected: Iterable[str], path: Path) -> None:
    """Checks that a table has its columns.

    Raises:
        RunError: names the missing columns.
    """
    columns = list(found)
    missing = [name for name in expected if name not in columns]
    _raise([f"column {name!r} is missing; found {', '.join(map(repr, columns))}" for name in missing], path)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Writes strict JSON in one atomic step; NaN and infinities, which JSON lacks, become null.

    Raises:
        RunError: a value is of a kind that JSON cannot hold.
    """
    try:
        text = json.dumps(_plain(content), indent=2, allow_nan=False, ensure_ascii=False)
    except TypeError as error:
        raise RunError(f"{path}: {error}. Store numbers, texts, lists and mappings only.") from error
    part = path.with_name(f".{path.name}.part")
    part.write_text(text + "\n", encoding="utf-8")
    part.replace(path)


def read_json(path: Path) -> dict[str, Any]:
    """Reads a strict JSON object.

    Raises:
        RunError: the file is missing, no JSON, no object, or uses a NaN token.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except FileNotFoundError:
        raise RunError(
            f"{path}: no such file. Likely cause: the run was stopped before it was written."
        ) from None
    except ValueError as error:
        raise RunError(
            f"{path}: not valid JSON ({error}). Likely cause: the file was edited by hand."
        ) from error
    if not isinstance(content, dict):
        raise RunError(f"{path}: holds {_shorten(content)}; expected a JSON object.")
    return content


def as_floats(values: object) -> npt.NDArray[np.float64]:
    """Numbers read from JSON as an array, null as NaN."""
    return np.asarray(values, dtype=np.float64)


def _refuse_constant(token: str) -> None:
    raise ValueError(f"the token {token} is not JSON; write null instead")


def _plain(value: Any) -> Any:
    """NumPy scalars and arrays as Python's own, undefined numbers as None."""
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    return value


def normalise(content: Mapping[str, Any]) -> dict[str, Any]:
    """The content as it reads back from JSON: plain lists and numbers, None for NaN."""
    plain: dict[str, Any] = _plain(content)
    return plain


def _key_problems(content: Mapping[str, Any], keys: Mapping[str, Check]) -> list[str]:
    problems = []
    for key, check in keys.items():
        if key not in content:
            problems.append(f"key {key!r} is missing")
        elif expected := check(content[key]):
            problems.append(f"{key!r} holds {_shorten(content[key])}; expected {expected}")
    return problems


def _extra_lists(summary: Mapping[str, Any]) -> list[tuple[str, object]]:
    """The per-agent lists of a game's own keys, `counts_per_agent` opened up."""
    lists: list[tuple[str, object]] = []
    for key, value in summary.items():
        if key in SUMMARY_KEYS or not key.endswith("_per_agent"):
            continue
        if isinstance(value, Mapping):
            lists += [(f"{key}.{name}", item) for name, item in value.items()]
        else:
            lists.append((key, value))
    return lists


def _agent_problems(summary: Mapping[str, Any]) -> list[str]:
    num_agents = len(summary["reward_per_agent"])
    per_agent = [("reward_after_gifting_per_agent", summary["reward_after_gifting_per_agent"])]
    per_agent += [(f"gift_weights[{i}]", row) for i, row in enumerate(summary["gift_weights"])]
    per_agent += [("gift_weights", summary["gift_weights"]), *_extra_lists(summary)]
    problems = [
        f"{key!r} has {len(value)} entries, 'reward_per_agent' has {num_agents}; expected one per agent"
        for key, value in per_agent
        if len(value) != num_agents
    ]
    for i, row in enumerate(summary["gift_weights"]):
        weights = as_floats(row)
        if np.isfinite(weights).all() and (abs(weights.sum() - 1) > 1e-3 or weights.min() < -1e-6):
            problems.append(
                f"'gift_weights' row {i} is {_shorten(row)}, sum {weights.sum():.4g}; expected shares from 0 "
                "up that sum to 1. Likely cause: giver and receiver are swapped; the giver belongs in the row"
            )
    return problems


def _shorten(value: object, limit: int = 60) -> str:
    text = repr(value)
    return f"{text if len(text) <= limit else text[: limit - 3] + '...'} ({type(value).__name__})"


def _raise(problems: list[str], path: Path) -> None:
    if problems:
        raise RunError("\n".join(f"{path}: {problem}." for problem in problems))
