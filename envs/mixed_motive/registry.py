"""The games by id, `make` and `check_params`. Importing this imports neither numba nor gymnasium."""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeGuard

import numpy as np

from mixed_motive.base import BatchedGame
from mixed_motive.encodings import ENCODINGS
from mixed_motive.errors import GameError, shown
from mixed_motive.games import (
    beam_cleanup,
    cleanup,
    coingame,
    escape_room,
    harvest,
    matrix,
    public_goods,
    snowdrift,
    stag_hunt,
)
from mixed_motive.params import GameParams, closest, read_params

__all__ = ["GAMES", "GameSpec", "action_names", "check_make", "check_params", "make", "read_preset"]


@dataclasses.dataclass(frozen=True, repr=False)
class GameSpec:
    """One entry of `GAMES`.

    Attributes:
        game_id: The id.
        title: The game's name in a sentence.
        presets: Named sets of parameters, the default one first.
        classes: The rule sets: which batched class plays presets of a class of parameters. The docstring of
            its module states the rules.
    """

    game_id: str
    title: str
    presets: Mapping[str, GameParams]
    classes: Mapping[type[GameParams], type[BatchedGame]]

    @property
    def default_preset(self) -> str:
        """The preset that is meant when none is named."""
        return next(iter(self.presets))

    def game_class(self, preset: str) -> type[BatchedGame]:
        """The batched class that plays a preset."""
        return self.classes[type(self.presets[preset])]

    def __repr__(self) -> str:
        return f"<GameSpec {self.game_id!r}, {self.title}, presets: {', '.join(self.presets)}>"


# Copies beyond which it is asked first whether there is memory for them.
_MANY = 2**16

_MATRIX: Mapping[type[GameParams], type[BatchedGame]] = MappingProxyType(
    {matrix.MatrixParams: matrix.MatrixGame}
)

GAMES: Mapping[str, GameSpec] = MappingProxyType(
    {
        spec.game_id: spec
        for spec in (
            GameSpec(
                "cleanup",
                "Cleanup",
                MappingProxyType({**cleanup.PRESETS, **beam_cleanup.PRESETS}),
                MappingProxyType(
                    {
                        cleanup.CleanupParams: cleanup.CleanupGame,
                        beam_cleanup.BeamCleanupParams: beam_cleanup.BeamCleanupGame,
                    }
                ),
            ),
            GameSpec(
                "harvest",
                "Commons Harvest",
                harvest.PRESETS,
                MappingProxyType({harvest.HarvestParams: harvest.HarvestGame}),
            ),
            GameSpec(
                "coingame",
                "Coingame",
                coingame.PRESETS,
                MappingProxyType({coingame.CoinGameParams: coingame.CoinGame}),
            ),
            GameSpec(
                "stag_hunt",
                "Sequential Stag Hunt",
                stag_hunt.PRESETS,
                MappingProxyType({stag_hunt.StagHuntParams: stag_hunt.StagHuntGame}),
            ),
            GameSpec(
                "snowdrift",
                "Sequential Snowdrift",
                snowdrift.PRESETS,
                MappingProxyType({snowdrift.SnowdriftParams: snowdrift.SnowdriftGame}),
            ),
            GameSpec(
                "public_goods",
                "Public goods",
                public_goods.PRESETS,
                MappingProxyType({public_goods.PublicGoodsParams: public_goods.PublicGoodsGame}),
            ),
            GameSpec(
                "escape_room",
                "Escape Room",
                escape_room.PRESETS,
                MappingProxyType({escape_room.EscapeRoomParams: escape_room.EscapeRoomGame}),
            ),
            GameSpec("matrix", "Repeated matrix game", matrix.PRESETS, _MATRIX),
            GameSpec("ipd", "Iterated prisoner's dilemma", matrix.IPD_PRESETS, _MATRIX),
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


def action_names(game_id: str, preset: str | None = None, **params: object) -> tuple[str, ...]:
    """Names of a game's actions, each at its number, without making the game (and importing numba).

    Args:
        game_id: One of `GAMES`.
        preset: One of the game's presets; by default its first.
        params: Parameters to change in the preset.

    Raises:
        GameError: With everything that is wrong with the arguments.
    """
    values, problems = _read(game_id, preset, params)
    if problems or values is None:
        raise GameError(f"no actions of {shown(game_id)}", problems)
    game_class = GAMES[game_id].classes[type(values)]
    unmade = game_class.__new__(game_class)  # the names depend on the parameters alone
    unmade.params = values
    return unmade.action_names


def check_make(
    game_id: str,
    preset: str | None = None,
    *,
    num_envs: object = 1,
    obs: object = "planes",
    first_env_index: object = 0,
    auto_reset: object = True,
    num_threads: object = 1,
    **params: object,
) -> list[str]:
    """Everything that `make` would refuse, see there; an empty list if it would make the game."""
    problems = check_params(game_id, preset, **params)
    counts = _count_problem("num_envs", num_envs, 1, "copies stepped together")
    counts += _count_problem("first_env_index", first_env_index, 0, "env index of the first copy")
    problems += counts or _last_index_problem(first_env_index, num_envs)
    problems += _count_problem("num_threads", num_threads, 1, "threads that step the batch")
    if not isinstance(obs, str) or obs not in ENCODINGS:
        problems.append(f"obs={shown(obs)}{closest(obs, ENCODINGS)} Known: {', '.join(ENCODINGS)}.")
    elif _is_known(game_id, GAMES) and (preset is None or _is_known(preset, GAMES[game_id].presets)):
        spec = GAMES[game_id]
        known = spec.game_class(spec.default_preset if preset is None else preset).encodings
        if obs not in known:
            problems.append(f"obs={obs!r}: {game_id} has no cells; expected one of: {', '.join(known)}")
    if not isinstance(auto_reset, bool):
        problems.append(f"auto_reset={shown(auto_reset)}: expected True or False")
    return problems


def make(
    game_id: str,
    num_envs: int = 1,
    preset: str | None = None,
    *,
    obs: str = "planes",
    first_env_index: int = 0,
    auto_reset: bool = True,
    num_threads: int = 1,
    **params: Any,
) -> BatchedGame:
    """Make B copies of a game that are stepped together.

    Args:
        game_id: One of `GAMES`.
        num_envs: Copies, B.
        preset: One of the game's presets; by default its first.
        obs: Encoding of observations: "planes", binary uint8 features; "code", uint8 with one class for each
            cell; "float32", planes as float32; "rgb", uint8 with one pixel for each cell. Games without a map
            have "planes" and "float32".
        first_env_index: Env index of the first copy. Copies with the same seed and env index have the same
            trajectory under the same actions; split a batch over workers by giving each its own range.
        auto_reset: Whether an episode's last step starts the next one. If not, the final state stays and
            `reset` must follow.
        num_threads: Threads that step the batch together; results do not depend on it. Worth it for batches
            that take longer than about 0.1 ms to step, while there are as many idle cores: between steps
            threads spin for up to about a millisecond before they sleep. Compiles once more.
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
        num_threads=num_threads,
        **params,
    )
    values, _ = _read(game_id, preset, params)
    if problems or values is None:
        raise GameError(f"cannot make {shown(game_id)}", problems)
    spec = GAMES[game_id]
    preset = spec.default_preset if preset is None else preset
    game_class = spec.game_class(preset)
    first, threads = operator.index(first_env_index), operator.index(num_threads)

    def of_size(copies: int) -> BatchedGame:
        return game_class(game_id, preset, values, copies, first, auto_reset, obs, threads)

    num_envs = operator.index(num_envs)
    if num_envs > _MANY:
        _require_memory(of_size(1), num_envs)
    return of_size(num_envs)


def _require_memory(one: BatchedGame, num_envs: int) -> None:
    """Ask for the memory of so many copies without touching it, before the system is brought down."""
    each = sum(array.nbytes for array in one.new_buffers().arrays)
    try:
        np.empty(each * num_envs, np.uint8)
    except (MemoryError, OverflowError, ValueError) as error:  # the latter two beyond all addresses
        found = f"num_envs={num_envs}: no memory for so many copies, whose results of one step take "
        cure = f"{each * num_envs:,} bytes, {each:,} each. Lower num_envs."
        raise GameError(f"cannot make {one.game_id!r}", [found + cure]) from error


def _read(
    game_id: object, preset: object, params: Mapping[str, object]
) -> tuple[GameParams | None, list[str]]:
    if not _is_known(game_id, GAMES):
        hint = closest(game_id, GAMES)
        return None, [f"unknown game {shown(game_id)}{hint} Known games: {', '.join(GAMES)}."]
    return read_preset(game_id, GAMES[game_id].presets, preset, params)


def read_preset(
    game_id: str, presets: Mapping[str, GameParams], preset: object, params: Mapping[str, object]
) -> tuple[GameParams | None, list[str]]:
    """Parameters from one of a game's presets, the first for None, and everything that is wrong with them."""
    first = next(iter(presets))
    if preset is None:
        preset = first
    if _is_known(preset, presets):
        return read_params(presets, preset, params)
    elsewhere = [other for other, its in GAMES.items() if _is_known(preset, its.presets)]
    hint = f", which is one of {', '.join(elsewhere)}." if elsewhere else closest(preset, presets)
    unknown = f"unknown preset {shown(preset)}{hint} {game_id} has: {', '.join(presets)}."
    return None, [unknown, *read_params(presets, first, params)[1]]


def _is_known(name: object, known: Mapping[str, Any]) -> TypeGuard[str]:
    """Whether it is one of the names; what cannot be hashed is none."""
    return isinstance(name, str) and name in known


def _last_index_problem(first_env_index: Any, copies: Any) -> list[str]:
    first, num_envs = operator.index(first_env_index), operator.index(copies)
    if first + num_envs < 2**63:
        return []
    return [
        f"first_env_index={first} with num_envs={num_envs}: the last copy's env index would be "
        f"{first + num_envs - 1}; expected at most 2**63 - 2. Lower first_env_index."
    ]


def _count_problem(name: str, value: object, minimum: int, meaning: str) -> list[str]:
    try:
        number = operator.index(value)  # type: ignore[arg-type]  # asks whether it is an integer
    except TypeError:
        number = minimum - 1
    if number >= minimum and number < 2**63 and not isinstance(value, bool):
        return []
    hint = " A preset is named by preset=..." if name == "num_envs" and isinstance(value, str) else ""
    return [
        f"{name}={shown(value)} ({type(value).__name__}): expected an integer in [{minimum}, 2**63): "
        f"{meaning}.{hint}"
    ]
