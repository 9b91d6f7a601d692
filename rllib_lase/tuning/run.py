"""Runs a search with Tune, or goes on with one, on this machine or on a cluster."""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ray import tune
from ray.tune.search.basic_variant import BasicVariantGenerator

from rllib_lase.machine import usable_cores
from rllib_lase.rllib.session import ray_session
from rllib_lase.tuning.objective import Objective
from rllib_lase.tuning.search import Search
from rllib_lase.tuning.trial import play, resources

_REPORTED_SECONDS = 15
_COLUMNS = {
    "env_steps": "env steps",
    "objective": "objective",
    "collective_reward": "collective",
    "min_reward": "lowest",
    "equality_after_gifting": "equality",
    "share_given": "given",
    "time_total_s": "seconds",
}


@dataclass(frozen=True)
class Place:
    """Where a search runs and what it keeps.

    Attributes:
        folder: Tune's folder of the search, local or a URI such as s3://bucket/searches/compare.
        address: Ray cluster; None starts Ray here.
        concurrent: Trials at a time; None takes this machine's cores, or what fits into the cluster.
        max_failures: How often a failed trial starts again, from its latest checkpoint.
        wandb: Weights & Biases project to log to.
        mlflow: MLflow tracking URI to log to.
    """

    folder: str
    address: str | None = None
    concurrent: int | None = None
    max_failures: int = 1
    wandb: str | None = None
    mlflow: str | None = None

    def problems(self) -> list[str]:
        """Loggers that are asked for, and cannot be imported or do not let us in."""
        asked = {"wandb": self.wandb, "mlflow": self.mlflow}
        found = [_logger_problem(name, value) for name, value in asked.items() if value is not None]
        return [problem for problem in found if problem]


def _logger_problem(name: str, value: str) -> str | None:
    """Why a logger cannot be used, with the cure; Tune itself would end with a traceback."""
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        cure = f"in a checkout of rllib-lase: pip install '.[{name}]'"
        return f"--{name}: the package {name} cannot be imported ({error}). Cure, {cure}"
    if name == "wandb":
        from ray.air.integrations.wandb import _set_api_key

        try:
            _set_api_key()  # Ray's rules of where a key may be; it has no public word for them
        except ValueError:
            return "--wandb: no key: set WANDB_API_KEY, or WANDB_MODE=offline to log into this folder"
        return None
    try:
        module.MlflowClient(tracking_uri=value).search_experiments(max_results=1)
    except Exception as error:  # MLflow's own, or one of the database's or the server's client
        cause = " ".join(str(error).split())
        return f"--mlflow: {value} cannot be used; start its server, or name another URI. It says: {cause}"
    return None


def run_search(search: Search, objective: Objective, place: Place, *, resume: bool = False) -> Any:
    """Runs all trials.

    Args:
        search: Checked.
        objective: What is maximised.
        place: Where.
        resume: Go on with the search that is in the folder: finished trials stay, all others run to the end.

    Returns:
        Tune's `ResultGrid`, of as many trials as there were until the end or Ctrl-C.
    """
    # Tune's tables with columns of one's own are those of its older output.
    os.environ["RAY_AIR_NEW_OUTPUT"] = "0"
    with ray_session(_local_cores(search, objective, place), place.address):
        if resume:
            tuner = tune.Tuner.restore(
                place.folder, _trainable(), resume_unfinished=True, resume_errored=True
            )
        else:
            tuner = _tuner(search, objective, place)
        return tuner.fit()


def _trainable() -> Any:
    return tune.with_resources(play, resources)


def _tuner(search: Search, objective: Objective, place: Place) -> tune.Tuner:
    parent, _, name = place.folder.rstrip("/").rpartition("/")
    space = search.param_space(objective)
    space["plan"]["folder"] = place.folder
    return tune.Tuner(
        _trainable(),
        param_space=space,
        tune_config=tune.TuneConfig(
            metric="objective",
            mode="max",
            num_samples=search.num_samples,
            scheduler=search.scheduler(search.trial_env_steps) if search.scheduler else None,
            # Every draw is played with every seed, and is the same whenever the search is started.
            search_alg=search.search_alg()
            if search.search_alg
            else BasicVariantGenerator(constant_grid_search=True, random_state=0),
            max_concurrent_trials=place.concurrent,
            # A process plays many trials: starting one takes longer than some of them.
            reuse_actors=True,
            trial_name_creator=trial_name,
            trial_dirname_creator=trial_name,
        ),
        run_config=tune.RunConfig(
            name=name,
            storage_path=parent,
            failure_config=tune.FailureConfig(max_failures=place.max_failures),
            checkpoint_config=tune.CheckpointConfig(num_to_keep=2),
            sync_config=tune.SyncConfig(sync_artifacts=True),
            progress_reporter=_reporter(search),
            callbacks=_callbacks(place, name),
            verbose=1,
        ),
    )


def trial_name(trial: Any) -> str:
    """Name of a trial and of its folder: its number, then what it plays; the same whenever it is resumed."""
    run = trial.config["run"]
    number = trial.experiment_tag.partition("_")[0]
    game, algo = (run[key].replace(":", "-").replace("/", "-") for key in ("game", "algo"))
    return f"{int(number):04d}-{game}-{algo}-seed{trial.config['seed']}"


def _reporter(search: Search) -> tune.CLIReporter:
    parameters = {"run/game": "game", "run/algo": "algo", "seed": "seed"}
    parameters |= {name: name.partition("/")[2] for name in search.searched}
    return tune.CLIReporter(
        metric_columns=_COLUMNS,
        parameter_columns=parameters,
        max_report_frequency=_REPORTED_SECONDS,
        print_intermediate_tables=True,
        sort_by_metric=True,
    )


def _callbacks(place: Place, name: str) -> Sequence[Any]:
    """Loggers beside Tune's own (CSV, JSON and TensorBoard, which are always there)."""
    callbacks: list[Any] = []
    if place.wandb is not None:
        from ray.air.integrations.wandb import WandbLoggerCallback

        callbacks.append(WandbLoggerCallback(project=place.wandb, group=name))
    if place.mlflow is not None:
        from ray.air.integrations.mlflow import MLflowLoggerCallback

        callbacks.append(MLflowLoggerCallback(tracking_uri=place.mlflow, experiment_name=name))
    return callbacks


def _local_cores(search: Search, objective: Objective, place: Place) -> int:
    """Cores that a Ray of this machine's own needs, with room for the trials at a time."""
    cores = max(_cores(search, objective, run) for run in search.runs)
    return cores * (place.concurrent or usable_cores())


def _cores(search: Search, objective: Objective, run: Any) -> int:
    """Cores of a trial, as far as its settings are fixed."""
    fixed = {
        name: value for name, value in search.settings.items() if f"settings/{name}" not in search.searched
    }
    config = {**search.param_space(objective), "run": run, "seed": search.seeds[0], "settings": fixed}
    return len(resources({**config, "game_params": {}}).bundles)


def holds_search(folder: str) -> bool:
    """Whether Tune could go on with a search in a folder."""
    return bool(tune.Tuner.can_restore(folder))
