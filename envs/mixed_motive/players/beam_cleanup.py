"""Players of Cleanup with beams; neither ever fines another.

Defector: only eats apples. Those it plays share the apples out, each agent the nearest that no other of them
is nearer to; without one it waits in the orchard.

Cooperator: a team sends as large a part of it to the river as the waste takes of the growth of apples, at
least one, and no more than one for every three waste, the most that a beam takes away: those who are nearest
to where waste can be hit. The others do what defectors do. At the river, who can hit waste does so, turning
first where that is needed; who cannot goes to the nearest cell from which one can; who is there, but has
another agent in the line of fire, steps aside at random.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mixed_motive.games.beam_cleanup import APPLE, WASTE, BeamCleanupGame, BeamCleanupParams
from mixed_motive.games.beams import TURN_LEFT, TURN_RIGHT
from mixed_motive.games.moves import STAY
from mixed_motive.players.base import Ints, Keys, State
from mixed_motive.players.beams import BeamPlayer
from mixed_motive.players.shooting import shooting_cells, waste_hit
from mixed_motive.players.walking import random_below

__all__ = ["BeamCleanupCooperator", "BeamCleanupDefector"]

_WASTE_OF_A_BEAM = 3


class BeamCleanupDefector(BeamPlayer):
    """Eats apples."""

    kind = "defector"
    game: BeamCleanupGame
    params: BeamCleanupParams

    def _decide(self, state: State, team: Ints, keys: Keys) -> Ints:
        return self._eat(state, team, keys, np.ones((len(keys), len(team)), np.bool_))

    def _eat(self, state: State, team: Ints, keys: Keys, going: npt.NDArray[np.bool_]) -> Ints:
        """(B, n) actions of those that go for apples."""
        apples = self._walk(state, team, keys, state["map"] == APPLE, going=going)
        orchard = np.zeros(state["map"].shape, np.bool_)
        orchard[:, *np.transpose(self.game.layout.orchard)] = True
        going = going & (apples.distances < 0)
        waits = self._walk(state, team, keys, orchard, going=going, call=1)
        return np.where(going, waits.moves, apples.moves)


class BeamCleanupCooperator(BeamCleanupDefector):
    """Cleans as much as the river needs, and otherwise eats apples."""

    kind = "cooperator"

    def _decide(self, state: State, team: Ints, keys: Keys) -> Ints:
        waste = state["map"] == WASTE
        facings = 4 if self.params.turning else 1
        targets = shooting_cells(waste, self.params.clean_length, facings)
        ways = self._walk(state, team, keys, targets, shared=True, call=2)
        cleans = self._sent_to_clean(waste.sum(axis=(1, 2)), ways.distances, team, keys)

        ways = self._walk(state, team, keys, targets, going=cleans, call=4)
        aside = random_below(keys, team, np.full(cleans.shape, STAY), 5 * self.game.num_agents)
        moves = np.where(ways.distances > 0, ways.moves, aside)
        hit = waste_hit(waste, state["positions"], state["facing"], team, self.params.clean_length, facings)
        # By quarter turns to the right from the facing; who can hit without turning does.
        shots = np.array([self.game.action_names.index("clean"), TURN_RIGHT, TURN_RIGHT, TURN_LEFT])
        turns = np.where(hit[..., 0] > 0, 0, hit.argmax(axis=2))
        cleaning = np.where(hit.max(axis=2) > 0, shots[turns], moves)
        return np.where(cleans, cleaning, self._eat(state, team, keys, ~cleans))

    def _sent_to_clean(
        self, num_waste: Ints, distances: Ints, team: Ints, keys: Keys
    ) -> npt.NDArray[np.bool_]:
        """(B, n) who goes to the river: as many as it needs, the nearest ones, ties at random."""
        p = self.params
        density = num_waste / (p.river_cells + p.stream_cells)
        lost = (density - p.threshold_restoration) / (p.threshold_depletion - p.threshold_restoration)
        part = np.maximum(np.rint(len(team) * lost.clip(0, 1)), 1)
        needed = np.minimum(part, np.ceil(num_waste / _WASTE_OF_A_BEAM))
        ties = random_below(keys, team, np.full(distances.shape, 2**30), 3 * self.game.num_agents)
        order = np.where(distances >= 0, distances, 2**20) * 2**30 + ties
        rank = order.argsort(axis=1).argsort(axis=1)
        sent: npt.NDArray[np.bool_] = (rank < needed[:, None]) & (distances >= 0)
        return sent
