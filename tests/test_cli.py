"""The `lase` command: what it refuses and how it says so, its help, and how it starts."""

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

from mixed_motive import GAMES
from rllib_lase.cli import entry
from rllib_lase.defaults import default_env_steps, default_settings
from rllib_lase.registry import ALGORITHMS, known_ids
from tests.interpreter import run_python
from tests.lase_command import Capture, lase, refused
from tests.synthetic_runs import write_run


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


def test_help_on_one_of_rllibs_algorithms_lists_none_of_our_settings(capsys: Capture) -> None:
    lase("train", "cleanup", "--algo", "rllib:PPO", "--help")
    shown = capsys.readouterr().out
    assert "--rllib" in shown
    assert "rllib:SAC" in shown
    assert "--gamma" not in shown


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


@pytest.mark.parametrize("module", sorted(entry.REQUIRED_MODULES))
def test_each_package_that_training_needs_is_one_message_where_it_is_missing(
    module: str, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    assert importlib.util.find_spec(module) is not None, "the name that it is imported by"

    def command(words: list[str]) -> int:
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)

    monkeypatch.setattr("rllib_lase.cli.check.run", command)
    assert entry.run(["check", "ipd"]) == entry.USAGE_ERROR
    needed = (
        f"  needs {module}, which is not installed. Cure, in a checkout of rllib-lase: pip install '.[rllib]'"
    )
    assert needed in capsys.readouterr().err


def test_a_module_that_nobody_installs_is_a_fault_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    def command(words: list[str]) -> int:
        raise ModuleNotFoundError("No module named 'ray.nowhere'", name="ray.nowhere")

    monkeypatch.setattr("rllib_lase.cli.check.run", command)
    with pytest.raises(ModuleNotFoundError):
        entry.run(["check", "ipd"])
