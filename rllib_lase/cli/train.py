"""`lase train`: one run, with live progress; Ctrl-C keeps what was learnt."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from rllib_lase.cli.config_file import CONFIG_OPTION, lay_config_under
from rllib_lase.cli.options import Option, UsageError, Words, one_of, print_help, read_words, whole_number
from rllib_lase.cli.plans import (
    RunPlan,
    all_setting_options,
    budget_options,
    check_game,
    check_learner,
    check_owners,
    check_rllib_settings,
    game_options,
    make_plan,
    out_folder,
)
from rllib_lase.cli.populations import check_population, population_learner, population_options
from rllib_lase.command_lines import option_name
from rllib_lase.defaults import EVALUATION_EPISODES
from rllib_lase.registry import ALGORITHMS, StockSpec, known_ids
from rllib_lase.settings import MAX_SEED

if TYPE_CHECKING:
    from rllib_lase.cli.display import Display
    from rllib_lase.runs import RunFolder
    from rllib_lase.training import Progress

    Watch = Callable[[Progress], None]

_DESCRIPTION = """Trains one algorithm on one game, evaluates it with sampled actions, and writes a folder
with its curves, gift weights, episodes, checkpoint and report.html."""


def run(words: Sequence[str]) -> int:
    """Runs the command; returns its exit code."""
    if {"-h", "--help"} & set(words):
        _print_help(words)
        return 0
    if "--resume" in words:
        return _go_on(read_words(words, _options(list(ALGORITHMS), "", None)))
    plan, out, overwrite, episodes, interval, progress = read_plan(words)
    from rllib_lase.train_spec import TrainSpec
    from rllib_lase.training import train

    spec = TrainSpec(
        game=plan.game,
        algo=plan.algo,
        out=out,
        optimizer=plan.optimizer,
        seed=plan.seed,
        env_steps=plan.env_steps,
        game_params=plan.game_params,
        settings=plan.changes,
        evaluation_episodes=episodes,
        overwrite=overwrite,
        seating=plan.seating,
        checkpoint_interval=interval,
    )
    title = f"{plan.game}: {plan.learner}, seed {plan.seed}"
    return _under_display(title, out, progress, lambda watch: train(spec, watch))


def _go_on(given: Words) -> int:
    """Goes on with the run that `--resume` names."""
    from rllib_lase.run_schema import RunError
    from rllib_lase.runs import RunFolder, resume_problem

    if "resume" not in given.values:
        raise UsageError(given.problems)
    out = Path(given.values["resume"])
    given.problems += [
        f"{'GAME' if name == 'game' else option_name(name)}: a run goes on with what its config.json says; "
        "leave this out"
        for name in given.values
        if name not in ("resume", "progress")
    ]
    try:
        run_folder = RunFolder.open(out)
    except RunError as error:
        raise UsageError(
            [*given.problems, *(f"--resume: {line}" for line in str(error).splitlines())]
        ) from None
    problem = resume_problem(run_folder)
    given.problems += [f"--resume: {problem}"] if problem else []
    if given.problems:
        raise UsageError(given.problems)
    from rllib_lase.training import resume

    title = f"{run_folder.config['game']}: {run_folder.algorithm}, seed {run_folder.config['seed']}"
    return _under_display(title, out, given.values.get("progress"), lambda watch: resume(out, watch))


def _under_display(title: str, out: Path, progress: str | None, train: Callable[[Watch], RunFolder]) -> int:
    """Trains under a display; returns the exit code."""
    from rllib_lase.cli.display import make_display

    with make_display(progress, title) as display:
        try:
            with _Interrupt(display) as interrupt:
                display.finish(train(interrupt.watch))
        except KeyboardInterrupt:
            display.note(_what_is_left(out))
            return 130
    return 0


def _options(algos: Sequence[str], game: str, optimizer: str | None) -> list[Option]:
    algorithms = ", ".join(known_ids())
    return [
        *game_options(),
        CONFIG_OPTION,
        Option("--algo", f"algorithm, one of {algorithms} [lase]", metavar="ID", group="what to train"),
        *population_options(),
        Option("--seed", "seed of everything [0]", whole_number(0, MAX_SEED), "N", "what to train"),
        *budget_options(game),
        Option("--resume", "go on with the run in this folder from its latest checkpoint, as its config.json "
               "says; nothing else is given but --progress",
               str, "RUN", "where"),
        Option("--out", "the run's own folder [runs/GAME/ALGO-OPTIMIZER-seedN]", str, "DIR", "where"),
        Option("--progress", "live, lines or json [live in a terminal, else lines]",
               one_of("live", "lines", "json"), "MODE", "where"),
        *all_setting_options(algos, game, optimizer),
    ]  # fmt: skip


def read_plan(words: Sequence[str]) -> tuple[RunPlan, Path, bool, int, int | None, str | None]:
    """Plan, folder, whether to replace what is there, evaluation episodes, checkpoint interval, progress.

    Raises:
        UsageError: with everything that is wrong.
    """
    given = read_words(words, _options(list(ALGORITHMS), "", None))
    lay_config_under(given)
    game, game_params = check_game(given)
    seating = check_population(given, game, game_params)
    if seating is not None:
        learner, learners = population_learner(seating, given, game)
    elif "population" in given.values:
        raise UsageError(given.problems)
    else:
        found = check_learner(given.values.get("algo", "lase"), given, "--algo")
        if found is None:
            raise UsageError(given.problems)
        learner, learners = found, [found]
    check_owners(given, learners)
    plan = make_plan(learner, game, game_params, given.values.get("seed", 0), given, seating=seating)
    out = out_folder(given, f"runs/{game.replace(':', '-')}/{plan.name}")
    overwrite = given.values.get("overwrite", False)
    from rllib_lase.runs import creation_problem

    if game:
        problem = creation_problem(out, overwrite)
        given.problems += [f"--out: {problem}"] if problem else []
    check_rllib_settings(given, [learner])
    if given.problems:
        raise UsageError(given.problems)
    episodes = given.values.get("evaluation_episodes", EVALUATION_EPISODES)
    interval = given.values.get("checkpoint_interval")
    return plan, out, overwrite, episodes, interval, given.values.get("progress")


def _print_help(words: Sequence[str]) -> None:
    """Help with the values that this game and algorithm would have."""
    given = read_words(
        [word for word in words if word not in ("-h", "--help")], _options(list(ALGORITHMS), "", None)
    )
    learner = check_learner(given.values.get("algo", "lase"), given, "--algo")
    spec, optimizer = learner or (ALGORITHMS["lase"], None)
    algos = [] if isinstance(spec, StockSpec) else [spec.algo_id]
    options = _options(algos, given.values.get("game", ""), optimizer)
    print_help(
        "lase train", _DESCRIPTION, options, "Example: lase train cleanup --algo lase --seed 1 --out runs/c1"
    )


class _Interrupt:
    """Makes the first Ctrl-C end the training, and only that: what was learnt is evaluated and saved.

    Once training is over the first Ctrl-C changes nothing. The second one always leaves at once.
    """

    def __init__(self, display: Display) -> None:
        self._display = display
        self._is_training = True

    def watch(self, progress: Progress) -> None:
        """Passes progress on to the display."""
        self._is_training = progress.env_steps < progress.total_env_steps
        self._display.update(progress)

    def __enter__(self) -> _Interrupt:
        self._previous = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, *error: object) -> None:
        signal.signal(signal.SIGINT, self._previous)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, self._previous)
        self._display.note(
            "Interrupted: evaluating and saving what was learnt. Press Ctrl-C again to leave at once."
        )
        if self._is_training:
            raise KeyboardInterrupt


def _what_is_left(out: Path) -> str:
    from rllib_lase.runs import RunFolder, resume_problem

    if not (out / "progress.parquet").is_file():
        return "Stopped before the first iteration; nothing was learnt."
    run = RunFolder.open(out)
    done = int(run.summary()["env_steps"] if run.has_summary else run.progress()["env_steps"].iloc[-1])
    state = "evaluated and saved" if run.has_summary else "the training curve is saved, without an evaluation"
    lines = [f"Stopped after {done:,} of {run.config['env_steps']:,} env steps; {state}: {out}"]
    if resume_problem(run) is None:
        lines.append(f"lase train --resume {out} goes on from its latest checkpoint.")
    return "\n".join(lines)
