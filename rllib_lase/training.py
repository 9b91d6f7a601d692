"""One whole run: train, evaluate, write the run's folder. What `lase train` and the demo call."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from rllib_lase.defaults import evaluation_seed
from rllib_lase.interim import Clock, Intervals, restore_interim, save_interim
from rllib_lase.registry import STOCK
from rllib_lase.report.gif import write_gif
from rllib_lase.report.page import write_report
from rllib_lase.rllib.algorithm import SocialAlgorithm
from rllib_lase.rllib.checkpoints import ALGORITHM_KIND, newest_whole
from rllib_lase.rllib.evaluate import Players, evaluate
from rllib_lase.rllib.population import Population
from rllib_lase.rllib.recording import record_episode
from rllib_lase.rllib.session import ray_session
from rllib_lase.rllib.stock import StockAlgorithm
from rllib_lase.run_checkpoints import run_checkpoints
from rllib_lase.run_rows import evaluation_summary, population_summary, progress_row
from rllib_lase.runs import RunFolder
from rllib_lase.settings import SettingsError
from rllib_lase.train_spec import Job, TrainSpec


@dataclass(frozen=True)
class Progress:
    """What a progress display shows after each iteration.

    Attributes:
        row: The row that was added to progress.parquet.
        env_steps: Env steps done.
        total_env_steps: The budget.
        iteration_env_steps: Env steps of this iteration.
        env_steps_per_second: Over the whole run so far.
        seconds_left: Estimate from that rate; infinite as long as that is 0.
        save: Writes a checkpoint of the run into a folder, from which `train` can go on; None of RLlib's own
            algorithms.
    """

    row: Mapping[str, float]
    env_steps: int
    total_env_steps: int
    iteration_env_steps: int
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
        RunError: before anything starts, if the run's folder is not to be had.
        EnvironmentFault: if the environment breaks its contract.
        KeyboardInterrupt: after the folder was closed properly.
    """
    job = spec.job()
    if resume_from is None:
        restore = None
    else:
        if spec.algo in STOCK:
            raise SettingsError([f"{spec.algo}: runs of RLlib's own algorithms cannot go on; start anew"])

        def restore(algorithm: SocialAlgorithm, clock: Clock) -> None:
            restore_interim(resume_from, algorithm, folder)
            clock.add_earlier(*folder.seconds_until(algorithm.env_steps))

    description, out = spec.description(job), spec.out
    with RunFolder.create(out, description, overwrite=spec.overwrite, take=spec.takes_folder) as folder:
        return _do(spec, job, folder, on_progress, restore)


def resume(
    out: Path,
    on_progress: Callable[[Progress], None] | None = None,
) -> RunFolder:
    """Goes on with a run that was cut off or interrupted, from its latest checkpoint, in its own folder.

    A latest checkpoint that is damaged is set aside, and the newest whole one taken, with a warning.

    A run that was killed goes on as it would have, and its rows after the checkpoint are made again. One that
    Ctrl-C stopped goes on from the middle of an iteration, hence not exactly, and so do runs with several
    learners or `max_staleness`, of which a checkpoint does not hold everything.

    Args:
        out: The run's folder.
        on_progress: As for `train`.

    Returns:
        The run's folder, complete.

    Raises:
        RunError: there is no run, or it cannot go on, or another process writes it.
        CheckpointError: all of its checkpoints are damaged.
        KeyboardInterrupt: as from `train`.
    """
    with RunFolder.reopen(out) as run:
        checkpoint = newest_whole(list(run_checkpoints(out).values()), ALGORITHM_KIND)
        spec = TrainSpec.of_run(run)

        def restore(algorithm: SocialAlgorithm, clock: Clock) -> None:
            algorithm.restore_from_path(checkpoint)
            clock.add_earlier(*run.seconds_until(algorithm.env_steps))
            run.go_on(algorithm.env_steps)

        return _do(spec, spec.job(), run, on_progress, restore)


def _do(
    spec: TrainSpec,
    job: Job,
    folder: RunFolder,
    on_progress: Callable[[Progress], None] | None,
    restore: Callable[[SocialAlgorithm, Clock], None] | None,
) -> RunFolder:
    """Trains and evaluates in the run's folder, from its start or from where `restore` brings it."""
    clock = Clock()
    with ray_session(1 + job.num_actors), contextlib.ExitStack() as stack:
        algorithm = job.build()
        stack.callback(algorithm.stop)
        if restore is not None:
            restore(cast(SocialAlgorithm, algorithm), clock)
        interrupted = _train_until(algorithm, spec, folder, clock, on_progress)
        if interrupted and not algorithm.iteration:  # no row, and nothing to go on with
            raise KeyboardInterrupt
        cpu_seconds = clock.cpu_seconds + _cpu_seconds_of_actors(algorithm)
        times = {"wall_seconds": clock.wall_seconds, "cpu_seconds": cpu_seconds}
        _finish(algorithm, folder, spec, times, interrupted)
    if interrupted:
        raise KeyboardInterrupt
    return folder


def _train_until(
    algorithm: SocialAlgorithm | StockAlgorithm,
    spec: TrainSpec,
    folder: RunFolder,
    clock: Clock,
    on_progress: Callable[[Progress], None] | None,
) -> bool:
    """Iterates until the budget is spent; returns whether Ctrl-C came first."""
    env_steps = spec.total_env_steps
    save = None if isinstance(algorithm, StockAlgorithm) else _saving(algorithm, folder)
    intervals = Intervals(spec.checkpoint_interval, algorithm.env_steps)
    try:
        while algorithm.env_steps < env_steps:
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
                "cpu_seconds": clock.cpu_seconds + _cpu_seconds_of_actors(algorithm),
                "env_steps_per_second": report.iteration_env_steps / (now - before),
            }
            folder.append_progress(row)
            weights = report.learner["gift_weights"]
            if weights is not None:
                folder.append_gifts(
                    algorithm.iteration, done, report.agent_ids, weights, report.learner["gift_steps"]
                )
            if intervals.end(done) and done < env_steps:
                folder.flush()
                _save(algorithm, folder)
            if on_progress is not None:
                seconds_left = max(0.0, (env_steps - done) / rate) if rate else math.inf
                played = report.iteration_env_steps
                on_progress(Progress(row, done, env_steps, played, rate, seconds_left, save))
    except KeyboardInterrupt:
        return True
    return False


def _save(algorithm: SocialAlgorithm | StockAlgorithm, folder: RunFolder) -> None:
    """Writes the run's checkpoint, unless an interrupt came right behind the last one."""
    checkpoint = folder.checkpoint_path(algorithm.env_steps)
    if not checkpoint.exists():
        algorithm.save_to_path(checkpoint)


def _saving(algorithm: SocialAlgorithm, folder: RunFolder) -> Callable[[Path], None]:
    return lambda path: save_interim(path, algorithm, folder)


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
