"""Perspective taking (Eq. 4): imagine what a co-player sees, and what one would do in its place."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from rllib_lase.core.distributions import gaussian_logp


def perspective_loss(
    logits: Tensor, co_player_actions: Tensor, imagined_obs: Tensor, own_obs: Tensor, delta: float
) -> Tensor:
    """Loss of the conversion network on (step, co-player) pairs.

    Args:
        logits: `(..., A)` of pi_SR^i(. | ohat^{ij}), not probabilities; of Gaussians `(..., 2D)`. pi_SR is
            frozen in this loss: take the gradient with respect to the conversion network alone.
        co_player_actions: `(...)` int64 or `(..., D)` floats, what j really did.
        imagined_obs: `(..., *obs)`, ohat^{ij}.
        own_obs: `(..., *obs)`, i's **own** observation o^i, as the paper has it; same scale as
            `imagined_obs`.
        delta: Weight of the L1 term, in [0, 1].

    Returns:
        `(...)`, (1 - delta) * CrossEntropy(a^j, pi_SR(. | ohat)) + delta * sum |ohat - o^i|, where the first
        is minus the log-density if actions are continuous.

    Source: Eq. 4.
    """
    batch = logits.shape[:-1]
    if co_player_actions.is_floating_point():
        cross_entropy = -gaussian_logp(logits, co_player_actions)
    else:
        cross_entropy = F.cross_entropy(
            logits.reshape(-1, logits.shape[-1]), co_player_actions.reshape(-1), reduction="none"
        ).reshape(batch)
    distance = (imagined_obs - own_obs).abs().flatten(len(batch)).sum(-1)
    return (1 - delta) * cross_entropy + delta * distance
