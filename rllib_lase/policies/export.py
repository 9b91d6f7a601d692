"""`export_run`: a run's policies in a folder of their own, with a model card; `load_policy` reads it."""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path

from rllib_lase.policies.card import model_card
from rllib_lase.policies.folder import EXPORT_FOLDER, EXPORT_KIND, read_run
from rllib_lase.rllib.checkpoints import save_tree
from rllib_lase.run_schema import RunError
from rllib_lase.runs import RunFolder

CARD = "README.md"


def export_run(run: str | Path, out: str | Path) -> Path:
    """Writes the policies of a run's newest checkpoint: weights as safe tensors, JSON, and a model card.

    Args:
        run: The run's folder.
        out: The folder to write; must not exist yet, or be empty. It appears complete or not at all.

    Returns:
        `out`.

    Raises:
        RunError: there is no run, it was not closed properly or was never evaluated, or `out` is in use.
        CheckpointError: the checkpoint is damaged.
        PolicyError: the run's algorithm is one of RLlib's own.
    """
    target = Path(out)
    problem = folder_problem(target)
    if problem:
        raise RunError(problem)
    folder = RunFolder.open(run)
    if not folder.has_summary:
        raise RunError(
            f"{folder.path}: was not finished: there is no summary.json, so there is nothing to say of how "
            "its agents play. Train it to its end, or stop it with Ctrl-C, which evaluates it."
        )
    saved = read_run(folder.path)
    card = model_card(folder, saved)
    tree = {"env_steps": saved.env_steps, "config": folder.config, "agents": saved.agents}
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.partial-{secrets.token_hex(4)}")
    try:
        save_tree(partial / EXPORT_FOLDER, tree | {"weights": saved.weights}, kind=EXPORT_KIND)
        (partial / CARD).write_text(card, encoding="utf-8")
        if target.exists():
            target.rmdir()
        partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target


def folder_problem(out: Path) -> str | None:
    """Why an export cannot be written there, or None if it can. Changes nothing."""
    if out.is_dir() and not any(out.iterdir()):
        return None
    if out.exists():
        return f"{out}: exists and is not an empty folder. Choose a new one (--out), or remove it first."
    return None
