"""One whole run: train, evaluate, write the run's folder. What `lase train` and the demo call."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mixed_motive
from rllib_lase.defaults import EVALUATION_EPISODES, default_env_steps, default_settings, evaluation_seed
from rllib_lase.interim import Clock, restore_interim, save_interim
from rllib_lase.registry import AlgorithmSpec, StockSpec, resolve_algorithm
from rllib_lase.registry.mixing import fixed_optimizer, learner_specs, population_spec
from rllib_lase.registry.seating import Seating
from rllib_lase.report.gif import write_gif
from rllib_lase.report.page import write_report
from rllib_lase.rllib.algorithm import SocialAlgorithm
from rllib_lase.rllib.config import SocialConfig
from rllib_lase.rllib.evaluate import Players, evaluate
from rllib_lase.rllib.population import Population, PopulationConfig
from rllib_lase.rllib.recording import record_episode
from rllib_lase.rllib.session import ray_session
from rllib_lase.rllib.stock import (
    StockAlgorithm,
    num_actors,
    setting_problems,
    stock_config,
    training_settings,
)
from rllib_lase.run_checkpoints import checkpoint_folder
from rllib_lase.run_rows import evaluation_summary, population_summary, progress_row
from rllib_lase.runs import RunFolder
from rllib_lase.settings import Optimizer, Settings, SettingsError


@dataclass(frozen=True)
class TrainSpec:
    """What to train.

    Attributes:
        game: A game id, or a name registered with Tune.
        algo: Algorithm id, a short id such as `a2c`, or one of RLlib's own, such as `rllib:PPO`.
        out: The run's own folder.
        optimizer: Policy optimiser; None takes the short id's or the game's. RLlib's own have none.
        seed: Seed of everything.
        env_steps: Budget; None takes the game's. Training stops after the iteration that reaches it.
        game_params: Parameters of the game, `preset` among them.
        settings: Settings that differ from the game's defaults; for RLlib's own algorithms RLlib's.
        evaluation_episodes: Episodes of the final evaluation.
        checkpoint_interval: Env steps between checkpoints beside the last one; None keeps only that.
        overwrite: Replace a run that is already there.
        seating: Who plays in a mixed population; `algo` is then "population".
    """

    game: str
    algo: str
    out: Path
    optimizer: Optimizer | None = None
    seed: int = 0
    env_steps: int | None = None
    game_params: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    evaluation_episodes: int = EVALUATION_EPISODES
    checkpoint_interval: int | None = None
    overwrite: bool = False
    seating: Seating | None = None

    def job(self) -> Job:
        """The run, checked.

        Raises:
            KeyError: for an unknown algorithm.
            SettingsError: if a setting is unknown or out of range, the optimiser contradicts a short id, or
                RLlib's own algorithm is to play something else than a game of `mixed_motive`, or players of a
                population do not fit.
        """
        if self.seating is not None:
            return _population_job(self, self.seating)
        spec, fixed = resolve_algorithm(self.algo)
        if isinstance(spec, StockSpec):
            return _stock_job(self, spec)
        if fixed and self.optimizer and fixed != self.optimizer:
            raise SettingsError(
                [
                    f"optimizer: {self.algo!r} is short for independent ({fixed}); drop the optimizer, "
                    "or use independent"
                ]
            )
        steps = self.total_env_steps
        defaults = default_settings(self.game, spec, self.optimizer or fixed)
        settings = defaults.replace(**{"schedule_env_steps": max(1, steps), **self.settings})
        config = build_config(spec, settings, self.game, self.game_params, self.seed)
        config.settings()
        return Job(
            {
                "algo": spec.algo_id,
                "optimizer": settings.optimizer,
                "settings": dataclasses.asdict(settings),
            },
            settings.num_env_runners + settings.decentralised_learners + settings.num_learners,
            config.build_algo,
        )

    def description(self, job: Job) -> dict[str, Any]:
        """What config.json says of the run, but for versions."""
        return {
            "game": self.game,
            "game_params": dict(self.game_params),
            "preset": self.game_params.get("preset") or _default_preset(self.game),
            "seed": self.seed,
            "env_steps": self.total_env_steps,
            **job.config,
        }

    @property
    def total_env_steps(self) -> int:
        """The budget."""
        return default_env_steps(self.game) if self.env_steps is None else self.env_steps


@dataclass(frozen=True)
class Job:
    """A run that has been checked.

    Attributes:
        config: What config.json says of the algorithm: its id, optimiser and settings.
        num_actors: Processes beside this one.
        build: Builds what is trained; Ray must be running.
    """

    config: Mapping[str, Any]
    num_actors: int
    build: Callable[[], SocialAlgorithm | StockAlgorithm]


@dataclass(frozen=True)
class Progress:
    """What a progress display shows after each iteration.

    Attributes:
        row: The row that was added to progress.parquet.
        env_steps: Env steps done.
        total_env_steps: The budget.
        env_steps_per_second: Over the whole run so far.
        seconds_left: Estimate from that rate; infinite as long as that is 0.
        save: Writes a checkpoint of the run into a folder, from which `train` can go on; None of RLlib's own
            algorithms.
    """

    row: Mapping[str, float]
    env_steps: int
    total_env_steps: int
    env_steps_per_second: float
    seconds_left: float
    save: Callable[[Path], None] | None


def train(
    spec: TrainSpec,
    on_progress: Callable[[Progress], None] | None = None,
    resume_from: Path | None = None,
) -> RunFolder:
    """Does a whole run.

    Ctrl-C ends training early; what was learnt is evaluated, saved and marked `interrupted` before the
    interrupt goes on to the caller.

    Args:
        spec: What to train.
        on_progress: Called after each iteration.
        resume_from: A checkpoint that `Progress.save` wrote, of a run of the same algorithm and game.

    Returns:
        The run's folder, complete.

    Raises:
        SettingsError: before anything starts.
        EnvironmentFault: if the environment breaks its contract.
        KeyboardInterrupt: after the folder was closed properly.
    """
    job = spec.job()
    folder = RunFolder.create(spec.out, spec.description(job), overwrite=spec.overwrite)
    clock = Clock()
    with folder, ray_session(1 + job.num_actors), contextlib.ExitStack() as stack:
        algorithm = job.build()
        stack.callback(algorithm.stop)
        if resume_from is not None:
            if isinstance(algorithm, StockAlgorithm):
                raise SettingsError([f"{spec.algo}: runs of RLlib's own algorithms cannot go on; start anew"])
            clock = restore_interim(resume_from, algorithm, folder)
        interrupted = _train_until(algorithm, spec, folder, clock, on_progress)
        cpu_seconds = clock.cpu_seconds + _cpu_seconds_of_actors(algorithm)
        times = {"wall_seconds": clock.wall_seconds, "cpu_seconds": cpu_seconds}
        _finish(algorithm, folder, spec, times, interrupted)
    if interrupted:
        raise KeyboardInterrupt
    return folder


def _population_job(run: TrainSpec, seating: Seating) -> Job:
    """The run of a mixed population."""
    spec = population_spec(learner_specs(seating))
    defaults = default_settings(run.game, spec, run.optimizer or fixed_optimizer(seating))
    settings = defaults.replace(**{"schedule_env_steps": max(1, run.total_env_steps), **run.settings})
    config = build_config(spec, settings, run.game, run.game_params, run.seed, seating)
    config.settings()
    return Job(
        {
            "algo": spec.algo_id,
            "optimizer": settings.optimizer,
            "settings": dataclasses.asdict(settings),
            **seating.description(),
        },
        settings.num_env_runners,
        config.build_algo,
    )


def _stock_job(run: TrainSpec, spec: StockSpec) -> Job:
    """The run of one of RLlib's own algorithms."""
    problems = setting_problems(spec, run.settings)
    if run.optimizer is not None:
        problems.append(f"optimizer: {spec.algo_id} brings its own; leave it out")
    if run.game not in mixed_motive.GAMES:
        known = ", ".join(mixed_motive.GAMES)
        problems.append(
            f"game: {spec.algo_id} is for the games {known}; train {run.game!r} with RLlib itself"
        )
    if problems:
        raise SettingsError(problems)
    settings = {**spec.settings, **run.settings}
    try:
        config = stock_config(spec, run.game, run.game_params, run.seed, settings)
    except (TypeError, ValueError) as error:
        raise SettingsError([f"{spec.algo_id}: RLlib refuses its settings: {error}"]) from error
    return Job(
        {
            "algo": spec.algo_id,
            "optimizer": None,
            "settings": settings,
            "rllib": training_settings(config),
        },
        num_actors(config),
        lambda: StockAlgorithm(config, run.game, run.game_params),
    )


def _default_preset(game: str) -> str | None:
    """The preset that a game has unless told otherwise; None for environments of others."""
    return mixed_motive.GAMES[game].default_preset if game in mixed_motive.GAMES else None


def build_config(
    algo_spec: AlgorithmSpec,
    settings: Settings,
    game: str,
    game_params: Mapping[str, Any],
    seed: int,
    seating: Seating | None = None,
) -> SocialConfig:
    """An algorithm's config from plain settings, and who plays if it is that of a mixed population."""
    values = dataclasses.asdict(settings)
    runner_names = ("num_env_runners", "num_envs_per_env_runner", "rollout_fragment_length")
    runners = {name: values.pop(name) for name in runner_names}
    config: SocialConfig = algo_spec.config_class()()
    if isinstance(config, PopulationConfig) and seating is not None:
        switches = [str(switch) for switch in seating.switches]
        config.population(seating.names, switches=switches, shuffle_seats=seating.shuffle_seats)
    config.environment(game, env_config=dict(game_params)).env_runners(**runners).training(**values)
    config.debugging(seed=seed, log_level="ERROR")
    return config


def _train_until(
    algorithm: SocialAlgorithm | StockAlgorithm,
    spec: TrainSpec,
    folder: RunFolder,
    clock: Clock,
    on_progress: Callable[[Progress], None] | None,
) -> bool:
    """Iterates until the budget is spent; returns whether Ctrl-C came first."""
    save = None if isinstance(algorithm, StockAlgorithm) else _saving(algorithm, folder, clock)
    env_steps, interval = spec.total_env_steps, spec.checkpoint_interval or spec.total_env_steps
    try:
        while algorithm.env_steps < env_steps:
            due = (algorithm.env_steps // interval + 1) * interval
            before = clock.wall_seconds
            algorithm.train()
            now = clock.wall_seconds
            report = algorithm.report
            done = report.env_steps
            row = progress_row(algorithm.iteration, report)
            rate = done / now
            row |= {
                "iteration_seconds": now - before,
                "total_seconds": now,
                "env_steps_per_second": report.iteration_env_steps / (now - before),
            }
            folder.append_progress(row)
            weights = report.learner["gift_weights"]
            if weights is not None:
                folder.append_gifts(
                    algorithm.iteration, done, report.agent_ids, weights, report.learner["gift_steps"]
                )
            if on_progress is not None:
                seconds_left = max(0.0, (env_steps - done) / rate) if rate else math.inf
                on_progress(Progress(row, done, env_steps, rate, seconds_left, save))
            if due <= done < env_steps:
                _save(algorithm, folder)
    except KeyboardInterrupt:
        return True
    return False


def _saving(algorithm: SocialAlgorithm, folder: RunFolder, clock: Clock) -> Callable[[Path], None]:
    return lambda path: save_interim(path, algorithm, folder, clock)


def _save(algorithm: SocialAlgorithm | StockAlgorithm, folder: RunFolder) -> None:
    """Writes a checkpoint into the run's folder, unless the present one is there already."""
    path = folder.checkpoints_path / checkpoint_folder(algorithm.env_steps)
    if not path.exists():
        algorithm.save_to_path(path)


def _cpu_seconds_of_actors(algorithm: SocialAlgorithm | StockAlgorithm) -> float:
    """CPU time of remote env runners and learners since their start."""
    rllib = algorithm.algorithm if isinstance(algorithm, StockAlgorithm) else algorithm
    times = rllib.env_runner_group.foreach_env_runner(
        lambda runner: time.process_time(), local_env_runner=False
    )
    if rllib.learner_group.is_remote:
        answers = rllib.learner_group.foreach_learner(lambda learner: time.process_time())
        times += [answer.get() for answer in answers]
    return float(sum(times))


def _finish(
    algorithm: SocialAlgorithm | StockAlgorithm,
    folder: RunFolder,
    spec: TrainSpec,
    times: Mapping[str, float],
    interrupted: bool,
) -> None:
    """Saves the checkpoint, evaluates, and writes summary, pictures and report."""
    env_steps, episodes = algorithm.env_steps, algorithm.num_episodes
    _save(algorithm, folder)
    players: Players = algorithm.players() if isinstance(algorithm, StockAlgorithm) else algorithm
    evaluation = evaluate(players, spec.evaluation_episodes, evaluation_seed(spec.seed))
    folder.write_episodes(evaluation.table())
    summary = {
        "game": spec.game,
        "preset": folder.config["preset"],
        "algo": folder.config["algo"],
        "optimizer": folder.config["optimizer"],
        "seed": spec.seed,
        "status": "interrupted" if interrupted else "finished",
        "env_steps": env_steps,
        "num_episodes": episodes,
        **times,
        "env_steps_per_second": env_steps / times["wall_seconds"],
    }
    if isinstance(algorithm, Population):
        summary |= population_summary(algorithm)
    ceiling = algorithm.max_collective_reward
    if ceiling is not None:
        summary["max_collective_reward"] = ceiling
    folder.write_summary(summary | evaluation_summary(evaluation))
    recording = record_episode(players, evaluation_seed(spec.seed))
    if recording is not None:
        write_gif(folder.gif_path, recording.frames, recording.seconds)
    if algorithm.iteration:
        write_report(folder.path)
