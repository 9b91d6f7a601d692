"""`lase train`: what it starts, how failures and Ctrl-C end, and that what it says repeats the run.

The training itself is replaced, but for the last test.
"""

import importlib
import json
import os
import shlex
import signal
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rllib_lase.cli.train import read_plan
from rllib_lase.command_lines import train_command
from rllib_lase.runs import RunFolder
from tests.interpreter import environment
from tests.lase_command import Capture, lase
from tests.synthetic_runs import progress, write_run


def fake_training(monkeypatch: pytest.MonkeyPatch, train: Callable[..., RunFolder]) -> None:
    module = types.ModuleType("rllib_lase.training")
    module.TrainSpec = types.SimpleNamespace  # type: ignore[attr-defined]
    module.train = train  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "rllib_lase.training", module)


def recorded_specs(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What training is asked for, in its place a run that is there at once."""
    specs: list[Any] = []

    def train(spec: Any, on_progress: Callable[[Any], None]) -> RunFolder:
        specs.append(spec)
        return write_run(spec.out, iterations=1)

    fake_training(monkeypatch, train)
    return specs


def test_train_passes_on_what_was_asked_for(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    specs = []

    def train(spec: Any, on_progress: Callable[[Any], None]) -> RunFolder:
        specs.append(spec)
        on_progress(progress(500))
        on_progress(progress(1000))
        return write_run(spec.out, iterations=1)

    fake_training(monkeypatch, train)
    words = (
        "train cleanup --algo a2c --seed 3 --env-steps 1e3 --lambda 0 --use-lstm --no-normalize-advantages"
    )
    words += f" --game-params num_agents=3 view_radius=none --evaluation-episodes 7 --out {tmp_path / 'run'}"
    assert lase(*words.split()) == 0
    spec = specs[0]
    assert (spec.game, spec.algo, spec.optimizer, spec.seed) == ("cleanup", "independent", "a2c", 3)
    assert (spec.env_steps, spec.evaluation_episodes, spec.overwrite) == (1000, 7, False)
    assert spec.settings == {"lambda_": 0.0, "use_lstm": True, "normalize_advantages": False}
    assert spec.game_params == {"preset": "lase", "num_agents": 3, "view_radius": None}
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "cleanup: independent (a2c), seed 3"
    assert lines[1] == "500 of 1,000 env steps (50%)  512/s  reward 12.5  equality n/a  given 0.00  1:07 left"
    assert lines[-1] == f"  report {tmp_path / 'run' / 'report.html'}"


@pytest.mark.filterwarnings("ignore:PYTHONHASHSEED is not fixed")
@pytest.mark.parametrize(
    ("module", "name", "arguments", "message"),
    [
        ("rllib_lase.rllib.checkpoints", "CheckpointError", ["a.json: missing"], "a.json: missing"),
        ("rllib_lase.rllib.joint_env", "EnvironmentFault", ["step: no obs"], "step: no obs"),
        ("mixed_motive", "GameError", ["reset", ["seed=-1"]], "reset: seed=-1"),
        ("rllib_lase.runs", "RunError", ["b.json: not JSON"], "b.json: not JSON"),
        ("rllib_lase.settings", "SettingsError", [["lr: 0", "gamma: 2"]], "lr: 0\ngamma: 2"),
        ("builtins", "OSError", [28, "No space left", "c"], "[Errno 28] No space left: 'c'"),
    ],
)
def test_a_run_that_fails_for_a_known_reason_ends_in_its_message(
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    module: str,
    name: str,
    arguments: list[Any],
    message: str,
) -> None:
    error = getattr(importlib.import_module(module), name)(*arguments)

    def train(spec: Any, on_progress: Callable[[Any], None]) -> RunFolder:
        raise error

    fake_training(monkeypatch, train)
    assert lase("train", "ipd", "--out", str(tmp_path / "run")) == 1
    assert capsys.readouterr().err == f"lase train failed: {message}\n"


def test_an_environments_fault_in_another_process_is_told_without_its_traces(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from ray.exceptions import RayTaskError

    from rllib_lase.rllib.joint_env import EnvironmentFault

    def train(spec: Any, on_progress: Callable[[Any], None]) -> RunFolder:
        fault = EnvironmentFault("step: no obs")
        raise RayTaskError("sample", "Traceback ...", fault, pid=1, ip="").as_instanceof_cause()

    fake_training(monkeypatch, train)
    assert lase("train", "ipd", "--out", str(tmp_path / "run")) == 1
    assert capsys.readouterr().err == "lase train failed: step: no obs\n"


def test_an_error_of_our_own_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def train(spec: Any, on_progress: Callable[[Any], None]) -> RunFolder:
        raise ZeroDivisionError

    fake_training(monkeypatch, train)
    with pytest.raises(ZeroDivisionError):
        lase("train", "ipd", "--out", str(tmp_path / "run"))


def test_progress_for_programs_is_strict_json(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def train(spec: Any, on_progress: Callable[[Any], None]) -> RunFolder:
        on_progress(progress(500))
        return write_run(spec.out, iterations=1)

    fake_training(monkeypatch, train)
    lase("train", "ipd", "--out", str(tmp_path / "run"), "--progress", "json")
    first, last = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["env_steps"], first["equality"], first["collective_reward"]) == (500, None, 12.5)
    assert last == {"run": str(tmp_path / "run")}


@pytest.mark.parametrize(
    ("left", "message"),
    [
        ("nothing", "Stopped before the first iteration; nothing was learnt."),
        (
            "curve",
            "Stopped after 99,999 of 100,000 env steps; the training curve is saved, without an evaluation",
        ),
        ("summary", "Stopped after 99,999 of 100,000 env steps; evaluated and saved"),
    ],
)
def test_ctrl_c_says_what_is_left_and_where(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, left: str, message: str
) -> None:
    def train(spec: Any, on_progress: Callable[[Any], None]) -> RunFolder:
        if left != "nothing":
            write_run(spec.out, iterations=3, finished=left == "summary")
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("not reached")

    fake_training(monkeypatch, train)
    before = signal.getsignal(signal.SIGINT)
    assert lase("train", "ipd", "--out", str(tmp_path / "run")) == 130
    assert signal.getsignal(signal.SIGINT) is before
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("Interrupted: evaluating and saving what was learnt.")
    assert message in lines[2]
    assert left == "nothing" or str(tmp_path / "run") in lines[2]


def test_ctrl_c_after_training_lets_the_run_end(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def train(spec: Any, on_progress: Callable[[Any], None]) -> RunFolder:
        on_progress(progress(1000))
        os.kill(os.getpid(), signal.SIGINT)
        return write_run(spec.out, iterations=1)

    fake_training(monkeypatch, train)
    assert lase("train", "ipd", "--out", str(tmp_path / "run")) == 0
    assert "Press Ctrl-C again to leave at once." in capsys.readouterr().out


def test_the_command_in_a_report_repeats_the_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Capture
) -> None:
    specs = recorded_specs(monkeypatch)
    words = "train snowdrift --algo lase --optimizer ppo --seed 2 --env-steps 2000 --delta 0.3 --use-lstm"
    words += " --no-gift-negative-rewards --lr 5e-4 --game-params num_agents=3 --out"
    plan = read_plan([*words.split()[1:], str(tmp_path / "a")])[0]
    command = train_command(plan.config(), tmp_path / "b")
    assert lase(*words.split(), str(tmp_path / "a")) == 0
    assert lase(*command.split()[1:]) == 0
    first, second = specs
    assert {**vars(first), "out": None} == {**vars(second), "out": None}


def test_settings_of_rllib_reach_the_run_and_the_command_that_repeats_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    specs = recorded_specs(monkeypatch)
    words = ["train", "cleanup", "--algo", "rllib:DQN", "--seed", "2", "--rllib", "lr=3e-4", "double_q=false"]
    words += ["epsilon=[[0, 1.0], [5e3, 0.02]]", "target_network_update_freq=5e2"]
    plan = read_plan([*words[1:], "--out", str(tmp_path / "a")])[0]
    assert plan.name == "rllib-DQN-seed2"
    assert lase(*words, "--out", str(tmp_path / "a")) == 0
    assert lase(*shlex.split(train_command(plan.config(), tmp_path / "b"))[1:]) == 0
    first, second = specs
    expected = {"lr": 3e-4, "double_q": False, "epsilon": [[0, 1.0], [5000.0, 0.02]]}
    assert first.settings == {**expected, "target_network_update_freq": 500}
    assert (first.algo, first.optimizer) == ("rllib:DQN", None)
    assert {**vars(first), "out": None} == {**vars(second), "out": None}


def test_ctrl_c_during_training_leaves_a_whole_run(tmp_path: Path) -> None:
    words = ["train", "ipd", "--algo", "go", "--env-steps", "10_000_000", "--rounds-per-iteration", "2"]
    words += ["--evaluation-episodes", "4", "--progress", "json", "--out", str(tmp_path / "run")]
    process = subprocess.Popen(
        [sys.executable, "-m", "rllib_lase.cli", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    assert process.stdout is not None
    first = process.stdout.readline()
    process.send_signal(signal.SIGINT)
    rest, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert json.loads(first)["env_steps"] > 0
    assert "evaluated and saved" in rest.splitlines()[-1]
    run = RunFolder.open(tmp_path / "run")
    assert run.summary()["status"] == "interrupted"
    assert run.summary()["num_evaluation_episodes"] == 4
    assert run.report_path.is_file()
