"""The manifests for KubeRay: nothing that Kubernetes would drop unread; Ray's autoscaler can read them."""

import copy
import os
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from ray.autoscaler._private.kuberay.autoscaling_config import _derive_autoscaling_config_from_ray_cr

from tests.cluster.files import MANIFESTS, cluster_spec, load

#: The part of KubeRay's schema that our manifests use.
OURS: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "kuberay.yaml").read_text())


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_manifest_says_nothing_that_kuberay_does_not_know(name: str) -> None:
    manifest = load(name)
    jsonschema.validate(manifest, ours(manifest["kind"]))


@pytest.mark.parametrize("name", MANIFESTS)
@pytest.mark.parametrize(
    ("path", "key", "value"),
    [
        ((), "rayVersoin", "2"),
        (("headGroupSpec",), "serviceTyp", "ClusterIP"),
        (("headGroupSpec", "rayStartParams"), "num-cpus", 4),
        (("headGroupSpec", "template", "spec"), "nodeSelecter", {}),
        (("workerGroupSpecs", 0), "maxReplicas", "4"),
        (
            ("workerGroupSpecs", 0, "template", "spec", "containers", 0, "resources", "limits"),
            "cpu",
            "4 cores",
        ),
    ],
)
def test_a_slip_is_found(name: str, path: tuple[Any, ...], key: str, value: Any) -> None:
    manifest = load(name)
    part = manifest["spec"].get("rayClusterSpec", manifest["spec"])
    for step in path:
        part = part[step]
    part[key] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(manifest, ours(manifest["kind"]))


@pytest.mark.parametrize("name", MANIFESTS)
def test_rays_autoscaler_reads_the_manifest(name: str) -> None:
    """Of a RayJob it reads the cluster that KubeRay makes of it."""
    manifest = {"metadata": {"name": "lase", "namespace": "default"}, "spec": cluster_spec(name)}
    config = _derive_autoscaling_config_from_ray_cr(manifest)
    types = config["available_node_types"]
    assert {kind: (types[kind]["min_workers"], types[kind]["max_workers"]) for kind in types} == {
        "headgroup": (0, 0),
        "workers": (0, 4),
    }
    for kind in types:
        assert types[kind]["resources"] == {"CPU": 4, "memory": 8 * 2**30}
    assert config["max_workers"] == 4
    assert config["idle_timeout_minutes"] == 5


@pytest.mark.parametrize("name", MANIFESTS)
def test_kuberays_own_schema_accepts_the_manifest(name: str) -> None:
    manifest = load(name)
    schema = theirs(manifest["kind"])
    jsonschema.validate(manifest, schema)
    wrong = copy.deepcopy(manifest)
    wrong["spec"]["rayVersoin"] = "2"
    with pytest.raises(jsonschema.ValidationError, match="rayVersoin"):
        jsonschema.validate(wrong, schema)


@pytest.mark.parametrize("kind", ["RayCluster", "RayJob"])
def test_ours_is_a_part_of_kuberays_own_schema(kind: str) -> None:
    """Each name that we let through is there, with the same type, and what must be there must be in ours."""
    differences: list[str] = []
    compare(ours(kind), theirs(kind), kind, differences)
    assert not differences


def ours(kind: str) -> dict[str, Any]:
    return {**OURS, "$ref": f"#/$defs/{kind}"}


def compare(mine: dict[str, Any], full: dict[str, Any], path: str, differences: list[str]) -> None:
    """Collects where ours says what theirs does not say; metadata are Kubernetes' own."""
    if path.endswith(".metadata"):
        return
    if "$ref" in mine:
        mine = OURS["$defs"][mine["$ref"].removeprefix("#/$defs/")]
    if mine.get("type", "string") != full.get("type", "string"):
        differences.append(f"{path}: {mine.get('type')} is {full.get('type')} there")
    missing = set(full.get("required", ())) - set(mine.get("required", ()))
    differences += [f"{path}.{name}: is required there" for name in sorted(missing)]
    known = full.get("properties")
    for name, part in mine.get("properties", {}).items():
        if known is not None and name not in known:
            differences.append(f"{path}.{name}: is not there")
        else:
            compare(
                part,
                known[name] if known is not None else full["additionalProperties"],
                f"{path}.{name}",
                differences,
            )
    if "items" in mine:
        compare(mine["items"], full["items"], f"{path}[]", differences)


def theirs(kind: str) -> dict[str, Any]:
    """A kind's schema, from the folder that KUBERAY_CRDS names: KubeRay's ray-operator/config/crd/bases."""
    folder = os.environ.get("KUBERAY_CRDS")
    if not folder:
        pytest.skip("KUBERAY_CRDS does not name a folder with KubeRay's custom resource definitions")
    file = Path(folder) / f"ray.io_{kind.lower()}s.yaml"
    definition = yaml.load(file.read_text(), yaml.CSafeLoader)
    version = next(version for version in definition["spec"]["versions"] if version["name"] == "v1")
    schema: dict[str, Any] = version["schema"]["openAPIV3Schema"]
    close(schema)
    schema["properties"]["metadata"] = {}
    return schema


def close(schema: Any) -> None:
    """Refuses what a schema does not name; numbers with units are texts or numbers."""
    if isinstance(schema, list):
        for part in schema:
            close(part)
    elif isinstance(schema, dict):
        if "properties" in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
            schema.setdefault("additionalProperties", False)
        if schema.get("x-kubernetes-int-or-string"):
            schema.pop("anyOf", None)
        for part in list(schema.values()):
            close(part)
