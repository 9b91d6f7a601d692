"""Perspective taking (Eq. 4): imagine what a co-player sees, and what one would do in its place."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def perspective_loss(
    logits: Tensor, co_player_actions: Tensor, imagined_obs: Tensor, own_obs: Tensor, delta: float
) -> Tensor:
    """Loss of the conversion network on (step, co-player) pairs.

    Args:
        logits: `(..., A)` of pi_SR^i(. | ohat^{ij}), not probabilities. pi_SR is frozen in this loss: take
            the gradient with respect to the conversion network alone.
        co_player_actions: `(...)` int64, what j really did.
        imagined_obs: `(..., *obs)`, ohat^{ij}.
        own_obs: `(..., *obs)`, i's **own** observation o^i, as the paper has it; same scale as
            `imagined_obs`.
        delta: Weight of the L1 term, in [0, 1].

    Returns:
        `(...)`, (1 - delta) * CrossEntropy(a^j, pi_SR(. | ohat)) + delta * sum |ohat - o^i|.

    Source: Eq. 4.
    """
    batch = co_player_actions.shape
    cross_entropy = F.cross_entropy(
        logits.reshape(-1, logits.shape[-1]), co_player_actions.reshape(-1), reduction="none"
    ).reshape(batch)
    distance = (imagined_obs - own_obs).abs().reshape(*batch, -1).sum(-1)
    return (1 - delta) * cross_entropy + delta * distance
