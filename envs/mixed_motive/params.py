"""Parameters of the games as frozen dataclasses, and the check that finds everything wrong with them.

A field declares its meaning and its range; rules that involve several fields are functions beside the class.
"""

from __future__ import annotations

import dataclasses
import difflib
import numbers
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, get_type_hints

from mixed_motive.errors import shown

__all__ = [
    "GameParams",
    "GridParams",
    "Rule",
    "closest",
    "expected_values",
    "max_cycles_problems",
    "param",
    "read_params",
    "under_its_name",
]


def param(doc: str, minimum: float | None = None, maximum: float | None = None) -> Any:
    """A dataclass field with its meaning and its inclusive range; its value always comes from a preset.

    Numbers must have a range, of which the kernels' int32 and float32 hold all; only True or False has none.
    """
    return dataclasses.field(metadata={"doc": doc, "minimum": minimum, "maximum": maximum})


@dataclasses.dataclass(frozen=True)
class Rule:
    """A condition on several fields: ``check`` returns what is wrong, or None.

    It is asked only when each of ``fields`` is right by itself, so that one mistake gives one message.
    """

    fields: tuple[str, ...]
    check: Callable[[Any], str | None]


@dataclasses.dataclass(frozen=True)
class GameParams:
    """What every game has."""

    rules: ClassVar[tuple[Rule, ...]] = ()

    horizon: int = param("steps of an episode, which then ends by truncation", 1, 2**31 - 1)
    num_agents: int = param("players", 2, 64)


def _view_fits(p: GridParams) -> str | None:
    reach = max(p.height, p.width) - 1
    if p.view_radius is None or p.view_radius <= reach:
        return None
    return (
        f"view_radius={p.view_radius} looks beyond a map of {p.height}x{p.width}; expected at most {reach}. "
        "For a window that always covers the whole map give view_radius=None."
    )


@dataclasses.dataclass(frozen=True)
class GridParams(GameParams):
    """What every game on a map has."""

    rules: ClassVar[tuple[Rule, ...]] = (Rule(("view_radius", "height", "width"), _view_fits),)

    height: int = param("rows of the map", 2, 256)
    width: int = param("columns of the map", 2, 256)
    view_radius: int | None = param(
        "an agent sees 2 * view_radius + 1 rows and columns around itself; None: the whole map", 0, 255
    )


def closest(word: object, known: Iterable[str]) -> str:
    """``"; did you mean 'x'?"`` for the known word most like this one, or a full stop."""
    lowered = {name.lower(): name for name in known}
    found = difflib.get_close_matches(word.lower(), lowered, n=1, cutoff=0.5) if isinstance(word, str) else []
    return f"; did you mean {lowered[found[0]]!r}?" if found else "."


# What our parameters are called elsewhere.
_OTHER_NAMES = {"max_cycles": "horizon", "max_steps": "horizon", "num_players": "num_agents"}

# What the rules pages list beside the parameters.
_FOLLOWING = ("max_collective_reward",)


def max_cycles_problems(max_cycles: object, params: dict[str, Any]) -> list[str]:
    """What is wrong with giving PettingZoo's name for `horizon`; puts its value into `params` under ours."""
    if max_cycles is None:
        return []
    twice = "horizon" in params
    params["horizon"] = max_cycles
    return ["max_cycles and horizon are two names for one number; give only one of them"] if twice else []


def under_its_name(max_cycles: object, problems: Sequence[str]) -> list[str]:
    """Problems of parameters; that of a `horizon` that was given as `max_cycles` names both."""
    if max_cycles is None:
        return list(problems)
    return [f"max_cycles sets {text}" if text.startswith("horizon=") else text for text in problems]


def read_params(
    presets: Mapping[str, GameParams], preset_name: str, changes: Mapping[str, object]
) -> tuple[GameParams, list[str]]:
    """A preset with some of its values changed, and everything that is wrong with the changes.

    Args:
        presets: A game's.
        preset_name: The one to start from.
        changes: Field name to new value.

    Returns:
        The parameters, normalised to plain Python values (wrong ones are left out), and the list of problems.
    """
    preset = presets[preset_name]
    fields = {field.name: field for field in dataclasses.fields(preset)}
    hints = get_type_hints(type(preset))
    problems: list[str] = []
    wrong: set[str] = set()
    values: dict[str, Any] = {}
    for name, value in changes.items():
        if name not in fields:
            problems.append(_unknown_parameter(name, presets, preset_name))
            continue
        meta = fields[name].metadata
        values[name], ok = _read_value(value, hints[name], meta)
        if not ok:
            wrong.add(name)
            del values[name]
            problems.append(
                f"{name}={shown(value)} ({type(value).__name__}): "
                f"expected {expected_values(hints[name], meta)}: {meta['doc']}. "
                f"Preset {preset_name!r} has {name}={getattr(preset, name)!r}."
            )
    params = dataclasses.replace(preset, **values)
    for rule in params.rules:
        if wrong.isdisjoint(rule.fields):
            problem = rule.check(params)
            if problem is not None:
                problems.append(problem)
    return params, problems


def _unknown_parameter(name: str, presets: Mapping[str, GameParams], preset_name: str) -> str:
    known = {key: [field.name for field in dataclasses.fields(params)] for key, params in presets.items()}
    elsewhere = [key for key, names in known.items() if name in names]
    if elsewhere:
        return f"unknown parameter {name!r} of preset {preset_name!r}; it is one of {', '.join(elsewhere)}."
    if name in _FOLLOWING:
        return f"{name} is no parameter: it follows from the others. Read it from the game: game.{name}."
    fields = known[preset_name]
    meant = _OTHER_NAMES.get(name, name)
    return f"unknown parameter {name!r}{closest(meant, fields)} Known here: {', '.join(sorted(fields))}."


def _read_value(value: object, hint: Any, limits: Mapping[str, Any]) -> tuple[Any, bool]:
    """The value as a plain Python one, and whether it has the right type and lies in its range."""
    if hint is bool:
        is_bool = isinstance(value, bool) or type(value).__name__ in ("bool", "bool_")
        return bool(value) if is_bool else value, is_bool
    if value is None:
        return None, hint == (int | None)
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return value, False
    if hint is not float and not isinstance(value, numbers.Integral):
        return value, False
    # Compared before it is converted: a huge integer is no float. NaN fits no range.
    number: Any = value
    if not limits["minimum"] <= number <= limits["maximum"]:
        return value, False
    return float(number) if hint is float else int(number), True


def expected_values(hint: Any, limits: Mapping[str, Any]) -> str:
    """What a field's type hint and metadata allow, in words."""
    if hint is bool:
        return "True or False"
    kind = {int: "an integer", float: "a finite number"}.get(hint, "an integer or None")
    return f"{kind} in [{_bound(limits['minimum'])}, {_bound(limits['maximum'])}]"


def _bound(bound: float) -> str:
    return str(int(bound)) if bound == int(bound) else str(bound)
