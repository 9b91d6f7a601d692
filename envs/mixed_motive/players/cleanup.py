"""Players of Cleanup.

Defector: only picks apples. Those it plays share the apples out, each agent the nearest that no other of
them is nearer to; without one it waits in the orchard.

Cooperator: cleans while the river needs it, and otherwise picks apples like a defector. The river needs it
once its waste has halved the growth of apples; who is nearer to the river than to the orchard then goes on
until the river is clean, so that the way there pays. The waste is shared out like apples; who gets none
picks apples.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mixed_motive.games.cleanup import APPLE, CLEAN, PICK, WASTE, CleanupParams
from mixed_motive.players.base import Ints, Keys, Player, State
from mixed_motive.players.walking import walk

__all__ = ["CleanupCooperator", "CleanupDefector"]


class CleanupDefector(Player):
    """Picks apples."""

    kind = "defector"
    params: CleanupParams

    def _decide(self, state: State, team: Ints, keys: Keys) -> Ints:
        return self._pick(state, team, keys, np.ones((len(keys), len(team)), np.bool_))

    def _pick(
        self,
        state: State,
        team: Ints,
        keys: Keys,
        going: npt.NDArray[np.bool_],
    ) -> Ints:
        """(B, n) actions of those that go for apples."""
        cells, n = state["map"], self.game.num_agents
        apples = walk(keys, team, state["positions"], cells == APPLE, going=going)
        orchard = np.zeros(cells.shape, np.bool_)
        orchard[:, -self.params.orchard_rows :] = True
        going = going & (apples.distances < 0)
        waits = walk(keys, team, state["positions"], orchard, going=going, shared=True, first_draw=n)
        moves = np.where(apples.distances > 0, apples.moves, waits.moves)
        return np.where(apples.distances == 0, PICK, moves)


class CleanupCooperator(CleanupDefector):
    """Cleans while the river needs it, and otherwise picks apples."""

    kind = "cooperator"

    def _decide(self, state: State, team: Ints, keys: Keys) -> Ints:
        p, n = self.params, self.game.num_agents
        waste = state["map"] == WASTE
        rows = state["positions"][:, team, 0]
        needed = waste.sum(axis=(1, 2)) >= self._waste_that_halves_growth()
        at_river = rows - (p.river_rows - 1) < (p.height - p.orchard_rows) - rows
        going = needed[:, None] | at_river
        cleans = walk(keys, team, state["positions"], waste, going=going, first_draw=2 * n)
        picks = self._pick(state, team, keys, cleans.distances < 0)
        moves = np.where(cleans.distances > 0, cleans.moves, picks)
        return np.where(cleans.distances == 0, CLEAN, moves)

    def _waste_that_halves_growth(self) -> float:
        p = self.params
        return (p.threshold_restoration + p.threshold_depletion) / 2 * p.river_rows * p.width
