"""Reads a command's words against a table of options and collects everything that is wrong with them.

Argument parsers, tyro and argparse among them, stop at the first kind of mistake; whoever starts a run of
hours wants all of them at once. So words are read here, and argparse only lays out the help.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rllib_lase.command_lines import option_name
from rllib_lase.settings import Settings, closest


class UsageError(Exception):
    """The words of a command are wrong; nothing was started.

    Attributes:
        problems: One line each: the word, what was found, what was expected.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(self.problems))


@dataclass(frozen=True)
class Option:
    """One option of a command.

    Attributes:
        name: With its dashes, "--env-steps"; a positional's is in capitals, "GAME".
        help: One line; the default stands at its end.
        read: Turns the word into a value; raises ValueError with what was expected.
        metavar: What the help calls the value; empty for a flag.
        group: Heading in the help.
        many: Whether it takes all words up to the next option, and may be given several times; a positional,
            all words that are no option's.
        switchable: Whether a flag has its opposite, "--no-...".
    """

    name: str
    help: str
    read: Callable[[str], Any] = str
    metavar: str = ""
    group: str = "options"
    many: bool = False
    switchable: bool = False

    @property
    def key(self) -> str:
        """Name of its value."""
        return self.name.strip("-").replace("-", "_").lower()

    @property
    def is_positional(self) -> bool:
        """Whether it is given without its name."""
        return not self.name.startswith("-")


@dataclass
class Words:
    """What a command was told.

    Attributes:
        values: By the options' keys; only what was given and could be read.
        problems: What was wrong.
    """

    values: dict[str, Any] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def read_words(words: Sequence[str], options: Sequence[Option]) -> Words:
    """Reads the words of a command.

    Args:
        words: Without the command's own name.
        options: What it understands.

    Returns:
        The values and all problems.
    """
    result = Words()
    by_name = {name: option for option in options for name in _spellings(option)}
    positionals = [option for option in options if option.is_positional]
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if not _is_option(word):
            if positionals:
                _store(positionals[0] if positionals[0].many else positionals.pop(0), [word], result)
            else:
                result.problems.append(f"{word}: unexpected word")
            continue
        name, equals, attached = word.partition("=")
        following = [attached] if equals else _values_ahead(rest)
        option = by_name.get(name)
        if option is None:
            result.problems.append(f"{name}: unknown option{closest(name, by_name)}")
            del rest[: 0 if equals else min(len(following), 1)]
        elif not option.metavar:
            result.values[option.key] = not name.startswith("--no-")
            if equals:
                result.problems.append(f"{name}: takes no value, found {attached!r}")
        else:
            taken = following if option.many else following[:1]
            del rest[: 0 if equals else len(taken)]
            _store(option, taken, result)
    return result


def print_help(
    command: str, description: str, options: Sequence[Option], epilog: str = "", usage: str = ""
) -> None:
    """Prints a command's help, laid out by argparse; `usage` where its options do not come last."""
    parser = argparse.ArgumentParser(
        prog=command,
        description=description,
        epilog=epilog,
        add_help=False,
        usage=usage or f"{command} {' '.join(_usage(o) for o in options if o.is_positional)} [options]",
        formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(
            prog, max_help_position=36, width=110
        ),
    )
    groups: dict[str, Any] = {}
    for option in options:
        if option.group not in groups:
            groups[option.group] = parser.add_argument_group(option.group)
        text = option.help.replace("%", "%%")
        if option.is_positional:
            groups[option.group].add_argument(option.name, help=text)
        elif option.metavar:
            nargs = "*" if option.many else None
            groups[option.group].add_argument(option.name, help=text, metavar=option.metavar, nargs=nargs)
        else:
            groups[option.group].add_argument(*_spellings(option), help=text, action="store_true")
    parser.print_help(sys.stdout)


def setting_options(settings_class: type[Settings], group: str, defaults: Settings | None) -> list[Option]:
    """One option for each setting of an algorithm but the optimiser, which is an option of its own.

    Args:
        settings_class: The algorithm's settings.
        group: Heading in the help.
        defaults: The values that the help names as defaults.

    Returns:
        The options; their values have the settings' types.
    """
    options = []
    hints = typing.get_type_hints(settings_class)
    for item in dataclasses.fields(settings_class):
        if item.name == "optimizer" or item.name in settings_class.unused:
            continue
        hint = hints[item.name]
        text = str(item.metadata["help"])
        if defaults is not None:
            text += f" [{_spelled(getattr(defaults, item.name))}]"
        if hint is bool:
            option = Option(option_name(item.name), text, group=group, switchable=True)
        else:
            option = Option(option_name(item.name), text, _reader(hint), _metavar(hint), group)
        options.append(option)
    return options


def whole_number(minimum: int, maximum: int | None = None) -> Callable[[str], int]:
    """Reads a whole number, written as 300000, 300_000 or 3e5."""
    expected = f"{minimum} or more" if maximum is None else f"{minimum} to {maximum}"

    def read(word: str) -> int:
        number = _integer(word)
        if number < minimum or (maximum is not None and number > maximum):
            raise ValueError(f"expected {expected}")
        return number

    return read


def one_of(*choices: str) -> Callable[[str], str]:
    """Reads one of some words."""

    def read(word: str) -> str:
        if word not in choices:
            raise ValueError(f"expected one of {', '.join(choices)}{closest(word, choices)}")
        return word

    return read


def pair(word: str) -> tuple[str, Any]:
    """Reads `name=value`; the value becomes a number, True, False or None where it looks like one."""
    name, equals, text = word.partition("=")
    if not name or not equals or not text:
        raise ValueError("expected name=value, such as num_agents=5")
    return name, _plain_value(text)


def text_pair(word: str) -> tuple[str, str]:
    """Reads `NAME=VALUE`; the value stays as it was typed, and may be empty."""
    name, equals, text = word.partition("=")
    if not name or not equals:
        raise ValueError("expected NAME=VALUE, such as OMP_NUM_THREADS=2")
    return name, text


def json_pair(word: str) -> tuple[str, Any]:
    """Reads `name=value`, where the value is JSON, a number, True, False or None, or else a text."""
    name, _, text = word.partition("=")
    if not name or not text:
        raise ValueError("expected name=value, such as lr=3e-4")
    try:
        value = json.loads(text)
    except ValueError:
        value = _plain_value(text)
    # 3e5 is a whole number here, as everywhere on the command line.
    is_whole = isinstance(value, float) and value.is_integer() and "." not in text
    return name, int(value) if is_whole else value


def _store(option: Option, words: Sequence[str], result: Words) -> None:
    if not words:
        result.problems.append(f"{option.name}: needs a value ({option.metavar})")
        return
    values = []
    for word in words:
        try:
            values.append(option.read(word))
        except ValueError as error:
            found = "" if repr(word) in str(error) else f", found {word!r}"
            result.problems.append(f"{option.name}: {error}{found}")
    if len(values) == len(words):
        earlier = result.values.get(option.key, []) if option.many else []
        result.values[option.key] = [*earlier, *values] if option.many else values[0]


def _usage(option: Option) -> str:
    return f"{option.name} {option.name} ..." if option.many else option.name


def _spellings(option: Option) -> list[str]:
    names = [] if option.is_positional else [option.name]
    return [*names, option.name.replace("--", "--no-", 1)] if option.switchable else names


def _is_option(word: str) -> bool:
    """Whether a word starts an option; a negative number does not."""
    if not word.startswith("-") or word == "-":
        return False
    try:
        float(word)
    except ValueError:
        return True
    return False


def _values_ahead(words: Sequence[str]) -> list[str]:
    values: list[str] = []
    for word in words:
        if _is_option(word):
            break
        values.append(word)
    return values


def _integer(word: str) -> int:
    try:
        return int(word)
    except ValueError:
        pass
    try:
        number = float(word)
    except ValueError:
        number = 0.5
    if number != number // 1:
        raise ValueError("expected a whole number")
    return int(number)


def _number(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        raise ValueError("expected a number") from None


def _reader(hint: Any) -> Callable[[str], Any]:
    if isinstance(hint, types.UnionType):
        parts = [part for part in typing.get_args(hint) if part is not types.NoneType]
        inner = _reader(parts[0])
        return lambda word: None if word.lower() == "none" else inner(word)
    if typing.get_origin(hint) is typing.Literal:
        return one_of(*typing.get_args(hint))
    readers: Mapping[Any, Callable[[str], Any]] = {int: _integer, float: _number}
    return readers.get(hint, str)


def _metavar(hint: Any) -> str:
    if typing.get_origin(hint) is typing.Literal:
        return "{" + ",".join(typing.get_args(hint)) + "}"
    return {int: "INT", float: "FLOAT"}.get(hint, "VALUE")


def _spelled(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _plain_value(text: str) -> Any:
    words = {"true": True, "false": False, "none": None}
    if text.lower() in words:
        return words[text.lower()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
