"""`lase train --resume`: a run that was killed goes on in its folder; what it refuses."""

import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from rllib_lase.cli import entry
from rllib_lase.runs import RunFolder
from tests.interpreter import environment
from tests.synthetic_runs import write_run

_TRAIN = "ipd --env-steps 2000 --rounds-per-iteration 2 --evaluation-episodes 4 --checkpoint-interval 600"


def test_a_killed_run_goes_on_from_the_command_line(tmp_path: Path) -> None:
    out = tmp_path / "run"
    command = [sys.executable, "-m", "rllib_lase.cli", "train"]

    def lase_train(*words: str) -> str:
        done = subprocess.run(
            [*command, *words], check=False, env=environment(), capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    lase_train(*_TRAIN.split(), "--out", str(out))
    whole = RunFolder.open(out)
    curve, episodes = without_times(whole), whole.episodes()
    # As a kill in the second interval leaves it.
    (out / "summary.json").unlink()
    shutil.rmtree(sorted(whole.checkpoints_path.iterdir())[-1])
    answer = lase_train("--resume", str(out), "--evaluation-episodes", "4")
    assert "2,560 env steps" in answer
    again = RunFolder.open(out)
    assert again.is_finished
    pd.testing.assert_frame_equal(without_times(again), curve)
    assert again.episodes().equals(episodes)


def without_times(run: RunFolder) -> pd.DataFrame:
    return run.progress().filter(regex="^(?!.*seconds?$)")


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    assert entry.run(["train", *words]) == 2
    return [line.strip() for line in capsys.readouterr().err.splitlines()]


def test_what_config_json_says_is_not_said_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = write_run(tmp_path / "run", iterations=2)
    (run.checkpoints_path / "env_steps_000100000").mkdir(parents=True)
    lines = refused(capsys, "cleanup", "--seed", "3", "--resume", str(run.path))
    assert "GAME: a run goes on with what its config.json says; leave this out" in lines
    assert "--seed: a run goes on with what its config.json says; leave this out" in lines
    assert f"--resume: {run.path}: is finished; there is nothing to go on with" in lines


def test_a_run_without_a_checkpoint_cannot_go_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = write_run(tmp_path / "run", iterations=2, finished=False)
    assert any("holds no checkpoint" in line for line in refused(capsys, "--resume", str(run.path)))
    assert any("holds no run" in line for line in refused(capsys, "--resume", str(tmp_path / "none")))


def test_a_run_of_rllibs_own_algorithms_starts_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write_run(tmp_path / "run", iterations=2, finished=False)
    config = (run.path / "config.json").read_text()
    (run.path / "config.json").write_text(config.replace('"algo": "lase"', '"algo": "rllib:PPO"'))
    (run.checkpoints_path / "env_steps_000100000").mkdir(parents=True)
    lines = refused(capsys, "--resume", str(run.path))
    assert "--resume: runs of RLlib's own algorithms cannot go on; start anew" in lines


def test_who_finds_an_unfinished_run_in_the_way_is_told_that_it_can_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write_run(tmp_path / "run", iterations=2, finished=False)
    run.checkpoints_path.mkdir()
    lines = refused(capsys, "cleanup", "--out", str(run.path))
    assert any(f"Go on with it (lase train --resume {run.path}), choose another" in line for line in lines)
