"""Symmetry: in a game without favourites, agents that play alike earn alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from pettingzoo import ParallelEnv

from mixed_motive.base import BatchedGame
from mixed_motive.testing.failure import CheckFailure, Finding
from mixed_motive.testing.player import Player
from mixed_motive.testing.statistics import distances_from_common_mean, normal_tail

__all__ = ["check_symmetry", "symmetry_false_alarm_rate"]


def check_symmetry(
    make: Callable[[], ParallelEnv | BatchedGame],
    *,
    seed: int = 0,
    num_episodes: int = 2000,
    num_standard_errors: float = 3.0,
    max_steps: int = 2000,
) -> None:
    """Under random play, each agent's mean return is that of the others.

    The distance of an agent's mean from the mean over agents is measured in standard errors. Only an agent
    that is too far off on the same side both in `num_episodes` episodes and in as many new ones fails, so
    that many agents do not mean many false alarms: `symmetry_false_alarm_rate` bounds their rate, 1.5e-5 for
    four agents and 3 standard errors. It takes means to be normal, which needs some tens of rewards for each
    agent in all episodes together.

    Args:
        make: Makes the environment, or a batched game, which is much quicker; some hundred copies do well.
        seed: Seed of the first episode and of the actions.
        num_episodes: Episodes.
        num_standard_errors: Distance from which on a mean is too far off.
        max_steps: Longer episodes of a `ParallelEnv` are broken off.

    Raises:
        CheckFailure: If an agent earns more or less than the others.
    """
    made = make()
    names, returns = _returns(made, seed, num_episodes, max_steps)
    first = distances_from_common_mean(returns)
    if np.abs(first).max() <= num_standard_errors:
        return
    second = distances_from_common_mean(_returns(made, seed + num_episodes, num_episodes, max_steps)[1])
    nearest = np.where(np.sign(first) == np.sign(second), np.minimum(np.abs(first), np.abs(second)), 0.0)
    worst = int(nearest.argmax())
    if nearest[worst] <= num_standard_errors:
        return
    raise CheckFailure(
        Finding(
            "symmetry",
            f"mean return {returns[:, worst].mean():.4g}, all agents' {returns.mean():.4g}: "
            f"{first[worst]:+.1f} standard errors apart in {num_episodes} episodes of random play, and "
            f"{second[worst]:+.1f} in as many new ones",
            f"at most {num_standard_errors:g}, in a game that is declared symmetric (false alarms: at most "
            f"{symmetry_false_alarm_rate(len(names), num_standard_errors):.1g})",
            "look for ties that the first agent wins, agents that move one after another, start cells by "
            "index; where agents really differ, do not declare the game symmetric",
            names[worst],
            seed=seed,
        )
    )


def symmetry_false_alarm_rate(num_agents: int, num_standard_errors: float = 3.0) -> float:
    """Upper bound of the chance that `check_symmetry` fails on a symmetric game."""
    tail = normal_tail(num_standard_errors)
    return min(1.0, 2 * num_agents * tail * tail)


def _returns(
    made: Any, seed: int, num_episodes: int, max_steps: int
) -> tuple[list[Any], npt.NDArray[np.float64]]:
    """The agents' names, and (episodes, agents) returns under random play."""
    if isinstance(made, BatchedGame):
        return list(made.agent_ids), _batched_returns(made, seed, num_episodes)
    player = Player("symmetry", lambda: made, max_steps=max_steps, action_seed=seed)
    names = list(player.env.possible_agents)
    returns = np.zeros((num_episodes, len(names)))
    for episode in range(num_episodes):
        for outcome in player.episode(seed + episode):
            for agent_id, reward in outcome.rewards.items():
                returns[episode, names.index(agent_id)] += reward
    return names, returns


def _batched_returns(game: BatchedGame, seed: int, num_episodes: int) -> npt.NDArray[np.float64]:
    """The first episodes of every copy, as many of each: the quickest to end would be no fair sample."""
    per_copy = -(-num_episodes // game.num_envs)
    returns = np.zeros((per_copy + 1, game.num_envs, game.num_agents))
    episode, copies = np.zeros(game.num_envs, np.intp), np.arange(game.num_envs)
    rng = np.random.default_rng(seed)
    game.reset(seed)
    while episode.min() < per_copy:
        step = game.step(rng.integers(0, len(game.action_names), (game.num_envs, game.num_agents)))
        returns[np.minimum(episode, per_copy), copies] += step.rewards
        episode += step.done
    return returns[:per_copy].reshape(-1, game.num_agents)
