"""Categorical distributions as the rest of the code needs them."""

from __future__ import annotations

from torch import Tensor


def entropy(logp: Tensor) -> Tensor:
    """Entropy in nats of distributions given by log-probabilities, `(..., A) -> (...)`."""
    return -(logp.exp() * logp).sum(-1)


def behaviour_probs(logits: Tensor, epsilon: float) -> Tensor:
    """Probabilities of the behaviour policy, the epsilon mixture (1 - epsilon) * pi + epsilon / |A|.

    Args:
        logits: `(..., A)`.
        epsilon: Share of uniform random actions, in [0, 1].

    Returns:
        `(..., A)`, rows sum to 1.

    Source: Section 4 of the paper (exploration).
    """
    probs = logits.softmax(-1)
    return probs if epsilon == 0 else (1 - epsilon) * probs + epsilon / logits.shape[-1]
