"""The command ``python -m mixed_motive.schelling``: a game's Schelling diagram as table and picture."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from mixed_motive.errors import GameError
from mixed_motive.schelling import schelling

__all__ = ["main"]

# Arguments of `schelling` that are no parameters of a game, and what gives them here.
_OPTIONS = {
    "game_id": "the first argument",
    "preset": "--preset",
    "num_episodes": "--episodes",
    "seed": "--seed",
    "confidence": "--confidence",
    "progress": "a terminal",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m mixed_motive.schelling",
        description="Scripted cooperators and defectors in every proportion: who earns what, and which kind "
        "of dilemma it is.",
    )
    parser.add_argument("game", help="game id, e.g. cleanup")
    parser.add_argument("--preset", help="one of the game's presets; by default its first")
    parser.add_argument("--episodes", type=int, default=200, help="for each number of cooperators (200)")
    parser.add_argument("--seed", type=int, default=0, help="of the game (0)")
    parser.add_argument("--confidence", type=float, default=0.95, help="coverage of the bands (0.95)")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="change a parameter of the preset, e.g. --set num_agents=8; may be repeated",
    )
    parser.add_argument("--picture", type=Path, metavar="PATH", help="draw it too, e.g. into cleanup.png")
    options = parser.parse_args(argv)
    try:
        if options.picture is not None:
            from mixed_motive.schelling.picture import require_picture

            require_picture(options.picture)
        diagram = schelling(
            options.game,
            options.preset,
            options.episodes,
            options.seed,
            options.confidence,
            _say if sys.stderr.isatty() else None,
            **_read_changes(options.set),
        )
        sys.stdout.write(diagram.to_text() + "\n")
        if options.picture is not None:
            diagram.save_picture(options.picture)
    except (GameError, ImportError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _read_changes(texts: Sequence[str]) -> dict[str, object]:
    """Values by name, from ``NAME=VALUE``; a value that is no JSON stays a string, for the game to refuse.

    Raises:
        GameError: For what has no "=", and for names of options.
    """
    changes: dict[str, object] = {}
    problems = []
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier():
            problems.append(f"{text!r}: expected NAME=VALUE, e.g. num_agents=8")
        elif name in _OPTIONS:
            problems.append(f"{text!r}: expected a parameter of the game; {_OPTIONS[name]} sets this")
        else:
            try:
                changes[name] = json.loads(value)
            except json.JSONDecodeError:
                changes[name] = {"True": True, "False": False, "None": None}.get(value, value)
    if problems:
        raise GameError("--set", problems)
    return changes


if __name__ == "__main__":
    sys.exit(main())
