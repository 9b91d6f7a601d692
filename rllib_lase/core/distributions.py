"""Distributions over actions as the rest of the code needs them: categorical, and diagonal Gaussians.

A policy's heads give `action_dist_inputs`: `(..., A)` logits of discrete actions, which are int64, or
`(..., 2D)` means and logarithms of standard deviations of continuous ones, which are floats. Continuous
actions are in units in which [-1, 1] is the environment's range; Gaussians are not bounded by it.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

#: Half a step of NumPy's uniform float32 numbers, so that draws are symmetric and never infinite.
_HALF_STEP = 2.0**-25


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


def sample_actions(probs: Tensor, uniform: Tensor) -> Tensor:
    """Inverse-CDF draws: `probs (..., A)` and `uniform (...)` in [0, 1) give actions `(...)` in 0..A-1."""
    bounds = probs.cumsum(-1)[..., :-1]
    return (bounds <= uniform.unsqueeze(-1)).sum(-1)


def gaussian_draws(inputs: Tensor, uniform: Tensor) -> Tensor:
    """Inverse-CDF draws of Gaussians.

    Args:
        inputs: `(..., 2D)`, means and logarithms of standard deviations.
        uniform: `(..., D)` float32 in [0, 1), multiples of 2^-24.

    Returns:
        `(..., D)` float32, within 5.5 standard deviations of the mean.
    """
    mean, log_std = inputs.chunk(2, -1)
    quantiles = torch.special.ndtri(uniform.double() + _HALF_STEP)
    draws: Tensor = mean + log_std.exp() * quantiles.to(mean.dtype)
    return draws


def gaussian_logp(inputs: Tensor, actions: Tensor) -> Tensor:
    """Log-densities `(...)` of `(..., D)` actions under Gaussians `(..., 2D)`."""
    mean, log_std = inputs.chunk(2, -1)
    standard = (actions - mean) * (-log_std).exp()
    return -(0.5 * standard.square() + log_std + 0.5 * math.log(2 * math.pi)).sum(-1)


def gaussian_entropy(inputs: Tensor) -> Tensor:
    """Differential entropy in nats of Gaussians, `(..., 2D) -> (...)`; negative for narrow ones."""
    log_std = inputs.chunk(2, -1)[1]
    return (log_std + 0.5 * math.log(2 * math.pi * math.e)).sum(-1)


def logp_and_entropy(inputs: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
    """Log-probabilities (densities) of actions, and entropies of the distributions.

    Args:
        inputs: `(..., A)` logits, or `(..., 2D)` of Gaussians.
        actions: `(...)` int64, or `(..., D)` floats.

    Returns:
        Both `(...)`.
    """
    if actions.is_floating_point():
        return gaussian_logp(inputs, actions), gaussian_entropy(inputs)
    logp = inputs.log_softmax(-1)
    return logp.gather(-1, actions.unsqueeze(-1)).squeeze(-1), entropy(logp)
