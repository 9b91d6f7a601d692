"""What a run writes down: a row of progress.parquet, and the parts of summary.json."""

from __future__ import annotations

from typing import Any

import numpy as np

from rllib_lase.evaluation.metrics import equality, share_given
from rllib_lase.rllib.evaluate import SocialEvaluation
from rllib_lase.rllib.iteration_report import IterationReport
from rllib_lase.rllib.population import Population


def progress_row(iteration: int, report: IterationReport) -> dict[str, float]:
    """One row of progress.parquet, but for the columns of time. NaN where no episode ended."""
    ended = len(report.finished) > 0
    agents = len(report.agent_ids)
    rewards = report.finished.returns.mean(0) if ended else np.full(agents, np.nan)
    after = report.rewards_after_gifting_per_episode()
    weights = report.learner["gift_weights"]
    row: dict[str, float] = {
        "iteration": iteration,
        "env_steps": report.env_steps,
        "num_episodes": report.num_episodes,
        "collective_reward": float(rewards.sum()),
        "equality": float(equality(rewards)),
        "equality_after_gifting": float(equality(after)),
        "share_given": 0.0 if weights is None else float(np.mean(share_given(weights))),
        "lr": report.learner["lr"],
        "epsilon": report.learner["epsilon"],
    }
    if report.staleness:
        row["staleness_mean"], row["staleness_max"] = float(np.mean(report.staleness)), max(report.staleness)
    row |= {f"transfer/{name}": value for name, value in report.transfer.items()}
    for position, agent_id in enumerate(report.agent_ids):
        row[f"reward/{agent_id}"] = float(rewards[position])
        row[f"reward_after_gifting/{agent_id}"] = float(after[position])
        for event, name in enumerate(report.count_names):
            mean = report.finished.counts[:, position, event].mean() if ended else np.nan
            row[f"counts/{name}/{agent_id}"] = float(mean)
        for name, values in {**report.learner["learner"], **report.learner["measured"]}.items():
            row[f"learner/{agent_id}/{name}"] = float(values[position])
    return row


def population_summary(population: Population) -> dict[str, Any]:
    """Who plays in an evaluation, in the agents' order, and seats that are empty in it."""
    now = population.present_seating
    return {"population": now.names, **({"away": sorted(now.away)} if now.away else {})}


def evaluation_summary(evaluation: SocialEvaluation) -> dict[str, Any]:
    """The part of summary.json that an evaluation gives."""
    rewards = evaluation.episodes.returns.mean(0)
    after = evaluation.returns_after_gifting.mean(0)
    counts = evaluation.episodes.counts.mean(0)
    summary: dict[str, Any] = {
        "num_evaluation_episodes": len(evaluation.episodes),
        "collective_reward": float(rewards.sum()),
        "reward_per_agent": rewards,
        "reward_after_gifting_per_agent": after,
        "equality": float(equality(rewards)),
        "equality_after_gifting": float(equality(after)),
        "gift_weights": evaluation.gift_weights,
        "counts_per_agent": {name: counts[:, c] for c, name in enumerate(evaluation.count_names)},
    }
    if "cooperated" in evaluation.count_names:
        lengths = evaluation.episodes.lengths.sum()
        cooperated = evaluation.episodes.counts[:, :, evaluation.count_names.index("cooperated")].sum(0)
        summary["cooperation_rate_per_agent"] = cooperated / lengths
    return summary
