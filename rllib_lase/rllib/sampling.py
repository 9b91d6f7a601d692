"""`RemoteSampling`: orders to remote env runners, several ahead if weights may be old; who fails is left out.

A runner gets the weights by reference with its order, and answers with references to rollouts: this process
sees neither. Which rollouts a round learns from never depends on the clock.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import ray
from ray.rllib.env.env_runner_group import EnvRunnerGroup

from rllib_lase.rllib.joint_env import EnvironmentFault
from rllib_lase.settings import Settings

logger = logging.getLogger(__name__)

#: Seconds of one look for answers while several orders are open.
_POLL_SECONDS = 0.002
_TAG = "rounds"
#: Calls in a row, and seconds, that may bring nothing to learn from: runners that died may come back.
_EMPTY_CALLS, _EMPTY_SECONDS = 3, 60.0


@dataclass(frozen=True)
class Order:
    """What a runner shall sample.

    Attributes:
        number: Counts the orders.
        version: Rounds that the weights have learnt.
        weights: Reference to the policies' weights. In a list, so that Ray hands on the reference.
        num_steps: T of each fragment.
        rounds: For each fragment epsilon, and the env steps of the training so far.
    """

    number: int
    version: int
    weights: list[ray.ObjectRef]
    num_steps: int
    rounds: Sequence[tuple[float, int]]


@dataclass(frozen=True)
class Sampled:
    """A runner's answer to an order.

    Attributes:
        number: Of the order.
        version: Of the weights.
        rollouts: One reference per fragment, to a `JointRollout`.
        env_steps: Of one fragment.
        seconds: That taking over the weights and sampling took the runner.
        fault: What the environment did wrong, if it did; there are no rollouts then.
    """

    number: int
    version: int
    rollouts: list[ray.ObjectRef]
    env_steps: int
    seconds: float
    fault: str | None = None


class RemoteSampling:
    """Keeps the runners busy.

    With `max_staleness` S and F fragments per call, the rounds of a call learn from weights that are at most
    F - 1 rounds old, and every further call that is open adds F; so many are open that S is never passed.

    Args:
        group: The runners.
        settings: The algorithm's.
        epsilon_at: Epsilon after some env steps.
    """

    def __init__(self, group: EnvRunnerGroup, settings: Settings, epsilon_at: Callable[[int], float]) -> None:
        self._group, self._settings, self._epsilon_at = group, settings, epsilon_at
        self._fragments = settings.fragments_per_call
        self._calls = open_calls(settings)
        self._ordered = self._taken = 0
        self._open: dict[int, set[int]] = {}
        self._answers: dict[int, dict[int, Sampled]] = {}
        self._empty_calls, self._empty_since = 0, 0.0

    def collect(self, weights: Callable[[], ray.ObjectRef], version: int, env_steps: int) -> list[Sampled]:
        """The answers to the oldest open order, of all runners that did not fail.

        Of several learners all must have something to learn from, since each waits for the others: what
        cannot be divided equally is left out, and that may be all.

        Args:
            weights: Puts the present weights where runners can fetch them.
            version: Rounds that they have learnt.
            env_steps: Env steps of the training so far.

        Raises:
            EnvironmentFault: if an environment broke its contract.
            RuntimeError: if no runner is left, or for long too few for the learners.
        """
        if self._ordered - self._taken < self._calls:
            reference = weights()
            while self._ordered - self._taken < self._calls:
                self._order(reference, version, env_steps)
        answers = self._next_answers()
        fault = next((answer.fault for answer in answers if answer.fault), None)
        if fault:
            raise EnvironmentFault(fault)
        answers = answers[: len(answers) - len(answers) % max(1, self._settings.num_learners)]
        self._check_progress(bool(answers))
        return answers

    def _check_progress(self, learns: bool) -> None:
        """Raises an error once nothing has been learnt for long."""
        if learns:
            self._empty_calls = 0
            return
        learners, there = max(1, self._settings.num_learners), self._group.num_healthy_remote_workers()
        found = (
            f"{there} of num_env_runners={self._settings.num_env_runners} answer, and "
            f"num_learners={learners} cannot learn from fewer runners than learners"
        )
        if not self._empty_calls:
            self._empty_since = time.monotonic()
            logger.warning("nothing to learn from: %s", found)
        self._empty_calls += 1
        seconds = time.monotonic() - self._empty_since
        if self._empty_calls >= _EMPTY_CALLS and seconds >= _EMPTY_SECONDS:
            raise RuntimeError(
                f"nothing was learnt in {self._empty_calls} calls to the env runners, {seconds:.0f} seconds: "
                f"{found}. Cure: .fault_tolerance(restart_failed_env_runners=True), with resources free for "
                "all of them, or fewer learners"
            )

    def _order(self, weights: ray.ObjectRef, version: int, env_steps: int) -> None:
        settings, ahead = self._settings, (self._ordered - self._taken) * self._fragments
        runners = self._group.num_healthy_remote_workers()
        per_round = runners * settings.num_envs_per_env_runner * settings.rollout_fragment_length
        steps = [env_steps + (ahead + f) * per_round for f in range(self._fragments)]
        order = Order(
            self._ordered,
            version,
            [weights],
            settings.rollout_fragment_length,
            [(self._epsilon_at(count), count) for count in steps],
        )
        self._open[order.number] = set(self._group.healthy_worker_ids())
        if self._calls == 1:
            answers = self._group.foreach_env_runner(
                "sample_rounds", kwargs={"order": order}, local_env_runner=False
            )
            self._answers[order.number] = dict(enumerate(answers))
            self._open[order.number] = set()
        else:
            self._group.foreach_env_runner_async("sample_rounds", _TAG, kwargs={"order": order})
        self._ordered += 1

    def _next_answers(self) -> list[Sampled]:
        number = self._taken
        self._taken += 1
        while self._open[number] & set(self._group.healthy_worker_ids()):
            for runner, answer in self._group.fetch_ready_async_reqs(
                tags=[_TAG], timeout_seconds=_POLL_SECONDS
            ):
                if answer.number in self._open:  # else it was forgotten
                    self._open[answer.number].discard(runner)
                    self._answers.setdefault(answer.number, {})[runner] = answer
        missing = self._open.pop(number)
        if missing:
            logger.warning("env runners %s failed; the round goes on without them", sorted(missing))
        answers = self._answers.pop(number, {})
        if not answers and not self._group.healthy_worker_ids():
            raise RuntimeError(
                "all env runners are gone; set .fault_tolerance(restart_failed_env_runners=True)"
            )
        return [answers[runner] for runner in sorted(answers)]

    def forget_runners(self, runners: Sequence[int]) -> None:
        """What these runners still had to answer will never come: they died and are back.

        Args:
            runners: Their ids.
        """
        for waiting in self._open.values():
            waiting.difference_update(runners)

    def forget(self) -> None:
        """Nothing that was ordered is wanted any more."""
        self._taken = self._ordered
        self._open, self._answers = {}, {}


def open_calls(settings: Settings) -> int:
    """Calls to each runner that are open at a time, so that no round is staler than it may be."""
    allowed: int = settings.max_staleness - (settings.fragments_per_call - 1)
    return 1 + allowed // settings.fragments_per_call


def rollouts_that_are_left(references: Sequence[ray.ObjectRef]) -> list[Any]:
    """What some references are to; what died with its runner is left out."""
    found = []
    for reference in references:
        try:
            found.append(ray.get(reference))
        except (ray.exceptions.ObjectLostError, ray.exceptions.RayActorError) as error:
            logger.warning("a rollout was lost with its env runner: %s", error)
    return found
