"""Which Python and packages training needs, and what of a machine's would stop it."""

from __future__ import annotations

import importlib.metadata
import re
import sys
from collections.abc import Mapping, Sequence
from typing import NamedTuple

#: The oldest Python, as in pyproject.toml.
PYTHON = (3, 11)

#: What training needs, and in which versions: the base and the extra `rllib` of pyproject.toml.
REQUIREMENTS: Mapping[str, str] = {
    "numpy": ">=2.0",
    "numba": ">=0.61",
    "gymnasium": ">=1.2",
    "pettingzoo": ">=1.25",
    "ray": ">=2.60,<2.61",
    "torch": ">=2.13",
    "pandas": ">=2.2",
    "pyarrow": ">=17",
    "safetensors": ">=0.4",
    "rich": ">=13",
    "matplotlib": ">=3.9",
    "pillow": ">=10",
    "jinja2": ">=3.1",
}

_SIGN = re.compile(r"(>=|<)([0-9.]+)")


class Problem(NamedTuple):
    """What is wrong, and what helps."""

    what: str
    cure: str


def installed_version(package: str) -> str | None:
    """The version of an installed distribution; None if it is missing."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def version_problems(
    python: Sequence[int], versions: Mapping[str, str | None], required: Mapping[str, str] = REQUIREMENTS
) -> list[Problem]:
    """What of a Python and its packages would stop a run.

    Args:
        python: Its version, major number first.
        versions: What it has of `required`; None where a package is missing.
        required: Packages with their ranges.

    Returns:
        A problem for the Python, for all that is missing, and for each wrong version.
    """
    problems = []
    if tuple(python[:2]) < PYTHON:
        found, oldest = (".".join(map(str, version[:2])) for version in (python, PYTHON))
        problems.append(
            Problem(
                f"Python {found} found, {oldest} or newer needed",
                f"start Ray from a Python {oldest}; all nodes need the same",
            )
        )
    missing = [package for package in required if versions.get(package) is None]
    if missing:
        wanted = " ".join(f"'{package}{required[package]}'" for package in missing)
        problems.append(Problem(f"missing: {', '.join(missing)}", f"pip install {wanted}"))
    for package, wanted in required.items():
        version = versions.get(package)
        if version is not None and not _fits(version, wanted):
            cure = f"pip install '{package}{wanted}'"
            if package == "ray":
                cure += ", on every node and where `lase submit` is typed"
            problems.append(Problem(f"{package} {version} found, {wanted} needed", cure))
    return problems


def own_problems() -> list[Problem]:
    """What of this Python and its packages would stop a run."""
    return version_problems(sys.version_info[:3], {name: installed_version(name) for name in REQUIREMENTS})


def _fits(version: str, wanted: str) -> bool:
    found = _numbers(version)
    return all(
        found >= _numbers(bound) if sign == ">=" else found < _numbers(bound)
        for sign, bound in _SIGN.findall(wanted)
    )


def _numbers(version: str) -> tuple[int, ...]:
    match = re.match(r"[0-9]+(\.[0-9]+)*", version)
    return tuple(int(part) for part in match.group().split(".")) if match else (0,)
