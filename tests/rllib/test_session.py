"""The Ray of a command: what its processes get, on this machine and in a job."""

import json
from typing import Any

import pytest

from rllib_lase.cluster.client import JOB_ENVIRONMENT
from rllib_lase.rllib import session
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


@pytest.mark.parametrize(
    ("address", "variable", "used"),
    [("a:6379", "b:6379", "a:6379"), (None, "b:6379", "b:6379"), (None, None, "local")],
)
def test_a_session_uses_the_cluster_that_is_named_and_sets_nothing_that_its_job_sets(
    monkeypatch: pytest.MonkeyPatch, address: str | None, variable: str | None, used: str
) -> None:
    asked: dict[str, Any] = {}
    monkeypatch.setattr(session.ray, "is_initialized", lambda: False)
    monkeypatch.setattr(session.ray, "init", lambda **words: asked.update(words))
    monkeypatch.setattr(session, "_refuse_unreachable", lambda _: None)
    job = {"runtime_env": {"env_vars": JOB_ENVIRONMENT}}
    monkeypatch.setenv("RAY_JOB_CONFIG_JSON_ENV_VAR", json.dumps(job))
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    if variable:
        monkeypatch.setenv("RAY_ADDRESS", variable)
    with session.ray_session(address=address):
        assert asked["address"] == used
    assert asked["runtime_env"] == {"env_vars": {}}


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "127.0.0.1:99999"])
def test_an_address_where_nothing_listens_is_said_at_once(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setattr(session.ray, "is_initialized", lambda: False)
    monkeypatch.setattr(session.ray, "init", lambda **_: pytest.fail("Ray would try for minutes"))
    with pytest.raises(ConnectionError, match=f"no Ray cluster answers at {address}.*Cure: "):
        session.ray_session(address=address).__enter__()
