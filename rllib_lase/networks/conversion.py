"""The conversion network: what an agent imagines that a co-player sees."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from rllib_lase.networks.layers import CONV_CHANNELS, Encoder, Identity, first_linear, initialise


class ConversionNet(nn.Module):
    """Own observation and a co-player's id -> the observation that one imagines it to have.

    The first fully connected layer is split like the SR value head's, so that the convolution runs once per
    own observation, not once per co-player.
    """

    def __init__(
        self,
        obs_shape: tuple[int, ...],
        num_agents: int,
        hidden_size: int,
        unit_range: bool | NDArray[np.bool_],
        identity: Identity | None = None,
        one_hot_groups: Sequence[tuple[int, int]] = (),
    ) -> None:
        """Builds the network.

        Args:
            obs_shape: Shape of the agent's own observation.
            num_agents: N, length of the one-hot id.
            hidden_size: Units of the linear layers.
            unit_range: Whether observations lie in [0, 1], or `(*obs)` which of their numbers do: sigmoid
                output there, biased towards 0; else linear.
            identity: Whose it is, if agents share their parameters.
            one_hot_groups: Where in a flat observation one-hot codes begin and end: softmax output there.
        """
        super().__init__()
        self.obs_shape = obs_shape
        bounded = np.broadcast_to(unit_range, obs_shape).reshape(-1).copy()
        self._all_bounded, self._any_bounded = bool(bounded.all()), bool(bounded.any())
        self.register_buffer("bounded", torch.from_numpy(bounded), persistent=False)
        self.one_hot_groups = tuple(one_hot_groups)
        self.encoder = Encoder(obs_shape, CONV_CHANNELS[:1])
        self.fc1 = first_linear(self.encoder.out_features, hidden_size, identity)
        self.ids = nn.Parameter(torch.empty(num_agents, hidden_size))
        self.fc2 = nn.Linear(hidden_size, hidden_size)
        self.out = nn.Linear(hidden_size, math.prod(obs_shape))
        initialise(self)
        bound = 1 / math.sqrt(self.encoder.out_features + num_agents)
        nn.init.uniform_(self.ids, -bound, bound)
        with torch.no_grad():
            self.out.bias[torch.from_numpy(bounded)] = -2.0

    def own_part(self, obs: Tensor) -> Tensor:
        """First layer's pre-activation from the own observation `(M, *obs)`, `(M, hidden)`."""
        out: Tensor = self.fc1(self.encoder(obs))
        return out

    def imagine(self, own_part: Tensor, agents: Tensor) -> Tensor:
        """Imagined observations of co-players.

        Args:
            own_part: `(M, hidden)` or `(M, 1, hidden)`.
            agents: int64 positions that broadcast against it, `(M,)` or `(J,)`.

        Returns:
            `(..., *obs)`.
        """
        hidden = torch.relu(self.fc2(torch.relu(own_part + F.embedding(agents, self.ids))))
        imagined: Tensor = self._in_range(self.out(hidden)).unflatten(-1, self.obs_shape)
        return imagined

    def _in_range(self, raw: Tensor) -> Tensor:
        """Every number brought into the range that observations have there."""
        values = torch.sigmoid(raw) if self._any_bounded else raw
        if self._any_bounded and not self._all_bounded:
            values = torch.where(cast(Tensor, self.bounded), values, raw)
        for begin, end in self.one_hot_groups:
            code = raw[..., begin:end].softmax(-1)
            values = torch.cat([values[..., :begin], code, values[..., end:]], -1)
        return values
