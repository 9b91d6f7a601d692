"""RLlib's own algorithms, all of them, from the command line: a minute or two each."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rllib_lase.registry import STOCK
from rllib_lase.runs import RunFolder
from tests.interpreter import environment

pytestmark = pytest.mark.learning


def start(out: Path, algo: str, env_steps: int) -> subprocess.Popen[str]:
    words = ["train", "cleanup", "--algo", algo, "--env-steps", str(env_steps), "--evaluation-episodes", "16"]
    return subprocess.Popen(
        [sys.executable, "-m", "rllib_lase.cli", *words, "--progress", "json", "--out", str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
        start_new_session=True,
    )


@pytest.mark.parametrize("algo", STOCK)
def test_every_algorithm_trains_every_agent_and_can_be_evaluated(tmp_path: Path, algo: str) -> None:
    out = tmp_path / "run"
    _, errors = start(out, algo, 4000).communicate(timeout=1200)
    run = RunFolder.open(out)
    assert run.is_finished, errors
    progress = run.progress()
    assert progress["env_steps"].is_monotonic_increasing
    assert progress["env_steps"].iloc[-1] >= 4000
    # What runners have sampled last may still be on its way to the learner, whose episodes count then.
    assert abs(progress["num_episodes"].iloc[-1] * 100 - progress["env_steps"].iloc[-1]) <= 4000
    for agent in run.agent_ids:
        assert np.isfinite(progress[f"learner/{agent}/total_loss"].iloc[-1])
    again = [sys.executable, "-m", "rllib_lase.cli", "evaluate", str(out), "--episodes", "16"]
    again += ["--out", str(tmp_path / "again.json")]
    subprocess.run(again, check=True, env=environment(), capture_output=True, timeout=300)
    found = json.loads((tmp_path / "again.json").read_text())
    assert found["collective_reward"] == run.summary()["collective_reward"]


@pytest.mark.parametrize("algo", ["rllib:PPO", "rllib:APPO"])
def test_ctrl_c_leaves_a_whole_run(tmp_path: Path, algo: str) -> None:
    process = start(tmp_path / "run", algo, 10_000_000)
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["env_steps"] > 0
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: Ray's processes hear it, too
    rest, errors = process.communicate(timeout=600)
    assert process.returncode == 130, errors
    assert "evaluated and saved" in rest.splitlines()[-1]
    assert RunFolder.open(tmp_path / "run").summary()["status"] == "interrupted"
