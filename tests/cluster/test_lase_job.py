"""The entry point of our jobs, as Ray would start it: in a Python that knows this one package of ours."""

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from rllib_lase.cluster.lase_job import command
from rllib_lase.cluster.lase_job.command import NOT_DELIVERED, UNFIT
from rllib_lase.cluster.lase_job.versions import PYTHON, REQUIREMENTS, version_problems
from tests.cluster.files import ROOT

GOOD = {name: wanted.partition(",")[0].removeprefix(">=") for name, wanted in REQUIREMENTS.items()}


def run_job(folder: Path, *words: str, site: bool = True) -> subprocess.CompletedProcess[str]:
    """Runs `python -m lase_job` with what Ray would send: package, games and entry point."""
    sent = [ROOT, ROOT / "envs", ROOT / "rllib_lase" / "cluster"]
    job = {"metadata": {"job_submission_id": "job_1"}, "runtime_env": {}}
    return subprocess.run(
        [sys.executable, *([] if site else ["-S"]), "-m", "lase_job", *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        timeout=120,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, sent)),
            "RAY_JOB_CONFIG_JSON_ENV_VAR": json.dumps(job),
        },
    )


def test_a_machine_with_all_that_is_required_has_no_problem() -> None:
    assert version_problems((3, 11, 7), GOOD) == []
    assert version_problems((3, 14, 0), {**GOOD, "torch": "2.13.0+cpu", "numpy": "3.0.0rc1"}) == []


@pytest.mark.parametrize(
    ("found", "what", "cure"),
    [
        ({"torch": None}, "missing: torch", "pip install 'torch>=2.13'"),
        ({"torch": None, "rich": None}, "missing: torch, rich", "pip install 'torch>=2.13' 'rich>=13'"),
        ({"ray": "2.59.1"}, "ray 2.59.1 found, >=2.60,<2.61 needed", "on every node"),
        ({"ray": "2.61.0"}, "ray 2.61.0 found, >=2.60,<2.61 needed", "pip install 'ray>=2.60,<2.61'"),
        ({"numba": "0.9"}, "numba 0.9 found, >=0.61 needed", "pip install 'numba>=0.61'"),
    ],
)
def test_each_wrong_package_is_one_problem_with_its_cure(
    found: dict[str, str | None], what: str, cure: str
) -> None:
    (problem,) = version_problems((3, 11, 0), {**GOOD, **found})
    assert problem.what == what
    assert cure in problem.cure


def test_an_old_python_is_a_problem() -> None:
    (problem,) = version_problems((3, 10, 12), GOOD)
    assert problem.what == f"Python 3.10 found, {PYTHON[0]}.{PYTHON[1]} or newer needed"


def test_a_python_without_the_packages_is_told_what_to_install_before_anything_starts(tmp_path: Path) -> None:
    done = run_job(tmp_path, "train", "ipd", site=False)
    assert done.returncode == UNFIT
    assert "Nothing was started" in done.stdout
    assert "missing: numpy, numba, gymnasium, pettingzoo, ray, torch" in done.stdout
    assert "Cure, on every node: pip install 'numpy>=2.0'" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_what_the_command_writes_is_uploaded_into_the_jobs_own_folder(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text("from pathlib import Path\nPath('written').write_text('by own')\n")
    storage = tmp_path / "storage"
    done = run_job(tmp_path, "--storage", str(storage), "--in-copy", "check", "own:make")
    assert done.returncode == 2, done.stderr  # of `lase check`: there is no own.make
    assert [path.name for path in storage.rglob("*") if path.is_file()] == ["written"]
    assert (storage / "job_1" / "written").read_text() == "by own"
    assert f"Results uploaded: {storage}/job_1" in done.stdout
    assert not (tmp_path / "written").exists()


def test_a_storage_that_cannot_be_written_is_said_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = run_job(tmp_path, "--storage", str(tmp_path / "file" / "x"), "train", "ipd")
    assert done.returncode == UNFIT
    assert "cannot be written from this node" in done.stdout
    assert "Cure: check address, credentials and rights" in done.stdout


@pytest.fixture
def finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a job whose command has written a file; Ray's logs are in `logs`."""
    folder = tmp_path / "job"

    def make_folder(prefix: str) -> str:
        folder.mkdir()
        return str(folder)

    def written(words: object, own: Path, in_copy: bool) -> tuple[int, list[Path]]:
        (own / "run").mkdir()
        (own / "run" / "summary.json").write_text("learnt")
        return 0, [Path("run/summary.json")]

    (tmp_path / "logs").mkdir()
    monkeypatch.setenv("RAY_JOB_CONFIG_JSON_ENV_VAR", '{"metadata": {"job_submission_id": "job_1"}}')
    monkeypatch.setattr(command, "own_problems", list)
    monkeypatch.setattr(command, "_run", written)
    monkeypatch.setattr(command, "_logs_folder", lambda: tmp_path / "logs")
    monkeypatch.setattr("tempfile.mkdtemp", make_folder)
    return folder


def fail(*_: object) -> None:
    raise OSError("the bucket\n is gone")


Capture = pytest.CaptureFixture[str]


def test_what_cannot_be_uploaded_is_archived_and_the_job_says_how_to_fetch_it_and_fails(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr(command, "upload", fail)
    assert command.main(["--storage", str(tmp_path / "storage"), "train"]) == NOT_DELIVERED
    (line,) = capsys.readouterr().out.splitlines()
    # `lase submit --results` looks for these words in the job's log.
    assert line.startswith("Results kept on this node: ")
    assert f"could not be uploaded to {tmp_path}/storage/job_1: the bucket is gone" in line
    assert "lase submit --results job_1" in line
    with tarfile.open(tmp_path / "logs" / command.RESULTS_FOLDER / "job_1.tar.gz") as packed:
        assert packed.getnames() == ["run/summary.json"]
    assert not finished.exists()


def test_results_that_can_be_brought_nowhere_stay_and_the_job_says_where(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr(command, "upload", fail)
    monkeypatch.setattr(tarfile.TarFile, "add", fail)
    assert command.main(["--storage", str(tmp_path / "storage"), "train"]) == NOT_DELIVERED
    (line,) = capsys.readouterr().out.splitlines()
    assert f"Results are in {finished} on the node" in line
    assert "could not be uploaded" in line
    assert "could not be archived: the bucket is gone" in line
    assert (finished / "run" / "summary.json").read_text() == "learnt"
    assert not list((tmp_path / "logs").rglob("*.gz")), "half an archive would be fetched"


def test_an_archive_that_fails_beside_an_upload_costs_nothing_but_is_said(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr(command, "_logs_folder", fail)
    storage = tmp_path / "storage"
    assert command.main(["--storage", str(storage), "--keep", "train"]) == NOT_DELIVERED
    assert f"Results are in {storage}/job_1; they could not be archived" in capsys.readouterr().out
    assert (storage / "job_1" / "run" / "summary.json").read_text() == "learnt"
    assert not finished.exists()
