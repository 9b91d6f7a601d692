"""How benchmarks compare: contestants take turns in one run, and ratios are medians over the turns.

On a shared machine single times wander by a factor; ratios of neighbouring turns hold.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, Protocol

Clock = Literal["cpu", "wall"]


class Contestant(Protocol):
    """Something that trains.

    Attributes:
        name: Its row in the table.
    """

    name: str

    def train(self) -> int:
        """Trains for one turn; returns the env steps that it did."""

    def check(self) -> None:
        """Asserts, after all turns, that real training took place."""


@dataclass(frozen=True)
class Turn:
    """One contestant's turn: env steps, and seconds of the process's CPU time and of wall time."""

    env_steps: int
    cpu: float
    wall: float

    def seconds_per_env_step(self, clock: Clock) -> float:
        """Time of one env step by one of the clocks."""
        return (self.cpu if clock == "cpu" else self.wall) / self.env_steps


def alternate(contestants: Sequence[Contestant], repeats: int, warm_up: int = 1) -> dict[str, list[Turn]]:
    """Lets the contestants take turns, A B C A B C ...

    Args:
        contestants: At least one.
        repeats: Measured turns of each.
        warm_up: Turns of each before the first that counts.

    Returns:
        Name -> its turns in order.
    """
    for _ in range(warm_up):
        for contestant in contestants:
            contestant.train()
    turns: dict[str, list[Turn]] = defaultdict(list)
    for _ in range(repeats):
        for contestant in contestants:
            cpu, wall = time.process_time(), time.perf_counter()
            env_steps = contestant.train()
            turns[contestant.name].append(
                Turn(env_steps, time.process_time() - cpu, time.perf_counter() - wall)
            )
    for contestant in contestants:
        contestant.check()
    return dict(turns)


def ratio(slow: Sequence[Turn], fast: Sequence[Turn], clock: Clock = "cpu") -> float:
    """How many times longer `slow` takes for an env step: median over the turns."""
    return statistics.median(
        a.seconds_per_env_step(clock) / b.seconds_per_env_step(clock) for a, b in zip(slow, fast, strict=True)
    )


def spread(slow: Sequence[Turn], fast: Sequence[Turn]) -> tuple[float, float]:
    """Smallest and largest ratio of single turns, by CPU time."""
    ratios = [
        a.seconds_per_env_step("cpu") / b.seconds_per_env_step("cpu") for a, b in zip(slow, fast, strict=True)
    ]
    return min(ratios), max(ratios)


def rate(turns: Sequence[Turn], clock: Clock) -> float:
    """Env steps per second: median over the turns."""
    return 1 / statistics.median(turn.seconds_per_env_step(clock) for turn in turns)


class PartClock:
    """CPU time by part. Time inside a nested part counts for that part alone."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._inner = [0.0]

    def watch(self, owner: Any, method: str, part: str | Callable[..., str]) -> None:
        """Counts the time of `owner.method`, on this object alone, from now on.

        Args:
            owner: Whose method.
            method: Its name.
            part: What its time counts for, or a function that says so from the call's arguments.
        """
        original: Callable[..., Any] = getattr(owner, method)

        def timed(*args: Any, **kwargs: Any) -> Any:
            self._inner.append(0.0)
            start = time.process_time()
            try:
                return original(*args, **kwargs)
            finally:
                spent = time.process_time() - start
                name = part if isinstance(part, str) else part(*args, **kwargs)
                self.seconds[name] += spent - self._inner.pop()
                self._inner[-1] += spent

        setattr(owner, method, timed)


def machine_facts() -> dict[str, Any]:
    """What the numbers depend on: processor, load, threads and versions."""
    facts: dict[str, Any] = {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "python": platform.python_version(),
    }
    if "torch" in sys.modules:
        facts["torch_threads"] = sys.modules["torch"].get_num_threads()
    installed = (
        name for name in ("torch", "ray", "numpy", "numba", "jaxmarl") if find_spec(name) is not None
    )
    return facts | {name: version(name) for name in installed}


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def write_json(path: Path, results: Mapping[str, Any]) -> None:
    """Writes the results of a benchmark, readable and with a final newline."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=2) + "\n")
