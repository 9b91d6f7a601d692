"""Rules pages: what a game's own docstrings, parameters and presets say of it, as Markdown.

`python -m mixed_motive.rules cleanup` prints a page, without a game the index;
`python -m mixed_motive.rules --write docs/games` writes them all.
"""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, get_type_hints

from mixed_motive.base import BatchedGame
from mixed_motive.encodings import ENCODINGS
from mixed_motive.games.grid import GridGame
from mixed_motive.params import GameParams, expected_values
from mixed_motive.registry import GAMES, make

__all__ = ["INDEX", "index_page", "rules_page", "write_pages"]

#: File name of the index.
INDEX = "README.md"

_NOTE = "*Made from the code by `python -m mixed_motive.rules --write docs/games`; edit the code instead.*"
# Games without a map have no planes of cells.
_VECTORS = {"planes": "binary uint8", "float32": "the same as float32, for networks that take nothing else"}


def rules_page(game_id: str) -> str:
    """The rules, presets, actions, counts and observations of a game, and its differences to references.

    Args:
        game_id: One of `GAMES`.

    Returns:
        Markdown, with a section for each of the game's rule sets.

    Raises:
        KeyError: For an unknown game.
    """
    spec = GAMES[game_id]
    parts = [
        f"# {spec.title}",
        _NOTE,
        f'```python\ngame = mixed_motive.make("{game_id}")  # preset "{spec.default_preset}"\n```',
    ]
    rule_sets: dict[type[GameParams], list[str]] = {}
    for preset, params in spec.presets.items():
        rule_sets.setdefault(type(params), []).append(preset)
    for presets in rule_sets.values():
        if len(rule_sets) > 1:
            parts.append(f"## With {_listed(presets)}")
        games = {preset: make(game_id, 1, preset) for preset in presets}
        parts += _rule_set(games, "##" if len(rule_sets) == 1 else "###")
    return "\n\n".join(parts) + "\n"


def index_page() -> str:
    """All games with what each is about, Markdown."""
    rows = [
        [
            f"[`{game_id}`]({game_id}.md)",
            spec.title,
            _first_sentence(_module_of(spec.game_class(spec.default_preset))),
            _listed(spec.presets),
        ]
        for game_id, spec in GAMES.items()
    ]
    return "\n\n".join(["# The games", _NOTE, _table(["id", "game", "about", "presets"], rows)]) + "\n"


def write_pages(folder: Path) -> None:
    """Write the page of every game and the index into a folder, which is made if it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    for game_id in GAMES:
        (folder / f"{game_id}.md").write_text(rules_page(game_id), encoding="utf-8")
    (folder / INDEX).write_text(index_page(), encoding="utf-8")


def _rule_set(games: Mapping[str, BatchedGame], level: str) -> list[str]:
    """What presets with one class of parameters share, by preset."""
    first = next(iter(games.values()))
    module = _module_of(type(first))
    return [
        _doc(module),
        *_shared_rules(type(first), level),
        f"{level} Presets",
        _presets_table(games),
        f"{level} Actions",
        *_numbered({preset: game.action_names for preset, game in games.items()}),
        f"{level} Counts",
        _counted(type(first)),
        *_numbered({preset: game.count_names for preset, game in games.items()}),
        f"{level} Observations",
        *_observations(games),
        f"{level} Differences to references",
        *_differences(module),
    ]


def _shared_rules(game_class: type[BatchedGame], level: str) -> list[str]:
    """The docstrings of the modules of classes between the game's own and those that every game has."""
    own = _module_of(game_class)
    between = [_module_of(base) for base in game_class.__mro__ if issubclass(base, GridGame)]
    parts = []
    for module in dict.fromkeys(between):
        if module not in (own, _module_of(GridGame)):
            parts += [
                f"{level} Shared with other games: `games/{Path(str(module.__file__)).name}`",
                _doc(module),
            ]
    return parts


def _presets_table(games: Mapping[str, BatchedGame]) -> str:
    params = {preset: game.params for preset, game in games.items()}
    params_class = type(next(iter(params.values())))
    hints = get_type_hints(params_class)
    rows = [
        [
            f"`{field.name}`",
            str(field.metadata["doc"]),
            expected_values(hints[field.name], field.metadata),
            *(_value(getattr(values, field.name)) for values in params.values()),
        ]
        for field in dataclasses.fields(params_class)
    ]
    bounds = [game.max_collective_reward for game in games.values()]
    if any(bound is not None for bound in bounds):
        about = "no more can all agents together get in an episode"
        rows.append(["`max_collective_reward`", about, "follows", *map(_value, bounds)])
    return _table(["parameter", "meaning", "may be", *(f"`{preset}`" for preset in params)], rows)


def _numbered(names: Mapping[str, Sequence[str]], more: str = "") -> list[str]:
    """Names by number, once for presets that share them."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for preset, listed in names.items():
        groups.setdefault(tuple(listed), []).append(preset)
    return [
        f"{f'With {_listed(presets)}: ' if len(groups) > 1 else ''}"
        f"{', '.join(f'{k} `{name}`' for k, name in enumerate(listed))}{more}."
        for listed, presets in groups.items()
    ]


def _counted(game_class: type[BatchedGame]) -> str:
    """What a class's docstring says of its counts."""
    doc = _doc(game_class)
    return doc[doc.index("Counts") :].partition("\n\nAttributes:")[0]


def _observations(games: Mapping[str, BatchedGame]) -> list[str]:
    first = next(iter(games.values()))
    parts = []
    encodings: Mapping[str, str] = _VECTORS
    if isinstance(first, GridGame):
        encodings = ENCODINGS
        view = _doc(GridGame).partition("\n\n")[2]
        parts.append(view.partition("\n\nAttributes:")[0])
        parts.append("Classes:")
        classes = {
            preset: [name for name in game.class_names if name not in game.agent_ids]
            for preset, game in games.items()
        }
        parts += _numbered(classes, more=", then one for each agent")
    rows = [
        [
            f"`{encoding}`",
            encodings[encoding],
            *(
                str(make(game.game_id, 1, preset, obs=encoding).observation_space.shape)
                for preset, game in games.items()
            ),
        ]
        for encoding in first.encodings
    ]
    parts.append(_table(["`obs=`", "what it is", *(f"shape with `{preset}`" for preset in games)], rows))
    return parts


def _differences(module: ModuleType) -> list[str]:
    references: Mapping[str, tuple[str, ...]] = vars(module)["REFERENCES"]
    parts = []
    for reference, differences in references.items():
        parts += [f"**{reference}**", "\n".join(f"- {difference}" for difference in differences)]
    return parts


def _module_of(game_class: type) -> ModuleType:
    return sys.modules[game_class.__module__]


def _doc(documented: ModuleType | type) -> str:
    return inspect.cleandoc(documented.__doc__ or "")


def _first_sentence(module: ModuleType) -> str:
    return _doc(module).partition("\n")[0]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _value(value: Any) -> str:
    if value is None:
        return "None"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def _main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m mixed_motive.rules", description="Print a game's rules, or write the pages of all."
    )
    parser.add_argument("game", nargs="?", choices=list(GAMES), help="whose page to print [the index]")
    parser.add_argument("--write", metavar="FOLDER", type=Path, help="write all pages there instead")
    options = parser.parse_args()
    if options.write is not None:
        write_pages(options.write)
    else:
        sys.stdout.write(rules_page(options.game) if options.game else index_page())


if __name__ == "__main__":
    _main()
