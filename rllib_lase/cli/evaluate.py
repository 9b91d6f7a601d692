"""`lase evaluate`: plays episodes with a trained run and prints what they came to."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rllib_lase.cli.options import Option, UsageError, print_help, read_words, whole_number
from rllib_lase.cli.populations import SWITCH_HELP, check_evaluation_switches
from rllib_lase.cli.trained import RUN_OPTION, SEED_OPTION, check_run, new_file
from rllib_lase.defaults import EVALUATION_EPISODES, evaluation_seed
from rllib_lase.run_checkpoints import checkpoint_env_steps

if TYPE_CHECKING:
    from rllib_lase.registry.seating import Switch
    from rllib_lase.runs import RunFolder

_OPTIONS = [
    RUN_OPTION,
    Option("--episodes", f"episodes to play [{EVALUATION_EPISODES}]", whole_number(1), "N"),
    SEED_OPTION,
    Option(
        "--switch", f"of a mixed population, {SWITCH_HELP} those of each episode", str, "SWITCH", many=True
    ),
    Option("--out", "JSON file to write the results to [none]", new_file, "FILE"),
]
_DESCRIPTION = """Plays whole episodes with sampled actions, from the run's latest checkpoint or the one
named. The run's own files stay as they are."""


def run(words: Sequence[str]) -> int:
    """Runs the command; returns its exit code."""
    if {"-h", "--help"} & set(words):
        print_help("lase evaluate", _DESCRIPTION, _OPTIONS)
        return 0
    given = read_words(words, _OPTIONS)
    trained = check_run(given)
    switches = []
    if trained is not None:
        switches = check_evaluation_switches(given, trained[0], checkpoint_env_steps(trained[1]))
    if given.problems or trained is None:
        raise UsageError(given.problems)
    return _evaluate(*trained, given.values, switches)


def _evaluate(
    run_folder: RunFolder, checkpoint: Path, values: dict[str, Any], switches: Sequence[Switch]
) -> int:
    from rich.console import Console

    from rllib_lase.rllib.evaluate import evaluate
    from rllib_lase.rllib.population import Population
    from rllib_lase.run_rows import evaluation_summary, population_summary
    from rllib_lase.run_schema import write_json
    from rllib_lase.trained_players import trained_players

    config = run_folder.config
    seed = values.get("seed", evaluation_seed(config["seed"]))
    with trained_players(run_folder, checkpoint, switches) as players:
        result = evaluate(players, values.get("episodes", EVALUATION_EPISODES), seed)
        who = population_summary(players) if isinstance(players, Population) else {}
        agents = players.agent_labels if isinstance(players, Population) else result.agent_ids
    summary = {**who, **evaluation_summary(result)}
    console = Console(highlight=False)
    env_steps = checkpoint_env_steps(checkpoint)
    title = f"{config['game']}: {run_folder.algorithm} after {env_steps:,} env steps"
    console.print(_table(agents, summary, title))
    if "out" in values:
        played = {"run": str(run_folder.path), "checkpoint": env_steps, "seed": seed}
        write_json(values["out"], {**played, **summary})
        sys.stdout.write(f"{values['out']}\n")
    return 0


def _table(agent_ids: Sequence[str], summary: dict[str, Any], title: str) -> Any:
    """One row per agent, and the group's numbers below."""
    from rich.table import Table

    from rllib_lase.evaluation.metrics import share_given
    from rllib_lase.evaluation.table import format_number, readable

    given = share_given(summary["gift_weights"])
    counts = summary["counts_per_agent"]
    table = Table(
        title=f"{title}, {summary['num_evaluation_episodes']} episodes",
        caption=f"collective reward {format_number(summary['collective_reward'])}; "
        f"equality {format_number(summary['equality'])} before, "
        f"{format_number(summary['equality_after_gifting'])} after gifting",
    )
    for column in ("Agent", "Reward", "After gifting", "Share given", *map(readable, counts)):
        table.add_column(column, justify="left" if column == "Agent" else "right")
    for index, agent_id in enumerate(agent_ids):
        numbers = [
            summary["reward_per_agent"][index],
            summary["reward_after_gifting_per_agent"][index],
            given[index],
            *(values[index] for values in counts.values()),
        ]
        table.add_row(agent_id, *map(format_number, numbers))
    return table
