"""A trial that is cut off goes on from its last checkpoint, in another folder, as if nothing had happened."""

import dataclasses
from pathlib import Path

import pandas as pd
import pytest

from rllib_lase.rllib.session import ray_session
from rllib_lase.settings import SettingsError
from rllib_lase.train_spec import TrainSpec
from rllib_lase.training import Progress, train
from tests.cut_off_runs import CutOff, assert_same_but_for_times, spec


def test_a_run_that_was_cut_off_ends_with_the_same_curve_gifts_and_results(tmp_path: Path) -> None:
    def cut_off(progress: Progress) -> None:
        assert progress.save is not None
        if progress.row["iteration"] == 2:
            progress.save(tmp_path / "checkpoint")
        if progress.row["iteration"] == 3:
            raise CutOff

    run = spec(tmp_path / "parts", 800)
    with ray_session():
        whole = train(spec(tmp_path / "whole", 800))
        with pytest.raises(CutOff):
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
