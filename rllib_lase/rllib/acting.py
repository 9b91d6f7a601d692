"""Acting for several agents at once: one batched matrix product per layer instead of a loop over networks.

With few copies of a game, call overhead and small convolutions cost more than arithmetic. A 3x3 convolution
on a small image is a matrix product with a sparse matrix; the expanded matrices of agents with equal shapes
are stacked once per fragment and used at every step. Larger images fall back to the networks themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import cast

import torch
from torch import Tensor, nn

from rllib_lase.networks import PolicyNet

#: Largest expanded convolution (output size times input size) that is still faster than convolving.
MAX_DENSE_ELEMENTS = 65_536


class GroupActor:
    """Policies of equal shape, one per agent, evaluated together without gradients, where they are.

    Attributes:
        device: Of the networks, and of what is given and returned.
    """

    def __init__(self, nets: Sequence[PolicyNet], obs_shape: tuple[int, ...]) -> None:
        self._nets = nets
        self.device = device_of(nets[0])
        self._obs_shape = obs_shape
        self._dense = _dense_sizes(nets[0], obs_shape)
        self.refresh()

    @torch.no_grad()
    def refresh(self) -> None:
        """Takes over the networks' present weights; call it whenever they changed."""
        if not self._dense:
            return
        layers: list[tuple[Tensor, Tensor]] = []
        shape = self._obs_shape
        for index in range(len(self._nets[0].encoder.convs)):
            convs = [net.encoder.conv_layers()[index] for net in self._nets]
            layers.append(_expanded(convs, shape))
            shape = (convs[0].weight.shape[0], shape[1] - 2, shape[2] - 2)
        fcs = [(net.fc.weight, net.fc.bias) for net in self._nets if net.fc is not None]
        if fcs:
            layers.append(_stacked(fcs))
        self._layers = layers
        pi = _stacked([net.pi.joint() for net in self._nets])
        vf = _stacked([(net.vf.weight, net.vf.bias) for net in self._nets])
        self._heads = torch.cat([pi[0], vf[0]], -1), torch.cat([pi[1], vf[1]], -1)
        lstms = [net.lstm for net in self._nets if net.lstm is not None]
        if lstms:
            parts = [[cast(Tensor, part) for part in lstm.all_weights[0]] for lstm in lstms]
            weight = torch.stack([torch.cat([into, hidden], 1).T for into, hidden, _, _ in parts])
            self._lstm = weight, torch.stack([b_in + b_hidden for _, _, b_in, b_hidden in parts]).unsqueeze(1)

    @torch.no_grad()
    def __call__(self, obs: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Heads of all agents.

        Args:
            obs: `(n, B, *obs)`, any dtype.
            state: `(n, B, 2 * lstm_size)` for recurrent policies.

        Returns:
            `(n, B, A + 1)`, logits and in the last column the value; and the next state.
        """
        if not self._dense:
            return self._by_network(obs, state)
        x = obs.flatten(2).float()
        for weight, bias in self._layers:
            x = torch.baddbmm(bias, x, weight).relu_()
        if state is not None:
            hidden, cell = state.chunk(2, -1)
            gates = torch.baddbmm(self._lstm[1], torch.cat([x, hidden], -1), self._lstm[0])
            into, forget, new, out = gates.chunk(4, -1)
            cell = torch.sigmoid(forget) * cell + torch.sigmoid(into) * torch.tanh(new)
            x = torch.sigmoid(out) * torch.tanh(cell)
            state = torch.cat([x, cell], -1)
        return torch.baddbmm(self._heads[1], x, self._heads[0]), state

    def _by_network(self, obs: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor | None]:
        heads, states = [], []
        for row, net in enumerate(self._nets):
            if state is None:
                output = net(obs[row])
            else:
                resets = torch.zeros(1, obs.shape[1], dtype=torch.bool, device=obs.device)
                sequence, after = net.forward_sequence(obs[row].unsqueeze(0), state[row], resets)
                output = type(sequence)(*(part.squeeze(0) for part in sequence))
                states.append(after)
            heads.append(torch.cat([output.action_dist_inputs, output.vf_preds.unsqueeze(-1)], -1))
        return torch.stack(heads), torch.stack(states) if states else None


def device_of(net: nn.Module) -> torch.device:
    """Where a network's parameters are."""
    return next(net.parameters()).device


def _dense_sizes(net: PolicyNet, obs_shape: tuple[int, ...]) -> bool:
    """Whether every convolution of `net` is small enough to be expanded."""
    shape = obs_shape
    for conv in net.encoder.conv_layers():
        after = (conv.weight.shape[0], shape[1] - 2, shape[2] - 2)
        if _size(shape) * _size(after) > MAX_DENSE_ELEMENTS:
            return False
        shape = after
    return True


def _size(shape: tuple[int, ...]) -> int:
    return int(torch.Size(shape).numel())


def _stacked(layers: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """Weights `(n, in, out)` and biases `(n, 1, out)` of linear layers, given as `(out, in)` and `(out,)`."""
    weight = torch.stack([weight for weight, _ in layers]).transpose(1, 2).contiguous()
    return weight, torch.stack([bias for _, bias in layers]).unsqueeze(1)


def _expanded(convs: Sequence[nn.Conv2d], shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Linear layers (weights, biases) that equal valid 3x3 convolutions on flattened images of `shape`."""
    kernels = torch.stack([conv.weight.flatten() for conv in convs])
    padded = torch.cat([kernels, kernels.new_zeros(len(convs), 1)], 1)
    index = _expansion(convs[0].weight.shape[0], *shape, kernels.device)
    weight = padded.index_select(1, index.flatten()).unflatten(1, tuple(index.shape))
    positions = index.shape[1] // convs[0].weight.shape[0]
    bias = torch.stack([cast(Tensor, conv.bias) for conv in convs]).repeat_interleave(positions, 1)
    return weight, bias.unsqueeze(1)


@lru_cache(maxsize=32)
def _expansion(out_channels: int, in_channels: int, height: int, width: int, device: torch.device) -> Tensor:
    """`(inputs, outputs)`: which kernel entry connects them; the entry past the end stands for 0."""
    kernel = torch.arange(out_channels * in_channels * 9).view(out_channels, in_channels, 3, 3)
    rows, columns = height - 2, width - 2
    index = torch.full((out_channels, rows, columns, in_channels, height, width), kernel.numel())
    for row in range(rows):
        for column in range(columns):
            index[:, row, column, :, row : row + 3, column : column + 3] = kernel
    return index.view(out_channels * rows * columns, -1).T.contiguous().to(device)
