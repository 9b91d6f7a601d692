"""`lase train --resume`: a run that was killed goes on in its folder; what it refuses."""

import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from rllib_lase.cli import entry
from rllib_lase.cli.compare import _job_words
from rllib_lase.cli.train import read_plan
from rllib_lase.run_checkpoints import run_checkpoints
from rllib_lase.runs import RunFolder
from tests.interpreter import environment
from tests.synthetic_runs import write_run

_TRAIN = "ipd --env-steps 2000 --rounds-per-iteration 2 --evaluation-episodes 4 --checkpoint-interval 600"


@pytest.mark.learning  # a minute: three runs, one of them killed
def test_a_killed_run_goes_on_from_the_command_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "rllib_lase.cli", "train"]
    whole, cut = tmp_path / "whole", tmp_path / "cut"

    def start(*words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*command, *words], env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def lase_train(*words: str) -> str:
        process = start(*words)
        said, _ = process.communicate(timeout=120)
        assert process.returncode == 0, said
        return said

    lase_train(*_TRAIN.split(), "--out", str(whole))
    with start(*_TRAIN.split(), "--out", str(cut)) as process:
        end = time.monotonic() + 120
        while not list(cut.glob("checkpoints/env_steps_*")) and time.monotonic() < end:
            time.sleep(0.01)
        process.kill()
    assert not (cut / "summary.json").exists(), "it was killed on its way"
    assert "2,560 env steps" in lase_train("--resume", str(cut))
    runs = [RunFolder.open(path) for path in (whole, cut)]
    assert len(run_checkpoints(whole)) == 4
    assert list(run_checkpoints(whole)) == list(run_checkpoints(cut))
    pd.testing.assert_frame_equal(*(without_times(run) for run in runs))
    pd.testing.assert_frame_equal(*(run.episodes() for run in runs))


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
    assert any(f"--resume: {run.path}: is finished; there is nothing to go on with" in line for line in lines)


def test_a_run_without_a_checkpoint_cannot_go_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = write_run(tmp_path / "run", iterations=2, finished=False)
    assert any("holds no checkpoint" in line for line in refused(capsys, "--resume", str(run.path)))
    assert any("holds no run" in line for line in refused(capsys, "--resume", str(tmp_path / "none")))


def test_a_comparison_goes_on_with_its_unfinished_runs(tmp_path: Path) -> None:
    plan = read_plan(["cleanup", "--out", str(tmp_path / "none")])[0]
    run = write_run(tmp_path / "run", iterations=2, finished=False)
    fresh = _job_words(plan, run.path, 4, 600, overwrite=False)
    assert fresh[-5:] == ["--evaluation-episodes", "4", "--overwrite", "--checkpoint-interval", "600"]
    run.checkpoint_path(100_000).mkdir(parents=True)
    assert _job_words(plan, run.path, 4, None, overwrite=False) == ["--resume", str(run.path)]
    assert "--resume" not in _job_words(plan, run.path, 4, None, overwrite=True)


def test_a_run_of_rllibs_own_algorithms_starts_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write_run(tmp_path / "run", iterations=2, finished=False)
    config = (run.path / "config.json").read_text()
    (run.path / "config.json").write_text(config.replace('"algo": "lase"', '"algo": "rllib:PPO"'))
    (run.checkpoints_path / "env_steps_000100000").mkdir(parents=True)
    lines = refused(capsys, "--resume", str(run.path))
    assert any("runs of RLlib's own algorithms cannot go on; start anew" in line for line in lines)


def test_who_finds_an_unfinished_run_in_the_way_is_told_that_it_can_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write_run(tmp_path / "run", iterations=2, finished=False)
    run.checkpoint_path(100_000).mkdir(parents=True)
    lines = refused(capsys, "cleanup", "--out", str(run.path))
    assert any(f"Go on with it (lase train --resume {run.path}), choose another" in line for line in lines)
