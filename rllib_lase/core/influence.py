"""Social influence as pure functions: how much an action changes what others are predicted to do."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def causal_influence(next_logp: Tensor, own_logp: Tensor, own_actions: Tensor) -> Tensor:
    """KL divergence of the prediction after the action taken from the one averaged over the own policy.

        KL[ p(a_j' | a, s) || sum over a~ of p(a_j' | a~, s) pi(a~ | s) ]

    Averaged over the own policy's actions it is the mutual information of own and next action given s.

    Args:
        next_logp: `(M, A, J, A')`, log-probabilities of each co-player's next action after each own action.
        own_logp: `(M, A)`, log-probabilities of the own policy.
        own_actions: `(M,)` int64, own actions taken.

    Returns:
        `(M, J)` nats, in [0, -log pi(a | s)] up to rounding.

    Source: Jaques et al. 2019 (arXiv 1810.08647), causal influence reward.
    """
    taken = next_logp[torch.arange(len(own_actions), device=own_actions.device), own_actions]
    averaged = torch.logsumexp(next_logp + own_logp[:, :, None, None], dim=1)
    probs = taken.exp()
    return torch.where(probs > 0, probs * (taken - averaged), torch.zeros_like(probs)).sum(-1)


def moa_loss(next_logits: Tensor, next_actions: Tensor, counted: Tensor) -> Tensor:
    """Mean cross-entropy of the predictions that count; 0 if none does.

    Args:
        next_logits: `(M, J, A')`, predictions of each co-player's next action.
        next_actions: `(M, J)` int64, what they did.
        counted: `(M, J)` bool, whether there was a next action to predict.

    Returns:
        Scalar, nats.

    Source: Jaques et al. 2019 (arXiv 1810.08647), model of other agents.
    """
    losses = F.cross_entropy(next_logits.flatten(0, 1), next_actions.flatten(), reduction="none")
    kept = torch.where(counted.flatten(), losses, torch.zeros_like(losses))
    return kept.sum() / counted.sum().clamp_min(1)
