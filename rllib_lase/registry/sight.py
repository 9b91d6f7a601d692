"""Which games show every co-player in a plane of its own, so that an agent knows whom it sees. Pure data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import mixed_motive
from mixed_motive.games.grid import GridGame


def sight_objection(env: str, params: Mapping[str, Any]) -> str | None:
    """Why agents cannot tell from their own observations which co-players they see.

    Args:
        env: A game id, or the name of any other environment.
        params: The game's parameters, `preset` among them.

    Returns:
        The reason in one line, or None if they can.
    """
    if env not in mixed_motive.GAMES:
        return (
            f"whom an agent sees is known only in our own games on a map, found {env!r}; an observation of "
            "another environment does not say which part of it shows which co-player. Switch it off"
        )
    spec = mixed_motive.GAMES[env]
    preset = params.get("preset") or spec.default_preset
    if preset not in spec.presets or issubclass(spec.game_class(preset), GridGame):
        return None
    return f"{env} has no map on which a co-player could be in or out of sight. Switch it off"
