"""Schelling diagrams from the scripted players: which games are dilemmas, and of which kind.

Also a command: ``python -m mixed_motive.schelling cleanup --picture cleanup.png``.
"""

from __future__ import annotations

import numbers
import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from mixed_motive.checks import read_seed
from mixed_motive.errors import GameError, shown
from mixed_motive.players import player
from mixed_motive.registry import GAMES, check_make, make
from mixed_motive.schelling.diagram import Finding, SchellingDiagram
from mixed_motive.schelling.statistics import Band, mean_band

__all__ = ["Band", "Finding", "SchellingDiagram", "schelling"]

FloatArray = npt.NDArray[np.float64]

# Episodes stepped together: enough to be fast, few enough to stay in the cache on large maps.
_BATCH = 32
# Arguments of `make` that are not the caller's.
_CHOSEN = ("num_envs", "first_env_index", "auto_reset")


def schelling(
    game_id: str,
    preset: str | None = None,
    num_episodes: int = 200,
    seed: int = 0,
    confidence: float = 0.95,
    progress: Callable[[str], object] | None = None,
    **params: Any,
) -> SchellingDiagram:
    """Play scripted cooperators and defectors together, in every proportion, and see who earns what.

    With every number of cooperators the same episodes are played (same seed and start), so differences
    between one more and one less are those within an episode. Which agents cooperate goes round, a step
    for every 32 episodes.

    Args:
        game_id: One of `GAMES`.
        preset: One of the game's presets; by default its first.
        num_episodes: Episodes for each number of cooperators, at least 2.
        seed: Seed of the game, in [0, 2**64).
        confidence: Coverage of bands and intervals (Student-t over episodes), in (0, 1).
        progress: Gets a line of text for each number of cooperators, as soon as its episodes are played.
        params: Parameters to change in the preset.

    Returns:
        The diagram, with its verdict.

    Raises:
        GameError: With everything that is wrong with the arguments.
    """
    problems = _problems(game_id, preset, num_episodes, seed, confidence, params)
    if problems:
        raise GameError(f"{shown(game_id)}: schelling", problems)
    num_agents, num_episodes = make(game_id, 1, preset, **params).num_agents, operator.index(num_episodes)

    # (N + 1, episodes, N) returns; rows by the number of cooperators, who take the first seats.
    returns = np.empty((num_agents + 1, num_episodes, num_agents))
    for num_cooperators in range(num_agents + 1):
        for first in range(0, num_episodes, _BATCH):
            game = make(game_id, min(_BATCH, num_episodes - first), preset, first_env_index=first, **params)
            seats = np.roll(np.arange(num_agents), -(first // _BATCH))
            played = _episode_returns(game, seats[:num_cooperators], seats[num_cooperators:], seed)
            returns[num_cooperators, first : first + _BATCH] = played[:, seats]
        if progress is not None:
            mean = returns[num_cooperators].mean()
            progress(f"{num_cooperators} of {num_agents} cooperate: all earn {mean:.2f} on average")

    # By the number of cooperators among the others, and by episode.
    cooperators = np.array([returns[k + 1, :, : k + 1].mean(axis=1) for k in range(num_agents)])
    defectors = np.array([returns[k, :, k:].mean(axis=1) for k in range(num_agents)])

    def compare(statement: str, larger: FloatArray, smaller: FloatArray) -> Finding:
        band = mean_band(larger - smaller, confidence)
        return Finding(
            statement, float(larger.mean()), float(smaller.mean()), float(band.low), float(band.high)
        )

    named = preset or GAMES[game_id].default_preset
    changes = ", ".join(f"{name}={value}" for name, value in params.items())
    return SchellingDiagram(
        title=f"{GAMES[game_id].title} ({named}{', ' + changes if changes else ''})",
        num_agents=num_agents,
        num_episodes=num_episodes,
        confidence=confidence,
        cooperator=mean_band(cooperators, confidence),
        defector=mean_band(defectors, confidence),
        everybody=mean_band(returns.mean(axis=2), confidence),
        cooperation_pays=compare("mutual cooperation beats mutual defection", cooperators[-1], defectors[0]),
        exploitation_hurts=compare(
            "mutual cooperation beats cooperating alone", cooperators[-1], cooperators[0]
        ),
        fear=compare("fear, a defector earns more when no other cooperates", defectors[0], cooperators[0]),
        greed=compare(
            "greed, a defector earns more when all others cooperate", defectors[-1], cooperators[-1]
        ),
    )


def _problems(
    game_id: object,
    preset: object,
    num_episodes: object,
    seed: object,
    confidence: object,
    params: Mapping[str, object],
) -> list[str]:
    """Everything that is wrong with the arguments of `schelling`."""
    problems = [f"{name}: the diagram chooses it; leave it out" for name in _CHOSEN if name in params]
    others = {name: value for name, value in params.items() if name not in _CHOSEN}
    problems += check_make(game_id, preset, **others)  # type: ignore[arg-type]  # it asks for the types
    if not isinstance(num_episodes, numbers.Integral) or int(num_episodes) < 2:
        expected = "an integer of at least 2, for a confidence band"
        problems.append(f"num_episodes={shown(num_episodes)}: expected {expected}")
    try:
        read_seed("schelling", seed)  # type: ignore[arg-type]  # it asks for the type
    except GameError as error:
        problems += error.problems
    coverage: Any = confidence if isinstance(confidence, numbers.Real) else 0
    if not 0 < coverage < 1:
        problems.append(f"confidence={shown(confidence)}: expected a number between 0 and 1")
    return problems


def _episode_returns(
    game: Any, cooperators: npt.NDArray[np.int64], defectors: npt.NDArray[np.int64], seed: int
) -> FloatArray:
    """(B, N) returns of one episode in every copy."""
    game.reset(seed=seed)
    teams = [
        (player(kind, game), team)
        for kind, team in (("cooperator", cooperators), ("defector", defectors))
        if len(team) > 0
    ]
    actions = np.zeros((game.num_envs, game.num_agents), np.int64)
    returns = np.zeros(actions.shape)
    running = np.ones(game.num_envs, np.bool_)
    while running.any():
        for team_player, team in teams:
            actions[:, team] = team_player.act(team)
        step = game.step(actions)
        returns[running] += step.rewards[running]
        running &= ~step.done
    return returns
