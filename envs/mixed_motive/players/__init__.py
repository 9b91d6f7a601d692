"""Scripted players: a cooperator, a defector and a random player for every game.

Importing this imports no numba: the players of a game are imported when one is made, and a game is then at
hand.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING

from mixed_motive.base import BatchedGame
from mixed_motive.errors import GameError, shown
from mixed_motive.params import closest

if TYPE_CHECKING:
    from mixed_motive.players.base import Player

__all__ = ["PLAYERS", "player"]

PLAYERS = ("cooperator", "defector", "random")


def player(kind: str, game: BatchedGame, seed: int = 0) -> Player:
    """Make a scripted player; the docstring of `mixed_motive.players.<rules>` says what it does.

    Args:
        kind: One of `PLAYERS`.
        game: The game that it plays, from `mixed_motive.make`.
        seed: Integer in [0, 2**64) for the player's own random decisions.

    Returns:
        The player; `act(agents)` gives (B, len(agents)) actions for the game's present state.

    Raises:
        GameError: For an unknown kind, what is no batched game, or a seed that is no such integer.
    """
    problems = _argument_problems(kind, game)
    try:
        number = operator.index(seed)
    except TypeError:
        number = -1
    if not 0 <= number < 2**64 or isinstance(seed, bool):
        problems.append(f"seed={shown(seed)}: expected an integer in [0, 2**64)")
    if problems:
        raise GameError(f"{getattr(game, 'game_id', 'mixed_motive')}: player", problems)
    from mixed_motive.players.base import RandomPlayer
    from mixed_motive.players.registry import SCRIPTS

    if kind == "random":
        return RandomPlayer(game, number)
    cooperator, defector = SCRIPTS[type(game.params)]
    return (cooperator if kind == "cooperator" else defector)(game, number)


def _argument_problems(kind: object, game: object) -> list[str]:
    problems = []
    if not isinstance(kind, str) or kind not in PLAYERS:
        problems.append(f"unknown player {shown(kind)}{closest(kind, PLAYERS)} Known: {', '.join(PLAYERS)}.")
    return problems if isinstance(game, BatchedGame) else [*problems, _no_game(game)]


def _no_game(given: object) -> str:
    found = f"game={shown(given)} ({type(given).__name__}): expected the batched game"
    if isinstance(given, str):
        return f"{found}, not its id: player(kind, mixed_motive.make({given!r}))"
    # Not asked of its class: that would import PettingZoo.
    if isinstance(getattr(given, "game", None), BatchedGame):
        return f"{found} that it has inside: player(kind, env.game)"
    return f"{found}, from mixed_motive.make(...), or env.game of a mixed_motive.parallel_env(...)"
