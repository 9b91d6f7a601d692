"""Inequity aversion: what an agent feels about its own and others' smoothed rewards."""

from __future__ import annotations

import torch
from torch import Tensor


def smoothed_rewards(rewards: Tensor, dones: Tensor, before: Tensor, decay: float) -> tuple[Tensor, Tensor]:
    """Rewards with what is left of earlier ones: e(t) = decay * e(t - 1) + r(t), from 0 in each episode.

    Args:
        rewards: `(N, T, B)`, extrinsic.
        dones: `(T, B)` bool, the copy's episode ended in step t, so that step t + 1 starts from 0.
        before: `(B, N)`, e before the first step.
        decay: What is left after a step, in [0, 1].

    Returns:
        e `(N, T, B)`, and `(B, N)`, e before the step that follows the last one.

    Source: Hughes et al. 2018 (arXiv 1803.08884), the temporally smoothed rewards; decay is gamma * lambda.
    """
    left = before.T
    smoothed = []
    for step in range(rewards.shape[1]):
        smoothed.append(decay * left + rewards[:, step])
        left = torch.where(dones[step], torch.zeros_like(left), smoothed[-1])
    return torch.stack(smoothed, 1), left.T.contiguous()


def inequity_averse_rewards(
    rewards: Tensor, smoothed: Tensor, active: Tensor, alpha: float, beta: float
) -> Tensor:
    """Rewards less the pain of having less, and of having more, than each co-player in the game.

    Args:
        rewards: `(..., N)`, extrinsic.
        smoothed: `(..., N)`, what is compared.
        active: `(..., N)` bool. An agent that has left compares itself with nobody, and nobody with it.
        alpha: Weight of disadvantageous inequity (others have more).
        beta: Weight of advantageous inequity (others have less).

    Returns:
        `(..., N)`, u_i = r_i - alpha mean_j max(e_j - e_i, 0) - beta mean_j max(e_i - e_j, 0), means over the
        co-players j in the game.

    Source: Hughes et al. 2018 (arXiv 1803.08884), after Fehr and Schmidt 1999.
    """
    ahead = smoothed.unsqueeze(-2) - smoothed.unsqueeze(-1)  # i in the row: e_j - e_i
    compared = active.unsqueeze(-1) & active.unsqueeze(-2)
    pain = torch.where(
        compared, alpha * ahead.clamp_min(0) + beta * (-ahead).clamp_min(0), torch.zeros_like(ahead)
    )
    co_players = (active.sum(-1, keepdim=True) - 1).clamp_min(1)
    return rewards - pain.sum(-1) / co_players
