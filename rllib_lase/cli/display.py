"""How a run's progress is shown: live in a terminal, as lines elsewhere, as JSON for programs."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from rllib_lase.evaluation.table import format_number
from rllib_lase.runs import RunFolder

if TYPE_CHECKING:
    from rllib_lase.training import Progress

_SECONDS_BETWEEN_LINES = 10.0


class Display(Protocol):
    """Shows one run."""

    def update(self, progress: Progress) -> None:
        """After each iteration."""

    def note(self, text: str) -> None:
        """Something that the user should know."""

    def finish(self, run: RunFolder) -> None:
        """The run is complete."""


@contextmanager
def make_display(mode: str | None, title: str) -> Iterator[Display]:
    """The display for a mode; None takes "live" in a terminal and "lines" elsewhere."""
    mode = mode or ("live" if sys.stdout.isatty() else "lines")
    if mode == "json":
        yield JsonDisplay()
    elif mode == "lines":
        yield LineDisplay(title)
    else:
        live = LiveDisplay(title)
        with live.progress:
            yield live


class LineDisplay:
    """One line every ten seconds."""

    def __init__(self, title: str) -> None:
        self._last = -math.inf
        _write(title)

    def update(self, progress: Progress) -> None:
        """Prints a line if it is time, and the last one always."""
        now = time.monotonic()
        done = progress.env_steps >= progress.total_env_steps
        if now - self._last >= _SECONDS_BETWEEN_LINES or done:
            self._last = now
            _write(progress_line(progress))
        if done:
            _write("Evaluating and writing the report.")

    def note(self, text: str) -> None:
        """Prints it."""
        _write(text)

    def finish(self, run: RunFolder) -> None:
        """Prints the results."""
        _write("\n".join(result_lines(run)))


class LiveDisplay:
    """A progress bar that stays in its place."""

    def __init__(self, title: str) -> None:
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

        self.progress = Progress(
            BarColumn(bar_width=24), TaskProgressColumn(), TextColumn("{task.description}"), transient=False
        )
        self.progress.console.print(title, highlight=False)
        self._task = self.progress.add_task("starting", total=None)

    def update(self, progress: Progress) -> None:
        """Moves the bar."""
        done = progress.env_steps >= progress.total_env_steps
        text = "evaluating and writing the report" if done else progress_line(progress, brief=True)
        self.progress.update(
            self._task, total=progress.total_env_steps, completed=progress.env_steps, description=text
        )

    def note(self, text: str) -> None:
        """Prints it above the bar."""
        self.progress.console.print(text, highlight=False)

    def finish(self, run: RunFolder) -> None:
        """Prints the results."""
        self.progress.update(self._task, description="done")
        self.progress.stop()
        self.progress.console.print("\n".join(result_lines(run)), highlight=False, soft_wrap=True)


class JsonDisplay:
    """One JSON object per iteration, for programs that start runs."""

    def update(self, progress: Progress) -> None:
        """Prints the iteration."""
        names = ("collective_reward", "equality", "share_given")
        metrics = {name: _number_or_none(progress.row[name]) for name in names}
        steps = {"env_steps": progress.env_steps, "total_env_steps": progress.total_env_steps}
        rates = {
            "env_steps_per_second": progress.env_steps_per_second,
            "seconds_left": _number_or_none(progress.seconds_left),
        }
        _write_json({**steps, **rates, **metrics})

    def note(self, text: str) -> None:
        """Prints the note."""
        _write_json({"note": text})

    def finish(self, run: RunFolder) -> None:
        """Prints where the run is."""
        _write_json({"run": str(run.path)})


def progress_line(progress: Progress, brief: bool = False) -> str:
    """Steps, speed, metrics and time left in one line; the brief form leaves out what a bar shows."""
    row = progress.row
    share = min(1.0, progress.env_steps / progress.total_env_steps)
    beyond = ""
    if progress.env_steps > progress.total_env_steps:  # iterations are whole
        beyond = f"; {progress.iteration_env_steps:,} an iteration"
    steps = f"{progress.env_steps:,} of {progress.total_env_steps:,} env steps ({share:.0%}{beyond})"
    parts = [
        f"{progress.env_steps:,} steps" if brief else steps,
        f"{progress.env_steps_per_second:,.0f}/s",
        f"reward {format_number(row['collective_reward'])}",
        f"equality {format_number(row['equality'])}",
        f"given {format_number(row['share_given'])}",
        f"{clock(progress.seconds_left)} left",
    ]
    return "  ".join(parts)


def result_lines(run: RunFolder) -> list[str]:
    """What came out, for the end of a run."""
    from rllib_lase.evaluation.table import comparison_frame

    row = comparison_frame([run]).iloc[0]
    summary = run.summary()
    return [
        f"{summary['env_steps']:,} env steps in {clock(summary['wall_seconds'])} "
        f"({summary['env_steps_per_second']:,.0f}/s), {summary['num_evaluation_episodes']} episodes played:",
        f"  collective reward {format_number(row['collective_reward'])} per episode",
        f"  equality {format_number(row['equality'])} before, "
        f"{format_number(row['equality_after_gifting'])} after gifting; "
        f"share given away {format_number(row['share_given'])}",
        f"  report {run.report_path}",
    ]


def clock(seconds: float) -> str:
    """Seconds as 4:07 or 1:02:09."""
    if not math.isfinite(seconds):
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _number_or_none(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _write(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _write_json(content: dict[str, Any]) -> None:
    _write(json.dumps(content, allow_nan=False))
