"""Zero-sum gifting (Eq. 2): rewards move between agents, their sum stays."""

from __future__ import annotations

import torch
from torch import Tensor

from rllib_lase.core.pairs import pairs


def gift_weights(
    fractions: Tensor,
    active: Tensor,
    gives: Tensor | None = None,
    *,
    max_share_given: float = 1.0,
    refused: Tensor | None = None,
) -> Tensor:
    """The gift matrix W from the fractions that each agent would give.

    Args:
        fractions: `(..., N, N)`, giver in the row; the diagonal is ignored. Off-diagonal >= 0, rows sum to
            <= 1.
        active: `(..., N)` bool. An agent that has left neither gives nor receives: its share stays with the
            giver.
        gives: `(..., N)` bool, which agents take part in giving; None means all. Others still receive.
        max_share_given: In (0, 1]. Gifts of an agent that would give more in all are scaled down to it.
        refused: `(..., N)` bool, receivers that take nothing; None means nobody. What they were offered stays
            with the giver and is not offered to others: the cap applies to offers.

    Returns:
        `(..., N, N)`, w^{ij} = the fraction of i's reward that i gives j; every row is a distribution.

    Source: Eq. 2.
    """
    may_give = active if gives is None else active & gives
    given = torch.where(pairs(may_give, active), fractions, torch.zeros_like(fractions))
    if max_share_given < 1:
        given = given * (max_share_given / given.sum(-1, keepdim=True).clamp_min(max_share_given))
    if refused is not None:
        given = torch.where(refused.unsqueeze(-2), torch.zeros_like(given), given)
    return given + torch.diag_embed(1 - given.sum(-1))


def equal_fractions(active: Tensor, share: float) -> Tensor:
    """A constant share of every agent's reward, split equally among its co-players in the game.

    Args:
        active: `(..., N)` bool.
        share: What an agent gives in all, in [0, 1].

    Returns:
        `(..., N, N)` float32, giver in the row; `gift_weights` sees to the diagonal and to departed agents.
    """
    co_players = (active.sum(-1) - 1).clamp_min(1)
    return (share / co_players)[..., None, None].expand(*active.shape, active.shape[-1])


def rewards_after_gifting(rewards: Tensor, weights: Tensor, gift_negative_rewards: bool = True) -> Tensor:
    """What everybody has after all gifts of one step.

    Args:
        rewards: `(..., N)`, extrinsic.
        weights: `(..., N, N)`, giver in the row, rows sum to 1.
        gift_negative_rewards: Whether shares of penalties are passed on (as Eq. 2 reads); False keeps them.

    Returns:
        `(..., N)`, r_tot^i = sum_j w^{ji} r^j; sums to the same total as `rewards`.

    Source: Eq. 2.
    """
    if gift_negative_rewards:
        return torch.einsum("...ji,...j->...i", weights, rewards)
    kept = rewards.clamp_max(0)
    return torch.einsum("...ji,...j->...i", weights, rewards.clamp_min(0)) + kept
