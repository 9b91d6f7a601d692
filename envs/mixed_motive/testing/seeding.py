"""Seeds: the same one gives the same episodes to the last step, others give others; nothing else counts."""

from __future__ import annotations

import collections
import random
from typing import Any

import numpy as np

from mixed_motive.testing.player import EnvFn, Outcome, Player
from mixed_motive.testing.values import difference, snapshot

__all__ = ["check_seed"]

_OTHER_SEEDS = 4
_MORE_EPISODES, _MORE_STEPS = 8, 50
_Episode = list[dict[str, Any]]


def check_seed(
    env_fn: EnvFn,
    *,
    seed: int = 0,
    num_episodes: int = 2,
    max_steps: int = 2000,
    deterministic: bool = False,
) -> None:
    """Whole episodes are a function of seed and actions.

    Two environments with one seed and the same actions give the same observations, rewards, flags and infos
    in every step of every episode, also of those after a `reset` without a seed; so does one that has played
    before (8 more episodes, of 50 steps at most), and one beside which another plays. Other seeds, and the
    episodes that follow, differ. The global generators of NumPy and `random` are not used.

    Args:
        env_fn: Makes the environment.
        seed: The seed.
        num_episodes: Episodes: the first with the seed, the others without one.
        max_steps: Longer episodes are broken off.
        deterministic: Whether nothing in the game is random; then all seeds must give the same.

    Raises:
        CheckFailure: At the first difference, or the first equality, that should not be.
    """
    first = _recorded(env_fn, seed, num_episodes, max_steps, seed)
    player = Player("seed", env_fn, max_steps=max_steps, action_seed=seed)
    for k, expected in enumerate(first):
        _compare(
            player,
            expected,
            seed if k == 0 else None,
            "two environments with the same seed and the same actions differ",
            "the same episode"
            if k == 0
            else "the same episode also after reset() without a seed: it goes on with the generator it has",
            "draw only from a generator that reset(seed) makes, and keep it at a reset() without a seed; "
            "do not depend on the order of a set",
        )
    # What builds up from episode to episode shows late; these are cut short, as they may be at any time.
    hasty = Player("seed", lambda: player.env, max_steps=min(max_steps, _MORE_STEPS), action_seed=seed + 1)
    for _ in range(_MORE_EPISODES):
        collections.deque(hasty.episode(), maxlen=0)
    again = Player("seed", lambda: player.env, max_steps=max_steps, action_seed=seed)
    _compare(
        again,
        first[0],
        seed,
        "reset(seed) after other episodes does not repeat the first one",
        "the episode of a fresh environment with that seed",
        "set up all state in reset(), and make the generator anew for every seed",
    )
    player.close()
    _check_side_by_side(env_fn, seed, max_steps, first[0])
    _check_other_seeds(env_fn, seed, max_steps, deterministic)


def _recorded(
    env_fn: EnvFn, seed: int, num_episodes: int, max_steps: int, action_seed: int, same_actions: bool = False
) -> list[_Episode]:
    """Copies of episodes; fails if they move the global generators."""
    numpy_before, python_before = _numpy_state(), random.getstate()
    player = Player("seed", env_fn, max_steps=max_steps, action_seed=action_seed)
    episodes = []
    for k in range(num_episodes):
        episode = []
        for outcome in player.episode(seed if k == 0 else None, same_actions):
            episode.append(_copied(outcome))
            _check_global_generators(player, numpy_before, python_before)
        episodes.append(episode)
    player.close()
    return episodes


def _copied(outcome: Outcome) -> dict[str, Any]:
    parts = {
        "agents": outcome.agents_after,
        "actions": outcome.actions,
        "observations": outcome.obs,
        "rewards": outcome.rewards,
        "terminations": outcome.terminations,
        "truncations": outcome.truncations,
        "infos": outcome.infos,
    }
    return {name: snapshot(part) for name, part in parts.items()}


def _numpy_state() -> tuple[Any, ...]:
    _, keys, *rest = np.random.get_state()  # noqa: NPY002  # the generator that environments must not use
    return np.asarray(keys).tobytes(), *rest


def _check_global_generators(player: Player, numpy_before: Any, python_before: Any) -> None:
    for name, same in (
        ("NumPy's global generator (np.random)", numpy_before == _numpy_state()),
        ("Python's global generator (the random module)", python_before == random.getstate()),
    ):
        if not same:
            player.fail(
                f"{name} was used",
                "a generator of the environment's own: others draw from the global one too",
                "self.rng = np.random.default_rng(seed) in reset(), and draw from that",
            )


def _compare(player: Player, expected: _Episode, seed: int | None, found: str, right: str, cure: str) -> None:
    """Play an episode and hold it against a recorded one."""
    number = 0
    for number, outcome in enumerate(player.episode(seed)):
        if number == len(expected):
            player.fail(f"{found}: one goes on after {number - 1} steps", right, cure)
        changed = difference(expected[number], _copied(outcome))
        if changed is not None:
            player.fail(f"{found}: {changed}", right, cure)
    if number + 1 < len(expected):
        player.fail(f"{found}: one ended after {number} steps", right, cure)


def _check_side_by_side(env_fn: EnvFn, seed: int, max_steps: int, expected: _Episode) -> None:
    player = Player("seed", env_fn, max_steps=max_steps, action_seed=seed)
    other = Player("seed", env_fn, max_steps=max_steps, action_seed=seed + 1)
    steps, other_steps = player.episode(seed), other.episode(seed + 1)
    for k, outcome in enumerate(steps):
        changed = difference(expected[k], _copied(outcome)) if k < len(expected) else ": it goes on"
        if changed is not None:
            player.fail(
                f"another environment that is stepped beside this one changes it: {changed}",
                "environments that share nothing",
                "keep state and generator in the instance (self.x), not in the class or the module",
            )
        next(other_steps, None)
    player.close()
    other.close()


def _check_other_seeds(env_fn: EnvFn, seed: int, max_steps: int, deterministic: bool) -> None:
    """Episodes under the same actions: of other seeds, and those that follow one."""
    later = _recorded(env_fn, seed, _OTHER_SEEDS + 1, max_steps, seed, same_actions=True)
    first = later.pop(0)
    others = [_recorded(env_fn, seed + k, 1, max_steps, seed)[0] for k in range(1, _OTHER_SEEDS + 1)]
    player = Player("seed", env_fn, max_steps=max_steps)
    player.seed = seed
    if deterministic:
        changed = [found for episode in (*others, *later) if (found := difference(first, episode))]
        if changed:
            player.fail(
                f"declared deterministic, but seeds or episodes differ under the same actions: {changed[0]}",
                "the same episode every time",
                "call the check without deterministic=True",
            )
    elif all(difference(first, episode) is None for episode in others):
        player.fail(
            f"seeds {seed} to {seed + _OTHER_SEEDS} give the same episode under the same actions",
            "other random numbers from another seed",
            "declare it with deterministic=True if nothing in the game is random; otherwise seed the "
            "generator with the seed that reset() is given",
        )
    elif all(difference(first, episode) is None for episode in later):
        player.fail(
            "every reset() without a seed repeats the first episode",
            "the next random numbers of the generator",
            "make a new generator only when a seed is given",
        )
    player.close()
