"""The bound: a round's tensor work alone, as fast as we know how to write it in torch without any framework.

Acting for every step, then one gradient step of every agent, on recorded observations. No game is stepped, no
advantages are estimated, no gradient is clipped and nothing is reported.

The agents' weights are stacked, so that each layer is one batched matrix product, and the first 3x3
convolution is a product with an expanded matrix. One network after another, with convolutions, takes about
1.4 times as long; image patches, grouped convolutions and channels-last are slower still.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from rllib_lase.core.returns import generalized_advantages
from rllib_lase.networks import PolicyNet
from rllib_lase.rollout import JointRollout

_VF_LOSS_COEFF, _ENTROPY_COEFF = 0.5, 0.05


@dataclass(frozen=True)
class RecordedRound:
    """One rollout's tensors: `obs (N, T, B, *obs)` uint8, the others `(N, T * B)`."""

    obs: Tensor
    actions: Tensor
    advantages: Tensor
    value_targets: Tensor

    @classmethod
    def of(cls, rollout: JointRollout, gamma: float, lambda_: float) -> RecordedRound:
        """What a learner of its own reward learns from."""
        data = rollout.to_tensors()
        advantages = generalized_advantages(
            data.rewards,
            data.vf_preds,
            data.final_vf_preds,
            data.terminateds,
            data.truncateds,
            gamma,
            lambda_,
        )
        return cls(
            torch.stack([obs[:-1] for obs in data.obs]),
            data.actions.flatten(1),
            advantages.flatten(1),
            (advantages + data.vf_preds[:, :-1]).flatten(1),
        )


class BareTorch:
    """Trains copies of `nets` on recorded rounds.

    Args:
        nets: One per agent, of equal shape, with two convolutions of which the second covers its whole input.
        rounds: Recorded rounds; used in turn.
        rounds_per_turn: Rounds in one `train`.
        lr: Adam's learning rate.
    """

    name = "bare torch"

    def __init__(
        self, nets: Sequence[PolicyNet], rounds: Sequence[RecordedRound], rounds_per_turn: int, lr: float
    ) -> None:
        self._rounds, self._rounds_per_turn, self._next = rounds, rounds_per_turn, 0
        self._expansion = _Expansion(nets[0].encoder.conv_layers()[0], tuple(rounds[0].obs.shape[3:]))
        self._parameters = [nn.Parameter(tensor) for tensor in _stacked(nets)]
        self._initial = [parameter.detach().clone() for parameter in self._parameters]
        self._optimizer = torch.optim.Adam(self._parameters, lr=lr, fused=True)
        self._loss = torch.zeros(())
        self._action_counts = torch.zeros(nets[0].pi.out_features, dtype=torch.int64)

    def train(self) -> int:
        """One turn."""
        # RLlib's seeding switches torch's deterministic algorithms on for the whole process; they cost time.
        deterministic = torch.are_deterministic_algorithms_enabled()
        torch.use_deterministic_algorithms(False)
        try:
            return self._train()
        finally:
            torch.use_deterministic_algorithms(deterministic)

    def _train(self) -> int:
        env_steps = 0
        for _ in range(self._rounds_per_turn):
            data = self._rounds[self._next]
            self._next = (self._next + 1) % len(self._rounds)
            self._act(data.obs)
            self._learn(data)
            env_steps += data.obs.shape[1] * data.obs.shape[2]
        return env_steps

    def _layers(self) -> tuple[list[tuple[Tensor, Tensor]], tuple[Tensor, Tensor]]:
        """Weights `(N, in, out)` and biases `(N, 1, out)` of hidden layers and heads."""
        kernel, bias, *rest = self._parameters
        positions = self._expansion.positions
        first = self._expansion(kernel), bias.repeat_interleave(positions, 1).unsqueeze(1)
        pairs = [(rest[i], rest[i + 1].unsqueeze(1)) for i in range(0, len(rest), 2)]
        return [first, *pairs[:-1]], pairs[-1]

    @torch.no_grad()
    def _act(self, obs: Tensor) -> Tensor:
        """Draws all actions of a fragment, `(T, N, B)`, step by step as a game would need them."""
        layers, (head, head_bias) = self._layers()
        agents, steps, copies = obs.shape[:3]
        # Adding Gumbel noise to logits and taking the largest draws from their softmax.
        noise = -torch.empty(steps, agents, copies, head.shape[-1] - 1).exponential_().log_()
        actions = torch.empty(steps, agents, copies, dtype=torch.int64)
        for t in range(steps):
            x = obs[:, t].flatten(2).float()
            for weight, bias in layers:
                x = torch.baddbmm(bias, x, weight).relu_()
            heads = torch.baddbmm(head_bias, x, head)
            torch.argmax(heads[..., :-1] + noise[t], -1, out=actions[t])
        self._action_counts += actions.flatten().bincount(minlength=len(self._action_counts))
        return actions

    def _learn(self, data: RecordedRound) -> None:
        """One Adam step of every agent on its own actor-critic loss."""
        layers, (head, head_bias) = self._layers()
        x = data.obs.flatten(1, 2).flatten(2).float()
        for weight, bias in layers:
            x = torch.baddbmm(bias, x, weight).relu_()
        heads = torch.baddbmm(head_bias, x, head)
        logp = heads[..., :-1].log_softmax(-1)
        taken = logp.gather(-1, data.actions.unsqueeze(-1)).squeeze(-1)
        vf_error = (heads[..., -1] - data.value_targets).square()
        negative_entropy = (logp.exp() * logp).sum(-1)
        terms = _VF_LOSS_COEFF * vf_error - taken * data.advantages + _ENTROPY_COEFF * negative_entropy
        self._loss = terms.mean(-1).sum()
        gradients = torch.autograd.grad(self._loss, self._parameters)
        for parameter, gradient in zip(self._parameters, gradients, strict=True):
            parameter.grad = gradient
        self._optimizer.step()

    def check(self) -> None:
        """Finite loss, moved weights, and more than one kind of action."""
        assert torch.isfinite(self._loss), f"bare torch: loss {self._loss}"
        for parameter, initial in zip(self._parameters, self._initial, strict=True):
            assert not torch.equal(parameter, initial), "bare torch: weights have not moved"
        assert (self._action_counts > 0).sum() > 1, "bare torch: always the same action"


class _Expansion:
    """A valid 3x3 convolution's kernel `(N, out, in, 3, 3)` as a matrix on flattened images.

    Attributes:
        positions: Number of output positions.
    """

    def __init__(self, conv: nn.Conv2d, obs_shape: tuple[int, ...]) -> None:
        out_channels, in_channels = conv.out_channels, conv.in_channels
        height, width = obs_shape[1:]
        entries = torch.arange(out_channels * in_channels * 9).view(out_channels, in_channels, 3, 3)
        rows, columns = height - 2, width - 2
        index = torch.full((out_channels, rows, columns, in_channels, height, width), entries.numel())
        for row in range(rows):
            for column in range(columns):
                index[:, row, column, :, row : row + 3, column : column + 3] = entries
        matrix = index.view(out_channels * rows * columns, -1).T
        self.positions = rows * columns
        self._shape = matrix.shape
        self._index = matrix.flatten()
        self._sources = self._index.argsort(stable=True)[: entries.numel() * self.positions]

    def __call__(self, kernel: Tensor) -> Tensor:
        """`(N, inputs, outputs)`."""
        matrix: Tensor = _Expand.apply(kernel, self._index, self._sources, self._shape)  # type: ignore[no-untyped-call]
        return matrix


class _Expand(torch.autograd.Function):
    """A gather whose gradient is a gather, too; autograd's own would scatter, several times slower."""

    @staticmethod
    def forward(ctx: Any, kernel: Tensor, index: Tensor, sources: Tensor, shape: torch.Size) -> Tensor:
        ctx.sources, ctx.kernel_shape = sources, kernel.shape
        padded = torch.cat([kernel.flatten(1), kernel.new_zeros(len(kernel), 1)], 1)
        matrix: Tensor = padded.index_select(1, index).unflatten(1, tuple(shape))
        return matrix

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        gathered = gradients[0].flatten(1).index_select(1, ctx.sources)
        kernel: Tensor = gathered.view(*ctx.kernel_shape, -1).sum(-1)
        return kernel, None, None, None


@torch.no_grad()
def _stacked(nets: Sequence[PolicyNet]) -> list[Tensor]:
    """First kernels `(N, out, in, 3, 3)` and biases, then `(N, in, out)` and `(N, out)` of each layer."""
    first = [net.encoder.conv_layers()[0] for net in nets]
    second = [net.encoder.conv_layers()[1] for net in nets]
    stacked = [
        torch.stack([conv.weight for conv in first]),
        torch.stack([cast(Tensor, conv.bias) for conv in first]),
        torch.stack([conv.weight.flatten(1).T for conv in second]),
        torch.stack([cast(Tensor, conv.bias) for conv in second]),
        torch.stack([cast(nn.Linear, net.fc).weight.T for net in nets]),
        torch.stack([cast(nn.Linear, net.fc).bias for net in nets]),
        torch.stack([torch.cat([net.pi.weight, net.vf.weight]).T for net in nets]),
        torch.stack([torch.cat([net.pi.bias, net.vf.bias]) for net in nets]),
    ]
    return [tensor.contiguous() for tensor in stacked]
