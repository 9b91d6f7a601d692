"""Learning to incentivise others: what an incentive does to a recipient's next policy. Stateless."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from rllib_lase.core.policy_loss import masked_mean
from rllib_lase.core.returns import generalized_advantages


def incentive_advantages(
    incentives: Tensor, terminateds: Tensor, truncateds: Tensor, gamma: float, lambda_: float
) -> Tensor:
    """What incentives add to their recipients' advantages, differentiable.

    Advantages are linear in the rewards, so that this is their part that depends on the incentives.

    Args:
        incentives: `(..., T, B)`, each giver's share of the recipients' rewards.
        terminateds: `(..., T, B)` bool, of the recipients; leading axes broadcast.
        truncateds: `(..., T, B)` bool, of the recipients.
        gamma: Discount factor in [0, 1].
        lambda_: GAE's lambda in [0, 1].

    Returns:
        `(..., T, B)`.
    """
    none = torch.zeros_like(incentives)
    values = torch.cat([none, none[..., :1, :]], -2)
    return generalized_advantages(incentives, values, none, terminateds, truncateds, gamma, lambda_)


def policy_gradient_step(
    parameters: Mapping[str, Tensor],
    action_logp: Tensor,
    advantages: Tensor,
    loss_mask: Tensor,
    inner_lr: float,
) -> dict[str, Tensor]:
    """One plain policy-gradient step, differentiable in the advantages.

    Args:
        parameters: What `action_logp` was computed from; those that it does not depend on stay as they are.
        action_logp: `(M,)`, log-probability of the taken actions, with its graph.
        advantages: `(M,)`.
        loss_mask: `(M,)` bool, False for steps after the agent had left.
        inner_lr: Size of the step.

    Returns:
        The stepped parameters, under the same names.

    Source: Yang et al. 2020, theta_hat = theta + beta * grad_theta log pi(a | o) * return.
    """
    objective = masked_mean(action_logp * advantages, loss_mask)
    gradients = torch.autograd.grad(
        objective, list(parameters.values()), create_graph=True, materialize_grads=True
    )
    return {
        name: parameter + inner_lr * gradient
        for (name, parameter), gradient in zip(parameters.items(), gradients, strict=True)
    }
