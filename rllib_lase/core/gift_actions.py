"""Gifts as actions: who can pay for the gift it wishes to make, and who gets what."""

from __future__ import annotations

import torch
from torch import Tensor

from rllib_lase.core.pairs import pairs


def affordable_gifts(
    wishes: Tensor, income: Tensor, dones: Tensor, before: Tensor, start: float
) -> tuple[Tensor, Tensor]:
    """Which gifts a budget, counted in gifts, pays for. A step's gift is paid before its income comes in.

    Args:
        wishes: `(N, T, B)` bool, the agent gives in this step if it can.
        income: `(N, T, B)`, what the budget gains in each step.
        dones: `(T, B)` bool, the copy's episode ended in step t, so that step t + 1 has a new budget.
        before: `(B, N)`, budget before the first step.
        start: Budget at an episode's start.

    Returns:
        `(N, T, B)` bool, the gifts made, and `(B, N)`, the budget before the step that follows the last one.

    Source: Lupu and Precup 2020, fixed and replenishable budget.
    """
    budget = before.T
    made = []
    for step in range(wishes.shape[1]):
        made.append(wishes[:, step] & (budget >= 1))
        budget = budget - made[-1].to(budget.dtype) + income[:, step]
        budget = torch.where(dones[step], torch.full_like(budget, start), budget)
    return torch.stack(made, 1), budget.T.contiguous()


def gift_amounts(gives: Tensor, active: Tensor, value: float) -> Tensor:
    """What each giver hands to each co-player in the game, all the same.

    Args:
        gives: `(..., N)` bool, who gives. Of those, agents that have left, or are alone, give nothing.
        active: `(..., N)` bool.
        value: What one gift is worth, all its receivers together.

    Returns:
        `(..., N, N)` float32, giver in the row, receiver in the column, 0 on the diagonal.

    Source: Lupu and Precup 2020, for a gift as an action.
    """
    receivers = pairs(active, active)
    share = value / receivers.sum(-1, keepdim=True).clamp_min(1)
    return share * (receivers & gives.unsqueeze(-1))
