"""Social relationship inference (Eq. 3): how much did each co-player's action help me?"""

from __future__ import annotations

import torch
from torch import Tensor


def counterfactual_baseline(q_swaps: Tensor, predicted_probs: Tensor) -> Tensor:
    """The value an agent would have expected, had it only predicted what the co-player does.

    Args:
        q_swaps: `(..., A)`, Q^i(o^i, (a^{-j}, a')) for each action a' of co-player j.
        predicted_probs: `(..., A)`, pi_SR^i(a' | ohat^{ij}); rows sum to 1.

    Returns:
        `(...)`, sum over a' of probability times value.

    Source: Eq. 3, second term of the numerator.
    """
    return (predicted_probs * q_swaps).sum(-1)


def relationships(
    q_joint: Tensor, q_swaps: Tensor, predicted_probs: Tensor, num_agents: int, min_q_spread: float
) -> Tensor:
    """Inferred relationships of one agent with each co-player, before clipping.

    Args:
        q_joint: `(...)`, Q^i(o^i, a) of the joint action that was taken.
        q_swaps: `(..., J, A)`, Q with co-player j's action replaced by each a' in turn.
        predicted_probs: `(..., J, A)`, what i expects j to do.
        num_agents: N >= 2. The normaliser M contains N - 1, so that no gift exceeds 1 / (N - 1).
        min_q_spread: Where max - min over a' is below this, the relationship is 0 (M would be noise).

    Returns:
        `(..., J)`, at most 1 / (N - 1), negative where the co-player did harm.

    Source: Eq. 3, inside the max.
    """
    spread = q_swaps.amax(-1) - q_swaps.amin(-1)
    advantage = q_joint.unsqueeze(-1) - counterfactual_baseline(q_swaps, predicted_probs)
    informative = (spread >= min_q_spread) & (spread > 0)
    normaliser = (num_agents - 1) * torch.where(informative, spread, torch.ones_like(spread))
    return torch.where(informative, advantage / normaliser, torch.zeros_like(advantage))


def scaled_relationships(
    q_joint: Tensor,
    q_swaps: Tensor,
    predicted_probs: Tensor,
    num_agents: int,
    q_scale: float,
    min_scale: float,
) -> Tensor:
    """As `relationships`, measured by how large Q is instead of how much the co-player's action matters.

    Args:
        q_joint: `(...)`, Q^i(o^i, a) of the joint action that was taken.
        q_swaps: `(..., J, A)`, Q with co-player j's action replaced by each a' in turn.
        predicted_probs: `(..., J, A)`, what i expects j to do.
        num_agents: N >= 2.
        q_scale: Typical |Q^i|, one number for all steps and co-players, >= 0.
        min_scale: Where `q_scale` is below this, all relationships are 0.

    Returns:
        `(..., J)`, at most 1 / (N - 1), negative where the co-player did harm.

    Source: our choice beside Eq. 3, whose M removes how much a co-player matters at all.
    """
    advantage = q_joint.unsqueeze(-1) - counterfactual_baseline(q_swaps, predicted_probs)
    if q_scale < min_scale or q_scale == 0:
        return torch.zeros_like(advantage)
    return (advantage / q_scale).clamp_max(1) / (num_agents - 1)


def smooth_relationships(
    relationship: Tensor, known: Tensor, dones: Tensor, previous: Tensor, smoothing: float
) -> tuple[Tensor, Tensor]:
    """Exponential smoothing over the steps of an episode.

    w_bar_t = smoothing * w_bar_{t-1} + (1 - smoothing) * w_t; an episode's first value is w itself.

    Args:
        relationship: `(T, B, N, N)`, w_t.
        known: Bool, same shape: pairs with a w_t. All others keep the value that they have.
        dones: `(T, B)` bool, steps that end a copy's episode; all pairs start afresh after them.
        previous: `(B, N, N)`, w_bar before the first step; NaN for pairs without a value in this episode.
        smoothing: Weight of the past, in [0, 1).

    Returns:
        `(T, B, N, N)`, w_bar_t, 0 for pairs without a value; and w_bar after the last step, like `previous`.

    Source: our choice beside Eq. 3, for w of large variance under partial observability.
    """
    smoothed = torch.empty_like(relationship)
    for t, now in enumerate(relationship):
        mixed = smoothing * previous + (1 - smoothing) * now
        smoothed[t] = torch.where(known[t], torch.where(previous.isnan(), now, mixed), previous)
        previous = torch.where(dones[t, :, None, None], torch.full_like(now, torch.nan), smoothed[t])
    return smoothed.nan_to_num(0.0), previous


def clip_relationships(relationship: Tensor) -> Tensor:
    """Fractions to give: a co-player that did harm gets nothing.

    Args:
        relationship: Any shape, from `relationships`.

    Returns:
        The same shape, >= 0.

    Source: Eq. 3, the outer max.
    """
    return relationship.clamp_min(0)
