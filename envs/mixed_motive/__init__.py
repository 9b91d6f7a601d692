"""Fast batched mixed-motive games: NumPy in, NumPy out, and PettingZoo's face over the same dynamics.

Knows nothing of learning: it imports neither Ray nor torch; numba only once a game is made, PettingZoo only
once it is asked.
"""

import importlib
from typing import TYPE_CHECKING, Any

from mixed_motive.base import BatchedGame
from mixed_motive.buffers import StepBuffers
from mixed_motive.errors import GameError
from mixed_motive.players import PLAYERS, player
from mixed_motive.registry import GAMES, GameSpec, action_names, check_params, make
from mixed_motive.schelling import SchellingDiagram, schelling

if TYPE_CHECKING:
    from mixed_motive import (
        cleanup_v0,
        coingame_v0,
        continuous_public_goods_v0,
        escape_room_v0,
        harvest_v0,
        ipd_v0,
        matrix_v0,
        public_goods_v0,
        snowdrift_v0,
        stag_hunt_v0,
        testing,
    )
    from mixed_motive.pettingzoo_env import parallel_env

__all__ = [
    "GAMES",
    "PLAYERS",
    "BatchedGame",
    "GameError",
    "GameSpec",
    "SchellingDiagram",
    "StepBuffers",
    "action_names",
    "check_params",
    "cleanup_v0",
    "coingame_v0",
    "continuous_public_goods_v0",
    "escape_room_v0",
    "harvest_v0",
    "ipd_v0",
    "make",
    "matrix_v0",
    "parallel_env",
    "player",
    "public_goods_v0",
    "schelling",
    "snowdrift_v0",
    "stag_hunt_v0",
    "testing",
]

if TYPE_CHECKING:
    __version__: str


def __getattr__(name: str) -> Any:
    """PettingZoo's face, the checkers and the version, found when they are first asked for."""
    if name == "parallel_env":
        from mixed_motive.pettingzoo_env import parallel_env

        return parallel_env
    if name == "testing" or (name.endswith("_v0") and name in __all__):
        return importlib.import_module(f"{__name__}.{name}")
    if name == "__version__":
        return _version()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _version() -> str:
    """The version of the distribution that the games come with."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("rllib-lase")
    except PackageNotFoundError:
        raise AttributeError(
            f"{__name__}.__version__ is unknown: the distribution rllib-lase is not installed. "
            "Cure, in a checkout of rllib-lase: pip install ."
        ) from None
