"""Which pictures a report shows, with their captions and alternative texts. From run folders to figures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from rllib_lase.evaluation.metrics import METRICS
from rllib_lase.evaluation.statistics import Interval, t_interval
from rllib_lase.evaluation.table import format_number, readable
from rllib_lase.report import figures
from rllib_lase.report.curves import SeedCurves, seed_curves
from rllib_lase.report.figures import BarPanel, Bars, CurvePanel, HeatMap, Line
from rllib_lase.report.groups import Group, group_colours, group_lines
from rllib_lase.report.theme import algorithm_colours
from rllib_lase.run_schema import EPISODE_COLUMNS, as_floats
from rllib_lase.runs import RunFolder

_BAND = "Line: mean over seeds; band: one standard deviation; thin lines: the seeds."
_MAX_HEAT_MAPS = 8
_MANY_AGENTS = 12
_ROLE_COLUMNS = 4
_AGENT_COLOURS = (5, 6, 1, 3, 2, 4, 0, 7)
_EQUALITY_LIMITS = (0.0, 1.03)


@dataclass(frozen=True)
class Picture:
    """A picture of a report.

    Attributes:
        title: heading above it.
        caption: what is drawn and how to read it.
        alt: what it shows, with numbers, for who cannot see it.
        draw: makes the figure.
        folded: whether the page hides it until asked.
    """

    title: str
    caption: str
    alt: str
    draw: Callable[[], Figure]
    folded: bool = False


def run_pictures(run: RunFolder) -> list[Picture]:
    """The pictures of one run, finished or not.

    Args:
        run: A run with at least one row of progress.

    Returns:
        Its pictures in the order of the page.
    """
    group = Group(run.algorithm, [run])
    progress, agents = group.progress[0], run.agent_labels
    pictures = [_learning_curve([group])]
    if run.has_summary and group.gives_shares:
        pictures.append(_heat_maps([_heat_map(run, title="")], agents))
    if (run.path / "episodes.parquet").is_file():
        pictures.append(_evaluation_bars(group, agents))
    pictures += [_fairness_of_run(group, agents), _agents_over_training(progress, agents)]
    diagnostics = _learner_metrics(progress, agents)
    return [*pictures, diagnostics] if diagnostics else pictures


def comparison_pictures(groups: Sequence[Group]) -> list[Picture]:
    """The pictures that compare algorithms on one game.

    Args:
        groups: Finished runs of one game, at least one group.

    Returns:
        The pictures in the order of the page.
    """
    pictures = [_learning_curve(groups), _roles(groups), _fairness(groups)]
    events = _event_names(groups[0].progress[0])
    if events:
        pictures.append(_events_over_training(groups, events))
    for group in groups:
        if group.gives_shares:
            agents = group.runs[0].agent_labels
            shown = group.runs[:1] if len(agents) > _MANY_AGENTS else group.runs[:_MAX_HEAT_MAPS]
            maps = [_heat_map(run, f"seed {run.config['seed']}") for run in shown]
            pictures.append(_heat_maps(maps, agents, group.label, left_out=len(group.runs) - len(shown)))
    return pictures


def _learning_curve(groups: Sequence[Group]) -> Picture:
    lines = group_lines(groups, "collective_reward")
    run = groups[0].runs[0]
    ceiling = run.summary().get("max_collective_reward") if run.has_summary else None
    panel = CurvePanel(METRICS["collective_reward"].axis_label, lines, ceiling=ceiling)
    several_seeds = any(len(group.runs) > 1 for group in groups)
    return Picture(
        "Learning curves" if len(groups) > 1 else "Learning curve",
        f"Collective reward of the training episodes.{f' {_BAND}' if several_seeds else ''}",
        f"Collective reward per episode over training. {_describe(lines)}",
        partial(figures.draw_curves, [panel]),
    )


def _fairness(groups: Sequence[Group]) -> Picture:
    sharing = [group for group in groups if group.gives_shares]
    panels = [CurvePanel("Equality before gifting", group_lines(groups, "equality"), _EQUALITY_LIMITS)]
    if any(group.gives for group in groups):
        after = group_lines(groups, "equality_after_gifting")
        panels.append(CurvePanel("Equality after gifting", after, _EQUALITY_LIMITS))
    if sharing:
        panels.append(CurvePanel("Share given away", group_lines(sharing, "share_given")))
    return _curve_picture(
        "Fairness over training",
        "Equality E of the agents' rewards (1: all alike), and the share of its reward that an agent gives "
        f"away. {_BAND} Gaps: undefined, since the rewards do not sum to a positive number.",
        panels,
    )


def _events_over_training(groups: Sequence[Group], events: Sequence[str]) -> Picture:
    panels = [
        CurvePanel(f"{readable(event)} per episode", group_lines(groups, f"counts/{event}/", total=True))
        for event in events
    ]
    return _curve_picture(
        "What the agents do", f"Events per training episode, all agents together. {_BAND}", panels
    )


def _roles(groups: Sequence[Group]) -> Picture:
    """Reward and events per agent, agents ordered by reward within each run, mean over seeds."""
    tables = [[_ranked_agents(run.episodes()) for run in group.runs] for group in groups]
    quantities = [name for name in tables[0][0].columns if name != "reward_after_gifting"]
    columns = min(len(groups), _ROLE_COLUMNS)
    shown = list(zip(groups, tables, group_colours(groups), strict=True))
    panels: list[BarPanel | None] = []
    for start in range(0, len(shown), columns):
        block = shown[start : start + columns]
        for quantity in quantities:
            panels += [
                _role_panel(group, members, quantity, colour, is_top=quantity == quantities[0], is_left=not i)
                for i, (group, members, colour) in enumerate(block)
            ]
            panels += [None] * (columns - len(block))
    rewards = [
        f"{group.label}: {_numbers(np.mean([table['reward'] for table in members], axis=0))}"
        for group, members in zip(groups, tables, strict=True)
    ]
    return Picture(
        "Who does what, and who gets what",
        "Means per evaluation episode. Agents are ordered by their reward before gifting within each run (1 "
        "earns most), since roles fall to other agents with every seed. Whiskers: 95 % interval over seeds.",
        f"Reward before gifting of the agents from highest to lowest. {'; '.join(rewards)}.",
        partial(figures.draw_bars, panels, columns=columns, share_rows=True),
    )


def _role_panel(
    group: Group, members: Sequence[pd.DataFrame], quantity: str, colour: int, is_top: bool, is_left: bool
) -> BarPanel:
    """One quantity of one group, agents by rank; `members` are its runs' agents."""
    names = {quantity: ""}
    if quantity == "reward" and group.gives:
        names = {"reward": "before gifting", "reward_after_gifting": "after gifting"}
    bars = [
        _bars(label, [t_interval(values) for values in np.transpose([table[name] for table in members])])
        for name, label in names.items()
    ]
    ranks = [str(rank + 1) for rank in range(len(members[0]))]
    return BarPanel(group.label if is_top else "", readable(quantity) if is_left else "", ranks, bars, colour)


def _heat_map(run: RunFolder, title: str) -> HeatMap:
    return HeatMap(title, as_floats(run.summary()["gift_weights"]))


def _heat_maps(
    maps: Sequence[HeatMap], agents: Mapping[str, str], label: str = "", left_out: int = 0
) -> Picture:
    labels = [_readable(label) for label in agents.values()]
    largest = []
    for heat_map in maps:
        gifts = np.where(np.eye(len(labels), dtype=bool), -1.0, np.nan_to_num(heat_map.gift_weights))
        i, j = np.unravel_index(int(gifts.argmax()), gifts.shape)
        name = f"{heat_map.title}: " if heat_map.title else ""
        largest.append(f"{name}the largest gift goes from {labels[i]} to {labels[j]}, {gifts[i, j]:.2f}")
    rest = f" Not shown: {left_out} more seeds." if left_out else ""
    # In small maps there is room for the agents' numbers only.
    ticks = labels if len(maps) == 1 and len(labels) <= 6 else [str(index) for index in range(len(labels))]
    return Picture(
        f"Who gives to whom: {label}" if label else "Who gives to whom",
        "Gift weights, mean over all active steps of the evaluation: the share of its reward that the giver "
        "(row) hands to the receiver (column). Rows sum to 1; the grey diagonal is the share kept. The full "
        f"colour stands for the largest gift, {figures.largest_gift(maps):.2f}.{rest}",
        f"Matrix of gift weights. {'; '.join(largest)}.",
        partial(figures.draw_heat_maps, maps, ticks),
    )


def _evaluation_bars(group: Group, agents: Mapping[str, str]) -> Picture:
    """Reward and events per agent of one run, with intervals over its evaluation episodes."""
    episodes = group.runs[0].episodes()
    by_agent = dict(list(episodes.groupby("agent_id")))
    labels = [_readable(label) for label in agents.values()]
    colour = algorithm_colours([group.algo])[group.algo]

    def bars(name: str, label: str = "") -> Bars:
        return _bars(label, [t_interval(by_agent[agent][name]) for agent in agents])

    reward = [bars("reward", "before gifting" if group.gives else "")]
    if group.gives:
        reward.append(bars("reward_after_gifting", "after gifting"))
    events = [name for name in episodes.columns if name not in EPISODE_COLUMNS]
    panels = [BarPanel("Reward", "", labels, reward, colour)]
    panels += [BarPanel(readable(name), "", labels, [bars(name)], colour) for name in events]
    return Picture(
        "Who does what, and who gets what",
        f"Means per episode over {episodes['episode'].nunique()} evaluation episodes with sampled actions. "
        "Whiskers: 95 % interval over episodes.",
        f"Reward per episode before gifting, agent by agent: {_numbers(reward[0].values)}.",
        partial(figures.draw_bars, panels, columns=min(len(panels), 3), share_rows=False),
    )


def _fairness_of_run(group: Group, agents: Mapping[str, str]) -> Picture:
    progress, colour = group.progress[0], algorithm_colours([group.algo])[group.algo]
    lines = [Line("before gifting", colour, seed_curves([progress], "equality"), dashed=group.gives)]
    panels = [CurvePanel("Equality", lines, _EQUALITY_LIMITS)]
    if group.gives:
        lines.append(Line("after gifting", colour, seed_curves([progress], "equality_after_gifting")))
    if group.gives_shares:
        kept = group.runs[0].gifts().query("giver == receiver")
        given = dict(list(kept.assign(given=1 - kept["gift_weight"]).groupby("giver")))
        shares = [
            Line(_readable(label), _agent_colour(index), seed_curves([given[agent]], "given"))
            for index, (agent, label) in enumerate(agents.items())
            if agent in given
        ]
        panels.append(CurvePanel("Share given away", shares))
    return _curve_picture(
        "Fairness over training",
        "Equality E of the agents' rewards (1: all alike), and the share of its reward that each agent gives "
        "away. Gaps: undefined.",
        panels,
    )


def _agents_over_training(progress: pd.DataFrame, agents: Mapping[str, str]) -> Picture:
    panels = [CurvePanel("Reward per episode", _agent_lines(progress, agents, "reward/{}"))]
    panels += [
        CurvePanel(f"{readable(event)} per episode", _agent_lines(progress, agents, f"counts/{event}/{{}}"))
        for event in _event_names(progress)
    ]
    return _curve_picture("The agents over training", "Means per training episode, agent by agent.", panels)


def _learner_metrics(progress: pd.DataFrame, agents: Mapping[str, str]) -> Picture | None:
    prefix = f"learner/{next(iter(agents))}/"
    names = [column.removeprefix(prefix) for column in progress.columns if column.startswith(prefix)]
    if not names:
        return None
    # In a mixed population not everybody learns.
    agents = {
        agent: label
        for agent, label in agents.items()
        if progress[[f"learner/{agent}/{name}" for name in names]].notna().any(axis=None)
    }
    panels = [CurvePanel(name, _agent_lines(progress, agents, f"learner/{{}}/{name}")) for name in names]
    caption = "Losses and other quantities of each agent's learner."
    return _curve_picture("What the learners report", caption, panels, folded=True)


def _curve_picture(title: str, caption: str, panels: Sequence[CurvePanel], folded: bool = False) -> Picture:
    return Picture(
        title,
        caption,
        " ".join(f"{panel.title}. {_describe(panel.lines)}" for panel in panels),
        partial(figures.draw_curves, panels, columns=min(len(panels), 3)),
        folded,
    )


def _agent_lines(progress: pd.DataFrame, agents: Mapping[str, str], column: str) -> list[Line]:
    return [
        Line(_readable(label), _agent_colour(index), seed_curves([progress], column.format(agent)))
        for index, (agent, label) in enumerate(agents.items())
    ]


def _bars(label: str, intervals: Sequence[Interval]) -> Bars:
    low, high = (np.array([getattr(i, end) for i in intervals]) for end in ("low", "high"))
    return Bars(label, np.array([interval.estimate for interval in intervals]), low, high)


def _ranked_agents(episodes: pd.DataFrame) -> pd.DataFrame:
    """Mean per agent of reward and events, the agent with the highest reward first."""
    means = episodes.drop(columns=["episode", "length"]).groupby("agent_id", sort=False).mean()
    return means.sort_values("reward", ascending=False, kind="stable")


def _event_names(progress: pd.DataFrame) -> list[str]:
    names = (column.split("/")[1] for column in progress.columns if column.startswith("counts/"))
    return list(dict.fromkeys(names))


def _readable(label: str) -> str:
    """An agent's label without underscores in its name; in a mixed population followed by who it is."""
    agent, bracket, who = label.partition(" (")
    return f"{agent.replace('_', ' ')}{bracket}{who}"


def _agent_colour(index: int) -> int:
    """The first agents are coloured as in the games' pictures, but for what is too pale for a line."""
    return _AGENT_COLOURS[index % len(_AGENT_COLOURS)]


def _numbers(values: Iterable[float]) -> str:
    return ", ".join(format_number(value) for value in values)


def _describe(lines: Sequence[Line]) -> str:
    """First and last value of each line, for the alternative text."""
    return " ".join(f"{line.label}: {_ends(line.curves)}." for line in lines)


def _ends(curves: SeedCurves) -> str:
    mean, steps = curves.mean, curves.env_steps
    defined = np.flatnonzero(np.isfinite(mean))
    if defined.size == 0:
        return "undefined throughout"
    first, last = defined[0], defined[-1]
    return (
        f"{format_number(mean[first])} at {steps[first]:,.0f} env steps, "
        f"{format_number(mean[last])} at {steps[last]:,.0f}"
    )
