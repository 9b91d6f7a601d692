import json
from pathlib import Path

import pytest

from rllib_lase.command_lines import compare_command, run_command
from rllib_lase.runs import RunFolder
from tests.synthetic_runs import write_run


def evaluated_over(run: RunFolder, episodes: int) -> RunFolder:
    """The same run, as if that many episodes had been played at its end."""
    path = run.path / "summary.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "num_evaluation_episodes": episodes}))
    return RunFolder.open(run.path)


@pytest.mark.parametrize(("episodes", "words"), [(128, ""), (16, " --evaluation-episodes 16")])
def test_the_command_that_repeats_a_run_evaluates_it_alike(tmp_path: Path, episodes: int, words: str) -> None:
    runs = [
        evaluated_over(write_run(tmp_path / f"lase-ppo-seed{seed}", seed=seed, iterations=2), episodes)
        for seed in (0, 1)
    ]
    assert run_command(runs[0], tmp_path).endswith(f"--out {tmp_path}{words}")
    (compared,) = compare_command(runs, tmp_path)
    assert ("--evaluation-episodes" in compared) == bool(words)
    assert words in compared


def test_runs_that_were_evaluated_differently_are_repeated_one_by_one(tmp_path: Path) -> None:
    first = write_run(tmp_path / "lase-ppo-seed0", iterations=2)
    second = evaluated_over(write_run(tmp_path / "lase-ppo-seed1", seed=1, iterations=2), 16)
    commands = compare_command([first, second], tmp_path)
    assert ["--evaluation-episodes" in command for command in commands] == [False, True]
