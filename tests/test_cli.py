"""The `lase` command: what it refuses and how it says so, what it starts, what it leaves after Ctrl-C."""

import importlib
import importlib.util
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

from mixed_motive import GAMES
from rllib_lase.cli import entry
from rllib_lase.cli.display import JsonDisplay, LineDisplay, clock, progress_line
from rllib_lase.cli.train import read_plan
from rllib_lase.command_lines import train_command
from rllib_lase.defaults import default_env_steps, default_settings
from rllib_lase.registry import ALGORITHMS, known_ids
from rllib_lase.runs import RunFolder
from tests.interpreter import environment, run_python
from tests.synthetic_runs import progress_row, write_run

Capture = pytest.CaptureFixture[str]


def lase(*words: str) -> int:
    return entry.run(words)


def refused(capsys: Capture, *words: str) -> list[str]:
    """The lines of the message with which the command refuses."""
    assert lase(*words) == 2
    return capsys.readouterr().err.splitlines()


def test_everything_that_is_wrong_comes_in_one_message(capsys: Capture) -> None:
    words = (
        "train clenup --algo lsae --lr fast --gama 0.9 --env-steps -4 --game-params num_agents=3 foo --seed"
    )
    assert refused(capsys, *words.split()) == [
        "lase train: 7 problems, nothing was started",
        "  --lr: expected a number, found 'fast'",
        "  --gama: unknown option; did you mean '--gamma'?",
        "  --env-steps: expected 1 or more, found '-4'",
        "  --game-params: expected name=value, such as num_agents=5, found 'foo'",
        "  --seed: needs a value (N)",
        f"  unknown game 'clenup'; did you mean 'cleanup'? Known games: {', '.join(GAMES)}.",
        f"  --algo: unknown algorithm 'lsae'; did you mean 'lase'? Known: {', '.join(known_ids())}.",
        "`lase train --help` shows what it understands.",
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", f"GAME: missing; choose from {', '.join(GAMES)}"),
        ("cleanup --preset lsae", "unknown preset 'lsae'; did you mean 'lase'?"),
        ("cleanup --game-params num_agent=3", "unknown parameter 'num_agent'; did you mean 'num_agents'?"),
        ("cleanup --game-params num_agents=99", "num_agents=99 (int): expected an integer in [2, 64]"),
        (
            "cleanup --algo go --delta 0.3",
            "--delta: go has no such setting; it belongs to lase, lase_uniform, lase_oracle, lase_shared",
        ),
        (
            "ipd --algo si --only-when-visible",
            "--only-when-visible: ipd has no map on which a co-player could be in or out of sight",
        ),
        (
            "cleanup --algo rllib:PPO --lr 1e-3",
            "--lr: rllib:PPO has no such setting; RLlib's own settings are passed as --rllib lr=0.001",
        ),
        (
            "cleanup --algo rllib:PPO --optimizer ppo",
            "--optimizer: rllib:PPO brings its own; leave the option",
        ),
        ("cleanup --rllib lr=1e-3", "--rllib: lase has no settings of RLlib's; it belongs to rllib:PPO"),
        ("cleanup --algo rllib:PPO --rllib lr", "--rllib: expected name=value, such as lr=3e-4, found 'lr'"),
        (
            "cleanup --algo rllib:PPO --rllib lrr=1",
            "--rllib: lrr: rllib:PPO has no such setting; did you mean",
        ),
        ("cleanup --lr -1e-3", "--lr: -0.001 is out of range; it must be above 0"),
        ("cleanup --lambda=2", "--lambda: 2.0 is out of range; it must be at least 0 and at most 1"),
        ("cleanup --lr nan", "--lr: expected a finite float, found nan"),
        ("cleanup --num-epochs 1.5", "--num-epochs: expected a whole number, found '1.5'"),
        ("cleanup --optimizer sgd", "--optimizer: expected one of a2c, ppo, found 'sgd'"),
        (
            "cleanup --algo ppo --optimizer a2c",
            "--optimizer: 'ppo' is short for independent (ppo), found 'a2c'",
        ),
        (
            "cleanup --relationship-smoothing 1",
            "--relationship-smoothing: 1.0 is out of range; it must be at least 0 and below 1",
        ),
        (
            "ipd --mask-unseen",
            "--mask-unseen: ipd has no map on which a co-player could be in or out of sight",
        ),
        ("cleanup --sr-policy-rule eq6", "expected one of eq5, soft_q; did you mean 'eq5'?, found 'eq6'"),
        ("cleanup --use-lstm=3", "--use-lstm: takes no value, found '3'"),
        ("cleanup --seed 2147483648", "--seed: expected 0 to 2147483647, found '2147483648'"),
        ("cleanup harvest", "harvest: unexpected word"),
        ("cleanup --xyzzy", "--xyzzy: unknown option"),
        (
            "cleanup --num-minibatches 9999",
            "--num-minibatches: 9999 is more than the 1600 samples of a round",
        ),
    ],
)
def test_a_wrong_word_is_named_with_what_was_expected(capsys: Capture, words: str, message: str) -> None:
    lines = refused(capsys, "train", *words.split())
    assert lines[0] == "lase train: 1 problem, nothing was started"
    assert message in lines[1]


def test_a_finished_run_is_refused_before_anything_starts(capsys: Capture, tmp_path: Path) -> None:
    write_run(tmp_path / "run", iterations=1)
    lines = refused(capsys, "train", "cleanup", "--out", str(tmp_path / "run"))
    assert lines[1].endswith(
        "already holds a finished run. Choose another folder (--out), or replace it (--overwrite)."
    )


def test_commands_and_folders_that_do_not_exist_are_refused(capsys: Capture, tmp_path: Path) -> None:
    assert refused(capsys, "trian")[1].startswith(
        "  unknown command 'trian'; did you mean 'train'? Known: train, "
    )
    assert "FOLDER: missing" in refused(capsys, "report")[1]
    assert "holds no run" in refused(capsys, "report", str(tmp_path))[1]
    assert "RUN: missing" in refused(capsys, "evaluate")[1]
    assert "holds no run" in refused(capsys, "evaluate", str(tmp_path), "--episodes", "0")[2]
    run = write_run(tmp_path / "run", iterations=1)
    for command in ("evaluate", "render"):
        assert "holds no checkpoint" in refused(capsys, command, str(run.path))[1]


def test_an_evaluation_that_could_not_be_written_is_refused(capsys: Capture, tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", iterations=1)
    (run.checkpoints_path / "env_steps_000000001").mkdir(parents=True)
    nowhere = str(tmp_path / "nodir" / "x.json")
    for out in (nowhere, str(tmp_path)):
        lines = refused(capsys, "evaluate", str(run.path), "--out", out, "--seed", "3e9")
        assert lines[1:3] == [
            f"  --out: expected a file in a folder that exists, found {out!r}",
            "  --seed: expected 0 to 2147483647, found '3e9'",
        ]


def test_a_picture_that_could_not_be_written_is_refused(capsys: Capture, tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", iterations=1)
    (run.checkpoints_path / "env_steps_000000001").mkdir(parents=True)
    for out, expected in (
        (str(tmp_path / "nodir" / "x.gif"), "expected a file in a folder that exists"),
        (str(tmp_path / "x.png"), "expected a name that ends in .gif"),
    ):
        lines = refused(capsys, "render", str(run.path), "--out", out, "--steps", "0", "--env-indx", "2")
        assert lines[:4] == [
            "lase render: 3 problems, nothing was started",
            f"  --out: {expected}, found {out!r}",
            "  --steps: expected 1 or more, found '0'",
            "  --env-indx: unknown option",
        ]


def test_mistakes_and_help_need_neither_ray_nor_torch_nor_matplotlib() -> None:
    code = """
import sys
from rllib_lase.cli.entry import run
for words in ("--help", "train --help", "compare cleanup --help", "render --help", "train x", "compare x"):
    run(words.split())
for words in ("crossplay --help", "crossplay x random --focal 1"):
    run(words.split())
print(sorted({'ray', 'torch', 'matplotlib', 'numba'} & set(sys.modules)))
"""
    assert run_python(code).splitlines()[-1] == "[]"


def test_help_names_every_command_option_and_the_games_own_defaults(capsys: Capture) -> None:
    assert lase("--help") == 0
    shown = capsys.readouterr().out
    assert shown.startswith("usage: lase COMMAND ...\n\nLASE and its baselines")
    assert all(f"\n  {command} " in shown for command in entry.COMMANDS)
    lase("train", "cleanup", "--algo", "lase", "--help")
    shown = capsys.readouterr().out
    assert "--sr-policy-rule {eq5,soft_q}" in shown
    assert "--gift-negative-rewards, --no-gift-negative-rewards" in shown
    tuned = default_settings("cleanup", ALGORITHMS["lase"])
    assert f"env steps to train, in whole iterations [{default_env_steps('cleanup'):,}]" in shown
    assert f"discount factor [{tuned.gamma:g}]" in shown
    lase("train", "ipd", "--algo", "go", "--help")
    shown = capsys.readouterr().out
    assert "--reward-aggregation" in shown
    assert "--sr-lr" not in shown


def test_python_starts_again_with_a_fixed_hash_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[Any, ...]] = []
    monkeypatch.setattr(entry.os, "execve", lambda *arguments: calls.append(arguments))
    monkeypatch.setattr(sys, "argv", ["lase", "--version"])
    for value, restarts in (("random", 1), ("0", 0), ("7", 0)):
        calls.clear()
        monkeypatch.setenv("PYTHONHASHSEED", value)
        with pytest.raises(SystemExit) as stop:
            entry.main()
        assert stop.value.code == 0
        assert len(calls) == restarts
        assert all(call[2]["PYTHONHASHSEED"] == "0" for call in calls)


# --- lase train, with the training itself replaced


def fake_training(monkeypatch: pytest.MonkeyPatch, train: Callable[..., RunFolder]) -> None:
    module = types.ModuleType("rllib_lase.training")
    module.TrainSpec = types.SimpleNamespace  # type: ignore[attr-defined]
    module.train = train  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "rllib_lase.training", module)


def progress(env_steps: int, total: int = 1000) -> Any:
    row = progress_row(1, env_steps, collective_reward=12.5, equality=float("nan"))
    return types.SimpleNamespace(
        row=row,
        env_steps=env_steps,
        total_env_steps=total,
        iteration_env_steps=600,
        env_steps_per_second=512.3,
        seconds_left=67.0,
    )


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


def test_lines_are_rare_but_the_last_one_always_comes(capsys: Capture) -> None:
    display = LineDisplay("title")
    for env_steps in (100, 200, 300, 1000):
        display.update(progress(env_steps))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["title", "100", "1,000", "Evaluating"]


def test_a_budget_that_is_overrun_reads_as_done_with_the_length_of_an_iteration() -> None:
    assert "1,200 of 1,000 env steps (100%; 600 an iteration)" in progress_line(progress(1200))


@pytest.mark.parametrize(
    ("seconds", "text"), [(7.4, "0:07"), (247, "4:07"), (3729, "1:02:09"), (float("inf"), "?")]
)
def test_times_read_as_a_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def test_the_command_in_a_report_repeats_the_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Capture
) -> None:
    specs: list[Any] = []

    def train(spec: Any, on_progress: Callable[[Any], None]) -> RunFolder:
        specs.append(spec)
        return write_run(spec.out, iterations=1)

    fake_training(monkeypatch, train)
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
    specs: list[Any] = []

    def train(spec: Any, on_progress: Callable[[Any], None]) -> RunFolder:
        specs.append(spec)
        return write_run(spec.out, iterations=1)

    fake_training(monkeypatch, train)
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


def test_help_on_one_of_rllibs_algorithms_lists_none_of_our_settings(capsys: Capture) -> None:
    lase("train", "cleanup", "--algo", "rllib:PPO", "--help")
    shown = capsys.readouterr().out
    assert "--rllib" in shown
    assert "rllib:SAC" in shown
    assert "--gamma" not in shown


# --- the real thing


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


@pytest.mark.parametrize("module", sorted(entry.REQUIRED_MODULES))
def test_each_package_that_training_needs_is_one_message_where_it_is_missing(
    module: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert importlib.util.find_spec(module) is not None, "the name that it is imported by"

    def command(words: list[str]) -> int:
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)

    monkeypatch.setattr("rllib_lase.cli.check.run", command)
    assert entry.run(["check", "ipd"]) == entry.USAGE_ERROR
    needed = f"  needs {module}, which is not installed: pip install 'rllib-lase[rllib]'"
    assert needed in capsys.readouterr().err


def test_a_module_that_nobody_installs_is_a_fault_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    def command(words: list[str]) -> int:
        raise ModuleNotFoundError("No module named 'ray.nowhere'", name="ray.nowhere")

    monkeypatch.setattr("rllib_lase.cli.check.run", command)
    with pytest.raises(ModuleNotFoundError):
        entry.run(["check", "ipd"])


def test_an_unknown_end_is_null_for_programs(capsys: Capture) -> None:
    never = progress(0)
    never.seconds_left = float("inf")
    JsonDisplay().update(never)
    assert json.loads(capsys.readouterr().out, parse_constant=pytest.fail)["seconds_left"] is None
