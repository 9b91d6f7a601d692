"""What an iteration of training saw, and what of it goes into RLlib's metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rllib_lase.evaluation.metrics import equality
from rllib_lase.rllib.episode_account import FinishedEpisodes


@dataclass(frozen=True)
class IterationReport:
    """What one iteration saw, in the agents' order.

    Attributes:
        agent_ids: The N agents.
        count_names: Names of the C counted events.
        env_steps: Env steps since the start of training.
        num_episodes: Episodes ended since the start of training.
        finished: Episodes that ended in this iteration.
        learner: `SocialLearner.collect_report`.
        iteration_env_steps: Env steps of this iteration.
        staleness: Of each remote rollout of this iteration, by how many rounds its weights were old.
        transfer: Bytes per env step that passed between the actors of a decentralised run, by what they were.
    """

    agent_ids: tuple[str, ...]
    count_names: tuple[str, ...]
    env_steps: int
    num_episodes: int
    finished: FinishedEpisodes
    learner: dict[str, Any]
    iteration_env_steps: int
    transfer: Mapping[str, float] = field(default_factory=dict)
    staleness: tuple[int, ...] = ()

    def rewards_after_gifting_per_episode(self) -> NDArray[np.float64]:
        """`(N,)`, mean per episode: reward per env step times mean length; NaN if no episode ended."""
        if len(self.finished) == 0:
            return np.full(len(self.agent_ids), np.nan)
        per_step = self.learner["rewards_after_gifting"] / self.iteration_env_steps
        return np.asarray(per_step * self.finished.lengths.mean(), np.float64)


class SocialMetrics:
    """Logs `social/...` and the learners' figures, iteration after iteration.

    Attributes:
        carried: The last known values: where no episode ended they stand, so that Tune never meets a gap.
    """

    def __init__(self) -> None:
        self.carried: dict[str, float] = {}

    def log(self, report: IterationReport, metrics: Any) -> None:
        """Logs an iteration.

        Args:
            report: What it saw.
            metrics: RLlib's `MetricsLogger` of the algorithm.
        """
        self._take_over(report)
        for name, value in {**self.carried, "env_steps": float(report.env_steps)}.items():
            metrics.log_value(("social", name), value, window=1)
        if report.staleness:
            metrics.log_value(("sampling", "staleness_mean"), float(np.mean(report.staleness)), window=1)
            metrics.log_value(("sampling", "staleness_max"), max(report.staleness), window=1)
        for name, value in report.transfer.items():
            metrics.log_value(("transfer", name), value, window=1)
        for name, values in {**report.learner["learner"], **report.learner["measured"]}.items():
            for agent_id, value in zip(report.agent_ids, values, strict=True):
                if np.isfinite(value):  # unknown where no step was recorded
                    metrics.log_value(("learners", agent_id, name), float(value), window=1)

    def _take_over(self, report: IterationReport) -> None:
        if len(report.finished):
            returns = report.finished.returns.mean(0)
            after = report.rewards_after_gifting_per_episode()
            self.carried |= {
                "collective_reward": float(returns.sum()),
                "min_reward": float(returns.min()),
                "equality": float(equality(returns)),
                "equality_after_gifting": float(equality(after)),
            }
        weights = report.learner["gift_weights"]
        kept = np.ones(1) if weights is None else np.diagonal(weights)
        if np.isfinite(kept).any():
            self.carried["share_given"] = float(np.nanmean(1 - kept))
