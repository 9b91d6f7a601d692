"""Returns and advantages of a joint rollout, after the hook has decided what is learnt from."""

from __future__ import annotations

import torch
from torch import Tensor


def generalized_advantages(
    rewards: Tensor,
    vf_preds: Tensor,
    final_vf_preds: Tensor,
    terminateds: Tensor,
    truncateds: Tensor,
    gamma: float,
    lambda_: float,
) -> Tensor:
    """Generalised advantage estimation over a fragment with episode ends inside.

    Args:
        rewards: `(..., T, B)`, what is learnt from.
        vf_preds: `(..., T + 1, B)`, values of the observations before each step and after the last.
        final_vf_preds: `(..., T, B)`, value of the final observation where an episode was truncated in step
            t.
        terminateds: `(..., T, B)` bool; nothing follows a termination.
        truncateds: `(..., T, B)` bool; a truncation bootstraps from `final_vf_preds`.
        gamma: Discount factor in [0, 1].
        lambda_: GAE's lambda in [0, 1]; 0 gives the TD error that the paper uses.

    Returns:
        `(..., T, B)`, advantages. Value targets are advantages + vf_preds[..., :-1, :].

    Source: Schulman et al. 2016, Eq. 11-16.
    """
    ended = terminateds | truncateds
    next_values = torch.where(truncateds, final_vf_preds, vf_preds[..., 1:, :])
    next_values = torch.where(terminateds, torch.zeros_like(next_values), next_values)
    deltas = rewards + gamma * next_values - vf_preds[..., :-1, :]
    carry = (gamma * lambda_) * (~ended).to(rewards.dtype)
    advantages = torch.empty_like(deltas)
    running = torch.zeros_like(deltas[..., 0, :])
    for t in range(deltas.shape[-2] - 1, -1, -1):
        running = deltas[..., t, :] + carry[..., t, :] * running
        advantages[..., t, :] = running
    return advantages
