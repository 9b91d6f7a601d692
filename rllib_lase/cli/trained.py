"""What commands on a trained run share: finding its checkpoint, and files that they may write."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from rllib_lase.cli.options import Option, Words, whole_number
from rllib_lase.settings import MAX_SEED

if TYPE_CHECKING:
    from rllib_lase.runs import RunFolder

RUN_OPTION = Option("RUN", "a run's folder, its --out; or DIR@ENV_STEPS for an earlier checkpoint")
SEED_OPTION = Option(
    "--seed", "seed of games and actions [as in the run's own evaluation]", whole_number(0, MAX_SEED), "N"
)


def new_file(word: str) -> Path:
    """Reads the path of a file that could be written."""
    path = Path(word)
    if path.is_dir() or not path.parent.is_dir():
        raise ValueError("expected a file in a folder that exists")
    if not os.access(path.parent, os.W_OK):
        raise ValueError("expected a file in a folder that may be written to")
    return path


def check_run(words: Words) -> tuple[RunFolder, Path] | None:
    """The run and the checkpoint that is meant; problems go into the words."""
    if "run" not in words.values:
        words.problems.append("RUN: missing; give the --out of a run")
        return None
    from rllib_lase.run_checkpoints import find_checkpoint, split_checkpoint
    from rllib_lase.run_schema import RunError
    from rllib_lase.runs import RunFolder

    try:
        folder, env_steps = split_checkpoint(words.values["run"])
        run_folder = RunFolder.open(folder)
        return run_folder, find_checkpoint(run_folder.path, env_steps)
    except RunError as error:
        words.problems += [f"RUN: {line}" for line in str(error).splitlines()]
        return None
