"""`lase compare`: several algorithms with several seeds, in parallel, ending in one table and one report."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from rllib_lase.cli.options import Option, UsageError, Words, print_help, read_words, whole_number
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
from rllib_lase.command_lines import train_words
from rllib_lase.defaults import EVALUATION_EPISODES
from rllib_lase.machine import usable_cores
from rllib_lase.registry import ALGORITHMS, STOCK, known_ids, resolve_algorithm
from rllib_lase.settings import MAX_SEED

_ALGOS = "lase,independent,go"
_SEEDS = 3
_DESCRIPTION = """Trains every algorithm with every seed, in parallel over the cores, and writes one run
folder each, table.csv and report.html. Runs that are there already with the same settings are kept,
so the same command goes on where it was stopped."""


def run(words: Sequence[str]) -> int:
    """Runs the command; returns its exit code."""
    if {"-h", "--help"} & set(words):
        game = next((word for word in words if not word.startswith("-")), "")
        print_help("lase compare", _DESCRIPTION, _options(list(ALGORITHMS), game))
        return 0
    given, plans = read_plans(words)
    out = out_folder(given, f"runs/compare-{plans[0].game}")
    overwrite = given.values.get("overwrite", False)
    episodes = given.values.get("evaluation_episodes", EVALUATION_EPISODES)
    kept = _runs_to_keep(plans, out, overwrite, episodes, given)
    if given.problems:
        raise UsageError(given.problems)

    from rllib_lase.cli.overview import make_overview
    from rllib_lase.cli.pool import Job, run_jobs

    jobs = []
    interval = given.values.get("checkpoint_interval")
    for plan in plans:
        job_words = _job_words(plan, out / plan.name, episodes, interval, overwrite)
        job = Job(plan.name, job_words, out / "logs" / f"{plan.name}.log")
        job.state = "kept" if plan.name in kept else "waiting"
        jobs.append(job)
    at_once = min(given.values.get("jobs", usable_cores()), len(jobs))
    budget = f"{plans[0].env_steps:,} env steps"
    title = f"{plans[0].game}: {len(jobs)} runs of {budget}, {at_once} at a time, in {out}"
    interrupted = False
    with make_overview(jobs, title) as on_change:
        try:
            run_jobs(jobs, at_once, on_change)
        except KeyboardInterrupt:
            interrupted = True
    _conclude(out)
    failed = [job for job in jobs if job.state == "failed"]
    for job in failed:
        sys.stderr.write(f"{job.name} failed: {job.last_words()}\n  its log: {job.log}\n")
    if interrupted:
        sys.stderr.write(
            f"Interrupted. The same command goes on where it stopped; finished runs are in {out}\n"
        )
        return 130
    return 1 if failed else 0


def read_plans(words: Sequence[str]) -> tuple[Words, list[RunPlan]]:
    """The words, and the runs that they ask for, whatever is in their folders.

    Raises:
        UsageError: with everything that is wrong.
    """
    given = read_words(words, _options(list(ALGORITHMS), ""))
    plans = _plan(given)
    check_rllib_settings(given, [resolve_algorithm(algo) for algo in dict.fromkeys(p.algo for p in plans)])
    if given.problems:
        raise UsageError(given.problems)
    return given, plans


def _job_words(
    plan: RunPlan, folder: Path, episodes: int, interval: int | None, overwrite: bool
) -> list[str]:
    """What `lase train` does for a plan: it goes on with a run that was cut off, if that has a checkpoint."""
    from rllib_lase.runs import RunFolder, resume_problem

    is_there = not overwrite and (folder / "config.json").is_file()
    if is_there and resume_problem(RunFolder.open(folder)) is None:
        return ["--resume", str(folder)]
    words = [*train_words(plan.config(), folder), "--evaluation-episodes", str(episodes), "--overwrite"]
    return words if interval is None else [*words, "--checkpoint-interval", str(interval)]


def _options(algos: Sequence[str], game: str) -> list[Option]:
    known = ", ".join(known_ids())
    return [
        *game_options(),
        Option("--algos", f"algorithms, with commas between, of {known} [{_ALGOS}]", _split, "ID,ID,..",
               "what to train"),
        Option("--seeds", f"number of seeds per algorithm [{_SEEDS}]", whole_number(1), "N", "what to train"),
        Option("--first-seed", "the first of them; the others follow [0]", whole_number(0, MAX_SEED), "N",
               "what to train"),
        *budget_options(game),
        Option("--out", "folder of the comparison [runs/compare-GAME]", str, "DIR", "where"),
        Option("--jobs", f"runs at a time [the {usable_cores()} cores]", whole_number(1), "N", "where"),
        *all_setting_options(algos, game, None),
    ]  # fmt: skip


def _plan(given: Words) -> list[RunPlan]:
    """The runs, slow ones first, so that no core waits at the end; problems go into the words.

    RLlib's own algorithms are the slowest, then come those with most networks.
    """
    game, game_params = check_game(given)
    names = given.values.get("algos", _split(_ALGOS))
    learners = [learner for name in names if (learner := check_learner(name, given, "--algos"))]
    check_owners(given, learners)
    plans = [make_plan(learner, game, game_params, 0, given, alone=False) for learner in learners]
    for index, plan in enumerate(plans):
        if plan.name in [other.name for other in plans[:index]]:
            given.problems.append(f"--algos: {plan.learner} is there twice; leave one out")
    first, num_seeds = given.values.get("first_seed", 0), given.values.get("seeds", _SEEDS)
    last = first + num_seeds - 1
    if last > MAX_SEED:
        given.problems.append(f"--seeds: the last seed would be {last}, expected at most {MAX_SEED}")
        return []
    seeds = range(first, last + 1)
    plans.sort(key=lambda plan: (plan.algo not in STOCK, -len(plan.settings)))
    return [plan.with_seed(seed) for plan in plans for seed in seeds]


def _runs_to_keep(
    plans: Sequence[RunPlan], out: Path, overwrite: bool, episodes: int, given: Words
) -> set[str]:
    """Names of the plans that are finished already; folders that hold something else are problems."""
    from rllib_lase.run_lock import writer_problem
    from rllib_lase.run_schema import RunError
    from rllib_lase.runs import RunFolder, creation_problem

    kept = set()
    for plan in plans:
        folder = out / plan.name
        try:
            if overwrite or not (folder / "config.json").is_file():
                problem = creation_problem(folder, overwrite)
                given.problems += [f"--out: {problem}"] if problem else []
                continue
            run_folder = RunFolder.open(folder)
            if not plan.is_plan_of(run_folder.config):
                given.problems.append(
                    f"--out: {folder}: holds a run with other settings. Choose another folder, or --overwrite"
                )
            elif writer := writer_problem(folder):
                given.problems.append(f"--out: {writer}")
            elif run_folder.is_finished:
                kept.add(plan.name)
                played = run_folder.summary()["num_evaluation_episodes"]
                if played != episodes:
                    given.problems.append(
                        f"--evaluation-episodes: {folder}: holds a run evaluated over {played} episodes, not "
                        f"{episodes}. Ask for {played}, choose another folder, or --overwrite"
                    )
        except RunError as error:
            given.problems += [f"--out: {line}" for line in str(error).splitlines()]
    return kept


def _conclude(out: Path) -> None:
    """Prints and writes the table and the report over all finished runs of the folder."""
    from rllib_lase.cli.console import table_console
    from rllib_lase.evaluation.table import comparison_frame, rich_table
    from rllib_lase.report import write_report
    from rllib_lase.runs import find_runs

    finished = [run_folder for run_folder in find_runs(out) if run_folder.is_finished]
    if not finished:
        return
    frame = comparison_frame(finished)
    frame.to_csv(out / "table.csv", index=False)
    console = table_console()
    console.print(rich_table(frame, f"{out}", console.width))
    sys.stdout.write(f"table  {out / 'table.csv'}\nreport {write_report(out)}\n")


def _split(word: str) -> list[str]:
    names = [name.strip() for name in word.split(",") if name.strip()]
    if not names:
        raise ValueError("expected algorithm ids with commas between")
    return names
