"""Players of Sequential Stag Hunt.

Cooperator: hunts stags and nothing else. A team splits into parties of just enough hunters, each for the
stag at which it can be complete soonest; who is on the stag hunts it in every step until the others are
there. Who is left over goes to the first stag, row by row, that no party hunts, and waits there for
somebody, hunting: so cooperators that do not know of each other still meet.

Defector: hunts hares, those it plays each the nearest that no other of them is nearer to. Without a hare it
stays, but not on a stag's cell: where staying hunts the stag, it would.
"""

from __future__ import annotations

import numpy as np

from mixed_motive.games.moves import STAY
from mixed_motive.games.stag_hunt import HARE, HUNT_HARE, HUNT_STAG, STAG, StagHuntParams
from mixed_motive.players.base import Ints, Keys, Player, State
from mixed_motive.players.walking import gather, step_towards, walk

__all__ = ["StagHuntCooperator", "StagHuntDefector"]


class StagHuntCooperator(Player):
    """Hunts stags."""

    kind = "cooperator"
    params: StagHuntParams

    def _decide(self, state: State, team: Ints, keys: Keys) -> Ints:
        goals = gather(keys, team, state["positions"], state["map"] == STAG, self.params.hunters_needed)
        moves = step_towards(keys, team, state["positions"], goals, self.params.width)
        return np.where((moves == STAY) & (goals >= 0), HUNT_STAG if self.params.stag_action else STAY, moves)


class StagHuntDefector(Player):
    """Hunts hares."""

    kind = "defector"

    def _decide(self, state: State, team: Ints, keys: Keys) -> Ints:
        cells, positions, n = state["map"], state["positions"], self.game.num_agents
        hares = walk(keys, team, positions, cells == HARE)
        without = hares.distances < 0
        aside = walk(keys, team, positions, cells != STAG, going=without, shared=True, first_draw=n)
        moves = np.where(without, aside.moves, hares.moves)
        return np.where(hares.distances == 0, HUNT_HARE, moves)
