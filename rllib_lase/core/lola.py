"""Opponent-learning awareness: exact values of a repeated two-player matrix game, and the lookahead gradient.

Policies are tabular: one logit of cooperation for each of the states CC, CD, DC, DD (own action first) and
start.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

#: The five states as the co-player sees them: what is CD to the one is DC to the other.
CO_PLAYERS_VIEW = (0, 2, 1, 3, 4)

#: Both players' logits `(5,)` each -> both players' values, scalars.
Values = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def exact_values(
    logits: Tensor, co_player_logits: Tensor, payoffs: Tensor, gamma: float
) -> tuple[Tensor, Tensor]:
    """Discounted values of both players over an endless game: V = p0 (I - gamma P)^-1 r.

    Args:
        logits: `(5,)`, the first player's logits of cooperation, from its own side.
        co_player_logits: `(5,)`, the second player's, from its own side.
        payoffs: `(4,)`, R, S, T, P: what a player gets in CC, CD, DC, DD, its own action first.
        gamma: Discount factor in [0, 1).

    Returns:
        Both players' values, scalars; times 1 - gamma they are rewards per step.

    Source: Foerster et al. 2018 (LOLA), the exact value function of the iterated prisoner's dilemma.
    """
    view = torch.tensor(CO_PLAYERS_VIEW, device=logits.device)
    own, other = torch.sigmoid(logits), torch.sigmoid(co_player_logits)[view]
    outcomes = torch.stack([own * other, own * (1 - other), (1 - own) * other, (1 - own) * (1 - other)], -1)
    stay = torch.eye(4, dtype=logits.dtype, device=logits.device) - gamma * outcomes[:4]
    both = torch.stack([payoffs, payoffs[view[:4]]], -1)
    values = outcomes[4] @ torch.linalg.solve(stay, both)
    return values[0], values[1]


def lola_gradient(
    values: Values, logits: Tensor, co_player_logits: Tensor, lookahead_lr: float, lookahead_steps: int
) -> Tensor:
    """How the first player's value changes with its logits, once the second has learnt from them.

    The second player takes `lookahead_steps` steps of plain gradient ascent on its own value; the gradient
    passes through them.

    Args:
        values: Both players' differentiable values.
        logits: `(5,)`, the first player's.
        co_player_logits: `(5,)`, the second player's.
        lookahead_lr: Size of an anticipated step; 0 gives the naive gradient.
        lookahead_steps: Their number, at least 1.

    Returns:
        `(5,)`, d V_1(theta_1, theta_2 + delta theta_2(theta_1)) / d theta_1.

    Source: Foerster et al. 2018 (LOLA), without its Taylor expansion, as in Foerster et al. 2018
    (DiCE).
    """
    own = logits.detach().requires_grad_()
    other = co_player_logits.detach().requires_grad_()
    for _ in range(lookahead_steps):
        theirs = values(own, other)[1]
        other = other + lookahead_lr * torch.autograd.grad(theirs, other, create_graph=True)[0]
    gradient: Tensor = torch.autograd.grad(values(own, other)[0], own)[0]
    return gradient


def dice_value(log_ratios: Tensor, advantages: Tensor, starts: Tensor, gamma: float) -> Tensor:
    """A player's value but for a constant, estimated from a rollout, with derivatives of any order.

    With the weights W_t, the product of both players' probability ratios up to step t (the magic box where
    they act as they did in the rollout), it is the mean over episodes of
    sum_t gamma^t (W_t - W_{t-1}) A_t. With A_t = return - baseline this is DiCE's objective
    sum_t gamma^t W_t r_t with a baseline that is right for derivatives of every order.

    Args:
        log_ratios: `(T, B)`, log-probability of both players' actions now minus that in the rollout.
        advantages: `(T, B)`, of the player whose value it is.
        starts: `(T, B)` bool, an episode starts with step t; the first step always counts as one.
        gamma: Discount factor in [0, 1].

    Returns:
        A scalar.

    Source: Foerster et al. 2018 (DiCE); baseline of Mao et al. 2018; advantages in place of
    returns, Farquhar et al. 2019 (Loaded DiCE).
    """
    first = starts.clone()
    first[0] = True
    steps = torch.arange(len(first), device=first.device).unsqueeze(-1).expand_as(first)
    begun = torch.where(first, steps, torch.zeros_like(steps)).cummax(0).values
    total = log_ratios.cumsum(0)
    before = total - log_ratios
    since = total - before.gather(0, begun)
    weights = since.exp()
    previous = torch.where(first, torch.ones_like(weights), (since - log_ratios).exp())
    discounts = gamma ** (steps - begun).to(advantages.dtype)
    return (discounts * (weights - previous) * advantages).sum() / first.sum()
