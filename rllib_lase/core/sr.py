"""Losses of the social-relationship networks (Eq. 5), on an agent's own extrinsic reward alone."""

from __future__ import annotations

import torch
from torch import Tensor

from rllib_lase.core.distributions import entropy, logp_and_entropy


def sr_td_error(
    rewards: Tensor, q_joint: Tensor, next_q_joint: Tensor, terminated: Tensor, gamma: float
) -> Tensor:
    """TD error of the SR value network on executed joint actions.

    Args:
        rewards: `(...)`, own extrinsic reward r^i.
        q_joint: `(...)`, Q(o, a); may carry gradient.
        next_q_joint: `(...)`, Q(o', a') of the joint action really taken next; taken without gradient.
        terminated: `(...)` bool; after a terminal step the target is r alone.
        gamma: Discount factor gamma_sr in [0, 1].

    Returns:
        `(...)`, delta = r + gamma * Q(o', a') - Q(o, a).

    Source: Eq. 5.
    """
    bootstrap = torch.where(terminated, torch.zeros_like(next_q_joint), next_q_joint).detach()
    return rewards + gamma * bootstrap - q_joint


def sr_critic_loss(td_error: Tensor) -> Tensor:
    """Half the squared TD error; its gradient is -delta * grad Q(o, a).

    Args:
        td_error: `(...)`, carries gradient through Q(o, a) only.

    Returns:
        `(...)`, one loss per sample.

    Source: Eq. 5, critic.
    """
    return 0.5 * td_error.square()


def sr_actor_loss_eq5(logits: Tensor, actions: Tensor, td_error: Tensor, entropy_coeff: float) -> Tensor:
    """Policy gradient of the SR policy with the TD error as its signal, plus an entropy bonus.

    Args:
        logits: `(..., A)` of pi_SR(. | o^i); of Gaussians `(..., 2D)`.
        actions: `(...)` int64 or `(..., D)` floats, own executed actions.
        td_error: `(...)`; taken without gradient.
        entropy_coeff: Weight of the entropy; 0 is the paper's rule to the letter.

    Returns:
        `(...)`; the gradient of its first part is -delta * grad log pi_SR(a^i | o^i).

    Source: Eq. 5, actor.
    """
    taken, entropies = logp_and_entropy(logits, actions)
    return -td_error.detach() * taken - entropy_coeff * entropies


def sr_actor_loss_soft_q(logits: Tensor, q_own: Tensor, temperature: float) -> Tensor:
    """The SR policy maximises its own Q, co-players' actions held fixed, softened by entropy.

    Args:
        logits: `(..., A)` of pi_SR(. | o^i).
        q_own: `(..., A)`, Q^i(o^i, (a, a^{-i})) for each own action a; taken without gradient.
        temperature: Weight of the entropy, >= 0.

    Returns:
        `(...)`, -(sum_a pi(a) Q(a) + temperature * entropy).

    Source: our choice beside Eq. 5, whose signal fades as Q fits.
    """
    logp = logits.log_softmax(-1)
    return -(logp.exp() * q_own.detach()).sum(-1) - temperature * entropy(logp)


def sr_actor_loss_soft_q_points(
    points: Tensor, q_points: Tensor, slopes: Tensor, entropies: Tensor, temperature: float
) -> Tensor:
    """`sr_actor_loss_soft_q` for continuous actions, through points that move with the distribution.

    Args:
        points: `(..., K, D)`, own actions that stand for pi_SR; carry gradient to its parameters.
        q_points: `(..., K)`, Q^i with each as the own action; taken without gradient.
        slopes: `(..., K, D)`, gradient of Q^i with respect to `points`; taken without gradient.
        entropies: `(...)` of pi_SR.
        temperature: Weight of the entropy, >= 0.

    Returns:
        `(...)`, -(mean of Q over the points + temperature * entropy); its gradient moves the points along
        `slopes`.

    Source: our choice, as `sr_actor_loss_soft_q`.
    """
    along = (slopes.detach() * (points - points.detach())).sum(-1)
    return -(q_points.detach() + along).mean(-1) - temperature * entropies
