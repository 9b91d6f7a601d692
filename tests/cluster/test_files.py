"""The files of cluster/: valid, of our versions, and closed to the world."""

import re
import subprocess
import tomllib
from typing import Any

import jsonschema
import pytest
from ray.autoscaler._private.util import prepare_config, validate_config

from rllib_lase.cluster.lase_job.versions import PYTHON, REQUIREMENTS
from rllib_lase.version import __version__
from tests.cluster.files import FOLDER, LAUNCHER, MANIFESTS, ROOT, cluster_spec, load, pod_specs, text

#: What may not stand anywhere: a service or a dashboard for everybody.
OPEN = re.compile(
    r"0\.0\.0\.0|::/0|LoadBalancer|NodePort|Ingress|hostPort|hostNetwork|--dashboard-host=(?!127\.)"
)


def all_files() -> list[str]:
    return sorted(path.name for path in FOLDER.iterdir())


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return dict(line.lower().split("==") for line in lines if "==" in line)


def project() -> dict[str, Any]:
    read: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return read


@pytest.mark.parametrize("name", LAUNCHER)
def test_rays_cluster_launcher_accepts_the_file(name: str) -> None:
    config = prepare_config(load(name))
    validate_config(config)
    assert 0 < config["max_workers"] <= 4


def test_rays_schema_refuses_a_word_that_it_does_not_know() -> None:
    config = prepare_config({**load("aws.yaml"), "max_wrokers": 3})
    with pytest.raises(jsonschema.ValidationError, match="max_wrokers"):
        validate_config(config)


@pytest.mark.parametrize("name", LAUNCHER)
def test_files_that_are_sent_to_the_nodes_are_there(name: str) -> None:
    local = set(load(name)["file_mounts"].values())
    assert "~/.ray/auth_token" in local
    assert all((ROOT / path).is_file() for path in local - {"~/.ray/auth_token"})


@pytest.mark.parametrize("name", ["aws.yaml", "gcp.yaml"])
def test_workers_are_spot_machines_and_the_head_is_not(name: str) -> None:
    types = load(name)["available_node_types"]
    is_spot = {kind: bool(re.search("spot|preemptible", str(types[kind]["node_config"]))) for kind in types}
    assert is_spot == {"head": False, "worker": True}
    assert types["worker"]["min_workers"] == 0


@pytest.mark.parametrize("name", all_files())
def test_versions_are_those_of_the_project(name: str) -> None:
    found = dict(re.findall(r"([a-z]+)==([0-9.]+)", text(name)))
    for image in re.findall(r"rayproject/ray:(\S+)", text(name)):
        found["ray"], python, _ = image.split("-")
        assert python == f"py{PYTHON[0]}{PYTHON[1]}"
    for version in re.findall(r'rayVersion: "(.*)"', text(name)):
        found["ray"] = version
    assert found.items() <= pins().items()
    assert set(re.findall(r"rllib-lase:([0-9.]+)", text(name))) <= {__version__}
    assert {"latest", "nightly"}.isdisjoint(re.split(r"\W+", text(name)))


@pytest.mark.parametrize("name", [*LAUNCHER, *MANIFESTS, "Dockerfile"])
def test_every_file_that_installs_something_names_its_version(name: str) -> None:
    assert re.search(r"rayproject/ray:2|rllib-lase:0|torch==2", text(name))


def test_what_a_job_requires_is_what_the_project_requires() -> None:
    wanted = [*project()["dependencies"], *project()["optional-dependencies"]["rllib"]]
    split = [re.fullmatch(r"([a-z]+2?)(?:\[.*\])?(.*)", line.replace(" ", "")) for line in wanted]
    assert {match[1]: match[2] for match in split if match} == dict(REQUIREMENTS)
    assert project()["requires-python"] == f">={PYTHON[0]}.{PYTHON[1]}"


def test_nodes_get_all_that_a_job_requires() -> None:
    names = [line.partition("[")[0] for line in text("requirements.txt").splitlines() if line[0] != "#"]
    searches = [re.split("[<>=]", line)[0] for line in project()["optional-dependencies"]["tune"]]
    assert sorted(names) == sorted([*REQUIREMENTS, *searches])
    assert set(names) <= set(pins())


@pytest.mark.parametrize("name", all_files())
def test_nothing_is_open_to_the_world(name: str) -> None:
    lines = [line.partition("#")[0] for line in text(name).splitlines()]
    assert not [line for line in lines if OPEN.search(line)]


def test_an_open_dashboard_would_be_found() -> None:
    assert OPEN.search("ray start --head --dashboard-host=0.0.0.0")
    assert OPEN.search("ray start --head --dashboard-host=10.0.0.1")
    assert OPEN.search("serviceType: LoadBalancer")
    assert OPEN.search("CidrIp: 0.0.0.0/0")


@pytest.mark.parametrize("name", [*LAUNCHER, "slurm.sh"])
def test_dashboards_listen_on_loopback_and_every_ray_wants_the_token(name: str) -> None:
    if name == "slurm.sh":
        commands = [text(name)]
        heads = commands
    else:
        heads = [line for line in load(name)["head_start_ray_commands"] if "ray start" in line]
        workers = [line for line in load(name)["worker_start_ray_commands"] if "ray start" in line]
        commands = heads + workers
        assert len(heads) == len(workers) == 1
    assert all("--dashboard-host=127.0.0.1" in line for line in heads)
    assert all("RAY_AUTH_MODE=token" in line for line in commands)


def test_a_security_group_lets_in_nothing_but_ssh() -> None:
    for name in LAUNCHER:
        group = load(name)["provider"].get("security_group", {})
        assert {(rule["FromPort"], rule["ToPort"]) for rule in group.get("IpPermissions", [])} <= {(22, 22)}


@pytest.mark.parametrize("name", MANIFESTS)
def test_pods_are_not_root_and_want_the_token(name: str) -> None:
    assert cluster_spec(name)["authOptions"] == {"mode": "token"}
    assert cluster_spec(name)["headGroupSpec"]["serviceType"] == "ClusterIP"
    for pod in pod_specs(name):
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["securityContext"]["runAsUser"] == 1000
        for container in pod["containers"]:
            assert not container["securityContext"]["allowPrivilegeEscalation"]


@pytest.mark.parametrize("name", MANIFESTS)
def test_pods_have_limits_and_workers_end_when_idle(name: str) -> None:
    spec = cluster_spec(name)
    assert spec["enableInTreeAutoscaling"]
    assert [group["maxReplicas"] for group in spec["workerGroupSpecs"]] == [4]
    for pod in pod_specs(name):
        assert all(container["resources"]["limits"] for container in pod["containers"])


def test_the_images_last_user_is_not_root() -> None:
    users = re.findall(r"^USER (.*)$", text("Dockerfile"), re.MULTILINE)
    assert users == ["1000"]
    for source in re.findall(r"^COPY --chown=1000:100 (.*) \S+$", text("Dockerfile"), re.MULTILINE):
        assert all((ROOT / path).exists() for path in source.split())


def test_the_image_gets_all_that_it_copies() -> None:
    allowed = re.findall(r"^!(.*)$", text("Dockerfile.dockerignore"), re.MULTILINE)
    copied = re.findall(r"^COPY --chown=1000:100 (.*) \S+$", text("Dockerfile"), re.MULTILINE)
    assert sorted(allowed) == sorted(path for line in copied for path in line.split())


def test_the_slurm_script_is_bash() -> None:
    subprocess.run(["bash", "-n", str(FOLDER / "slurm.sh")], check=True)
