"""Players of Commons Harvest; neither ever fines another.

Defector: goes for every apple. Those it plays share the apples out, each agent the nearest that no other of
them is nearer to; without one it stays.

Cooperator: does the same, but leaves every apple that has fewer than three others near, the number from which
apples grow back at their full rate; it walks around those. Without an apple that it may eat it goes off the
patches, since nothing grows under its feet.
"""

from __future__ import annotations

import numpy as np

from mixed_motive.games.harvest import APPLE, HarvestGame, HarvestParams, near_offsets
from mixed_motive.players.base import Ints, Keys, State
from mixed_motive.players.beams import BeamPlayer

__all__ = ["HarvestCooperator", "HarvestDefector"]

_ENOUGH_NEAR = 3


class HarvestCooperator(BeamPlayer):
    """Leaves apples from which others grow."""

    kind = "cooperator"
    game: HarvestGame
    params: HarvestParams

    def _decide(self, state: State, team: Ints, keys: Keys) -> Ints:
        apples = state["map"] == APPLE
        ripe = apples & (self._apples_near(apples.astype(np.int64)) >= _ENOUGH_NEAR)
        unripe = apples & ~ripe
        meals = self._walk(state, team, keys, ripe, closed=unripe)
        floor = np.zeros(apples.shape, np.bool_)
        floor[:, *np.transpose(self.game.layout.floor)] = True
        idle = meals.distances < 0
        waits = self._walk(state, team, keys, floor, going=idle, closed=unripe, shared=True, call=1)
        return np.where(idle, waits.moves, meals.moves)

    def _apples_near(self, apples: Ints) -> Ints:
        """(B, H, W) apples near each cell."""
        near = np.zeros_like(apples)
        height, width = apples.shape[1:]
        for down, right in near_offsets(self.params):
            rows = slice(max(0, -down), height - max(0, down))
            cols = slice(max(0, -right), width - max(0, right))
            from_rows = slice(max(0, down), height - max(0, -down))
            from_cols = slice(max(0, right), width - max(0, -right))
            near[:, rows, cols] += apples[:, from_rows, from_cols]
        return near


class HarvestDefector(BeamPlayer):
    """Eats everything."""

    kind = "defector"

    def _decide(self, state: State, team: Ints, keys: Keys) -> Ints:
        return self._walk(state, team, keys, state["map"] == APPLE).moves
