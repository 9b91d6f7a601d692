"""What a learner has to say of an iteration: losses, gifts and whatever its preference measured."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rllib_lase.rollout import TensorRollout
from rllib_lase.social.hook import LearntRewards, Moments


class LearnerReport:
    """Adds up over the rounds of one iteration; everything stays on the device until it is collected."""

    def __init__(self, num_agents: int, device: torch.device | str) -> None:
        def zeros(*shape: int) -> Tensor:
            return torch.zeros(shape, device=device, dtype=torch.float64)

        self._sums: dict[str, Tensor] = defaultdict(lambda: torch.zeros(num_agents, device=device))
        self._notes: dict[str, int] = defaultdict(int)
        self._measured: dict[str, Moments] = {}
        self._gift_weights = zeros(num_agents, num_agents)
        self._gift_steps = zeros(num_agents)
        self._rewards = zeros(num_agents)
        self._rewards_after_gifting = zeros(num_agents)

    def note(self, values: Mapping[str, Tensor]) -> None:
        """One update's figures, name -> `(N,)`."""
        for name, value in values.items():
            self._sums[name] += value
            self._notes[name] += 1

    def add_rollout(self, data: TensorRollout, learnt: LearntRewards, recorded: Tensor) -> None:
        """One round's rewards, and its gift weights on the recorded steps `(T, B)`."""
        extrinsic = data.rewards.sum((1, 2)).double()
        self._rewards += extrinsic
        after = learnt.after_gifting.sum((1, 2)).double() if learnt.moved else extrinsic
        self._rewards_after_gifting += after
        for name, moments in learnt.measured.items():
            self._measured[name] = self._measured[name] + moments if name in self._measured else moments
        if learnt.gift_weights is None:
            return
        present = data.active[:, recorded]
        weights = learnt.gift_weights[recorded] * present.T.unsqueeze(-1)
        self._gift_weights += weights.sum(0)
        self._gift_steps += present.sum(1)

    def collect(self, moves_rewards: bool) -> dict[str, Any]:
        """All of it, as arrays.

        Args:
            moves_rewards: Whether agents give rewards away.

        Returns:
            `learner`: metric -> `(N,)` mean over updates. `measured`: metric -> `(N,)` mean over recorded
            steps, and `<metric>_std` with its standard deviation; NaN where none was recorded.
            `gift_weights`: `(N, N)` mean over recorded steps, with `gift_steps` `(N,)`; NaN where none was
            recorded and where gifts are no shares of a reward, None if nobody gives. `rewards` and
            `rewards_after_gifting`: sums `(N,)` over the rounds.
        """
        means = {name: moments.mean().cpu().numpy() for name, moments in self._measured.items()}
        stds = {f"{name}_std": moments.std().cpu().numpy() for name, moments in self._measured.items()}
        weights = (self._gift_weights / self._gift_steps.unsqueeze(-1)).cpu().numpy()
        return {
            "learner": {
                name: (total / self._notes[name]).cpu().numpy() for name, total in self._sums.items()
            },
            "measured": means | stds,
            "gift_weights": weights if moves_rewards else None,
            "gift_steps": self._gift_steps.cpu().numpy(),
            "rewards": self._rewards.cpu().numpy(),
            "rewards_after_gifting": self._rewards_after_gifting.cpu().numpy(),
        }


def merge_reports(reports: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One report of learners that trained the same networks on different copies.

    Means are taken over learners, of gift weights by their recorded steps; sums are added.
    """
    first = dict(reports[0])
    if len(reports) == 1:
        return first

    def mean(part: str) -> dict[str, Any]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of agents for which nothing was recorded
            return {name: np.nanmean([report[part][name] for report in reports], 0) for name in first[part]}

    for name in ("gift_steps", "rewards", "rewards_after_gifting"):
        first[name] = sum(report[name] for report in reports)
    if first["gift_weights"] is not None:
        total = sum(
            np.nan_to_num(report["gift_weights"]) * report["gift_steps"][:, None] for report in reports
        )
        with np.errstate(invalid="ignore"):
            first["gift_weights"] = total / first["gift_steps"][:, None]
    return {**first, "learner": mean("learner"), "measured": mean("measured")}
