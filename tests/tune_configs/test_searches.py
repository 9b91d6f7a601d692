"""`lase tune`: every search file can start, wrong words are refused, and a search that was killed goes on."""

import json
import os
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

import mixed_motive
from rllib_lase.cli import entry
from rllib_lase.registry import ALGORITHMS, STOCK
from rllib_lase.run_lock import WriterLock
from rllib_lase.tuning import Search
from tests.interpreter import environment

Capture = pytest.CaptureFixture[str]
FOLDER = Path(__file__).parents[2] / "tune_configs"
FILES = sorted(path for path in FOLDER.glob("*.py") if "SEARCH" in path.read_text())

TINY = '''"""Two algorithms on two games."""

from rllib_lase.tuning import Search

SEARCH = Search(
    games=["ipd", "escape_room"], algos=["go", "independent"], seeds=[1], env_steps=900, evaluation_episodes=4
)
'''


def test_there_is_a_file_for_each_question() -> None:
    names = {path.stem for path in FILES}
    assert {"compare", "grid_delta_epsilon", "asha_lase_cleanup", "optuna_lase", "pbt_lase"} <= names
    assert {"seeds", "scale_population"} <= names


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_search_file_can_start_large_and_small(path: Path) -> None:
    search = runpy.run_path(str(path))["SEARCH"]
    assert isinstance(search, Search)
    small = search.small()
    assert search.problems() == small.problems() == []
    assert small.num_trials * small.trial_env_steps < search.num_trials * search.trial_env_steps
    assert small.description() != search.description()
    assert f"lase tune tune_configs/{path.name}" in path.read_text()


def test_the_comparison_leaves_out_only_what_it_names() -> None:
    names = runpy.run_path(str(FOLDER / "compare.py"))
    search, left_out = names["SEARCH"], set(names["LEFT_OUT"])
    everything = {*mixed_motive.GAMES, *ALGORITHMS, *STOCK}
    assert left_out < everything
    assert {*search.games, *search.algos} == everything - left_out
    assert {run["game"] for run in search.runs} == set(search.games)
    assert {run["algo"] for run in search.runs} == set(search.algos)


def test_population_based_training_comes_with_a_warning() -> None:
    search = runpy.run_path(str(FOLDER / "pbt_lase.py"))["SEARCH"]
    assert "every co-player's problem" in search.warning


def refused(capsys: Capture, *words: str) -> str:
    """The message with which the command refuses."""
    assert entry.run(["tune", *words]) == 2
    return capsys.readouterr().err


def test_wrong_words_and_files_are_refused(capsys: Capture, tmp_path: Path) -> None:
    file = tmp_path / "tiny.py"
    file.write_text(TINY)
    out = ["--out", str(tmp_path / "out")]
    assert "FILE: missing" in refused(capsys)
    assert "no such file" in refused(capsys, str(tmp_path / "other.py"))
    wrong = refused(capsys, str(file), "--objective", "colective_reward", "--concurrent", "0")
    assert "did you mean 'collective_reward'?" in wrong
    assert "--concurrent: expected 1 or more" in wrong
    assert "--smoke: " in refused(capsys, str(file), "--smoke", *out)
    assert "holds no search; leave --resume out" in refused(capsys, str(file), "--resume", *out)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("")
    assert "holds other things" in refused(capsys, str(file), *out)
    file.write_text(TINY.replace("SEARCH =", "SAERCH ="))
    assert "assigns no Search to SEARCH; there is one in SAERCH" in refused(capsys, str(file), *out)
    file.write_text(TINY.replace("seeds=", "sedes="))
    assert "Search has no 'sedes'; did you mean 'seeds'?" in refused(capsys, str(file), *out)
    file.write_text(f"{TINY}\nhalf = (")
    assert f"tiny.py, line {len(TINY.splitlines()) + 2}: SyntaxError" in refused(capsys, str(file), *out)
    file.write_text(f"{TINY}\nSEARCH.games[9]")
    assert f"tiny.py, line {len(TINY.splitlines()) + 2}: IndexError" in refused(capsys, str(file), *out)
    file.write_text(TINY.replace('"go"', '"gho"'))
    assert "unknown algorithm 'gho'" in refused(capsys, str(file), *out)
    file.write_text(f"import no_such_package\n{TINY}")
    assert "needs no_such_package, which cannot be found" in refused(capsys, str(file), *out)
    (tmp_path / "config.json").write_text('{"game": "ipd", "algo": "population", "population": []}')
    file.write_text(TINY)
    words = ["--config", str(tmp_path / "config.json"), *out]
    assert "files say nothing of mixed populations" in refused(capsys, str(file), *words)


def test_a_cluster_that_does_not_answer_leaves_the_folder_usable(capsys: Capture, tmp_path: Path) -> None:
    file, out = tmp_path / "tiny.py", tmp_path / "out"
    file.write_text(TINY)
    for _ in range(2):
        assert entry.run(["tune", str(file), "--address", "127.0.0.1:1", "--out", str(out)]) == 1
        assert "no Ray cluster answers at 127.0.0.1:1" in capsys.readouterr().err
    assert [path.name for path in out.iterdir()] == ["search.json"]


def test_a_logger_that_is_not_installed_is_named_with_its_cure(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "tiny.py"
    file.write_text(TINY)
    for name in ("wandb", "mlflow"):
        monkeypatch.setitem(sys.modules, name, None)
    message = refused(capsys, str(file), "--wandb", "p", "--mlflow", "u", "--out", str(tmp_path / "out"))
    for name in ("wandb", "mlflow"):
        assert f"--{name}: the package {name} cannot be imported" in message
        assert f"Cure, in a checkout of rllib-lase: pip install '.[{name}]'" in message


def test_a_logger_that_does_not_let_us_in_is_named_before_anything_starts(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Both packages are stood in for: they are extras, and the real ones want a server and an account."""

    class MlflowClient:
        def __init__(self, tracking_uri: str) -> None:
            self.uri = tracking_uri

        def search_experiments(self, max_results: int) -> None:
            raise ConnectionError(f"no server\n  at {self.uri}")

    monkeypatch.setitem(sys.modules, "mlflow", SimpleNamespace(MlflowClient=MlflowClient))
    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace())
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_SETUP_API_KEY_HOOK"):
        monkeypatch.delenv(name, raising=False)
    file, out = tmp_path / "tiny.py", tmp_path / "out"
    file.write_text(TINY)
    message = refused(capsys, str(file), "--wandb", "p", "--mlflow", "http://u", "--out", str(out))
    assert "--mlflow: http://u cannot be used; start its server" in message
    assert "It says: no server at http://u" in message
    assert "--wandb: no key: set WANDB_API_KEY" in message
    assert not out.exists()


@pytest.mark.parametrize("words", [(), ("--resume",)])
def test_a_search_that_another_process_plays_is_left_to_it(
    words: tuple[str, ...], capsys: Capture, tmp_path: Path
) -> None:
    file, out = tmp_path / "tiny.py", tmp_path / "out"
    file.write_text(TINY)
    out.mkdir()
    lock = WriterLock(out)
    message = refused(capsys, str(file), "--out", str(out), *words)
    assert f"--out: {out}: process {os.getpid()} on " in message
    lock.release()


@pytest.mark.learning  # a minute: a search is killed, goes on and is compared with a whole one
def test_a_search_that_was_killed_goes_on_and_no_trial_is_lost_or_doubled(
    capsys: Capture, tmp_path: Path
) -> None:
    file, out = tmp_path / "tiny.py", tmp_path / "out"
    file.write_text(TINY)
    words = ["tune", str(file), "--out", str(out), "--concurrent", "2", "--max-failures", "0"]
    words += ["--objective", "collective_reward=1,equality_after_gifting=5"]
    command = [sys.executable, "-m", "rllib_lase", *words]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.DEVNULL) as driver:
        finished: set[Path] = set()
        while len(finished) < 2 and driver.poll() is None:
            time.sleep(0.1)
            finished = set(out.glob("*/summary.json"))
        assert driver.poll() is None, "it was to be killed half way"
        os.kill(driver.pid, signal.SIGKILL)
    assert "holds a search already; --resume goes on with it" in refused(capsys, *words[1:])
    other = [word.replace("=5", "=6") for word in words[1:]]
    assert "objective: collective_reward=1,equality_after_gifting=5 there" in refused(
        capsys, *other, "--resume"
    )

    # With the seconds that a trial took. Read only now: a copy may end after the driver.
    before = {path: path.read_bytes() for path in finished}
    assert entry.run([*words, "--resume"]) == 0
    trials = pd.read_csv(out / "trials.csv")
    names = ["0000-ipd-go-seed1", "0001-ipd-independent-seed1"]
    names += ["0002-escape_room-go-seed1", "0003-escape_room-independent-seed1"]
    assert list(trials["trial"]) == names
    assert (trials["status"] == "finished").all()
    assert sorted(path.parent.name for path in out.glob("*/summary.json")) == names
    assert {path: path.read_bytes() for path in finished} == before, "finished trials are left alone"
    value = trials["collective_reward"] + 5 * trials["equality_after_gifting"].fillna(0)
    assert trials["objective"].tolist() == pytest.approx(value.tolist())

    table = pd.read_parquet(out / "table.parquet")
    assert sorted(zip(table["game"], table["algo"], strict=True)) == [
        ("escape_room", "go"), ("escape_room", "independent"), ("ipd", "go"), ("ipd", "independent"),
    ]  # fmt: skip
    page = (out / "report.html").read_text()
    assert '<th scope="col">ipd</th><th scope="col">escape_room</th>' in page
    assert "Two algorithms on two games" in page
    best = json.loads((out / "best-ipd.json").read_text())
    assert best["algo"] == table[table["game"] == "ipd"].iloc[0]["algo"]
    assert entry.run(["report", str(out)]) == 0
    assert (out / "report.html").read_text() == page
