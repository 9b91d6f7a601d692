"""What several networks are made of: the encoder, layers that agents share, initial weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CONV_CHANNELS = (16, 32)
#: Largest image (channels x height x width) that is convolved by patches.
MAX_PATCHED_INPUTS = 1024
#: Logarithms of standard deviations of continuous actions lie between these, in units of half their range.
LOG_STD_RANGE = (-3.0, 1.0)
INITIAL_LOG_STD = -0.5
#: Standard deviation of the agents' biases in an `AgentLinear` at the start.
BIAS_SPREAD = 0.5


class Encoder(nn.Module):
    """Two 3x3 convolutions for images of at least 5x5, flattening for everything smaller or flat.

    Small images are convolved as matrix products over patches, which is faster on a CPU: same values.

    Attributes:
        out_features: Length of the feature vector.
    """

    def __init__(self, obs_shape: tuple[int, ...], channels: tuple[int, ...] = CONV_CHANNELS) -> None:
        super().__init__()
        self.convs = nn.ModuleList()
        self.out_features = math.prod(obs_shape)
        if len(obs_shape) == 3 and min(obs_shape[1:]) >= 2 * len(channels) + 1:
            in_channels, height, width = obs_shape
            if math.prod(obs_shape) <= MAX_PATCHED_INPUTS:
                self.register_buffer("patches", _patch_index(obs_shape), persistent=False)
            for out_channels in channels:
                self.convs.append(nn.Conv2d(in_channels, out_channels, 3))
                in_channels, height, width = out_channels, height - 2, width - 2
            self.out_features = in_channels * height * width

    def forward(self, obs: Tensor) -> Tensor:
        """Features `(M, out_features)` of float observations `(M, *obs)`."""
        features = obs
        for position, conv in enumerate(self.conv_layers()):
            patched = position == 0 and hasattr(self, "patches") and not features.requires_grad
            convolved = self._convolve_patches(conv, features) if patched else _convolve(conv, features)
            features = torch.relu(convolved)
        return features.flatten(1)

    def conv_layers(self) -> list[nn.Conv2d]:
        """The convolutions in order; none for small or flat observations."""
        return [cast(nn.Conv2d, conv) for conv in self.convs]

    def _convolve_patches(self, conv: nn.Conv2d, images: Tensor) -> Tensor:
        """A valid convolution as one matrix product over all 3x3 patches; for inputs without gradient."""
        height, width = images.shape[-2] - 2, images.shape[-1] - 2
        patches = images.flatten(1).index_select(1, cast(Tensor, self.patches))
        rows = patches.view(-1, conv.in_channels * 9)
        out = F.linear(rows, conv.weight.flatten(1), conv.bias)
        return out.view(len(images), height, width, conv.out_channels).permute(0, 3, 1, 2)


def _patch_index(obs_shape: tuple[int, ...]) -> Tensor:
    """Positions in a flattened image of all its 3x3 patches, patch after patch."""
    positions = torch.arange(math.prod(obs_shape)).view(obs_shape)
    return positions.unfold(1, 3, 1).unfold(2, 3, 1).permute(1, 2, 0, 3, 4).flatten()


def _convolve(conv: nn.Conv2d, images: Tensor) -> Tensor:
    """A valid convolution; a matrix product where the kernel covers the whole image."""
    if images.shape[-2:] == (3, 3):
        flat = images.permute(0, 2, 3, 1).flatten(1)
        return F.linear(flat, conv.weight.permute(0, 2, 3, 1).flatten(1), conv.bias)[:, :, None, None]
    out: Tensor = conv(images)
    return out


class Identity(NamedTuple):
    """Whom a network serves whose parameters several agents share: `own` of `num_agents`."""

    num_agents: int
    own: int


class AgentLinear(nn.Module):
    """A linear layer that several agents share, with a bias for each, as if it read a one-hot id, too.

    The biases differ from the start: of agents that begin alike, hardly any took a role of its own.
    """

    def __init__(self, in_features: int, out_features: int, identity: Identity) -> None:
        super().__init__()
        self.own = identity.own
        self.weight = nn.Parameter(torch.empty(out_features, in_features))
        self.biases = nn.Parameter(torch.empty(identity.num_agents, out_features))
        nn.init.orthogonal_(self.weight, math.sqrt(2))
        nn.init.normal_(self.biases, std=BIAS_SPREAD)

    @property
    def bias(self) -> Tensor:
        """The own bias, `(out_features,)`."""
        return self.biases[self.own]

    def forward(self, features: Tensor) -> Tensor:
        """`(..., in_features) -> (..., out_features)`."""
        return F.linear(features, self.weight, self.bias)


def first_linear(in_features: int, out_features: int, identity: Identity | None) -> nn.Linear | AgentLinear:
    """The layer on an encoder's features; it knows the agent where agents share it."""
    if identity is None:
        return nn.Linear(in_features, out_features)
    return AgentLinear(in_features, out_features, identity)


class LogStd(nn.Module):
    """Logarithms of standard deviations, the same at all observations, learnt within `LOG_STD_RANGE`.

    The bound is smooth: behind a hard one a parameter would have no gradient that brings it back.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        lowest, highest = LOG_STD_RANGE
        place = 2 * (INITIAL_LOG_STD - lowest) / (highest - lowest) - 1
        self.raw = nn.Parameter(torch.full((size,), math.atanh(place)))

    def forward(self) -> Tensor:
        """`(size,)`."""
        lowest, highest = LOG_STD_RANGE
        return (highest + lowest) / 2 + (highest - lowest) / 2 * torch.tanh(self.raw)


def summed_rows(table: Tensor, actions: Tensor) -> Tensor:
    """Sum of a table's rows `(N, A, hidden)` of a joint action `(M, N)`, `(M, hidden)`.

    As a product with one-hot rows: the gradient of plain indexing would be scattered row by row.
    """
    one_hot = F.one_hot(actions, table.shape[1]).flatten(1).to(table.dtype)
    return one_hot @ table.flatten(0, 1)


def share_parameters(nets: Sequence[nn.Module]) -> None:
    """Gives all networks the parameters of the first, as the very same objects.

    What is no parameter stays each network's own, such as the position of its agent.

    Args:
        nets: Networks of the same shape.
    """
    first, *others = nets
    owned = dict(first.named_parameters())
    for net in others:
        for name, _ in list(net.named_parameters()):
            layer, _, attribute = name.rpartition(".")
            setattr(net.get_submodule(layer), attribute, owned[name])


def initialise(module: nn.Module) -> None:
    """Orthogonal weights and zero biases for linear and convolutional layers."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            nn.init.orthogonal_(layer.weight, math.sqrt(2))
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
