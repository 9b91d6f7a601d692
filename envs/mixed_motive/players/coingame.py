"""Players of Coingame.

Cooperator: takes only coins of its own colour, by a shortest walk. While the coin is another's it walks
about at random (there is no staying) without picking it.

Defector: takes every coin, by a shortest walk.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mixed_motive.games.coingame import NUM_ACTIONS, CoinGameParams
from mixed_motive.games.moves import DOWN, LEFT, RIGHT, UP
from mixed_motive.players.base import Ints, Keys, Player, State
from mixed_motive.players.walking import random_below

__all__ = ["CoinGameCooperator", "CoinGameDefector"]


class CoinGameDefector(Player):
    """Takes every coin."""

    kind = "defector"
    params: CoinGameParams

    def _decide(self, state: State, team: Ints, keys: Keys) -> Ints:
        distances = self._distances_after_moves(state, team)
        return _one_of(distances == distances.min(axis=2, keepdims=True), team, keys)

    def _distances_after_moves(self, state: State, team: Ints) -> Ints:
        """(B, n, moves) steps from the coin that each move leaves; 0 picks it."""
        p = self.params
        distances: Ints = np.zeros((*state["positions"][:, team].shape[:2], NUM_ACTIONS), int)
        coin = state["map"].reshape(len(state["map"]), -1).argmax(axis=1)
        for axis, size, back, ahead in ((0, p.height, UP, DOWN), (1, p.width, LEFT, RIGHT)):
            here = state["positions"][:, team, axis, None] + np.zeros(NUM_ACTIONS, np.int64)
            here[..., back] -= 1
            here[..., ahead] += 1
            there = (coin // p.width if axis == 0 else coin % p.width)[:, None, None]
            if p.torus:
                gap = (here - there) % size
                distances += np.minimum(gap, size - gap)
            else:
                distances += abs(here.clip(0, size - 1) - there)
        return distances


class CoinGameCooperator(CoinGameDefector):
    """Takes its own coins."""

    kind = "cooperator"

    def _decide(self, state: State, team: Ints, keys: Keys) -> Ints:
        owner = state["map"].max(axis=(1, 2)).astype(np.int64) - 1
        distances = self._distances_after_moves(state, team)
        approach = distances == distances.min(axis=2, keepdims=True)
        own = (owner[:, None] == team)[..., None]
        return _one_of(np.where(own, approach, distances > 0), team, keys)


def _one_of(good: npt.NDArray[np.bool_], team: Ints, keys: Keys) -> Ints:
    """(B, n) a random one of the (B, n, moves) good moves."""
    chosen = random_below(keys, team, good.sum(axis=2))
    found: Ints = (good.cumsum(axis=2) > chosen[..., None]).argmax(axis=2)
    return found
