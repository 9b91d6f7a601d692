"""One static HTML page for a run or a comparison: everything inside it, no script, nothing to load."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2

from rllib_lase.command_lines import compare_command, run_command
from rllib_lase.evaluation.metrics import METRICS, share_given
from rllib_lase.evaluation.search_table import SEARCH_FILE
from rllib_lase.evaluation.table import comparison_frame, display_frame, format_number, group_runs
from rllib_lase.registry import ALGORITHMS, STOCK
from rllib_lase.report.groups import Group
from rllib_lase.report.parts import (
    embed,
    embed_gif,
    game_title,
    run_row,
    shared_options,
    versions,
    what_was_asked,
)
from rllib_lase.report.pictures import comparison_pictures, run_pictures
from rllib_lase.report.search import search_context
from rllib_lase.report.theme import DARK, LIGHT, render_svg
from rllib_lase.run_schema import RunError, as_floats
from rllib_lase.runs import RunFolder, find_runs
from rllib_lase.version import __version__

_TABLE_CAPTION = (
    "Mean over seeds ± half of its 95 % Student-t interval, from evaluation episodes with sampled actions; "
    "n/a: undefined. Events per episode, all agents together. The optimiser of ours stands in brackets; "
    "rllib: marks RLlib's own algorithms."
)


def write_pictures(folder: Path | str, out: Path | str) -> list[Path]:
    """Writes the pictures of a report as files of their own, for papers and pages.

    Args:
        folder: As for `write_report`.
        out: Where they go; made if it is not there. Pictures of the same names are replaced.

    Returns:
        The files, `01-learning-curves.svg` and so on, in the order of the page.

    Raises:
        RunError: as `write_report`.
    """
    root, target = Path(folder), Path(out)
    runs = _runs_to_report(root)
    if runs[0].path == root:
        pictures = run_pictures(runs[0])
    else:
        by_game = _by_game(_finished(root, runs))
        pictures = [picture for members in by_game for picture in comparison_pictures(_groups(members))]
    target.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, picture in enumerate(pictures, 1):
        name = re.sub(r"[^a-z0-9]+", "-", picture.title.lower()).strip("-")
        paths.append(target / f"{number:02}-{name}.svg")
        paths[-1].write_text(render_svg(picture.draw), encoding="utf-8")
    return paths


def write_report(folder: Path | str) -> Path:
    """Writes `report.html` into a run's folder or a comparison's.

    Args:
        folder: A run, finished or not; or a folder that holds runs, of which the finished ones are compared.

    Returns:
        The page's path.

    Raises:
        RunError: there is no run to report, or a file of one is not what it should be.
    """
    root = Path(folder)
    runs = _runs_to_report(root)
    if runs[0].path == root:
        context = _run_context(runs[0])
    elif (root / SEARCH_FILE).is_file():
        context = search_context(root, runs)
    else:
        context = _comparison_context(root, runs)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("rllib_lase.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    html = environment.get_template("report.html.j2").render(
        **context, metrics=METRICS, light=LIGHT, dark=DARK, version=__version__
    )
    path = root / "report.html"
    part = root / ".report.html.part"
    part.write_text(html, encoding="utf-8")
    part.replace(path)
    return path


def _runs_to_report(root: Path) -> list[RunFolder]:
    runs = find_runs(root)
    if not runs:
        raise RunError(f"{root}: holds no run. Give the folder of a run or of a comparison (their --out).")
    return runs


def _finished(root: Path, runs: Sequence[RunFolder]) -> list[RunFolder]:
    finished = [run for run in runs if run.is_finished]
    if not finished:
        raise RunError(
            f"{root}: none of its {len(runs)} runs is finished. Let one finish, or report it by itself."
        )
    return finished


def _by_game(runs: Sequence[RunFolder]) -> list[list[RunFolder]]:
    """Runs of one game and preset together."""
    by_game: dict[tuple[str, str], list[RunFolder]] = {}
    for run in runs:
        by_game.setdefault((run.config["game"], run.config["preset"] or ""), []).append(run)
    return list(by_game.values())


def _groups(runs: Sequence[RunFolder]) -> list[Group]:
    """Runs of one game under the names that they have in every table."""
    return [
        Group(", ".join(filter(None, (group[0].algorithm, variant))), group)
        for (*_, variant), group in group_runs(runs).items()
    ]


def _run_context(run: RunFolder) -> dict[str, Any]:
    """What the template needs for one run."""
    config = run.config
    progress = run.progress()
    notes = []
    if not run.is_finished:
        done = int(progress["env_steps"].iloc[-1])
        notes.append(f"This run was not finished: {done:,} of {config['env_steps']:,} env steps.")
    return {
        "title": f"{game_title(config)}: {run.algorithm}, seed {config['seed']}",
        "lead": _lead(config["algo"]),
        "notes": [*notes, *_who_plays(run)],
        "tiles": _tiles(run.summary()) if run.has_summary else [],
        "gif": embed_gif(run.gif_path) if run.gif_path.is_file() else None,
        "gives": not run.gifts().empty,
        "sections": [{"heading": "", "table": None, "pictures": embed(run_pictures(run))}],
        "options": {
            **what_was_asked(config),
            **config["game_params"],
            **config.get("rllib", {}),
            **config["settings"],
        },
        "commands": [run_command(run, run.path)],
        "versions": versions([run]),
        "runs": [],
    }


def _comparison_context(root: Path, runs: Sequence[RunFolder]) -> dict[str, Any]:
    """What the template needs for a comparison."""
    finished = _finished(root, runs)
    by_game = _by_game(finished)
    sections = []
    for members in by_game:
        sections.append(
            {
                "heading": game_title(members[0].config) if len(by_game) > 1 else "",
                "table": _table(members),
                "pictures": embed(comparison_pictures(_groups(members))),
            }
        )
    left_out = [run.path.name for run in runs if not run.is_finished]
    titles = [game_title(members[0].config) for members in by_game]
    return {
        "title": f"{', '.join(titles)}: comparison of {len(group_runs(finished))} learners",
        "lead": "",
        "notes": [f"Left out, because not finished: {', '.join(left_out)}."] if left_out else [],
        "tiles": [],
        "gif": None,
        "sections": sections,
        "options": shared_options(finished),
        "commands": compare_command(finished, root),
        "versions": versions(finished),
        "runs": [run_row(run) for run in finished],
    }


def _tiles(summary: Mapping[str, Any]) -> list[dict[str, str]]:
    """The key figures at the top of a run's page: label, value, remark."""
    given = float(share_given(as_floats(summary["gift_weights"])).mean())
    equality, after = (float(as_floats(summary[key])) for key in ("equality", "equality_after_gifting"))
    episodes = summary["num_evaluation_episodes"]
    return [
        {
            "label": METRICS["collective_reward"].label,
            "value": format_number(float(as_floats(summary["collective_reward"]))),
            "remark": f"per episode, mean of {episodes:,} evaluation episodes",
        },
        {
            "label": "Equality",
            "value": format_number(after),
            "remark": f"after gifting; {format_number(equality)} before",
        },
        {
            "label": METRICS["share_given"].label,
            "value": format_number(given),
            "remark": "of each reward, mean over agents",
        },
        {
            "label": METRICS["env_steps"].label,
            "value": f"{summary['env_steps']:,}",
            "remark": f"{summary['num_episodes']:,} training episodes",
        },
        {
            "label": METRICS["wall_seconds"].label,
            "value": _duration(float(as_floats(summary["wall_seconds"]))),
            "remark": f"{format_number(float(as_floats(summary['env_steps_per_second'])))} env steps/s",
        },
    ]


def _table(runs: Sequence[RunFolder]) -> dict[str, Any]:
    shown = display_frame(comparison_frame(runs))
    return {
        "title": "Results",
        "caption": _TABLE_CAPTION,
        "columns": list(shown.columns),
        "rows": shown.to_numpy().tolist(),
    }


def _lead(algo: str) -> str:
    """What the algorithm is; nothing for one that this version does not know."""
    spec = ALGORITHMS.get(algo) or STOCK.get(algo)
    return _sentence(spec.title) if spec else ""


def _who_plays(run: RunFolder) -> list[str]:
    """Who sits where in a mixed population, and what changed."""
    if run.seating is None:
        return []
    seats = [f"{agent} is {name}" for agent, name in zip(run.agent_ids, run.seating.names, strict=True)]
    notes = [f"{'; '.join(seats)}."]
    if run.seating.switches:
        changes = "; ".join(map(str, run.seating.switches))
        notes.append(f"Changes, by env steps of the training and seat: {changes}.")
    if run.seating.shuffle_seats:
        notes.append("Players change places in the game with every episode; an agent's name stays its own.")
    return notes


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _duration(seconds: float) -> str:
    if seconds != seconds or seconds < 90:
        return f"{format_number(seconds)} s"
    minutes = seconds / 60
    return f"{minutes:.1f} min" if minutes < 90 else f"{minutes / 60:.1f} h"
