"""Players of Sequential Snowdrift.

Cooperator: the team shares out the piles, each agent the nearest that no other of the team is nearer to; the
agent walks there around everybody who stands in the way, and removes it. Without a pile, or without a way to
one, it stays.

Defector: never removes a pile. It stays, but steps off a pile that it stands on (where agents block, nobody
else could remove it) onto the nearest free cell without one.
"""

from __future__ import annotations

import numpy as np

from mixed_motive.games.snowdrift import PILE, REMOVE, SnowdriftParams
from mixed_motive.players.base import Ints, Keys, Player, State
from mixed_motive.players.walking import walk

__all__ = ["SnowdriftCooperator", "SnowdriftDefector"]


class SnowdriftCooperator(Player):
    """Removes the nearest pile."""

    kind = "cooperator"
    params: SnowdriftParams

    def _decide(self, state: State, team: Ints, keys: Keys) -> Ints:
        walks = walk(
            keys, team, state["positions"], state["map"] == PILE, agents_block=self.params.agents_block
        )
        return np.where(walks.distances == 0, REMOVE, walks.moves)


class SnowdriftDefector(Player):
    """Keeps out of the way."""

    kind = "defector"
    params: SnowdriftParams

    def _decide(self, state: State, team: Ints, keys: Keys) -> Ints:
        walks = walk(
            keys, team, state["positions"], state["map"] != PILE, agents_block=self.params.agents_block
        )
        return walks.moves
