"""What Eq. 3 to 5 need to know of the kind of actions: what a co-player might have done, and how likely.

With discrete actions that is every action. With continuous ones, and with many combinations of several
choices, the sum over actions becomes a mean over `num_counterfactuals` fixed quantiles of pi_SR, so that the
same rollout always gives the same gifts.
"""

from __future__ import annotations

import abc
import math
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rllib_lase.action_spaces import choice_codes
from rllib_lase.core.distributions import entropy, gaussian_entropy, gaussian_logp
from rllib_lase.core.sr import sr_actor_loss_soft_q, sr_actor_loss_soft_q_points
from rllib_lase.networks import ContinuousSRNet, SRBase, SRNet

#: Seed of the order in which quantiles of several dimensions meet, the same in every run.
_POINTS_SEED = 0


@dataclass(frozen=True)
class Prediction:
    """What an agent expects J co-players to do, in M steps.

    Attributes:
        weights: `(M, J, S)`, probabilities of the S swapped actions that the sweep evaluates.
        points: `(M, J, S - 1, D)`, those actions if they are continuous, or `(M, J, S - 1)` if they are some
            of many; the last one is what was done. None if they are all there are.
        inputs: `(M, J, 2D)`, the Gaussian behind them, or `(M, J, A)` logits; None if there is none.
    """

    weights: Tensor
    points: Tensor | None = None
    inputs: Tensor | None = None


class ActionSweep(abc.ABC):
    """One kind of actions, of one agent or several.

    Attributes:
        reported: Names of what `surprise` tells.
    """

    reported: ClassVar[tuple[str, ...]]

    @abc.abstractmethod
    def expected(self, inputs: Tensor) -> Prediction:
        """Of co-players that act as `action_dist_inputs` `(M, J, ...)` of pi_SR say."""

    @abc.abstractmethod
    def uniform(self, steps: int, co_players: int, device: torch.device) -> Prediction:
        """Of co-players that act uniformly."""

    @abc.abstractmethod
    def swaps(
        self, sr: SRBase, features: Tensor, actions: Tensor, agents: Tensor, predicted: Prediction
    ) -> tuple[Tensor, Tensor]:
        """`q_joint (M,)`, and `q_swaps (M, J, S)` with each of `agents`' actions swapped in turn."""

    @abc.abstractmethod
    def surprise(self, predicted: Prediction, actions: Tensor) -> dict[str, Tensor]:
        """How well actions `(M, J)` or `(M, J, D)` were predicted, each `(M, J)`, by its name in reports."""

    @abc.abstractmethod
    def soft_q_loss(
        self, sr: SRBase, features: Tensor, actions: Tensor, inputs: Tensor, temperature: float
    ) -> Tensor:
        """`(M,)`, of the agent's own pi_SR with these `action_dist_inputs`, by the rule `soft_q`."""


class DiscreteSweep(ActionSweep):
    """Every one of `num_actions` actions."""

    reported: ClassVar[tuple[str, ...]] = ("predicted_action_prob", "predicted_action_cross_entropy")

    def __init__(self, num_actions: int) -> None:
        self._num_actions = num_actions

    def expected(self, inputs: Tensor) -> Prediction:
        """The probabilities of pi_SR."""
        return Prediction(inputs.softmax(-1))

    def uniform(self, steps: int, co_players: int, device: torch.device) -> Prediction:
        """1 / |A|."""
        shape = (steps, co_players, self._num_actions)
        return Prediction(torch.full(shape, 1 / self._num_actions, device=device))

    def swaps(
        self, sr: SRBase, features: Tensor, actions: Tensor, agents: Tensor, predicted: Prediction
    ) -> tuple[Tensor, Tensor]:
        """All actions in order."""
        del predicted
        return cast(SRNet, sr).q_swaps(features, actions, agents)

    def surprise(self, predicted: Prediction, actions: Tensor) -> dict[str, Tensor]:
        """Probability of what was done, and minus its logarithm."""
        probs = predicted.weights.gather(-1, actions.unsqueeze(-1)).squeeze(-1)
        return {"predicted_action_prob": probs, "predicted_action_cross_entropy": -probs.log()}

    def soft_q_loss(
        self, sr: SRBase, features: Tensor, actions: Tensor, inputs: Tensor, temperature: float
    ) -> Tensor:
        """The expectation is a sum."""
        with torch.no_grad():
            own = torch.tensor([sr.own], device=actions.device)
            q_own = cast(SRNet, sr).q_swaps(features, actions, own)[1].squeeze(1)
        return sr_actor_loss_soft_q(inputs, q_own, temperature)


class CombinationsSweep(DiscreteSweep):
    """Some of the many combinations of several choices.

    That is K combinations whose choices are, part by part, the K quantiles of what is expected, in orders of
    their own, weighted alike; and, for the spread of Q, K that go from end to end of every part, and the
    action that was taken, with weight 0. Exact for the marginals as far as they are multiples of 1/K.

    Args:
        sizes: Choices of each part.
        num_points: K.
    """

    def __init__(self, sizes: tuple[int, ...], num_points: int) -> None:
        super().__init__(math.prod(sizes))
        self._sizes = sizes
        self._codes = torch.from_numpy(choice_codes(sizes))
        strides = [math.prod(sizes[part + 1 :]) for part in range(len(sizes))]
        self._strides = torch.tensor(strides)
        ranks = torch.from_numpy(_ranks(num_points, len(sizes)))
        self._quantiles = ((ranks + 0.5) / num_points).float()
        ends = (ranks * (torch.tensor(sizes) - 1) / (num_points - 1)).round().long()
        self._span = (ends * self._strides).sum(-1)
        self._weights = torch.cat([torch.full((num_points,), 1 / num_points), torch.zeros(num_points + 1)])

    def expected(self, inputs: Tensor) -> Prediction:
        """Quantiles of each part's probabilities under pi_SR."""
        return self._prediction(inputs.softmax(-1) @ self._codes.to(inputs.device), inputs)

    def uniform(self, steps: int, co_players: int, device: torch.device) -> Prediction:
        """Quantiles of uniform parts."""
        shares = torch.cat([torch.full((size,), 1 / size) for size in self._sizes]).to(device)
        return self._prediction(shares.expand(steps, co_players, -1), None)

    def _prediction(self, marginals: Tensor, inputs: Tensor | None) -> Prediction:
        """Of parts with these probabilities, `(M, J, sum(sizes))`, one part after the other."""
        device, quantiles = marginals.device, self._quantiles.to(marginals.device)
        points = torch.zeros((*marginals.shape[:-1], len(quantiles)), dtype=torch.int64, device=device)
        for part, probs in enumerate(marginals.split(list(self._sizes), -1)):
            bounds = probs.cumsum(-1)[..., None, :-1]
            points += (bounds <= quantiles[:, part, None]).sum(-1) * int(self._strides[part])
        span = self._span.to(device).expand_as(points)
        weights = self._weights.to(device).expand(*points.shape[:-1], -1)
        return Prediction(weights, torch.cat([points, span], -1), inputs)

    def swaps(
        self, sr: SRBase, features: Tensor, actions: Tensor, agents: Tensor, predicted: Prediction
    ) -> tuple[Tensor, Tensor]:
        """Quantiles, combinations from end to end, and the action that was taken."""
        points = cast(Tensor, predicted.points)
        q_joint, q_points = cast(SRNet, sr).q_choices(features, actions, agents, points)
        taken = q_joint[:, None, None].expand(-1, len(agents), 1)
        return q_joint, torch.cat([q_points, taken], -1)

    def surprise(self, predicted: Prediction, actions: Tensor) -> dict[str, Tensor]:
        """Probability of what was done, and minus its logarithm."""
        if predicted.inputs is None:
            nats = torch.full(actions.shape, math.log(self._num_actions), device=actions.device)
        else:
            logp = predicted.inputs.log_softmax(-1)
            nats = -logp.gather(-1, actions.unsqueeze(-1)).squeeze(-1)
        return {"predicted_action_prob": (-nats).exp(), "predicted_action_cross_entropy": nats}

    def soft_q_loss(
        self, sr: SRBase, features: Tensor, actions: Tensor, inputs: Tensor, temperature: float
    ) -> Tensor:
        """Each part in turn over all its choices, the other parts as they were executed."""
        agents = torch.tensor([sr.own], device=actions.device)
        with torch.no_grad():
            options = self._one_part_changed(actions[:, sr.own]).unsqueeze(1)
            q_options = cast(SRNet, sr).q_choices(features, actions, agents, options)[1].squeeze(1)
        logp = inputs.log_softmax(-1)
        marginals = logp.exp() @ self._codes.to(actions.device)
        return -(marginals * q_options).sum(-1) - temperature * entropy(logp)

    def _one_part_changed(self, actions: Tensor) -> Tensor:
        """`(M, sum(sizes))`: actions `(M,)` with every choice of the first part, of the second, and so on."""
        options = []
        for size, stride in zip(self._sizes, self._strides.tolist(), strict=True):
            present = actions // stride % size
            choices = torch.arange(size, device=actions.device)
            options.append((actions - present * stride)[:, None] + choices * stride)
        return torch.cat(options, -1)


class ContinuousSweep(ActionSweep):
    """K quantiles of what is expected, weighted alike, and what spans the box for the spread of Q.

    That is K points from end to end of the box and the action that was taken, with weight 0. The spread is
    over all of them, so that no relationship exceeds 1 / (N - 1).
    """

    reported: ClassVar[tuple[str, ...]] = ("predicted_action_cross_entropy",)

    def __init__(self, action_size: int, num_points: int) -> None:
        self._size, self._count = action_size, num_points
        ranks = torch.from_numpy(_ranks(num_points, action_size)).double()
        quantiles = (ranks + 0.5) / num_points
        normal = torch.special.ndtri(quantiles)
        self._normal = (normal / normal.square().mean(0).sqrt()).float()
        self._uniform = (2 * quantiles - 1).float()
        self._span = (2 * ranks / (num_points - 1) - 1).float()
        self._weights = torch.cat([torch.full((num_points,), 1 / num_points), torch.zeros(num_points + 1)])

    def expected(self, inputs: Tensor) -> Prediction:
        """Quantiles of pi_SR's Gaussian."""
        return self._prediction(self._quantiles(inputs), inputs)

    def uniform(self, steps: int, co_players: int, device: torch.device) -> Prediction:
        """Quantiles of the uniform distribution."""
        points = self._uniform.to(device).expand(steps, co_players, self._count, self._size)
        return self._prediction(points, None)

    def _quantiles(self, inputs: Tensor) -> Tensor:
        """`(..., K, D)` of Gaussians `(..., 2D)`; their mean and variance are those of the Gaussians."""
        mean, log_std = inputs.chunk(2, -1)
        points: Tensor = mean.unsqueeze(-2) + log_std.exp().unsqueeze(-2) * self._normal.to(inputs.device)
        return points

    def _prediction(self, points: Tensor, inputs: Tensor | None) -> Prediction:
        span = self._span.to(points.device).expand_as(points)
        weights = self._weights.to(points.device).expand(*points.shape[:2], -1)
        return Prediction(weights, torch.cat([points, span], -2), inputs)

    def swaps(
        self, sr: SRBase, features: Tensor, actions: Tensor, agents: Tensor, predicted: Prediction
    ) -> tuple[Tensor, Tensor]:
        """Quantiles, points that span the box, and the action that was taken."""
        points = cast(Tensor, predicted.points)
        q_joint, q_points = cast(ContinuousSRNet, sr).q_points(features, actions, agents, points)
        taken = q_joint[:, None, None].expand(-1, len(agents), 1)
        return q_joint, torch.cat([q_points, taken], -1)

    def surprise(self, predicted: Prediction, actions: Tensor) -> dict[str, Tensor]:
        """Minus the logarithm of the density of what was done; it may be negative."""
        if predicted.inputs is None:
            nats = torch.full(actions.shape[:-1], self._size * math.log(2), device=actions.device)
        else:
            nats = -gaussian_logp(predicted.inputs, actions)
        return {"predicted_action_cross_entropy": nats}

    def soft_q_loss(
        self, sr: SRBase, features: Tensor, actions: Tensor, inputs: Tensor, temperature: float
    ) -> Tensor:
        """The gradient of Q with respect to the quantiles, which move with mean and standard deviation.

        A quantile beyond the box follows Q at the edge if that leads back, and rests if it leads further out.
        """
        points = self._quantiles(inputs)
        own = torch.tensor([sr.own], device=actions.device)
        executed = points.detach().clamp(-1, 1).requires_grad_()
        with torch.enable_grad():
            q_points = (
                cast(ContinuousSRNet, sr)
                .q_points(features.detach(), actions, own, executed.unsqueeze(1))[1]
                .squeeze(1)
            )
            (slopes,) = torch.autograd.grad(q_points.sum(), executed)
        outward = (points.abs() > 1) & (slopes * points > 0)
        slopes = slopes.masked_fill(outward, 0.0)
        return sr_actor_loss_soft_q_points(points, q_points, slopes, gaussian_entropy(inputs), temperature)


def _ranks(count: int, size: int) -> NDArray[Any]:
    """`(count, size)`, each column all ranks once, in an order of its own that is the same in every run."""
    generator = np.random.default_rng(_POINTS_SEED)
    others = [generator.permutation(count) for _ in range(size - 1)]
    return np.stack([np.arange(count), *others], -1)
