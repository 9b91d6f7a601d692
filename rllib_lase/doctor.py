"""What of this machine, or of a cluster's nodes, would stop a run, with the cure for each fault.

Imports neither torch nor Ray by itself: it must say that they are missing.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import platform
import re
import shutil
import sys
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rllib_lase.cluster.lase_job.probe import MARK, ROLLOUT_BYTES
from rllib_lase.cluster.lase_job.versions import own_problems, version_problems
from rllib_lase.machine import usable_cores

if TYPE_CHECKING:
    from rllib_lase.cluster.client import Cluster

#: Bytes that Ray and one trainer take, measured at about 0.9 GB.
_NEEDED_MEMORY = 1e9
#: Below it the first remote env runners (about 0.35 GB each) are a squeeze.
_ROOMY_MEMORY = 2e9
#: Bytes of a run's folder with room for Ray's own files.
_NEEDED_DISK = 1e9
#: Share of a disk above which Ray refuses to write objects to it (`local_fs_capacity_threshold`).
_FULL_DISK = 0.95
#: Megabytes per second under which sending rollouts takes longer than making them.
_SLOW_TRANSFER = 20.0
_AGAIN = "install it again: pip install --force-reinstall --no-deps, in the version that is there"
#: Seconds for the job that looks at a cluster, its runtime environment included.
_PROBE_SECONDS = 240.0


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        state: "fault" would stop a run; "advice" would not.
        what: What was found.
        cure: What helps; empty if nothing is wrong.
    """

    state: Literal["ok", "advice", "fault"]
    what: str
    cure: str = ""


def look_at_this_machine(out: Path) -> list[Finding]:
    """All that can be said here, in seconds.

    Args:
        out: Folder that runs would be written to.
    """
    findings = [*_python_and_packages(), *_pins(), _cores(), _memory()]
    if not any(finding.state == "fault" for finding in findings):
        findings += [_gpu(), _numba_cache()]
    return [*findings, *_folders(out), _job_client()]


def _python_and_packages() -> list[Finding]:
    problems = own_problems()
    if problems:
        return [Finding("fault", problem.what, problem.cure) for problem in problems]
    from importlib.metadata import version

    names = ("ray", "torch", "numba", "numpy")
    broken = [Finding("fault", f"importing {name}: {error}", _AGAIN) for name, error in _import_errors(names)]
    if broken:
        return broken
    found = ", ".join(f"{name} {version(name)}" for name in names)
    return [Finding("ok", f"Python {platform.python_version()}, {found}")]


def _import_errors(names: Sequence[str]) -> list[tuple[str, str]]:
    """What is installed and cannot be imported, and why."""
    errors = []
    for name in names:
        try:
            importlib.import_module(name)
        except Exception as error:  # whatever an import raises: it is the finding
            errors.append((name, f"{type(error).__name__}: {error}"))
    return errors


def _pins() -> list[Finding]:
    """In a checkout: whether the versions are those that are tested."""
    file = Path(__file__).parents[1] / "constraints.txt"
    if not file.is_file():
        return []
    from rllib_lase.cluster.lase_job.versions import REQUIREMENTS, installed_version

    pins = dict(re.findall(r"^([A-Za-z0-9_.-]+)==(\S+)$", file.read_text(), re.MULTILINE))
    pins = {name.lower(): pin for name, pin in pins.items()}
    found = {name: installed_version(name) for name in REQUIREMENTS}
    other = [
        f"{name} {version} (tested: {pins[name]})"
        for name, version in found.items()
        if version is not None and version.partition("+")[0] != pins.get(name)
    ]
    if not other:
        return [Finding("ok", "versions as in constraints.txt")]
    return [Finding("advice", f"other versions than tested: {', '.join(other)}", f"pip install -r {file}")]


def _cores() -> Finding:
    cores = usable_cores()
    limit = _container_cores()
    if limit is not None and limit < cores:
        return Finding(
            "advice",
            f"{cores} cores, of which this container may use {limit:g}",
            f"`lase compare --jobs {max(1, int(limit))}`; Ray counts {cores} unless told otherwise",
        )
    return Finding("ok", f"{cores} core{'s' if cores > 1 else ''}")


def _container_cores() -> float | None:
    file = Path("/sys/fs/cgroup/cpu.max")
    quota, _, period = file.read_text().partition(" ") if file.is_file() else ("max", "", "")
    return None if quota.strip() == "max" else int(quota) / int(period)


def _memory() -> Finding:
    file = Path("/proc/meminfo")
    match = re.search(r"MemAvailable:\s+(\d+) kB", file.read_text()) if file.is_file() else None
    if match is None:
        return Finding("ok", "memory: this system does not say how much is free")
    free = int(match.group(1)) * 1024
    text = f"{free / 1e9:.1f} GB of memory free"
    if free < _NEEDED_MEMORY:
        return Finding("fault", f"{text}; Ray and one trainer take 0.9 GB", "end other programs")
    if free < _ROOMY_MEMORY:
        return Finding("advice", f"{text}; each remote env runner takes 0.35 GB", "--num-env-runners 0")
    return Finding("ok", text)


def _gpu() -> Finding:
    import torch

    if torch.cuda.is_available():
        names = ", ".join(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()))
        return Finding("ok", f"GPU: {names}")
    if Path("/proc/driver/nvidia").is_dir():
        return Finding(
            "advice",
            f"there is a GPU, and torch {torch.__version__} does not use it",
            "the build for GPUs, `make TORCH_BUILD=any`, and a driver that is new enough; or stay on the CPU",
        )
    return Finding("ok", "no GPU; none is needed")


def _numba_cache() -> Finding:
    """Where compiled games are kept, and how many are there."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numba's own words on what is said here
        cleanup = importlib.import_module("mixed_motive.kernels.cleanup")
    place = getattr(cleanup.step.stats, "cache_path", None)
    if not place or not os.access(_existing(Path(place)), os.W_OK):
        return Finding(
            "advice",
            "no folder to keep compiled games in: every process compiles them again, for seconds",
            "NUMBA_CACHE_DIR names a folder that can be written",
        )
    compiled = len(list(Path(place).glob("*.nbc")))
    if not compiled:
        return Finding(
            "advice", f"no game is compiled yet in {place}", "none needed: first use takes seconds"
        )
    return Finding("ok", f"{compiled} compiled functions of games in {place}")


def _folders(out: Path) -> list[Finding]:
    """Whether runs and Ray's own files can be written, and how much."""
    findings = []
    places = {f"{out}": (out, "--out"), "Ray's files": (Path(tempfile.gettempdir()), "TMPDIR")}
    for name, (folder, option) in places.items():
        folder = _existing(folder)
        cure = f"another place ({option}), or free it"
        if not os.access(folder, os.W_OK):
            findings.append(Finding("fault", f"{name}: {folder} cannot be written", cure))
            continue
        disk = shutil.disk_usage(folder)
        text = f"{name}: {disk.free / 1e9:.1f} GB free on the disk of {folder}"
        if disk.free < _NEEDED_DISK:
            findings.append(Finding("fault", text, cure))
        elif disk.free < (1 - _FULL_DISK) * disk.total:
            findings.append(Finding("advice", f"{text}, over 95 % full: Ray writes no objects to it", cure))
        else:
            findings.append(Finding("ok", text))
    return findings


def _existing(folder: Path) -> Path:
    folder = folder.absolute()
    return next(place for place in (folder, *folder.parents) if place.exists())


def _job_client() -> Finding:
    if importlib.util.find_spec("aiohttp") is None:
        return Finding(
            "advice",
            "`lase submit` cannot run: Ray's job client is missing",
            "in a checkout of rllib-lase: pip install '.[cluster]'",
        )
    return Finding("ok", "`lase submit` can run")


def look_at_cluster(cluster: Cluster) -> list[Finding]:
    """What every node of a cluster has, and how fast it sends rollouts, by a job there.

    Raises:
        ClusterError: the cluster does not take the job.
    """
    findings = [Finding("ok", f"{cluster.address} answers, with our Ray and our token")]
    job_id = cluster.probe()
    status = cluster.wait(job_id, _PROBE_SECONDS)
    log = cluster.log(job_id)
    nodes = [json.loads(line[len(MARK) :]) for line in log.splitlines() if line.startswith(MARK)]
    if not nodes:
        cluster.stop(job_id)
        last = next((line for line in reversed(log.splitlines()) if line.strip()), "it printed nothing")
        return [
            *findings,
            Finding(
                "fault",
                f"the job that looks at the nodes is {status.lower()}: {last}",
                f"`ray job logs --address {cluster.address} {job_id}` has it all; jobs start with the "
                "`python` of the PATH that `ray start` was typed with",
            ),
        ]
    for node in nodes:
        findings += node_findings(node)
    pythons = {tuple(node["python"][:2]) for node in nodes if "python" in node}
    if len(pythons) > 1:
        found = " and ".join(f"{major}.{minor}" for major, minor in sorted(pythons))
        findings.append(
            Finding("fault", f"nodes with Python {found}", "the same on all; pickles do not cross")
        )
    return findings


def node_findings(node: Mapping[str, Any]) -> list[Finding]:
    """What is to be said of one node.

    Args:
        node: What `lase_job.probe` printed of it.
    """
    name = f"node {node['ip']} ({node['node'][:8]})"
    if "failure" in node:
        cure = "is it alive, and does its object manager's port reach the others? `ray list nodes`"
        return [Finding("fault", f"{name} does not answer: {node['failure']}", cure)]
    problems = version_problems(node["python"], node["versions"])
    found = [Finding("fault", f"{name}: {problem.what}", f"there: {problem.cure}") for problem in problems]
    if node["import_error"] and not problems:
        cure = "the package that it names, again, there: pip install --force-reinstall"
        found.append(Finding("fault", f"{name}: importing rllib_lase: {node['import_error']}", cure))
    if node["disk_free"] < _NEEDED_DISK:
        disk = f"{node['disk_free'] / 1e9:.1f} GB of disk free"
        found.append(Finding("fault", f"{name}: {disk}", "free some, or a larger disk"))
    rate, slow = node["megabytes_per_second"], node["megabytes_per_second"] < _SLOW_TRANSFER
    if slow:
        cure = "env runners next to their learner (--num-env-runners 0, one job a node), or a faster network"
        found.append(Finding("advice", f"{name}: sends rollouts at {rate:.0f} MB/s only", cure))
    if found:
        return found
    python = ".".join(map(str, node["python"]))
    resources = node["resources"]
    how = "by shared memory" if node["is_driver"] else f"of {ROLLOUT_BYTES / 1e6:.0f} MB at once"
    text = f"{name}: Python {python}, ray {node['versions']['ray']}, torch {node['versions']['torch']}, "
    text += f"{resources['CPU']:g} CPUs, {resources['GPU']:g} GPUs, sends {rate:.0f} MB/s {how}"
    return [Finding("ok", text)]


def python_line() -> str:
    """Which Python this is."""
    return f"{sys.executable} on {platform.system()} {platform.machine()}"
