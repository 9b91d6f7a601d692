"""Social value orientation: how an agent weighs its own reward against the others' mean."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from rllib_lase.core.pairs import pairs


def mean_of_others(rewards: Tensor, active: Tensor) -> Tensor:
    """Mean reward of each agent's co-players in the game; 0 for one that is alone or has left.

    Args:
        rewards: `(..., N)`, extrinsic.
        active: `(..., N)` bool.

    Returns:
        `(..., N)`.
    """
    counted = pairs(active, active)
    others = torch.where(counted, rewards.unsqueeze(-2), torch.zeros_like(rewards).unsqueeze(-2))
    return others.sum(-1) / counted.sum(-1).clamp_min(1)


def linear_svo_rewards(rewards: Tensor, others: Tensor, svo: float) -> Tensor:
    """Own reward and others' mean, weighted by the orientation: cos(svo) r_i + sin(svo) r_others.

    Args:
        rewards: `(..., N)`, extrinsic.
        others: `(..., N)`, mean reward of the co-players.
        svo: Angle in radians; 0 selfish, pi/4 prosocial, pi/2 altruistic.

    Source: Schwarting et al. 2019 (PNAS 116(50)); Peng et al. 2021 (arXiv 2110.13827).
    """
    return math.cos(svo) * rewards + math.sin(svo) * others


def angular_svo_rewards(rewards: Tensor, others: Tensor, svo: float, weight: float) -> Tensor:
    """Own reward less the distance between the orientation and the angle that the rewards have.

    Args:
        rewards: `(..., N)`, extrinsic.
        others: `(..., N)`, mean reward of the co-players.
        svo: Angle in radians.
        weight: Reward that one radian of distance costs.

    Returns:
        `(..., N)`, r_i - weight * |svo - theta|, theta = atan(r_others / r_i) on the full circle and the
        distance the short way around it. Where both rewards are 0 there is no angle and nothing is taken off.

    Source: McKee et al. 2020 (arXiv 2002.02325), reward angle and utility.
    """
    distance = (svo - torch.atan2(others, rewards)).abs()
    distance = torch.minimum(distance, 2 * math.pi - distance)
    nothing = (rewards == 0) & (others == 0)
    return rewards - weight * torch.where(nothing, torch.zeros_like(distance), distance)
