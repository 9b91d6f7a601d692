"""Entry of the `lase` command: finds the subcommand, turns errors into messages and exit codes."""

from __future__ import annotations

import importlib
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from rllib_lase.cli.options import UsageError
from rllib_lase.cluster.lase_job.versions import REQUIREMENTS
from rllib_lase.settings import closest
from rllib_lase.version import __version__

COMMANDS = {
    "train": "train one algorithm on one game, evaluate it and write its report",
    "check": "play an environment at random and say what is wrong with it",
    "compare": "train several algorithms with several seeds and put them into one table",
    "evaluate": "play episodes with a trained run",
    "crossplay": "play trained runs against each other, or focal against background players",
    "render": "play an episode with a trained run and draw who gave whom how much",
    "export": "write a trained run's policies into a folder, with a model card",
    "tune": "run a search with Ray Tune: compare, tune, repeat over seeds",
    "report": "write the report of a run or a comparison again",
    "submit": "run a command as a job on a Ray cluster and bring its results home",
    "doctor": "say what of this machine, or of a cluster, would stop a run, and the cure",
}
"""The subcommands; each is a module of this package with a function `run(words) -> exit code`."""

_DESCRIPTION = "LASE and its baselines on mixed-motive games, trained with Ray RLlib."
_EXAMPLES = """examples:
  lase train cleanup
  lase train ipd --algo lase --env-steps 100000 --seed 1 --out runs/ipd
  lase compare cleanup --algos lase,ppo,go --seeds 5 --out runs/comparison
  lase evaluate runs/ipd --episodes 512
  lase crossplay runs/a runs/b cooperator defector --out runs/cross
  lase render runs/ipd --out ipd.gif

`lase COMMAND --help` explains a command and its options."""

REQUIRED_MODULES = {{"pillow": "PIL"}.get(package, package) for package in REQUIREMENTS}
"""The packages that training needs, by the names that they are imported by."""

USAGE_ERROR, FAILED, INTERRUPTED = 2, 1, 130

_EXPLAINED_ERRORS = {
    "ClusterError": "rllib_lase.cluster.client",
    "CheckpointError": "rllib_lase.rllib.checkpoint_tree",
    "EnvironmentFault": "rllib_lase.rllib.joint_env",
    "GameError": "mixed_motive",
    "PolicyError": "rllib_lase.policies.policy",
    "RunError": "rllib_lase.run_schema",
    "SettingsError": "rllib_lase.settings",
}
"""Errors whose message says all that a user needs, and where they are defined. Not imported here: some of
those modules bring Ray, and an error can only have been raised where its module is loaded already."""


def main() -> None:
    """The console script: fixes Python's hash seed, runs the command, exits with its code."""
    _fix_hash_seed()
    sys.exit(run(sys.argv[1:]))


def run(words: Sequence[str]) -> int:
    """Runs a command.

    Args:
        words: The command line without the program's name.

    Returns:
        Exit code: 0, 1 for a run that failed, 2 for wrong words, 130 after Ctrl-C.
    """
    if not words or words[0] in ("-h", "--help", "help"):
        _print_help()
        return 0
    command, *rest = words
    if command == "--version":
        _say(f"rllib-lase {__version__}")
        return 0
    if command not in COMMANDS:
        known = ", ".join(COMMANDS)
        return _refuse(
            "lase", [f"unknown command {command!r}{closest(command, COMMANDS) or '.'} Known: {known}."]
        )
    if str(Path.cwd()) not in sys.path:  # environments of the present folder are found, as with python -m
        sys.path.insert(0, str(Path.cwd()))
    # RLlib greets every algorithm with a warning about its own migration to the new API stack.
    for name in ("algorithm_config", "sac.sac"):
        logging.getLogger(f"ray.rllib.algorithms.{name}").setLevel(logging.ERROR)
    try:
        return int(importlib.import_module(f"rllib_lase.cli.{command}").run(rest))
    except UsageError as error:
        return _refuse(f"lase {command}", error.problems)
    except KeyboardInterrupt:
        sys.stderr.write("\nInterrupted.\n")
        return INTERRUPTED
    except ModuleNotFoundError as error:
        if error.name not in REQUIRED_MODULES:
            raise
        return _refuse(
            f"lase {command}",
            [
                f"needs {error.name}, which is not installed. "
                "Cure, in a checkout of rllib-lase: pip install '.[rllib]'"
            ],
        )
    except Exception as error:
        # What another process raised reaches us inside Ray's own error, whose message is a stack of traces.
        cause = getattr(error, "cause", error)
        if not isinstance(cause, _explained_errors()):
            raise
        sys.stderr.write(f"lase {command} failed: {cause}\n")
        return FAILED


def _explained_errors() -> tuple[type[Exception], ...]:
    loaded = [(sys.modules.get(module), name) for name, module in _EXPLAINED_ERRORS.items()]
    return (OSError, *(getattr(module, name) for module, name in loaded if module is not None))


def _refuse(command: str, problems: Sequence[str]) -> int:
    count = f"{len(problems)} problems" if len(problems) > 1 else "1 problem"
    lines = [f"{command}: {count}, nothing was started", *(f"  {problem}" for problem in problems)]
    sys.stderr.write("\n".join([*lines, f"`{command} --help` shows what it understands.", ""]))
    return USAGE_ERROR


def _print_help() -> None:
    commands = "\n".join(f"  {name:<10}{text}" for name, text in COMMANDS.items())
    _say(f"usage: lase COMMAND ...\n\n{_DESCRIPTION}\n\ncommands:\n{commands}\n\n{_EXAMPLES}")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _fix_hash_seed() -> None:
    """Starts Python again with a fixed hash seed if it is random: RLlib orders some sets by it."""
    if os.environ.get("PYTHONHASHSEED", "random") == "random":
        environment = {**os.environ, "PYTHONHASHSEED": "0"}
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)
