"""`lase doctor`: says what of this machine, or of a cluster, would stop a run, and the cure."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rllib_lase.cli.options import Option, UsageError, print_help, read_words

if TYPE_CHECKING:
    from rllib_lase.doctor import Finding

_DESCRIPTION = """Looks at Python, torch, Ray, versions, cores, memory, GPU, numba's cache, rights and free
disk here. With --address it looks at a cluster, too: whether it can be reached, what every node has, and how
fast each sends a rollout. Every fault comes with its cure. Exits with 1 if there is one; advice is none."""
_OPTIONS = [
    Option("--address", "dashboard of a cluster, http://HOST:8265 [none: this machine alone]", str, "URL"),
    Option("--out", "folder that runs would be written to [runs]", str, "DIR"),
]


def run(words: Sequence[str]) -> int:
    """Runs the command; returns 0, or 1 if something would stop a run."""
    if {"-h", "--help"} & set(words):
        print_help(
            "lase doctor", _DESCRIPTION, _OPTIONS, "Example: lase doctor --address http://127.0.0.1:8265"
        )
        return 0
    given = read_words(words, _OPTIONS)
    if given.problems:
        raise UsageError(given.problems)
    from rllib_lase.doctor import Finding, look_at_cluster, look_at_this_machine, python_line

    findings = look_at_this_machine(Path(given.values.get("out", "runs")))
    _say(f"this machine, {python_line()}", findings)
    if "address" in given.values:
        from rllib_lase.cluster.client import Cluster, ClusterError

        try:
            there = look_at_cluster(Cluster(given.values["address"]))
        except ClusterError as error:
            what, _, cure = str(error).partition(" Cure: ")
            there = [Finding("fault", what, cure)]
        _say(f"the cluster at {given.values['address']}", there)
        findings += there
    faults = sum(finding.state == "fault" for finding in findings)
    count = "1 fault" if faults == 1 else f"{faults} faults"
    sys.stdout.write(f"{count} would stop a run.\n" if faults else "Nothing here would stop a run.\n")
    return 1 if faults else 0


def _say(title: str, findings: Sequence[Finding]) -> None:
    lines = [title]
    for finding in findings:
        lines.append(f"  {finding.state:<8}{finding.what}")
        lines += [f"          cure: {finding.cure}"] if finding.cure else []
    sys.stdout.write("\n".join([*lines, ""]))
    sys.stdout.flush()
