"""Rates: how often something happens, against the probability that the rules state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mixed_motive.testing.conservation import Transition, transitions
from mixed_motive.testing.failure import CheckFailure, Finding
from mixed_motive.testing.player import EnvFn, Policy
from mixed_motive.testing.statistics import binomial_p_value

__all__ = ["check_rate", "count_events"]


def check_rate(
    events: int, trials: int, probability: float, *, what: str = "events", false_alarm_rate: float = 1e-4
) -> None:
    """A number of events fits the probability that is stated for one.

    The test is the exact binomial one, so trials must be independent of each other.

    Args:
        events: Events seen.
        trials: Trials, in [events, ...).
        probability: Stated chance of an event in a trial.
        what: Name of the events, for the message.
        false_alarm_rate: Chance that the check fails though the probability is right. The more trials, the
            smaller the differences that it finds: n trials find one of about 4 * sqrt(p * (1 - p) / n).

    Raises:
        CheckFailure: If so many or so few events have a chance below `false_alarm_rate`; without any trial.
        ValueError: If the numbers are none that can be.
    """
    if not 0 <= events <= trials or not 0.0 <= probability <= 1.0:
        raise ValueError(
            f"events={events}, trials={trials}, probability={probability}: expected 0 <= events <= trials "
            "and a probability in [0, 1]"
        )
    if trials == 0:
        raise CheckFailure(
            Finding("rate", f"no trial for {what}", "at least one", "play longer, or with another policy")
        )
    p_value = binomial_p_value(events, trials, probability)
    if p_value < false_alarm_rate:
        raise CheckFailure(
            Finding(
                "rate",
                f"{what}: {events} in {trials} trials, a rate of {events / trials:.4g}",
                f"about {probability:.4g} (so far off by chance: {p_value:.1g})",
                "look for a draw that is repeated until it succeeds, made once for each agent, or shared "
                "with another decision",
            )
        )


def count_events(
    env_fn: EnvFn,
    event: Callable[[Transition], bool | None],
    *,
    read_state: Callable[[Any], Any] | None = None,
    num_episodes: int = 20,
    seed: int = 0,
    max_steps: int = 2000,
    policy: Policy | None = None,
) -> tuple[int, int]:
    """Play episodes and count how often something happens.

    Args:
        env_fn: Makes the environment.
        event: Asked after every step: whether it happened, or None where it could not have.
        read_state: What `Transition.before` and `after` are to hold, read from the environment.
        num_episodes: Episodes.
        seed: Seed of the first episode and of the actions.
        max_steps: Longer episodes are broken off.
        policy: Plays instead of random actions.

    Returns:
        Events and trials, for `check_rate`.
    """
    events = trials = 0
    for _, transition in transitions(
        "rate", env_fn, read_state, num_episodes, seed, max_steps=max_steps, policy=policy
    ):
        happened = event(transition)
        if happened is not None:
            events, trials = events + bool(happened), trials + 1
    return events, trials
