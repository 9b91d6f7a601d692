"""`lase submit` and `lase doctor` without a cluster: words, what is sent, messages, findings."""

import http.server
import json
import os
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import ray

from rllib_lase import doctor
from rllib_lase.cli import entry
from rllib_lase.cli.options import read_words
from rllib_lase.cli.submit import _command_problems, _options, _order, _split
from rllib_lase.cluster.client import JOB_ENVIRONMENT, ClusterError, JobOrder, _checked, _unpack
from rllib_lase.cluster.lase_job.versions import REQUIREMENTS
from tests.interpreter import environment
from tests.synthetic_runs import write_run

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def dashboard() -> Iterator[tuple[str, dict[str, Any]]]:
    """A server that answers as a dashboard does; what it answers can be changed."""
    answer: dict[str, Any] = {"status": 200, "ray_version": ray.__version__}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"ray_version": answer["ray_version"]}).encode()
            self.send_response(answer["status"])
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", answer
    server.shutdown()
    server.server_close()


def submit(address: str, home: Path) -> tuple[int, str]:
    """Exit code and message of `lase submit`, in a process whose user has no token."""
    given = {name: value for name, value in environment().items() if not name.startswith("RAY_AUTH")}
    done = subprocess.run(
        [sys.executable, "-m", "rllib_lase", "submit", "--address", address, "train", "ipd"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**given, "HOME": str(home)},
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr


def test_a_cluster_with_another_ray_is_refused(dashboard: tuple[str, dict[str, Any]], tmp_path: Path) -> None:
    address, answer = dashboard
    answer["ray_version"] = "2.58.0"
    code, message = submit(address, tmp_path)
    assert code == 1
    assert f"runs Ray 2.58.0, and here is Ray {ray.__version__}. Cure: the same on both sides" in message


def test_a_cluster_that_wants_another_token_says_where_ours_belongs(
    dashboard: tuple[str, dict[str, Any]], tmp_path: Path
) -> None:
    address, answer = dashboard
    answer["status"] = 403
    code, message = submit(address, tmp_path)
    assert code == 1
    assert "refuses our token" in message
    assert "~/.ray/auth_token" in message


def test_an_address_where_nothing_listens_is_said_with_the_cure(capsys: Capture) -> None:
    assert entry.run(["submit", "--address", "127.0.0.1:1", "train", "ipd"]) == 1
    message = capsys.readouterr().err
    assert "no Ray dashboard answers at http://127.0.0.1:1" in message
    assert "Cure: is the cluster up" in message


@pytest.mark.parametrize("address", ["ray://127.0.0.1:10001", "auto"])
def test_an_address_of_another_kind_is_said_with_the_cure(address: str) -> None:
    with pytest.raises(ClusterError, match=r"Cure: (http://HOST:8265|is the cluster up)"):
        _checked(address)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("", "COMMAND: missing. Known: train, check, compare"),
        ("--cpus 2", "COMMAND: missing. Known: train, check, compare"),
        ("trian ipd", "COMMAND: unknown 'trian'; did you mean 'train'? Known: train"),
        ("submit train ipd", "COMMAND: unknown 'submit'"),
        ("train ipdd", "train: unknown game 'ipdd'; did you mean 'ipd'?"),
        ("train ipd --env-stepz 5", "train: --env-stepz: unknown option; did you mean '--env-steps'?"),
        ("compare ipd --algos lase,lolla", "compare: --algos: unknown algorithm 'lolla'"),
        ("compare ipd --sedes 3", "compare: --sedes: unknown option; did you mean '--seeds'?"),
        ("tune /nfs/search.py --smoek", "tune: --smoek: unknown option; did you mean '--smoke'?"),
        ("tune tune_configs/compaer.py", "tune: FILE: tune_configs/compaer.py is not sent along"),
        ("--working-dir . tune tune_configs/compaer.py", "tune: FILE: tune_configs/compaer.py is not in "),
        ("--stop a train ipd", "--stop: stands alone, without another job or COMMAND, found --stop train"),
        ("--stop a --results b", "--stop: stands alone"),
        ("--working-dir nowhere train ipd", "--working-dir: expected a folder, found 'nowhere'"),
        ("--cpsu 2 train ipd", "--cpsu: unknown option; did you mean '--cpus'?"),
        (
            "tune tune_configs/compare.py --smoke",
            "send its folder along: lase submit --working-dir . tune tune_configs/compare.py --smoke",
        ),
        ("train examples.own_environment:make_env", "is yours, and the cluster has it not"),
        ("train ipd --detach", "--detach is an option of submit: put it before train"),
        ("train ipd --address http://h:8265", "--address is an option of submit: put it before train"),
    ],
)
def test_wrong_words_are_refused_before_anything_is_sent(words: str, problem: str, capsys: Capture) -> None:
    assert entry.run(["submit", *(words.split() or ["--detach"])]) == 2
    assert problem in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        "train --resume /nfs/run",
        "train ipd --population lase,run:/nfs/run",
        "compare their.games:make_env --algos lase,rllib:PPO",
        "train their.rllib:make_env",
        "tune /nfs/search.py",
    ],
)
def test_what_only_the_cluster_has_is_left_to_it(words: str) -> None:
    assert _command_problems(words.split(), None) == []


def test_a_run_that_is_here_is_sent_along(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_run(tmp_path / "runs" / "a", iterations=2)
    for words in ("evaluate runs/a --episodes 4", "render runs/a@100", "train --resume runs/a"):
        assert entry.run(["submit", *words.split()]) == 2
        assert f"send its folder along: lase submit --working-dir . {words}" in capsys.readouterr().err


def test_options_of_the_command_go_to_the_command() -> None:
    words = "--cpus 2 --env A=1 B=2 --detach train ipd --out x --env-steps 3"
    own, command = _split(words.split())
    assert own == ["--cpus", "2", "--env", "A=1", "B=2", "--detach"]
    assert command == ["train", "ipd", "--out", "x", "--env-steps", "3"]


def test_a_detached_job_is_asked_for_by_one_word() -> None:
    given = read_words(["--detach", "--cpus", "2"], _options())
    assert (given.values, given.problems) == ({"detach": True, "cpus": 2}, [])


def test_environment_variables_reach_the_job_as_they_were_typed() -> None:
    given = read_words(["--env", "KEY=12e4567", "Z=007", "FLAG=true", "EMPTY=", "URL=a=b"], _options())
    assert given.problems == []
    order = _order(given, ["train", "ipd"])
    assert order is not None
    expected = {"KEY": "12e4567", "Z": "007", "FLAG": "true", "EMPTY": "", "URL": "a=b"}
    assert order.runtime_env["env_vars"] == {**JOB_ENVIRONMENT, **expected}


@pytest.mark.parametrize("word", ["KEY", "=1"])
def test_an_environment_variable_needs_a_name_and_a_value(word: str) -> None:
    (problem,) = read_words(["--env", word], _options()).problems
    assert "expected NAME=VALUE" in problem


def test_a_stopped_job_has_ten_minutes_to_evaluate_and_upload() -> None:
    assert JOB_ENVIRONMENT["RAY_JOB_STOP_WAIT_TIME_S"] == "600"


def test_a_job_gets_package_games_and_the_environment_of_every_process(tmp_path: Path) -> None:
    order = JobOrder(["train", "ipd"], tmp_path, {"OMP_NUM_THREADS": "2"}, "s3://b/x")
    sent = order.runtime_env
    assert [Path(path).name for path in sent["py_modules"]] == ["rllib_lase", "mixed_motive", "lase_job"]
    assert all((Path(path) / "__init__.py").is_file() for path in sent["py_modules"])
    assert sent["env_vars"] == {**JOB_ENVIRONMENT, "OMP_NUM_THREADS": "2"}
    assert sent["env_vars"]["PYTHONHASHSEED"] == "0"
    assert sent["working_dir"] == str(tmp_path)
    assert order.entrypoint == "python -m lase_job --keep --storage s3://b/x --in-copy train ipd"


def archive(*names: str) -> BytesIO:
    packed = BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as files:
        for name in names:
            files.addfile(tarfile.TarInfo(name), BytesIO())
    packed.seek(0)
    return packed


def test_results_come_into_the_folder_and_replace_nothing(tmp_path: Path) -> None:
    assert _unpack(archive("runs/a/config.json"), tmp_path, "job_1") == tmp_path
    assert (tmp_path / "runs" / "a" / "config.json").is_file()
    assert _unpack(archive("runs/a/config.json"), tmp_path, "job_2") == tmp_path / "job_2"
    assert (tmp_path / "job_2" / "runs" / "a" / "config.json").is_file()
    (tmp_path / "job_2" / "runs" / "a" / "config.json").write_text("mine")
    assert _unpack(archive("runs/a/config.json"), tmp_path, "job_2") == tmp_path / "job_2-2"
    assert _unpack(archive("runs/a/config.json"), tmp_path, "job_2") == tmp_path / "job_2-3"
    assert (tmp_path / "job_2" / "runs" / "a" / "config.json").read_text() == "mine"


def test_results_cannot_leave_the_folder(tmp_path: Path) -> None:
    with pytest.raises(tarfile.OutsideDestinationError):
        _unpack(archive("../outside"), tmp_path / "in", "job_1")
    assert not (tmp_path / "outside").exists()


def test_the_package_finds_its_games_in_a_source_tree_that_is_not_installed(tmp_path: Path) -> None:
    root = Path(doctor.__file__).parents[1]
    code = "import rllib_lase, mixed_motive; print(mixed_motive.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert done.stdout.strip() == str(root / "envs" / "mixed_motive" / "__init__.py")


def test_doctor_finds_nothing_wrong_here_within_ten_seconds_of_cpu(capsys: Capture, tmp_path: Path) -> None:
    start = time.process_time()  # of this process: others may keep the cores
    assert entry.run(["doctor", "--out", str(tmp_path / "runs")]) == 0
    seconds = time.process_time() - start
    printed = capsys.readouterr().out
    assert "fault" not in printed
    assert "Nothing here would stop a run." in printed
    for word in ("Python 3", "torch 2", "core", "memory", "GPU", "compiled", "GB free on the disk"):
        assert word in printed
    assert seconds < 10


def test_doctor_exits_with_one_and_a_cure_where_runs_cannot_be_written(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)
    assert entry.run(["doctor", "--out", str(tmp_path / "runs")]) == 1
    printed = capsys.readouterr().out
    assert f"{tmp_path} cannot be written\n          cure: another place (--out), or free it" in printed
    assert "1 fault would stop a run." in printed


def test_doctor_says_what_is_missing_and_how_to_install_it(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rllib_lase.cluster.lase_job import versions

    found = {**dict.fromkeys(REQUIREMENTS, "99"), "ray": "2.58.0", "torch": None}
    monkeypatch.setattr(versions, "installed_version", found.__getitem__)
    assert entry.run(["doctor"]) == 1
    printed = capsys.readouterr().out
    assert "fault   missing: torch\n          cure: pip install 'torch>=2.13'" in printed
    assert "fault   ray 2.58.0 found, >=2.60,<2.61 needed" in printed
    assert "2 faults would stop a run." in printed


def test_doctor_names_a_package_that_cannot_be_imported(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    assert entry.run(["doctor"]) == 1
    printed = capsys.readouterr().out
    assert "fault   importing torch: ModuleNotFoundError" in printed
    assert "cure: install it again" in printed


def test_doctor_counts_a_cluster_that_does_not_answer_as_a_fault(capsys: Capture) -> None:
    assert entry.run(["doctor", "--address", "127.0.0.1:1"]) == 1
    assert "fault   no Ray dashboard answers at http://127.0.0.1:1" in capsys.readouterr().out


def node(**other: Any) -> dict[str, Any]:
    versions = {**dict.fromkeys(REQUIREMENTS, "99"), "ray": "2.60.0"}
    facts = {"node": "0123456789", "ip": "10.0.0.1", "python": [3, 11, 7], "versions": versions}
    facts |= {"import_error": None, "disk_free": 9e9, "is_driver": False, "megabytes_per_second": 500.0}
    return {**facts, "resources": {"CPU": 4.0, "GPU": 0.0}, **other}


def test_a_healthy_node_is_one_line() -> None:
    (finding,) = doctor.node_findings(node())
    assert finding.state == "ok"
    assert "node 10.0.0.1 (01234567): Python 3.11.7, ray 2.60.0" in finding.what
    assert "4 CPUs, 0 GPUs, sends 500 MB/s" in finding.what


@pytest.mark.parametrize(
    ("wrong", "state", "what"),
    [
        ({"failure": "timed out"}, "fault", "does not answer: timed out"),
        ({"python": [3, 10, 1]}, "fault", "Python 3.10 found, 3.11 or newer needed"),
        ({"versions": dict.fromkeys(REQUIREMENTS)}, "fault", "missing: numpy"),
        ({"import_error": "ImportError: libx"}, "fault", "importing rllib_lase: ImportError: libx"),
        ({"disk_free": 1e6}, "fault", "0.0 GB of disk free"),
        ({"megabytes_per_second": 3.0}, "advice", "sends rollouts at 3 MB/s only"),
    ],
)
def test_what_is_wrong_with_a_node_is_said_with_its_name_and_a_cure(
    wrong: dict[str, Any], state: str, what: str
) -> None:
    finding = doctor.node_findings(node(**wrong))[0]
    assert finding.state == state
    assert "10.0.0.1" in finding.what
    assert what in finding.what
    assert finding.cure
