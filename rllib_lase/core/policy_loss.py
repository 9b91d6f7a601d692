"""Policy-gradient losses, for all agents at once: one row per agent, no term that mixes rows."""

from __future__ import annotations

import torch
from torch import Tensor

from rllib_lase.core.distributions import logp_and_entropy


def masked_mean(values: Tensor, loss_mask: Tensor) -> Tensor:
    """Mean over the last axis where `loss_mask`; 0 for rows that are masked throughout."""
    weights = loss_mask.to(values.dtype)
    kept = torch.where(loss_mask, values, torch.zeros_like(values))
    return kept.sum(-1) / weights.sum(-1).clamp_min(1)


def normalize_advantages(advantages: Tensor, loss_mask: Tensor) -> Tensor:
    """Standardises each agent's advantages over its own active steps.

    Args:
        advantages: `(N, M)`.
        loss_mask: `(N, M)` bool.

    Returns:
        `(N, M)`, zero mean and unit standard deviation per row where masked in.
    """
    mean = masked_mean(advantages, loss_mask).unsqueeze(-1)
    centred = advantages - mean
    std = masked_mean(centred.square(), loss_mask).sqrt().unsqueeze(-1)
    return centred / std.clamp_min(1e-6)


def policy_losses(
    action_dist_inputs: Tensor,
    vf_preds: Tensor,
    actions: Tensor,
    advantages: Tensor,
    value_targets: Tensor,
    loss_mask: Tensor,
    *,
    vf_loss_coeff: float,
    entropy_coeff: float,
    epsilon: float = 0.0,
    num_actions: Tensor | None = None,
    old_action_logp: Tensor | None = None,
    clip_param: float = 0.2,
) -> dict[str, Tensor]:
    """Actor-critic losses of N agents, one row each.

    Args:
        action_dist_inputs: `(N, M, A)` logits, or `(N, M, 2D)` of Gaussians.
        vf_preds: `(N, M)`.
        actions: `(N, M)` int64, or `(N, M, D)` floats as they were drawn.
        advantages: `(N, M)`, no gradient.
        value_targets: `(N, M)`, no gradient.
        loss_mask: `(N, M)` bool, False for steps of an agent that had left.
        vf_loss_coeff: Weight of the squared value error.
        entropy_coeff: Weight of the entropy bonus.
        epsilon: Share of uniform actions in the behaviour policy, in [0, 1); 0 with continuous actions.
        num_actions: `(N, 1)`, actions of each agent where their numbers differ; logits beyond are padded with
            large negative numbers. None: A for all.
        old_action_logp: `(N, M)` log-probability under the behaviour mixture. Given: PPO's clipped ratio,
            with the mixture on both sides. None: A2C, whose gradient uses the policy itself.
        clip_param: PPO's clip range.

    Returns:
        `total_loss`, `policy_loss`, `vf_loss`, `entropy`, each `(N,)`.

    Source: Mnih et al. 2016 (A2C); Schulman et al. 2017, Eq. 7 (PPO-clip).
    """
    taken, entropies = logp_and_entropy(action_dist_inputs, actions)
    if old_action_logp is None:
        surrogate = taken * advantages
    else:
        if epsilon > 0:
            size = action_dist_inputs.shape[-1] if num_actions is None else num_actions
            taken = torch.log((1 - epsilon) * taken.exp() + epsilon / size)
        ratio = torch.exp(taken - old_action_logp)
        clipped = ratio.clamp(1 - clip_param, 1 + clip_param)
        surrogate = torch.minimum(ratio * advantages, clipped * advantages)
    policy_loss = -masked_mean(surrogate, loss_mask)
    vf_loss = masked_mean((vf_preds - value_targets).square(), loss_mask)
    mean_entropy = masked_mean(entropies, loss_mask)
    total = policy_loss + vf_loss_coeff * vf_loss - entropy_coeff * mean_entropy
    return {"total_loss": total, "policy_loss": policy_loss, "vf_loss": vf_loss, "entropy": mean_entropy}
