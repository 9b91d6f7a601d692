"""`lase train --config FILE`: what it takes over, what comes before it, and what it refuses."""

import json
from pathlib import Path
from typing import Any

import pytest

from rllib_lase.cli import entry
from rllib_lase.cli.options import UsageError
from rllib_lase.cli.train import read_plan
from tests.synthetic_runs import write_run


def write(folder: Path, **content: Any) -> list[str]:
    """A file and the words that name it."""
    (folder / "best.json").write_text(json.dumps(content))
    return ["--config", str(folder / "best.json"), "--out", str(folder / "run")]


def test_the_command_line_comes_before_the_file(tmp_path: Path) -> None:
    settings = {"lr": 2e-3, "lambda_": 0.9, "delta": 0.3}
    words = write(
        tmp_path,
        game="cleanup",
        algo="lase",
        env_steps=7_000,
        game_params={"num_agents": 3},
        settings=settings,
    )
    plan = read_plan([*words, "--lr", "1e-3", "--seed", "4"])[0]
    assert (plan.game, plan.algo, plan.seed, plan.env_steps) == ("cleanup", "lase", 4, 7_000)
    assert plan.game_params == {"preset": "lase", "num_agents": 3}
    assert {name: plan.settings[name] for name in settings} == {**settings, "lr": 1e-3}
    other = read_plan([*words, "--algo", "go"])[0]
    assert other.algo == "go"
    assert other.changes == {}, "the settings of another algorithm are not taken over"


def test_a_runs_own_config_repeats_it(tmp_path: Path) -> None:
    words = ["cleanup", "--algo", "go", "--seed", "3", "--env-steps", "900", "--gamma", "0.9"]
    plan = read_plan([*words, "--out", str(tmp_path / "x")])[0]
    run = write_run(tmp_path / "run", iterations=2, **plan.config())
    again = read_plan(["--config", str(run.path / "config.json"), "--out", str(tmp_path / "y")])[0]
    assert again.config() == plan.config()
    longer = [*words, "--env-steps", "1800", "--config", str(run.path / "config.json")]
    assert read_plan([*longer, "--out", str(tmp_path / "y")])[0].settings["schedule_env_steps"] == 1_800


def test_settings_of_rllibs_own_are_theirs(tmp_path: Path) -> None:
    plan = read_plan(write(tmp_path, game="cleanup", algo="rllib:PPO", settings={"gamma": 0.9}))[0]
    assert plan.changes == {"gamma": 0.9}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"gaem": "cleanup"}, "gaem: unknown key; did you mean 'game'?"),
        ({"xyzzy": 1}, "xyzzy: unknown key; choose from game, algo, optimizer, seed"),
        ({"game": "clenup"}, "unknown game 'clenup'; did you mean 'cleanup'?"),
        ({"game": "cleanup", "algo": "lsae"}, "algo: unknown algorithm 'lsae'; did you mean 'lase'?"),
        (
            {"game": "cleanup", "algo": "lase", "settings": {"dleta": 1}},
            "settings: dleta: unknown setting; did you mean 'delta'?",
        ),
        ({"game": "cleanup", "algo": "lase", "settings": {"delta": 3}}, "--delta: 3 is out of range"),
        ({"game": "cleanup", "settings": {"delta": 1}}, "settings: belong to an algorithm; name it as algo"),
        ({"game": "cleanup", "seed": "one"}, "seed: expected a whole number, found 'one'"),
        ({"population": ["lase", "a2c"]}, "population: files say nothing of mixed populations"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path: Path, content: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as raised:
        read_plan(write(tmp_path, **content))
    assert any(message in problem for problem in raised.value.problems), raised.value.problems


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "best.json"
    assert entry.run(["train", "cleanup", "--config", str(path)]) == 2
    assert f"--config: {path}: No such file or directory; expected a file" in capsys.readouterr().err
    path.write_text("{")
    assert entry.run(["train", "cleanup", "--config", str(path)]) == 2
    assert f"--config: {path}: no valid JSON" in capsys.readouterr().err
