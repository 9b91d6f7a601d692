"""`AlgorithmSpec`: what the command line, the tables and the tests know of an algorithm. Pure data."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import mixed_motive
from rllib_lase.settings import Settings

if TYPE_CHECKING:
    from rllib_lase.rllib.config import SocialConfig

#: Says why an algorithm cannot play a game (id and parameters), or None if it can.
Objection = Callable[[str, Mapping[str, Any]], str | None]


def no_objection(game: str, params: Mapping[str, Any]) -> str | None:
    """Plays every game."""
    del game, params
    return None


@dataclass(frozen=True)
class AlgorithmSpec:
    """One algorithm.

    Attributes:
        algo_id: Name on the command line and in every table.
        title: One line for people.
        config: `module:class` of its RLlib config.
        settings_class: Its settings and their ranges.
        objection: Which games of `mixed_motive` it cannot play, and why. Environments of others are judged
            when they are built.
        parts: Of a mixed population, its learners' algorithms.
    """

    algo_id: str
    title: str
    config: str
    settings_class: type[Settings]
    objection: Objection = no_objection
    parts: tuple[AlgorithmSpec, ...] = ()

    def config_class(self) -> type[SocialConfig]:
        """Imports (Ray, torch) and returns the RLlib config class."""
        module, name = self.config.split(":")
        loaded: type[SocialConfig] = getattr(importlib.import_module(module), name)
        return loaded

    def unsupported(self, game: str, params: Mapping[str, Any] | None = None) -> str | None:
        """Why this algorithm cannot play a game.

        Args:
            game: An id of `mixed_motive.GAMES`; of any other environment nothing is known here.
            params: The game's parameters, `preset` among them.

        Returns:
            The reason in one line, or None if it can.
        """
        return self.objection(game, params or {}) if game in mixed_motive.GAMES else None
