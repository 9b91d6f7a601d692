"""Fast batched mixed-motive games: NumPy in, NumPy out, and PettingZoo's face over the same dynamics.

Knows nothing of learning: it imports neither Ray nor torch, and numba only once a game is made.
"""

from mixed_motive.base import BatchedGame
from mixed_motive.buffers import StepBuffers
from mixed_motive.errors import GameError
from mixed_motive.registry import GAMES, GameSpec, check_params, make

__all__ = ["GAMES", "BatchedGame", "GameError", "GameSpec", "StepBuffers", "check_params", "make"]
