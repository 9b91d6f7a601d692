"""A run that was cut off goes on in its own folder, from its newest whole checkpoint."""

import itertools
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from rllib_lase.registry.seating import Seating
from rllib_lase.rllib.algorithm import SocialAlgorithm
from rllib_lase.rllib.checkpoints import CheckpointError
from rllib_lase.rllib.session import ray_session
from rllib_lase.run_checkpoints import find_checkpoint, run_checkpoints
from rllib_lase.run_schema import RunError
from rllib_lase.runs import RunFolder
from rllib_lase.train_spec import TrainSpec
from rllib_lase.training import Progress, resume, train
from tests.cut_off_runs import TIMES, CutOff, assert_same_but_for_times, spec


@pytest.fixture(scope="module", autouse=True)
def _ray() -> Iterator[None]:
    with ray_session(3):
        yield


def cut_off(spec: TrainSpec, iteration: int) -> RunFolder:
    """Begins a run that ends as a killed one would, after so many iterations."""

    def kill(progress: Progress) -> None:
        if progress.row["iteration"] == iteration:
            raise CutOff

    with pytest.raises(CutOff):
        train(spec, kill)
    return RunFolder.open(spec.out)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run that was never cut off."""
    return train(spec(tmp_path_factory.mktemp("whole"), 1_000, checkpoint_interval=300))


@pytest.fixture(scope="module")
def cut(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """The same run, cut off after the fourth of its five iterations; for copies."""
    return cut_off(spec(tmp_path_factory.mktemp("cut"), 1_000, checkpoint_interval=300), 4)


@pytest.fixture
def parts(cut: RunFolder, tmp_path: Path) -> Path:
    """A folder of that run of a test's own."""
    return shutil.copytree(cut.path, tmp_path / "run")


def test_a_run_goes_on_as_if_nothing_had_happened(whole: RunFolder, parts: Path) -> None:
    assert RunFolder.open(parts).progress()["iteration"].tolist() == [1, 2, 3, 4]
    assert find_checkpoint(parts).name == "env_steps_000000600"
    run = resume(parts)
    checkpoints = [sorted(path.name for path in each.checkpoints_path.iterdir()) for each in (whole, run)]
    assert checkpoints[0] == checkpoints[1]
    assert [int(name[-9:]) for name in checkpoints[0]] == [400, 600, 1_000]
    assert_same_but_for_times(whole, run)
    assert run.summary()["status"] == "finished"
    with pytest.raises(RunError, match="is finished; there is nothing to go on with"):
        resume(parts)


@pytest.mark.parametrize("damage", ["truncated", "missing"])
def test_the_newest_whole_checkpoint_is_taken_where_later_ones_are_damaged(
    whole: RunFolder, parts: Path, damage: str
) -> None:
    older, latest = run_checkpoints(parts).values()
    arrays = latest / "arrays.safetensors"
    data = arrays.read_bytes()
    arrays.unlink()
    if damage == "truncated":
        arrays.write_bytes(data[:-1])
    unwritten = latest.with_name(".env_steps_000000800.partial-00c0ffee")
    unwritten.mkdir()
    with pytest.warns(UserWarning, match=re.escape(f"Going on from {older}")) as warned:
        run = resume(parts)
    assert any(f"{arrays}: " in str(warning.message) for warning in warned)
    assert_same_but_for_times(whole, run)
    assert list(run_checkpoints(parts)) == [400, 600, 1_000], "the damaged one was written again"
    assert latest.with_name(f"{latest.name}.damaged").is_dir(), "nothing is thrown away"
    assert not unwritten.exists()


def test_a_run_without_a_whole_checkpoint_cannot_go_on(parts: Path) -> None:
    for checkpoint in run_checkpoints(parts).values():
        (checkpoint / "manifest.json").unlink()
    with pytest.raises(CheckpointError) as error:
        resume(parts)
    lines = str(error.value).splitlines()
    assert [line.partition(": ")[0][-34:] for line in lines[:2]] == [
        "/env_steps_000000600/manifest.json",
        "/env_steps_000000400/manifest.json",
    ]
    assert lines[2] == "No checkpoint of this run can be loaded here."
    assert RunFolder.open(parts).progress()["iteration"].tolist() == [1, 2, 3, 4], "nothing was touched"


def train_copied(spec: TrainSpec, iteration: int, copy: Path) -> RunFolder:
    """Does a whole run, and copies its folder after so many iterations, as if it had been killed there."""

    def copy_folder(progress: Progress) -> None:
        if progress.row["iteration"] == iteration:
            shutil.copytree(spec.out, copy)

    return train(spec, copy_folder)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"settings": {"use_lstm": True, "lstm_size": 8}}, id="lstm"),
        pytest.param({"algo": "si"}, id="social influence"),
        pytest.param(
            {"settings": {"num_env_runners": 2, "num_envs_per_env_runner": 2}},
            id="remote env runners",
            marks=pytest.mark.learning,  # starts Ray's processes twice
        ),
        pytest.param(
            {
                "game": "public_goods",
                "game_params": {"num_agents": 3},
                "algo": "population",
                "seating": Seating.read(["lase", "a2c", "random"], ["700:2=defector"]),
            },
            id="mixed population",
        ),
    ],
)
def test_whatever_a_run_carries_along_is_taken_up_again(tmp_path: Path, changes: dict[str, Any]) -> None:
    whole = train_copied(spec(tmp_path / "whole", 800, 600, **changes), 3, tmp_path / "killed")
    parts = resume(tmp_path / "killed")
    assert_same_but_for_times(whole, parts)
    arrays = [(find_checkpoint(run.path) / "arrays.safetensors").read_bytes() for run in (whole, parts)]
    assert arrays[0] == arrays[1], "weights, optimisers, replay, recurrent state, unfinished episodes"


def test_an_environment_by_import_path_goes_on_with_new_episodes(tmp_path: Path) -> None:
    """Environments of others cannot tell their state: compared are rows until then, and what is counted."""
    game = {"game": "tests.rllib.crowd_env:make_crowd", "settings": {"hidden_size": 8}}
    whole = train_copied(spec(tmp_path / "whole", 800, 400, **game), 3, tmp_path / "killed")
    parts = resume(tmp_path / "killed")
    rows = [run.progress().drop(columns=TIMES) for run in (whole, parts)]
    pd.testing.assert_frame_equal(*(row[:2] for row in rows))
    pd.testing.assert_frame_equal(*(row[["iteration", "env_steps"]] for row in rows))
    assert np.isfinite(rows[1][["reward/zoe", "learner/zoe/total_loss"]].to_numpy()).all()
    assert parts.is_finished


def test_a_run_that_ctrl_c_stopped_in_the_middle_of_an_iteration_counts_its_time_and_steps_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds, play = itertools.count(1), SocialAlgorithm._local_round

    def interrupted_in_the_sixth(algorithm: SocialAlgorithm, runner: Any) -> None:
        if next(rounds) == 6:
            raise KeyboardInterrupt
        play(algorithm, runner)

    monkeypatch.setattr(SocialAlgorithm, "_local_round", interrupted_in_the_sixth)
    with pytest.raises(KeyboardInterrupt):
        train(spec(tmp_path, 900))
    before = RunFolder.open(tmp_path)
    stopped, last = before.summary(), before.progress().iloc[-1]
    assert (last["env_steps"], stopped["env_steps"]) == (400, 500), "it stopped after half an iteration"
    assert stopped["wall_seconds"] > last["total_seconds"]
    assert before.seconds_until(500) == (stopped["wall_seconds"], stopped["cpu_seconds"])
    assert before.seconds_until(499) == (last["total_seconds"], last["cpu_seconds"])
    seen: list[Progress] = []
    rows = resume(tmp_path, seen.append).progress()
    assert rows["env_steps"].tolist() == [200, 400, 700, 900]
    assert [progress.iteration_env_steps for progress in seen] == [200, 200]
    assert rows["total_seconds"][2] > stopped["wall_seconds"] + rows["iteration_seconds"][2]
