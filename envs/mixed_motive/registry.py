"""The games by id, `make` and `check_params`. Importing this imports neither numba nor gymnasium."""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from mixed_motive.base import BatchedGame
from mixed_motive.errors import GameError
from mixed_motive.games import cleanup, matrix, snowdrift
from mixed_motive.params import GameParams, closest, read_params

__all__ = ["GAMES", "GameSpec", "check_make", "check_params", "make"]

_ENCODINGS = ("planes",)


@dataclasses.dataclass(frozen=True)
class GameSpec:
    """One entry of `GAMES`.

    Attributes:
        game_id: The id.
        title: The game's name in a sentence.
        game_class: Its batched class; its module's docstring states the rules.
        params_class: Its parameters.
        presets: Named sets of parameters, the default one first.
    """

    game_id: str
    title: str
    game_class: type[BatchedGame]
    params_class: type[GameParams]
    presets: Mapping[str, GameParams]

    @property
    def default_preset(self) -> str:
        """The preset that is meant when none is named."""
        return next(iter(self.presets))


GAMES: Mapping[str, GameSpec] = MappingProxyType(
    {
        spec.game_id: spec
        for spec in (
            GameSpec("cleanup", "Cleanup", cleanup.CleanupGame, cleanup.CleanupParams, cleanup.PRESETS),
            GameSpec(
                "snowdrift",
                "Sequential Snowdrift",
                snowdrift.SnowdriftGame,
                snowdrift.SnowdriftParams,
                snowdrift.PRESETS,
            ),
            GameSpec(
                "matrix", "Repeated matrix game", matrix.MatrixGame, matrix.MatrixParams, matrix.PRESETS
            ),
            GameSpec(
                "ipd",
                "Iterated prisoner's dilemma",
                matrix.MatrixGame,
                matrix.MatrixParams,
                matrix.IPD_PRESETS,
            ),
        )
    }
)


def check_params(game_id: str, preset: str | None = None, **params: object) -> list[str]:
    """Everything that is wrong with a choice of game, preset and parameters; an empty list if it can be made.

    Args:
        game_id: One of `GAMES`.
        preset: One of the game's presets; by default its first.
        params: Parameters to change in the preset.

    Returns:
        One sentence for each problem: found, expected, cure.
    """
    return _read(game_id, preset, params)[1]


def check_make(
    game_id: str,
    preset: str | None = None,
    *,
    num_envs: object = 1,
    obs: object = "planes",
    first_env_index: object = 0,
    auto_reset: object = True,
    **params: object,
) -> list[str]:
    """Everything that `make` would refuse, see there; an empty list if it would make the game."""
    problems = check_params(game_id, preset, **params)
    problems += _count_problem("num_envs", num_envs, 1, "copies stepped together")
    problems += _count_problem("first_env_index", first_env_index, 0, "env index of the first copy")
    if obs not in _ENCODINGS:
        problems.append(f"obs={obs!r}: expected one of {', '.join(map(repr, _ENCODINGS))}")
    if not isinstance(auto_reset, bool):
        problems.append(f"auto_reset={auto_reset!r}: expected True or False")
    return problems


def make(
    game_id: str,
    num_envs: int = 1,
    preset: str | None = None,
    *,
    obs: str = "planes",
    first_env_index: int = 0,
    auto_reset: bool = True,
    **params: Any,
) -> BatchedGame:
    """Make B copies of a game that are stepped together.

    Args:
        game_id: One of `GAMES`.
        num_envs: Copies, B.
        preset: One of the game's presets; by default its first.
        obs: Encoding of observations: "planes", binary uint8 features.
        first_env_index: Env index of the first copy. Copies with the same seed and env index have the same
            trajectory under the same actions; split a batch over workers by giving each its own range.
        auto_reset: Whether an episode's last step starts the next one. If not, the final state stays and
            `reset` must follow.
        params: Parameters to change in the preset, e.g. num_agents, view_radius, horizon.

    Returns:
        The batched game; call its `reset` first.

    Raises:
        GameError: With everything that is wrong with the arguments.
    """
    problems = check_make(
        game_id,
        preset,
        num_envs=num_envs,
        obs=obs,
        first_env_index=first_env_index,
        auto_reset=auto_reset,
        **params,
    )
    values, _ = _read(game_id, preset, params)
    if problems or values is None:
        raise GameError(f"cannot make {game_id!r}", problems)
    spec = GAMES[game_id]
    game_class: Any = spec.game_class
    game: BatchedGame = game_class(
        game_id,
        spec.default_preset if preset is None else preset,
        values,
        operator.index(num_envs),
        operator.index(first_env_index),
        auto_reset,
    )
    return game


def _read(
    game_id: object, preset: object, params: Mapping[str, object]
) -> tuple[GameParams | None, list[str]]:
    if not isinstance(game_id, str) or game_id not in GAMES:
        return None, [f"unknown game {game_id!r}{closest(game_id, GAMES)} Known games: {', '.join(GAMES)}."]
    spec = GAMES[game_id]
    if preset is None:
        preset = spec.default_preset
    if isinstance(preset, str) and preset in spec.presets:
        return read_params(spec.presets[preset], preset, params)
    unknown = (
        f"unknown preset {preset!r}{closest(preset, spec.presets)} {game_id} has: {', '.join(spec.presets)}."
    )
    base = spec.default_preset
    return None, [unknown, *read_params(spec.presets[base], base, params)[1]]


def _count_problem(name: str, value: object, minimum: int, meaning: str) -> list[str]:
    try:
        number = operator.index(value)  # type: ignore[arg-type]  # asks whether it is an integer
    except TypeError:
        number = minimum - 1
    if number >= minimum and number < 2**63 and not isinstance(value, bool):
        return []
    return [
        f"{name}={value!r} ({type(value).__name__}): expected an integer of at least {minimum}: {meaning}"
    ]
