"""A run that is cut off goes on from its last checkpoint as if nothing had happened."""

import json
from pathlib import Path

import pandas as pd
import pytest

from rllib_lase.rllib.session import ray_session
from rllib_lase.settings import SettingsError
from rllib_lase.training import Progress, TrainSpec, train


class _CutOff(Exception):
    pass


def test_a_run_that_was_cut_off_ends_with_the_same_curve_gifts_and_results(tmp_path: Path) -> None:
    def spec(name: str) -> TrainSpec:
        settings = {"rounds_per_iteration": 2, "num_envs_per_env_runner": 4, "rollout_fragment_length": 25}
        return TrainSpec(
            "ipd", "lase", tmp_path / name, env_steps=800, settings=settings, evaluation_episodes=4
        )

    def cut_off(progress: Progress) -> None:
        assert progress.save is not None
        if progress.row["iteration"] == 2:
            progress.save(tmp_path / "checkpoint")
        if progress.row["iteration"] == 3:
            raise _CutOff

    with ray_session():
        whole = train(spec("whole"))
        with pytest.raises(_CutOff):
            train(spec("parts"), cut_off)
        parts = train(
            TrainSpec(**{**vars(spec("parts")), "overwrite": True}), resume_from=tmp_path / "checkpoint"
        )
        with pytest.raises(SettingsError, match="rllib:PPO: runs of RLlib's own algorithms cannot go on"):
            train(
                TrainSpec("ipd", "rllib:PPO", tmp_path / "stock", env_steps=100),
                resume_from=tmp_path / "checkpoint",
            )

    times = ["iteration_seconds", "total_seconds", "env_steps_per_second"]
    curves = [run.progress().drop(columns=times) for run in (whole, parts)]
    assert len(curves[0]) == 4
    pd.testing.assert_frame_equal(*curves)
    pd.testing.assert_frame_equal(whole.gifts(), parts.gifts())
    pd.testing.assert_frame_equal(whole.episodes(), parts.episodes())
    assert parts.progress()["total_seconds"].is_monotonic_increasing
    clock = json.loads((tmp_path / "checkpoint" / "clock.json").read_text())
    assert parts.summary()["wall_seconds"] > clock["wall_seconds"] > 0
