"""What `lase compare` shows while its runs go on: a table in a terminal, a line per event elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rllib_lase.cli.display import clock
from rllib_lase.cli.pool import Job
from rllib_lase.evaluation.table import format_number

if TYPE_CHECKING:
    from rich.table import Table

_STYLES = {"finished": "green", "failed": "red", "kept": "green", "stopped": "yellow"}


@contextmanager
def make_overview(jobs: Sequence[Job], title: str) -> Iterator[Callable[[Job], None]]:
    """The function to call when a job has changed.

    Args:
        jobs: All jobs.
        title: What is compared.
    """
    if not sys.stdout.isatty():
        sys.stdout.write(f"{title}\n")
        yield _LineOverview(jobs)
        return
    from rich.live import Live

    with Live(overview_table(jobs, title), refresh_per_second=4) as live:
        yield lambda _: live.update(overview_table(jobs, title))


class _LineOverview:
    """A line when a job starts or ends, and at every quarter of its training."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._jobs = jobs
        self._told: dict[str, str] = {}

    def __call__(self, job: Job) -> None:
        quarter = int(4 * _share(job)) if job.state == "training" else 0
        told = f"{job.state} {quarter}"
        if self._told.get(job.name) == told:
            return
        self._told[job.name] = told
        over = sum(each.is_over for each in self._jobs)
        state = f"{job.state} {_share(job):.0%}" if job.state == "training" else job.state
        reward = format_number(_number(job, "collective_reward"))
        sys.stdout.write(f"[{over}/{len(self._jobs)}] {job.name}: {state}, reward {reward}\n")
        sys.stdout.flush()


def overview_table(jobs: Sequence[Job], title: str) -> Table:
    """All jobs with their progress, a row each."""
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for column in ("Run", "State", "Done", "Steps/s", "Collective reward", "Equality", "Given", "Left"):
        table.add_column(column, justify="left" if column in ("Run", "State") else "right")
    for job in jobs:
        style = _STYLES.get(job.state, "dim" if job.state == "waiting" else "")
        numbers = ("collective_reward", "equality", "share_given")
        live = job.state in ("training", "evaluating")
        table.add_row(
            job.name,
            job.state,
            f"{_share(job):.0%}" if job.progress else "",
            f"{job.progress['env_steps_per_second']:,.0f}" if live else "",
            *(format_number(_number(job, name)) if job.progress else "" for name in numbers),
            clock(_number(job, "seconds_left")) if live else "",
            style=style,
        )
    return table


def _share(job: Job) -> float:
    if not job.progress:
        return 0.0
    return min(1.0, float(job.progress["env_steps"]) / float(job.progress["total_env_steps"]))


def _number(job: Job, name: str) -> float:
    value = job.progress.get(name)
    return float("nan") if value is None else float(value)
