"""What the players of the games with beams share: walking among walls and agents, in turned directions.

No scripted player ever fines another.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mixed_motive.games.beams import QUARTERS, BeamGame, BeamParams
from mixed_motive.games.moves import STAY
from mixed_motive.players.base import Ints, Keys, Player, State
from mixed_motive.players.walking import Walks, walk

__all__ = ["BeamPlayer"]

# The move that is so many quarter turns from the facing.
_MOVE_OF_QUARTER = np.argsort(QUARTERS)


class BeamPlayer(Player):
    """Walks in a game with beams."""

    game: BeamGame
    params: BeamParams

    def _walk(
        self,
        state: State,
        team: Ints,
        keys: Keys,
        wanted: npt.NDArray[np.bool_],
        going: npt.NDArray[np.bool_] | None = None,
        closed: npt.NDArray[np.bool_] | None = None,
        shared: bool = False,
        call: int = 0,
    ) -> Walks:
        """Walks around walls, agents and `closed` cells, their moves as the actions that lead there.

        Args:
            state: The game's state.
            team: (n,) agents.
            keys: (B,) keys of the draws.
            wanted: (B, H, W) cells to go to.
            going: (B, n) who goes; all by default.
            closed: (B, H, W) cells to keep off; by default none but the walls.
            shared: Whether several may go to one cell.
            call: How many times this was called in the step; each time has draws of its own.
        """
        walls = state["map"] == len(self.game.object_names) + 1
        walks = walk(
            keys,
            team,
            state["positions"],
            wanted,
            going=going,
            blocked=walls if closed is None else walls | closed,
            agents_block=True,
            shared=shared,
            first_draw=call * self.game.num_agents,
        )
        facing = state["facing"][:, team]
        directions = np.array([*QUARTERS, 0])[walks.moves]
        moves = np.where(walks.moves == STAY, STAY, _MOVE_OF_QUARTER[(directions - facing) % 4])
        return walks._replace(moves=moves)
