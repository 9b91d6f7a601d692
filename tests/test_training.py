"""Training's frame around the algorithm, without one."""

import contextlib
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rllib_lase import trained_players, training
from rllib_lase.run_checkpoints import checkpoint_folder, run_checkpoints
from rllib_lase.train_spec import TrainSpec
from rllib_lase.training import Progress, _train_until


class FakeAlgorithm:
    """Each iteration does as many env steps as it is told to."""

    def __init__(self, *steps: int) -> None:
        self.env_steps, self.iteration, self._steps = 0, 0, list(steps)
        self.stopped = False

    def save_to_path(self, path: Path) -> None:
        path.mkdir(parents=True)

    def train(self) -> None:
        steps = self._steps.pop(0)
        self.env_steps += steps
        self.iteration += 1
        learner = {"gift_weights": None}
        self.report = SimpleNamespace(env_steps=self.env_steps, iteration_env_steps=steps, learner=learner)

    def stop(self) -> None:
        self.stopped = True


def spec(env_steps: int, checkpoint_interval: int | None = None) -> TrainSpec:
    out = Path("nowhere")
    return TrainSpec("ipd", "lase", out, env_steps=env_steps, checkpoint_interval=checkpoint_interval)


def test_checkpoints_are_kept_when_their_intervals_are_over_and_the_last_one_is_left_to_the_end(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(training, "progress_row", lambda iteration, report: {})
    monkeypatch.setattr(training, "_cpu_seconds_of_actors", lambda algorithm: 0.0)
    order: list[str] = []
    folder: Any = SimpleNamespace(
        append_progress=lambda row: None,
        flush=lambda: order.append("rows"),
        checkpoint_path=lambda env_steps: tmp_path / "checkpoints" / checkpoint_folder(env_steps),
    )
    algorithm: Any = FakeAlgorithm(60, 60, 60, 150, 50, 20)
    save = algorithm.save_to_path
    algorithm.save_to_path = lambda path: (order.append("checkpoint"), save(path))
    assert not _train_until(algorithm, spec(400, 100), folder, training.Clock(), None)
    assert list(run_checkpoints(tmp_path)) == [120, 330]
    assert order == ["rows", "checkpoint"] * 2, (
        "rows first: a run that is killed in between goes on from them"
    )
    training._save(algorithm, folder)
    training._save(algorithm, folder)
    assert list(run_checkpoints(tmp_path)) == [120, 330, 400]


def test_an_iteration_that_learns_nothing_has_no_end_in_sight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "progress_row", lambda iteration, report: {})
    monkeypatch.setattr(training, "_cpu_seconds_of_actors", lambda algorithm: 0.0)
    seen: list[Progress] = []
    folder: Any = SimpleNamespace(append_progress=lambda row: None)
    clock: Any = training.Clock()
    algorithm: Any = FakeAlgorithm(0, 10)
    assert not _train_until(algorithm, spec(10), folder, clock, seen.append)
    assert [progress.env_steps for progress in seen] == [0, 10]
    assert [progress.env_steps_per_second > 0 for progress in seen] == [False, True]
    assert [progress.seconds_left for progress in seen] == [math.inf, 0.0]


def test_the_players_of_a_run_are_stopped_after_an_error_too(monkeypatch: pytest.MonkeyPatch) -> None:
    algorithm: Any = FakeAlgorithm()
    monkeypatch.setattr(trained_players, "ray_session", lambda num_cpus: contextlib.nullcontext())
    monkeypatch.setattr(trained_players.SocialAlgorithm, "from_checkpoint", lambda checkpoint: algorithm)
    run: Any = SimpleNamespace(config={"algo": "lase", "settings": {"num_env_runners": 0}})

    def evaluate() -> None:
        with trained_players.trained_players(run, Path("checkpoint")) as players:
            assert players is algorithm
            assert not algorithm.stopped
            raise ValueError("the evaluation failed")

    with pytest.raises(ValueError, match="the evaluation failed"):
        evaluate()
    assert algorithm.stopped
