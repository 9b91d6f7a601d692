"""Parts of a report's page: embedded pictures, rows of runs, options and versions."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from rllib_lase.command_lines import run_command
from rllib_lase.evaluation.table import format_number
from rllib_lase.report.pictures import Picture
from rllib_lase.report.theme import in_dark, render_svg
from rllib_lase.run_schema import as_floats
from rllib_lase.runs import RunFolder

_SVG_WIDTH = re.compile(r'width="([0-9.]+)pt"')
_PIXELS_PER_POINT = 1.5
"""Size of pictures on the page, so that their small print has that of captions."""


def run_row(run: RunFolder) -> dict[str, str]:
    """A run's row in the list of runs."""
    summary = run.summary()
    return {
        "name": run.path.name,
        "link": f"{run.path.name}/report.html" if run.report_path.is_file() else "",
        "algorithm": run.algorithm,
        "seed": str(run.config["seed"]),
        "collective_reward": format_number(float(as_floats(summary["collective_reward"]))),
        "equality": format_number(float(as_floats(summary["equality"]))),
        "equality_after_gifting": format_number(float(as_floats(summary["equality_after_gifting"]))),
        "command": run_command(run, run.path),
    }


def embed(pictures: Sequence[Picture]) -> list[dict[str, Any]]:
    """Pictures as data, in light and dark."""
    embedded = []
    for picture in pictures:
        svg = render_svg(picture.draw)
        embedded.append(
            {
                "title": picture.title,
                "caption": picture.caption,
                "alt": picture.alt,
                "folded": picture.folded,
                "width": round(float(_SVG_WIDTH.findall(svg)[0]) * _PIXELS_PER_POINT),
                "light": _data_uri(svg.encode(), "image/svg+xml"),
                "dark": _data_uri(in_dark(svg).encode(), "image/svg+xml"),
            }
        )
    return embedded


def embed_gif(path: Path) -> dict[str, Any]:
    """The GIF, and its first frame for readers who asked their system for less motion."""
    still = io.BytesIO()
    with Image.open(path) as gif:
        size = gif.size
        gif.convert("RGB").save(still, format="PNG")
    return {
        "animated": _data_uri(path.read_bytes(), "image/gif"),
        "still": _data_uri(still.getvalue(), "image/png"),
        "width": size[0],
        "height": size[1],
    }


def _data_uri(content: bytes, media_type: str) -> str:
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"


def game_title(config: Mapping[str, Any]) -> str:
    """Game and preset for people."""
    name = str(config["game"]).replace("_", " ")
    title = name.upper() if len(name) <= 3 else name.capitalize()
    preset = config["preset"]
    return f"{title}, preset {preset}" if preset and preset != config["game"] else title


def versions(runs: Sequence[RunFolder]) -> dict[str, str]:
    """Versions of the libraries that the runs were made with."""
    libraries = dict.fromkeys(library for run in runs for library in run.config["versions"])
    return {
        library: ", ".join(dict.fromkeys(str(run.config["versions"].get(library, "none")) for run in runs))
        for library in libraries
    }


def what_was_asked(config: Mapping[str, Any]) -> dict[str, Any]:
    """What a run's config says beside its settings."""
    keys = ("game", "preset", "algo", "optimizer", "seed", "env_steps")
    asked = {key: config[key] for key in keys if config[key] is not None}
    if "population" in config:
        asked["population"] = ", ".join(config["population"])
        asked["switches"] = ", ".join(config["switches"]) or "none"
        asked["shuffle_seats"] = config["shuffle_seats"]
    return asked


def shared_options(runs: Sequence[RunFolder]) -> dict[str, Any]:
    """Options of all runs: their value where they agree, all values where they do not."""
    options = [{**what_was_asked(r.config), **r.config["game_params"], **r.config["settings"]} for r in runs]
    names = dict.fromkeys(name for option in options for name in option)
    shared = {}
    for name in names:
        values = list(dict.fromkeys(str(option[name]) for option in options if name in option))
        shared[name] = ", ".join(values)
    return shared
