"""Gradient steps of several owners of parameters at once, each with an optimiser and a norm of its own."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def parameters_of(optimizer: torch.optim.Optimizer) -> list[nn.Parameter]:
    """The parameters of one owner's optimiser, which has one group of them."""
    parameters: list[nn.Parameter] = optimizer.param_groups[0]["params"]
    return parameters


def clipped_step(
    optimizers: Sequence[torch.optim.Optimizer], gradients: list[Tensor], grad_clip: float
) -> Tensor:
    """One step of every owner, its gradient clipped by its own norm.

    Args:
        optimizers: One per owner.
        gradients: Of all owners' parameters, owners in order; changed in place.
        grad_clip: Bound on each norm.

    Returns:
        Norms before clipping, `(len(optimizers),)`.
    """
    owners = [parameters_of(optimizer) for optimizer in optimizers]
    squares = torch.stack(torch._foreach_norm(gradients)).square()
    norms = torch.stack([part.sum() for part in squares.split([len(owner) for owner in owners])]).sqrt()
    factors = (grad_clip / norms.clamp_min(1e-6)).clamp_max(1)
    per_tensor = [factors[i] for i, owner in enumerate(owners) for _ in owner]
    torch._foreach_mul_(gradients, per_tensor)
    flat = [parameter for owner in owners for parameter in owner]
    for parameter, gradient in zip(flat, gradients, strict=True):
        parameter.grad = gradient
    for optimizer in optimizers:
        optimizer.step()
    return norms


def all_learners(yes: bool, device: torch.device) -> bool:
    """Whether every learner says yes; each waits for the others' answer, and all get the same.

    Args:
        yes: This learner's answer.
        device: Where the learners' tensors live.
    """
    answer = torch.tensor(float(yes), device=device)
    torch.distributed.all_reduce(answer, op=torch.distributed.ReduceOp.MIN)
    return bool(answer.item())


def mean_over_learners(gradients: list[Tensor]) -> list[Tensor]:
    """The mean of all learners' gradients, in one message."""
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    torch.distributed.all_reduce(flat)
    flat /= torch.distributed.get_world_size()
    parts = flat.split([gradient.numel() for gradient in gradients])
    return [part.view_as(gradient) for part, gradient in zip(parts, gradients, strict=True)]
