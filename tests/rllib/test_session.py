"""The Ray of a command: what its processes get, on this machine and in a job."""

import json

import pytest

from rllib_lase.rllib.session import _environment


def test_rays_processes_get_hash_seed_and_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_JOB_CONFIG_JSON_ENV_VAR", raising=False)
    monkeypatch.setenv("PYTHONHASHSEED", "3")
    assert _environment() == {"PYTHONHASHSEED": "3", "OMP_NUM_THREADS": "1"}


@pytest.mark.parametrize("runtime_env", [None, {}, {"working_dir": "gcs://x.zip"}])
def test_a_job_that_sets_nothing_gets_both_too(
    monkeypatch: pytest.MonkeyPatch, runtime_env: dict[str, str] | None
) -> None:
    monkeypatch.setenv("RAY_JOB_CONFIG_JSON_ENV_VAR", json.dumps({"runtime_env": runtime_env}))
    assert set(_environment()) == {"PYTHONHASHSEED", "OMP_NUM_THREADS"}


def test_what_a_job_sets_is_not_set_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray refuses to start where a job and its driver set the same variable."""
    job = {"runtime_env": {"env_vars": {"OMP_NUM_THREADS": "2"}}}
    monkeypatch.setenv("RAY_JOB_CONFIG_JSON_ENV_VAR", json.dumps(job))
    assert set(_environment()) == {"PYTHONHASHSEED"}
