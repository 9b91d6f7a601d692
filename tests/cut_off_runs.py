"""Short runs that are cut off, and what they have in common with the same run that was not."""

from pathlib import Path
from typing import Any

import pandas as pd

from rllib_lase.runs import RunFolder
from rllib_lase.train_spec import TrainSpec

TIMES = ["iteration_seconds", "total_seconds", "cpu_seconds", "env_steps_per_second"]


class CutOff(Exception):
    """Raised where a process would be killed."""


def spec(out: Path, env_steps: int, checkpoint_interval: int | None = None, **changes: Any) -> TrainSpec:
    """A run of 200 env steps per iteration."""
    settings = {"rounds_per_iteration": 2, "num_envs_per_env_runner": 4, "rollout_fragment_length": 25}
    asked = {"game": "ipd", "algo": "lase", "evaluation_episodes": 4, **changes}
    asked["settings"] = {**settings, **asked.get("settings", {})}
    return TrainSpec(**asked, out=out, env_steps=env_steps, checkpoint_interval=checkpoint_interval)


def assert_same_but_for_times(whole: RunFolder, parts: RunFolder) -> None:
    pd.testing.assert_frame_equal(*(run.progress().drop(columns=TIMES) for run in (whole, parts)))
    pd.testing.assert_frame_equal(whole.gifts(), parts.gifts())
    pd.testing.assert_frame_equal(whole.episodes(), parts.episodes())
    assert parts.progress()["total_seconds"].is_monotonic_increasing
