"""Conservation: what a step leaves in the world is what was there, minus what was taken, plus what grew."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from mixed_motive.testing.player import EnvFn, Player, Policy

__all__ = ["Law", "Transition", "check_conservation", "require_laws", "transitions"]


@dataclasses.dataclass(frozen=True)
class Transition:
    """One step, as laws and events see it.

    Attributes:
        env: The environment, after the step.
        before: What `read_state` gave before the step.
        after: What it gives now.
        agents: The agents before the step.
        actions: What they did.
        rewards: By agent.
        terminations: By agent.
        truncations: By agent.
        infos: By agent.
        step: Number of the step in its episode, from 1.
    """

    env: Any
    before: Any
    after: Any
    agents: tuple[Any, ...]
    actions: Mapping[Any, Any]
    rewards: Mapping[Any, Any]
    terminations: Mapping[Any, Any]
    truncations: Mapping[Any, Any]
    infos: Mapping[Any, Any]
    step: int


@dataclasses.dataclass(frozen=True)
class Law:
    """Something that holds in every step.

    Attributes:
        statement: The law in words, e.g. "coins(t + 1) = coins(t) - picked + grown, at most 1 grown".
        broken: What is wrong with a step, or None.
        read_state: What `Transition.before` and `after` are to hold, read from the environment; it must be a
            copy. By default they are None: a law of actions, rewards and infos needs no state.
    """

    statement: str
    broken: Callable[[Transition], str | None]
    read_state: Callable[[Any], Any] | None = None

    def __post_init__(self) -> None:
        statement: object = self.statement
        if not isinstance(statement, str) or not callable(self.broken):
            found = f"Law({statement!r}, {self.broken!r})"
            raise TypeError(f"{found}: expected the law in words, then a function: Law('coins stay', broken)")


def check_conservation(
    env_fn: EnvFn,
    law: Law,
    *,
    num_episodes: int = 10,
    seed: int = 0,
    max_steps: int = 2000,
    policy: Policy | None = None,
) -> None:
    """A law holds in every step of some episodes.

    Args:
        env_fn: Makes the environment.
        law: The law.
        num_episodes: Episodes.
        seed: Seed of the first episode and of the actions.
        max_steps: Longer episodes are broken off.
        policy: Plays instead of random actions, where those hardly make anything happen.

    Raises:
        CheckFailure: At the first step that breaks it.
        TypeError: If it is no `Law`, or its `broken` returns neither None nor a sentence.
    """
    require_laws([law])
    steps = transitions(
        "conservation", env_fn, law.read_state, num_episodes, seed, max_steps=max_steps, policy=policy
    )
    for player, transition in steps:
        wrong: Any = law.broken(transition)
        # A caller's function may give anything, and True is easily taken to mean that all is well.
        if wrong is not None and not (isinstance(wrong, str) and wrong):
            raise TypeError(
                f"law {law.statement!r}: broken(step) returned {wrong!r}; expected None where a step keeps "
                "it, otherwise a sentence: return None if kept else 'what is wrong with this step'"
            )
        if wrong is not None:
            player.fail(
                wrong,
                law.statement,
                "follow what the step takes and adds; an object may be taken twice, or overwritten",
            )


def require_laws(laws: Iterable[object]) -> None:
    """Say which is no law.

    Raises:
        TypeError: If one is not.
    """
    for law in laws:
        if not isinstance(law, Law):
            name = getattr(law, "__name__", repr(law))
            raise TypeError(
                f"{name} is a {type(law).__name__}, expected a Law: Law('what holds, in words', {name})"
            )


def transitions(
    check: str,
    env_fn: EnvFn,
    read_state: Callable[[Any], Any] | None,
    num_episodes: int,
    seed: int,
    *,
    max_steps: int,
    policy: Policy | None,
) -> Iterator[tuple[Player, Transition]]:
    """The steps of some episodes, each with the player that took it."""
    player = Player(check, env_fn, max_steps=max_steps, action_seed=seed, policy=policy)
    for episode in range(num_episodes):
        before: Any = None
        for outcome in player.episode(seed + episode):
            after = None if read_state is None else read_state(player.env)
            if player.step_number > 0:
                yield (
                    player,
                    Transition(
                        player.env,
                        before,
                        after,
                        outcome.agents,
                        outcome.actions,
                        outcome.rewards,
                        outcome.terminations,
                        outcome.truncations,
                        outcome.infos,
                        player.step_number,
                    ),
                )
            before = after
    player.close()
