"""A run that is cut off goes on from its last checkpoint as if nothing had happened."""

import dataclasses
from pathlib import Path

import pandas as pd
import pytest

from rllib_lase.rllib.session import ray_session
from rllib_lase.run_checkpoints import find_checkpoint
from rllib_lase.run_schema import RunError
from rllib_lase.runs import RunFolder
from rllib_lase.settings import SettingsError
from rllib_lase.train_spec import TrainSpec
from rllib_lase.training import Progress, resume, train


class _CutOff(Exception):
    pass


def spec(out: Path, env_steps: int, checkpoint_interval: int | None = None) -> TrainSpec:
    settings = {"rounds_per_iteration": 2, "num_envs_per_env_runner": 4, "rollout_fragment_length": 25}
    return TrainSpec(
        "ipd",
        "lase",
        out,
        env_steps=env_steps,
        settings=settings,
        evaluation_episodes=4,
        checkpoint_interval=checkpoint_interval,
    )


def assert_same_but_for_times(whole: RunFolder, parts: RunFolder) -> None:
    times = ["iteration_seconds", "total_seconds", "cpu_seconds", "env_steps_per_second"]
    pd.testing.assert_frame_equal(*(run.progress().drop(columns=times) for run in (whole, parts)))
    pd.testing.assert_frame_equal(whole.gifts(), parts.gifts())
    pd.testing.assert_frame_equal(whole.episodes(), parts.episodes())
    assert parts.progress()["total_seconds"].is_monotonic_increasing


def test_a_run_that_was_cut_off_ends_with_the_same_curve_gifts_and_results(tmp_path: Path) -> None:
    def cut_off(progress: Progress) -> None:
        assert progress.save is not None
        if progress.row["iteration"] == 2:
            progress.save(tmp_path / "checkpoint")
        if progress.row["iteration"] == 3:
            raise _CutOff

    run = spec(tmp_path / "parts", 800)
    with ray_session():
        whole = train(spec(tmp_path / "whole", 800))
        with pytest.raises(_CutOff):
            train(run, cut_off)
        parts = train(dataclasses.replace(run, overwrite=True), resume_from=tmp_path / "checkpoint")
        with pytest.raises(SettingsError, match="rllib:PPO: runs of RLlib's own algorithms cannot go on"):
            train(
                TrainSpec("ipd", "rllib:PPO", tmp_path / "stock", env_steps=100),
                resume_from=tmp_path / "checkpoint",
            )

    assert len(whole.progress()) == 4
    assert_same_but_for_times(whole, parts)
    earlier = pd.read_parquet(tmp_path / "checkpoint" / "progress.parquet").iloc[-1]
    assert parts.summary()["wall_seconds"] > earlier["total_seconds"] > 0
    assert parts.summary()["cpu_seconds"] > earlier["cpu_seconds"] > 0


def test_a_run_that_was_cut_off_goes_on_in_its_own_folder_as_if_nothing_had_happened(tmp_path: Path) -> None:
    def cut_off(progress: Progress) -> None:
        if progress.row["iteration"] == 4:
            raise _CutOff

    with ray_session():
        whole = train(spec(tmp_path / "whole", 1_000, checkpoint_interval=300))
        with pytest.raises(_CutOff):
            train(spec(tmp_path / "parts", 1_000, checkpoint_interval=300), cut_off)
        assert RunFolder.open(tmp_path / "parts").progress()["iteration"].tolist() == [1, 2, 3, 4]
        assert find_checkpoint(tmp_path / "parts").name == "env_steps_000000600"
        parts = resume(tmp_path / "parts")
        with pytest.raises(RunError, match="is finished; there is nothing to go on with"):
            resume(tmp_path / "parts")

    checkpoints = [sorted(path.name for path in run.checkpoints_path.iterdir()) for run in (whole, parts)]
    assert checkpoints[0] == checkpoints[1]
    assert [int(name[-9:]) for name in checkpoints[0]] == [400, 600, 1_000]
    assert_same_but_for_times(whole, parts)
    assert parts.summary()["status"] == "finished"
