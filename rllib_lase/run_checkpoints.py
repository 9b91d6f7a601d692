"""A run's checkpoints, and how one is written: `DIR@ENV_STEPS`, or `DIR` for the latest.

Knows neither Ray nor torch.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from rllib_lase.run_schema import RunError

CHECKPOINTS = "checkpoints"
_PREFIX = "env_steps_"


def checkpoint_folder(env_steps: int) -> str:
    """What the folder of the checkpoint after so many env steps is called."""
    return f"{_PREFIX}{env_steps:09d}"


def checkpoint_env_steps(checkpoint: Path) -> int:
    """After how many env steps a checkpoint was saved, by its folder's name."""
    return int(checkpoint.name.removeprefix(_PREFIX))


def run_checkpoints(run: Path) -> dict[int, Path]:
    """A run's checkpoints by env steps, the earliest first.

    Raises:
        RunError: there is none.
    """
    folders = (run / CHECKPOINTS).glob(f"{_PREFIX}*")
    named = [folder for folder in folders if folder.name.removeprefix(_PREFIX).isdecimal()]
    found = sorted((checkpoint_env_steps(folder), folder) for folder in named)
    if not found:
        raise RunError(
            f"{run / CHECKPOINTS}: holds no checkpoint. Likely cause: the run was stopped before one was "
            "saved. Train it again, in long runs with --checkpoint-interval."
        )
    return dict(found)


def find_checkpoint(run: Path, env_steps: int | str | None = None) -> Path:
    """One of a run's checkpoints.

    Args:
        run: The run's folder.
        env_steps: After how many env steps it was saved; None takes the latest.

    Raises:
        RunError: there is none, or none after so many env steps.
    """
    saved = run_checkpoints(run)
    latest = max(saved)
    if env_steps is None:
        return saved[latest]
    text = str(env_steps)
    if not text.isdecimal() or int(text) not in saved:
        raise RunError(
            f"{run}: has no checkpoint {text!r}. It has those after {', '.join(map(str, saved))} env steps; "
            f"name one by this number, such as {run}@{latest}"
        )
    return saved[int(text)]


def set_aside_later(run: Path, env_steps: int) -> None:
    """Makes room for the checkpoints of a run that goes on after so many env steps.

    Later ones cannot be used, else it would go on from them: each is kept as `NAME.damaged`, in the
    place of an earlier one. What was never written to its end is removed.
    """
    for steps, checkpoint in run_checkpoints(run).items():
        if steps > env_steps:
            aside = checkpoint.with_name(f"{checkpoint.name}.damaged")
            shutil.rmtree(aside, ignore_errors=True)
            checkpoint.rename(aside)
    for partial in (run / CHECKPOINTS).glob(f".{_PREFIX}*"):
        shutil.rmtree(partial)


def split_checkpoint(word: str) -> tuple[Path, str | None]:
    """The run's folder and the checkpoint's env steps that `DIR@ENV_STEPS` means; None means the latest.

    A folder that is there under the whole name is meant itself, and so is one below a folder with an @.
    """
    folder, at, env_steps = word.rpartition("@")
    if not at or "/" in env_steps or Path(word).is_dir():
        return Path(word), None
    return Path(folder), env_steps
