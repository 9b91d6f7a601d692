"""`lase compare`: what it refuses, which runs it starts and keeps, what it makes of failures and Ctrl-C."""

import io
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from rich.console import Console

from rllib_lase.cli import pool
from rllib_lase.cli.overview import make_overview, overview_table
from rllib_lase.cli.pool import Job, run_jobs
from rllib_lase.cli.train import read_plan
from tests.lase_command import Capture, lase, refused
from tests.synthetic_runs import write_run


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--algos lase,pppo", "--algos: unknown algorithm 'pppo'; did you mean 'ppo'?"),
        ("--algos ppo,independent", "--algos: independent (ppo) is there twice; leave one out"),
        ("--algos ,", "--algos: expected algorithm ids with commas between, found ','"),
        ("--seeds 0", "--seeds: expected 1 or more, found '0'"),
        ("--algos ppo,go --delta 0.2", "--delta: independent and go has no such setting; it belongs to lase"),
        ("--first-seed 3e9", "--first-seed: expected 0 to 2147483647, found '3e9'"),
        (
            "--first-seed 2147483647 --seeds 2",
            "--seeds: the last seed would be 2147483648, expected at most 2147483647",
        ),
        ("--jobs many", "--jobs: expected a whole number, found 'many'"),
    ],
)
def test_a_wrong_comparison_is_refused(capsys: Capture, tmp_path: Path, words: str, message: str) -> None:
    lines = refused(capsys, "compare", "cleanup", "--out", str(tmp_path), *words.split())
    assert message in lines[1]


def test_compare_trains_what_is_missing_and_prints_one_table(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    started: list[str] = []

    def run_jobs(jobs: Sequence[Job], at_once: int, on_change: Callable[[Job], None]) -> None:
        assert at_once == 2
        for job in jobs:
            if job.state == "waiting":
                started.append(job.name)
                plan = read_plan(job.words)[0]
                write_run(tmp_path / job.name, iterations=2, **plan.config())
                job.state = "finished"
                on_change(job)

    monkeypatch.setattr(pool, "run_jobs", run_jobs)
    words = (
        f"compare cleanup --algos ppo,lase --seeds 2 --env-steps 2000 --delta 0.3 --jobs 2 --out {tmp_path}"
    )
    assert lase(*words.split()) == 0
    assert started == ["lase-ppo-seed0", "lase-ppo-seed1", "independent-ppo-seed0", "independent-ppo-seed1"]
    shown = capsys.readouterr().out
    assert "independent (ppo)" in shown
    assert shown.splitlines()[-1] == f"report {tmp_path / 'report.html'}"
    assert (tmp_path / "table.csv").read_text().count("\n") == 3
    started.clear()
    assert lase(*words.split()) == 0
    assert started == []
    other = refused(capsys, *words.replace("0.3", "0.4").split())
    assert "lase-ppo-seed0: holds a run with other settings" in other[1]
    other = refused(capsys, *words.split(), "--evaluation-episodes", "64")
    assert "lase-ppo-seed0: holds a run evaluated over 128 episodes, not 64" in other[1]


def test_a_setting_reaches_only_the_learners_that_use_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hidden: dict[str, object] = {}

    def run_jobs(jobs: Sequence[Job], at_once: int, on_change: Callable[[Job], None]) -> None:
        for job in jobs:
            plan = read_plan(job.words)[0]
            hidden[plan.algo] = plan.changes.get("hidden_size")

    monkeypatch.setattr(pool, "run_jobs", run_jobs)
    assert lase(*f"compare ipd --algos lola,go --seeds 1 --hidden-size 24 --out {tmp_path}".split()) == 0
    assert hidden == {"lola": None, "go": 24}


def test_rllibs_own_algorithms_come_first_and_into_the_same_table(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    started: list[str] = []

    def run_jobs(jobs: Sequence[Job], at_once: int, on_change: Callable[[Job], None]) -> None:
        for job in (job for job in jobs if job.state == "waiting"):
            started.append(job.name)
            write_run(tmp_path / job.name, iterations=2, **read_plan(job.words)[0].config())
            job.state = "finished"

    monkeypatch.setattr(pool, "run_jobs", run_jobs)
    words = ["compare", "cleanup", "--algos", "lase,rllib:PPO,rllib:DQN", "--seeds", "1", "--lr", "2e-3"]
    words += ["--optimizer", "ppo", "--rllib", "gamma=0.9", "--out", str(tmp_path)]
    assert lase(*words) == 0
    assert started == ["rllib-PPO-seed0", "rllib-DQN-seed0", "lase-ppo-seed0"]
    table = (tmp_path / "table.csv").read_text().splitlines()
    assert [line.split(",")[2:5] for line in table[1:]] == [
        ["lase", "ppo", "lase (ppo)"],
        ["rllib:PPO", "", "rllib:PPO"],
        ["rllib:DQN", "", "rllib:DQN"],
    ]
    assert "rllib:PPO" in capsys.readouterr().out
    started.clear()
    assert lase(*words) == 0
    assert started == []


def test_a_failed_run_is_named_with_its_log(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def run_jobs(jobs: Sequence[Job], at_once: int, on_change: Callable[[Job], None]) -> None:
        jobs[0].log.parent.mkdir(parents=True)
        jobs[0].log.write_text("Traceback\nRuntimeError: no room\n\n")
        jobs[0].state = "failed"

    monkeypatch.setattr(pool, "run_jobs", run_jobs)
    assert lase("compare", "ipd", "--algos", "go", "--seeds", "1", "--out", str(tmp_path)) == 1
    assert capsys.readouterr().err.splitlines() == [
        "go-a2c-seed0 failed: RuntimeError: no room",
        f"  its log: {tmp_path / 'logs' / 'go-a2c-seed0.log'}",
    ]


_IMPORTS = "import json, signal, sys, time; "
_REPORT = "print(json.dumps({'env_steps': 1, 'total_env_steps': 5}), flush=True)"
SCRIPTS = {
    "good": "print(json.dumps({'env_steps': 5, 'total_env_steps': 5})); print('noise')",
    "bad": "sys.exit('out of luck')",
    "slow": f"{_REPORT}; time.sleep(60)",
    "patient": f"signal.signal(signal.SIGINT, lambda *_: sys.exit(130)); {_REPORT}; time.sleep(60)",
}


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "_command", lambda job: [sys.executable, "-c", _IMPORTS + SCRIPTS[job.name]])


@pytest.mark.usefixtures("scripts")
def test_the_failure_of_one_run_does_not_stop_the_others(tmp_path: Path) -> None:
    jobs = [Job(name, [], tmp_path / f"{number}.log") for number, name in enumerate(["good", "bad", "good"])]
    kept = Job("kept", [], tmp_path / "kept.log", state="kept")
    changes: list[tuple[str, str]] = []
    run_jobs([*jobs, kept], 2, lambda job: changes.append((job.name, job.state)))
    assert [job.state for job in jobs] == ["finished", "failed", "finished"]
    assert jobs[1].last_words() == "out of luck"
    assert kept.process is None
    assert ("good", "evaluating") in changes


@pytest.mark.usefixtures("scripts")
def test_ctrl_c_lets_running_runs_end_in_their_own_way_and_starts_no_more(tmp_path: Path) -> None:
    jobs = [Job("patient", [], tmp_path / "a.log"), Job("good", [], tmp_path / "b.log")]

    def interrupt_once_running(job: Job) -> None:
        if job.state == "training":
            os.kill(os.getpid(), signal.SIGINT)

    # A shell starts background jobs with the signal ignored; then Python would not raise.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            run_jobs(jobs, 1, interrupt_once_running)
    finally:
        signal.signal(signal.SIGINT, before)
    assert [job.state for job in jobs] == ["stopped", "stopped"]
    assert jobs[0].process is not None
    assert jobs[0].process.returncode == 130
    assert jobs[1].process is None


@pytest.mark.usefixtures("scripts")
def test_no_process_outlives_an_error(tmp_path: Path) -> None:
    job = Job("slow", [], tmp_path / "a.log")

    def fail(job: Job) -> None:
        if job.state == "training":
            raise RuntimeError("display broke")

    with pytest.raises(RuntimeError, match="display broke"):
        run_jobs([job], 1, fail)
    assert job.process is not None
    assert job.process.returncode == -signal.SIGTERM


def test_the_overview_tells_of_each_change_once(capsys: Capture) -> None:
    job = Job("a", [], Path("a.log"))
    with make_overview([job], "title") as on_change:
        for env_steps in (0, 10, 20, 30, 100):
            job.state = "starting" if env_steps == 0 else "finished" if env_steps == 100 else "training"
            job.progress = {"env_steps": env_steps, "total_env_steps": 100, "collective_reward": None}
            on_change(job)
    assert capsys.readouterr().out.splitlines() == [
        "title",
        "[0/1] a: starting, reward n/a",
        "[0/1] a: training 10%, reward n/a",
        "[0/1] a: training 30%, reward n/a",
        "[1/1] a: finished, reward n/a",
    ]


def test_the_live_overview_shows_every_run() -> None:
    jobs = [Job("lase-ppo-seed0", [], Path("a.log")), Job("go-ppo-seed0", [], Path("b.log"))]
    jobs[0].state = "training"
    jobs[0].progress = {
        "env_steps": 50,
        "total_env_steps": 100,
        "env_steps_per_second": 1234.5,
        "seconds_left": 61.0,
        "collective_reward": 12.34,
        "equality": None,
        "share_given": 0.25,
    }
    console = Console(width=120, file=io.StringIO(), record=True)
    console.print(overview_table(jobs, "title"))
    shown = console.export_text()
    row = next(line for line in shown.splitlines() if "lase-ppo" in line)
    cells = [cell.strip() for cell in row.strip("│").split("│")]
    assert cells == ["lase-ppo-seed0", "training", "50%", "1,234", "12.3", "n/a", "0.25", "1:01"]
    assert "waiting" in shown
    jobs[0].progress["seconds_left"] = None  # of a run that has done no step yet
    console.print(overview_table(jobs, "title"))
    assert "?" in console.export_text()
