"""The job of `lase doctor --address`: a task on every node says what is there and sends a rollout's worth.

Prints one line of JSON, behind `MARK`, for each node. Its tasks need nothing of ours, so that they also run
where something is missing.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import sys
import tempfile
import time
from typing import Any

from .versions import REQUIREMENTS, installed_version

#: What stands before the JSON of a node.
MARK = "LASE_NODE "

#: Bytes of what each node sends: about a rollout of four agents in 64 copies of a game of the large maps.
ROLLOUT_BYTES = 16_000_000

#: Seconds that a node has to answer, its runtime environment and the import of torch and RLlib included.
ANSWER_SECONDS = 90


def node_facts() -> dict[str, Any]:
    """What a run needs of the node that this is called on; plain numbers and texts."""
    facts: dict[str, Any] = {
        "host": os.uname().nodename,
        "python": list(sys.version_info[:3]),
        "versions": {name: installed_version(name) for name in REQUIREMENTS},
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "disk_free": shutil.disk_usage(tempfile.gettempdir()).free,
        "import_error": None,
    }
    try:
        importlib.import_module("rllib_lase.training")
    except Exception as error:  # whatever an import raises: it is the finding
        facts["import_error"] = f"{type(error).__name__}: {error}"
    return facts


def rollout() -> bytes:
    """As many bytes as a rollout has."""
    return os.urandom(ROLLOUT_BYTES)


def main() -> None:
    """Asks every node at once, prints a line for each."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    ray.init(log_to_driver=False, logging_level="ERROR")
    here = ray.get_runtime_context().get_node_id()
    asked = []
    for node in ray.nodes():
        if node["Alive"]:
            there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            on_node = ray.remote(num_cpus=0, max_retries=0, scheduling_strategy=there)
            asked.append((node, on_node(node_facts).remote(), on_node(rollout).remote()))
    end = time.monotonic() + ANSWER_SECONDS
    for node, facts, data in asked:
        line = {
            "node": node["NodeID"],
            "ip": node["NodeManagerAddress"],
            "is_driver": node["NodeID"] == here,
            "resources": {name: node["Resources"].get(name, 0) for name in ("CPU", "GPU", "memory")},
        }
        try:
            line |= ray.get(facts, timeout=max(1.0, end - time.monotonic()))
            ray.wait([data], timeout=ANSWER_SECONDS, fetch_local=False)
            start = time.perf_counter()
            ray.get(data, timeout=ANSWER_SECONDS)
            line["megabytes_per_second"] = ROLLOUT_BYTES / 1e6 / (time.perf_counter() - start)
        except Exception as error:  # of a node that does not answer, too: the others still count
            line["failure"] = " ".join(str(error).split())[:300]
        sys.stdout.write(f"{MARK}{json.dumps(line)}\n")


if __name__ == "__main__":
    main()
