"""The model card of exported policies: what they are, how they were made, how they play, what to expect."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rllib_lase.command_lines import run_command
from rllib_lase.defaults import evaluation_seed
from rllib_lase.evaluation.metrics import METRICS, equality, share_given
from rllib_lase.evaluation.statistics import Interval, bootstrap_of_means, t_interval
from rllib_lase.evaluation.table import format_number, readable
from rllib_lase.policies.folder import SavedPolicies
from rllib_lase.policies.spaces import read_space
from rllib_lase.registry import ALGORITHMS
from rllib_lase.run_schema import EPISODE_COLUMNS, as_floats
from rllib_lase.runs import RunFolder
from rllib_lase.version import __version__

_HEAD = """---
library_name: rllib-lase
tags:
- multi-agent-reinforcement-learning
- mixed-motive-games
- {algo}
- {game}
---
"""


def model_card(run: RunFolder, saved: SavedPolicies) -> str:
    """The card in Markdown.

    Args:
        run: The run, evaluated.
        saved: The policies of its checkpoint.
    """
    config, summary = run.config, run.summary()
    title = f"{config['game']}{_in_brackets(config['preset'])}: {run.algorithm}, seed {config['seed']}"
    algorithm = "a mixed population" if run.seating else ALGORITHMS[config["algo"]].title
    parts = [
        _HEAD.format(algo=config["algo"], game=config["game"]) + f"# {title}",
        f"{algorithm[0].upper()}{algorithm[1:]}. {_agents(run, saved)}, trained for "
        f"{saved.env_steps:,} env steps with one seed.{_interruption(run)}",
        "## Use\n\n" + _usage(saved),
        "## How they play\n\n" + _results(run.episodes(), summary),
        "## How they were made\n\n" + _making(run, summary),
        "## Intended use and limits\n\n" + _limits(config, saved),
    ]
    return "\n\n".join(parts) + "\n"


def _agents(run: RunFolder, saved: SavedPolicies) -> str:
    """How many there are; in a mixed population, who, and whose policies are here."""
    if run.seating is None:
        return f"{len(saved.agents)} agents"
    names = ", ".join(f"`{name}`" for name in saved.agents)
    return f"{', '.join(run.agent_labels.values())}, with the policies of {names}"


def _in_brackets(preset: str | None) -> str:
    return f" ({preset})" if preset else ""


def _interruption(run: RunFolder) -> str:
    if run.is_finished:
        return ""
    return f" **Training was interrupted; {run.config['env_steps']:,} env steps were planned.**"


def _usage(saved: SavedPolicies) -> str:
    agent = next(iter(saved.agents))
    rows = [
        [f"`{name}`", str(read_space(said["observation_space"])), str(read_space(said["action_space"]))]
        for name, said in saved.agents.items()
    ]
    code = (
        "```python\nfrom rllib_lase import load_policy  # needs torch, and no Ray\n\n"
        f'policy = load_policy("THIS FOLDER", agent="{agent}", seed=0)\n'
        "policy.reset()  # when an episode begins\naction = policy.act(obs)\n```"
    )
    return f"{code}\n\n{_table(['agent', 'sees', 'does'], rows)}"


def _results(episodes: pd.DataFrame, summary: dict[str, Any]) -> str:
    count, agents = episodes["episode"].nunique(), len(summary["reward_per_agent"])
    events = [name for name in episodes.columns if name not in EPISODE_COLUMNS]

    def by_agent(column: str) -> np.ndarray[Any, np.dtype[np.float64]]:
        return episodes[column].to_numpy(np.float64).reshape(count, agents)

    rewards, after = by_agent("reward"), by_agent("reward_after_gifting")
    group = [
        [METRICS["collective_reward"].label, _interval(t_interval(rewards.sum(1)))],
        [METRICS["equality"].label, _interval(bootstrap_of_means(rewards, equality))],
        [METRICS["equality_after_gifting"].label, _interval(bootstrap_of_means(after, equality))],
        [
            METRICS["share_given"].label,
            format_number(float(share_given(as_floats(summary["gift_weights"])).mean())),
        ],
    ]
    names = episodes["agent_id"].to_list()[:agents]
    columns = {"reward": rewards, "after gifting": after} | {
        readable(name).lower(): by_agent(name) for name in events
    }
    rows = [
        [f"`{name}`", *(_interval(t_interval(values[:, i])) for values in columns.values())]
        for i, name in enumerate(names)
    ]
    return (
        f"Over {count} evaluation episodes with sampled actions, per episode; in brackets 95 % confidence "
        "intervals over episodes (Student's t; of equality, bootstrap). They tell nothing of other seeds of "
        f"training.\n\n{_table(['all agents', 'mean [95 % CI]'], group)}\n\n"
        f"{_table(['agent', *columns], rows)}"
    )


def _making(run: RunFolder, summary: dict[str, Any]) -> str:
    config = run.config
    rows = [
        ["game", f"`{config['game']}`"],
        ["preset", str(config["preset"])],
        *([f"parameter {k}", json.dumps(v)] for k, v in config["game_params"].items() if k != "preset"),
        ["algorithm", f"`{config['algo']}`"],
        *([["population", ", ".join(run.seating.names)]] if run.seating else []),
        *(
            [["changes", ", ".join(map(str, run.seating.switches))]]
            if run.seating and run.seating.switches
            else []
        ),
        ["seed of training", str(config["seed"])],
        ["seed of the evaluation", str(evaluation_seed(config["seed"]))],
        ["env steps", f"{summary['env_steps']:,}"],
        ["episodes", f"{summary['num_episodes']:,}"],
        *([f"`{k}`", json.dumps(v)] for k, v in config["settings"].items()),
        *([k, str(v)] for k, v in config["versions"].items()),
    ]
    command = run_command(run, Path("runs") / run.path.resolve().name)
    return (
        f"{_table(['', ''], rows)}\n\nTo repeat it:\n\n```sh\n{command}\n```\n\n"
        f"Exported by rllib-lase {__version__}."
    )


def _limits(config: dict[str, Any], saved: SavedPolicies) -> str:
    lines = [
        "For research on cooperation in mixed-motive games: as co-players, as baselines, to be looked at.",
        f"They know `{config['game']}` with the parameters above, and the agents with whom they learnt; with "
        "other parameters, other agents or people nothing was measured.",
        "They sample their actions. The most likely action each time is another policy, which may stall: two "
        "agents that mirror each other never get past one another.",
        "One seed of training. Whether an algorithm is better than another, or does well at all, shows over "
        "several seeds only: `lase compare`.",
    ]
    if any(said["policy"]["lstm_size"] for said in saved.agents.values()):
        lines.append("They remember: call `reset()` when an episode begins.")
    return "\n".join(f"- {line}" for line in lines)


def _interval(interval: Interval) -> str:
    text = format_number(interval.estimate)
    if np.isnan(interval.low):
        return text
    low, high = (format_number(end, like=interval.estimate) for end in (interval.low, interval.high))
    return f"{text} [{low}, {high}]"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
