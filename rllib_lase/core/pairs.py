"""Pairs of different agents, as gifts, comparisons and inferences go between."""

from __future__ import annotations

import torch
from torch import Tensor


def pairs(first: Tensor, second: Tensor) -> Tensor:
    """Which pairs of two different agents there are.

    Args:
        first: `(..., N)` bool, who may stand in the row.
        second: `(..., N)` bool, who may stand in the column.

    Returns:
        `(..., N, N)` bool, False on the diagonal.
    """
    different = ~torch.eye(first.shape[-1], dtype=torch.bool, device=first.device)
    return first.unsqueeze(-1) & second.unsqueeze(-2) & different
