"""Training's frame around the algorithm, without one."""

import contextlib
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rllib_lase import training
from rllib_lase.train_spec import TrainSpec
from rllib_lase.training import Progress, _train_until, trained_players


class FakeAlgorithm:
    """Each iteration does as many env steps as it is told to."""

    def __init__(self, *steps: int) -> None:
        self.env_steps, self.iteration, self._steps = 0, 0, list(steps)
        self.stopped = False

    def train(self) -> None:
        steps = self._steps.pop(0)
        self.env_steps += steps
        self.iteration += 1
        learner = {"gift_weights": None}
        self.report = SimpleNamespace(env_steps=self.env_steps, iteration_env_steps=steps, learner=learner)

    def stop(self) -> None:
        self.stopped = True


def test_an_iteration_that_learns_nothing_has_no_end_in_sight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "progress_row", lambda iteration, report: {})
    seen: list[Progress] = []
    folder: Any = SimpleNamespace(append_progress=lambda row: None)
    clock: Any = training.Clock()
    algorithm: Any = FakeAlgorithm(0, 10)
    spec = TrainSpec("cleanup", "lase", Path("run"), env_steps=10)
    assert not _train_until(algorithm, spec, folder, clock, seen.append)
    assert [progress.env_steps for progress in seen] == [0, 10]
    assert [progress.env_steps_per_second > 0 for progress in seen] == [False, True]
    assert [progress.seconds_left for progress in seen] == [math.inf, 0.0]


def test_the_players_of_a_run_are_stopped_after_an_error_too(monkeypatch: pytest.MonkeyPatch) -> None:
    algorithm: Any = FakeAlgorithm()
    monkeypatch.setattr(training, "ray_session", lambda num_cpus: contextlib.nullcontext())
    monkeypatch.setattr(training.SocialAlgorithm, "from_checkpoint", lambda checkpoint: algorithm)
    run: Any = SimpleNamespace(config={"algo": "lase", "settings": {"num_env_runners": 0}})

    def evaluate() -> None:
        with trained_players(run, Path("checkpoint")) as players:
            assert players is algorithm
            assert not algorithm.stopped
            raise ValueError("the evaluation failed")

    with pytest.raises(ValueError, match="the evaluation failed"):
        evaluate()
    assert algorithm.stopped
