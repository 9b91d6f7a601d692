"""The trial that all searches share: one whole run in one process, which reports to Tune and can go on.

A trial's working directory becomes a run's folder, which Tune brings to the search's storage.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.fs
from ray import tune

from rllib_lase.defaults import default_settings
from rllib_lase.interim import Intervals
from rllib_lase.registry import StockSpec, resolve_algorithm
from rllib_lase.run_schema import normalise
from rllib_lase.settings import Settings
from rllib_lase.train_spec import TrainSpec
from rllib_lase.training import Progress, train
from rllib_lase.tuning.objective import objective_value, row_metrics, summary_metrics


def play(config: Mapping[str, Any]) -> None:
    """Tune's trainable.

    Args:
        config: What was drawn from `Search.param_space`.
    """
    spec = train_spec(config, Path.cwd())
    found = _finished_before(spec, config)
    if found is not None:
        tune.report(_evaluated(found, config))
        return
    checkpoint = tune.get_checkpoint()
    reporter = _Reporter(config)
    if checkpoint is None:
        run = train(spec, reporter.on_progress)
    else:
        with checkpoint.as_directory() as folder:
            run = train(spec, reporter.on_progress, resume_from=Path(folder))
    # With a checkpoint, because Tune then brings the whole folder to the storage before it takes the result.
    tune.report(
        {**reporter.known, **_evaluated(run.summary(), config)},
        checkpoint=tune.Checkpoint.from_directory(run.checkpoints_path),
    )


def train_spec(config: Mapping[str, Any], out: Path) -> TrainSpec:
    """The run that a trial does.

    Args:
        config: What was drawn from `Search.param_space`.
        out: The run's folder.
    """
    plan, run = config["plan"], config["run"]
    return TrainSpec(
        game=run["game"],
        algo=run["algo"],
        out=out,
        optimizer=plan["optimizer"],
        seed=config["seed"],
        env_steps=plan["env_steps"],
        game_params=config["game_params"],
        settings=whole_settings(config),
        evaluation_episodes=plan["evaluation_episodes"],
        overwrite=True,
        takes_folder=True,
    )


def whole_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """A trial's settings that differ from the game's, ends of schedules among them."""
    spec, fixed = resolve_algorithm(config["run"]["algo"])
    given = dict(config["settings"])
    if isinstance(spec, StockSpec):
        return given
    defaults = default_settings(config["run"]["game"], spec, config["plan"]["optimizer"] or fixed)
    return {**schedule_ends(given, defaults), **given}


def schedule_ends(given: Mapping[str, Any], defaults: Settings) -> dict[str, float]:
    """Where the schedules of given settings end: as far from their start as in the shipped settings."""
    return {
        f"{name}_end": getattr(defaults, f"{name}_end") / getattr(defaults, name) * value
        for name, value in given.items()
        if hasattr(defaults, f"{name}_end") and getattr(defaults, name)
    }


def resources(config: Mapping[str, Any]) -> tune.PlacementGroupFactory:
    """A trial's cores and GPUs, on one node.

    Returns:
        A bundle of one core for the trial's process and one for each that it starts: env runners first,
        learners last. GPUs are in the bundles of who acts or learns on them; a trial's process that does both
        itself does it on one GPU.
    """
    job = train_spec(config, Path()).job()
    settings = {**job.config.get("rllib", {}), **job.config["settings"]}
    runners, learners = settings["num_env_runners"], settings["num_learners"]
    bundles = [{"CPU": 1.0} for _ in range(1 + job.num_actors)]
    users = {
        "num_gpus_per_env_runner": bundles[1 : 1 + runners] if runners else bundles[:1],
        "num_gpus_per_learner": bundles[-learners:] if learners else bundles[:1],
    }
    for name, users_bundles in users.items():
        gpus = float(settings.get(name, 0))  # no settings of RLlib's own algorithms
        for bundle in users_bundles if gpus else ():
            bundle["GPU"] = max(gpus, bundle.get("GPU", 0.0))
    return tune.PlacementGroupFactory(bundles, strategy="STRICT_PACK")


class _Reporter:
    """Reports each iteration but the last, which comes with the evaluation.

    Where an iteration leaves a number undefined, the last one that is known is reported, and nothing before
    all are known: Tune stops at gaps, and takes NaN for the best value.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.known: dict[str, float] = {}
        self._plan = config["plan"]
        self._intervals = Intervals(self._plan["checkpoint_interval"])

    def on_progress(self, progress: Progress) -> None:
        """Reports an iteration, with a checkpoint if one is due."""
        self.known |= {name: value for name, value in progress.row.items() if math.isfinite(value)}
        self.known |= row_metrics(progress.row)
        objective = objective_value(self._plan["objective"], self.known)
        if progress.env_steps >= progress.total_env_steps or math.isnan(objective):
            return
        result = {**self.known, "objective": objective, "evaluated": 0}
        if progress.save is None or not self._intervals.end(progress.env_steps):
            tune.report(result)
            return
        with tempfile.TemporaryDirectory() as folder:
            progress.save(Path(folder))
            tune.report(result, checkpoint=tune.Checkpoint.from_directory(folder))


def _evaluated(summary: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    """What a finished run reports last."""
    metrics = summary_metrics(summary)
    value = objective_value(config["plan"]["objective"], metrics)
    counts = {name: summary[name] for name in ("env_steps", "num_episodes", "cpu_seconds")}
    # Done, so that no scheduler pauses what is finished.
    return {**metrics, **counts, "objective": value, "evaluated": 1, "done": True}


def _finished_before(spec: TrainSpec, config: Mapping[str, Any]) -> dict[str, Any] | None:
    """The summary of this very run, if it was finished before the search was cut off and is in its folder."""
    files, root = pyarrow.fs.FileSystem.from_uri(config["plan"]["folder"])
    contents = []
    for name in ("config.json", "summary.json"):
        path = f"{root}/{Path.cwd().name}/{name}"
        if files.get_file_info(path).type != pyarrow.fs.FileType.File:
            return None
        with files.open_input_stream(path) as stream:
            contents.append(json.loads(stream.read()))
    there, summary = contents
    asked = normalise(spec.description(spec.job()))
    is_same = all(there.get(name) == value for name, value in asked.items())
    return summary if is_same and summary["status"] == "finished" else None
