"""`lase render`: plays an episode with a trained run and draws it, gifts included, as a GIF."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rllib_lase.cli.options import Option, UsageError, print_help, read_words, whole_number
from rllib_lase.cli.trained import RUN_OPTION, SEED_OPTION, check_run, new_file
from rllib_lase.defaults import RECORDING_STEPS, evaluation_seed

if TYPE_CHECKING:
    from rllib_lase.runs import RunFolder


def _new_gif(word: str) -> Path:
    path = new_file(word)
    if path.suffix.lower() != ".gif":
        raise ValueError("expected a name that ends in .gif")
    return path


_OPTIONS = [
    RUN_OPTION,
    Option("--out", "GIF to write [render.gif in the run's folder]", _new_gif, "FILE"),
    SEED_OPTION,
    Option(
        "--steps",
        f"steps to play at most [{RECORDING_STEPS:,}]; an episode may end before",
        whole_number(1),
        "N",
    ),
]
_DESCRIPTION = """Plays one episode with sampled actions, from the run's latest checkpoint or the one named,
and draws it. An arrow is a gift, in the giver's colour, with the reward that it moves; of many gifts in one
step the largest are drawn and the others summed up. Beneath: what each agent got, gave, was given and has."""


def run(words: Sequence[str]) -> int:
    """Runs the command; returns its exit code."""
    if {"-h", "--help"} & set(words):
        print_help("lase render", _DESCRIPTION, _OPTIONS)
        return 0
    given = read_words(words, _OPTIONS)
    trained = check_run(given)
    if trained is not None and "out" not in given.values and not os.access(trained[0].path, os.W_OK):
        given.problems.append(f"RUN: {trained[0].path}: may not be written to; name another file with --out")
    if given.problems or trained is None:
        raise UsageError(given.problems)
    return _render(*trained, given.values)


def _render(run_folder: RunFolder, checkpoint: Path, values: dict[str, Any]) -> int:
    from rllib_lase.report.gif import write_gif
    from rllib_lase.rllib.recording import record_episode
    from rllib_lase.run_schema import RunError
    from rllib_lase.trained_players import trained_players

    config = run_folder.config
    seed = values.get("seed", evaluation_seed(config["seed"]))
    with trained_players(run_folder, checkpoint) as players:
        recording = record_episode(players, seed, values.get("steps", RECORDING_STEPS))
    if recording is None:
        raise RunError(f"{config['game']}: its render() returns no picture (H, W, 3), so there is no GIF")
    path = write_gif(values.get("out", run_folder.path / "render.gif"), recording.frames, recording.seconds)
    sys.stdout.write(f"{len(recording.frames) - 1} steps with seed {seed}\n{path}\n")
    return 0
