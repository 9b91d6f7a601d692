"""What agents get in every step: observations in their space that stay as they were, and finite rewards."""

from __future__ import annotations

from typing import Any

import numpy as np

from mixed_motive.testing.player import EnvFn, Outcome, Player
from mixed_motive.testing.values import difference, overwrite, snapshot, space_problem

__all__ = ["check_aliasing", "check_observations", "check_rewards"]


def check_observations(env_fn: EnvFn, *, seed: int = 0, num_episodes: int = 2, max_steps: int = 2000) -> None:
    """Every observation, from `reset` to the last step, has its space's type, shape, dtype and bounds.

    Args:
        env_fn: Makes the environment.
        seed: Seed of the episodes and of the actions.
        num_episodes: Episodes.
        max_steps: Longer episodes are broken off.

    Raises:
        CheckFailure: At the first observation that does not lie in its space.
    """
    player = Player("observations", env_fn, max_steps=max_steps, action_seed=seed)
    for episode in range(num_episodes):
        for outcome in player.episode(seed + episode):
            for agent_id, obs in outcome.obs.items():
                problem = space_problem(player.space("observation_space", agent_id), obs)
                if problem is not None:
                    player.fail(*problem, agent_id=agent_id)
    player.close()


def check_rewards(env_fn: EnvFn, *, seed: int = 0, num_episodes: int = 2, max_steps: int = 2000) -> None:
    """Every reward is finite.

    Args:
        env_fn: Makes the environment.
        seed: Seed of the episodes and of the actions.
        num_episodes: Episodes.
        max_steps: Longer episodes are broken off.

    Raises:
        CheckFailure: At the first reward that is infinite or NaN.
    """
    player = Player("rewards", env_fn, max_steps=max_steps, action_seed=seed)
    for episode in range(num_episodes):
        for outcome in player.episode(seed + episode):
            for agent_id, reward in outcome.rewards.items():
                if not np.all(np.isfinite(reward)):
                    player.fail(
                        f"reward is {reward}",
                        "a finite number",
                        "look for a division by a count that can be 0",
                        agent_id,
                    )
    player.close()


def check_aliasing(env_fn: EnvFn, *, seed: int = 0, max_steps: int = 2000, repeatable: bool = True) -> None:
    """What was returned stays as it was, and writing into it does not change the game.

    Buffers that store what `step` returned, without a copy, are wrong if the environment fills the same
    arrays or dicts again; who normalises an observation in place plays another game if it is the state.

    Args:
        env_fn: Makes the environment.
        seed: Seed of the episode and of the actions.
        max_steps: Longer episodes are broken off.
        repeatable: Whether the same seed gives the same episode; if not, nothing is written.

    Raises:
        CheckFailure: If something returned changes later, or if what is written has an effect.
    """
    player = Player("aliasing", env_fn, max_steps=max_steps, action_seed=seed)
    outcomes: list[Outcome] = []
    kept: list[dict[str, Any]] = []
    for outcome in player.episode(seed):
        _check_unchanged(player, outcomes[-1:], kept[-1:], len(outcomes) - 1)
        outcomes.append(outcome)
        kept.append(_parts(outcome, copy=True))
    player.reset()
    for k, outcome in enumerate(outcomes):
        _check_unchanged(player, [outcome], [kept[k]], k)
    player.close()
    if repeatable:
        _check_writing(env_fn, seed, max_steps, outcomes, kept)


def _parts(outcome: Outcome, copy: bool) -> dict[str, Any]:
    parts = {"observations": outcome.obs, "rewards": outcome.rewards, "infos": outcome.infos}
    return {name: snapshot(part) for name, part in parts.items()} if copy else parts


def _check_unchanged(player: Player, outcomes: list[Outcome], kept: list[dict[str, Any]], step: int) -> None:
    for outcome, copies in zip(outcomes, kept, strict=True):
        for name, part in _parts(outcome, copy=False).items():
            changed = difference(copies[name], part)
            if changed is not None:
                player.fail(
                    f"{name} returned at step {step} have changed since: {changed}",
                    "arrays and dicts that are the caller's once returned",
                    "return copies, or new arrays and dicts in every step",
                )


def _check_writing(
    env_fn: EnvFn, seed: int, max_steps: int, outcomes: list[Outcome], kept: list[dict[str, Any]]
) -> None:
    player = Player("aliasing", env_fn, max_steps=max_steps, action_seed=seed)
    outcome = player.reset(seed)
    for k in range(1, len(outcomes)):
        overwrite(outcome.obs)
        outcome = player.step(dict(outcomes[k].actions))
        for name, part in _parts(outcome, copy=False).items():
            changed = difference(kept[k][name], part)
            if changed is not None:
                player.fail(
                    f"writing into observations changed the game: {name}{changed}",
                    "observations that are no part of the environment's state",
                    "return copies of the state, or arrays that cannot be written (array.flags.writeable)",
                )
    player.close()
