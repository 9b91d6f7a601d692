"""`lase export`: a trained run's policies in a folder of their own, with a model card."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from rllib_lase.cli.options import Option, UsageError, print_help, read_words
from rllib_lase.cli.trained import RUN_OPTION, check_run
from rllib_lase.run_checkpoints import find_checkpoint

_OPTIONS = [RUN_OPTION, Option("--out", "folder to write, new or empty", Path, "DIR")]
_DESCRIPTION = """Writes the policies of the run's newest checkpoint into a folder of their own: weights as
safe tensors, JSON, and README.md, the model card. In Python: rllib_lase.load_policy(DIR, agent="agent_0")."""


def run(words: Sequence[str]) -> int:
    """Runs the command; returns its exit code."""
    if {"-h", "--help"} & set(words):
        print_help("lase export", _DESCRIPTION, _OPTIONS)
        return 0
    given = read_words(words, _OPTIONS)
    trained = check_run(given)
    if trained is not None and trained[1] != find_checkpoint(trained[0].path):
        given.problems.append(
            f"RUN: {given.values['run']}: only a run's latest checkpoint has been evaluated, and the "
            "model card tells of that; in Python load_policy(DIR, checkpoint=ENV_STEPS) loads any"
        )
    if "out" not in given.values:
        given.problems.append("--out: missing; name a new folder")
    if given.problems or trained is None:
        raise UsageError(given.problems)
    from rllib_lase.policies import PolicyError
    from rllib_lase.policies.export import export_run
    from rllib_lase.run_schema import RunError

    try:
        path = export_run(trained[0].path, given.values["out"])
    except (PolicyError, RunError) as error:
        raise UsageError(str(error).splitlines()) from error
    sys.stdout.write(f"{path}\n")
    return 0
