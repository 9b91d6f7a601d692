"""A seed decides a whole run: what it learns and how it plays, whatever Python's hash seed."""

import subprocess
import sys
from pathlib import Path

from pandas.testing import assert_frame_equal

from rllib_lase.runs import RunFolder
from tests.interpreter import environment

_WORDS = """train snowdrift --algo lase --seed 5 --env-steps 320 --hidden-size 16 --rounds-per-iteration 2
--num-envs-per-env-runner 4 --rollout-fragment-length 20 --sr-batch-size 16 --conversion-batch-size 16
--evaluation-episodes 3 --progress json"""


def start(out: Path, hash_seed: str) -> subprocess.Popen[str]:
    """The same training in a Python with this hash seed."""
    return subprocess.Popen(
        [sys.executable, "-m", "rllib_lase.cli", *_WORDS.split(), "--out", str(out)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**environment(), "PYTHONHASHSEED": hash_seed},
    )


def test_the_same_seed_gives_the_same_curve_and_the_same_episodes(tmp_path: Path) -> None:
    folders = [tmp_path / hash_seed for hash_seed in ("1", "2")]
    processes = [start(folder, folder.name) for folder in folders]
    try:
        for process in processes:
            errors = process.communicate(timeout=240)[1]
            assert process.returncode == 0, errors
    finally:
        for process in processes:
            process.kill()
    first, second = map(RunFolder.open, folders)
    curves = []
    for run in (first, second):
        progress = run.progress()
        times = [name for name in progress.columns if name.endswith(("_seconds", "_per_second"))]
        assert times
        curves.append(progress.drop(columns=times))
    assert len(curves[0]) == 2
    assert_frame_equal(*curves, check_exact=True)
    assert len(first.episodes()) == 3 * len(first.agent_ids)
    assert_frame_equal(first.episodes(), second.episodes(), check_exact=True)
