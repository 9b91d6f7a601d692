"""Players of Escape Room.

Cooperator: pulls the lever. A team holds it with as many as it takes, those that are there already first and
then random ones, and its others go to the door; so one alone always pulls, and never leaves.

Defector: goes to the door and waits there until somebody opens it.
"""

from __future__ import annotations

import numpy as np

from mixed_motive.games.escape_room import DOOR, LEVER, EscapeRoomParams
from mixed_motive.players.base import Ints, Keys, Player, State
from mixed_motive.players.walking import random_below

__all__ = ["EscapeRoomCooperator", "EscapeRoomDefector"]


class EscapeRoomCooperator(Player):
    """Pulls the lever."""

    kind = "cooperator"
    params: EscapeRoomParams

    def _decide(self, state: State, team: Ints, keys: Keys) -> Ints:
        far = (state["places"][:, team] != LEVER).astype(np.int64)
        order = random_below(keys, team, np.full(far.shape, 2**30)) + far * 2**30
        rank = order.argsort(axis=1, kind="stable").argsort(axis=1, kind="stable")
        return np.where(rank < self.params.min_at_lever, LEVER, DOOR)


class EscapeRoomDefector(Player):
    """Goes to the door."""

    kind = "defector"

    def _decide(self, state: State, team: Ints, keys: Keys) -> Ints:
        return np.full((len(keys), len(team)), DOOR)
