"""What lies in cluster/, read."""

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "cluster"

#: For Ray's cluster launcher, and for Kubernetes.
LAUNCHER = ("aws.yaml", "gcp.yaml", "on_premise.yaml")
MANIFESTS = ("raycluster.yaml", "rayjob.yaml")


def text(name: str) -> str:
    return (FOLDER / name).read_text()


def load(name: str) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load(text(name))
    return read


def cluster_spec(name: str) -> dict[str, Any]:
    """The RayClusterSpec of a manifest."""
    spec: dict[str, Any] = load(name)["spec"]
    return spec.get("rayClusterSpec", spec)


def pod_specs(name: str) -> list[dict[str, Any]]:
    """The pods of a manifest: the head's, then the workers'."""
    spec = cluster_spec(name)
    return [group["template"]["spec"] for group in (spec["headGroupSpec"], *spec["workerGroupSpecs"])]
