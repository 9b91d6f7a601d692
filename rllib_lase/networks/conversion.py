"""The conversion network: what an agent imagines that a co-player sees."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
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
        binary: bool,
        identity: Identity | None = None,
    ) -> None:
        """Builds the network.

        Args:
            obs_shape: Shape of the agent's own observation.
            num_agents: N, length of the one-hot id.
            hidden_size: Units of the linear layers.
            binary: Whether observations lie in [0, 1]: sigmoid output, biased towards 0; else linear.
            identity: Whose it is, if agents share their parameters.
        """
        super().__init__()
        self.obs_shape = obs_shape
        self.binary = binary
        self.encoder = Encoder(obs_shape, CONV_CHANNELS[:1])
        self.fc1 = first_linear(self.encoder.out_features, hidden_size, identity)
        self.ids = nn.Parameter(torch.empty(num_agents, hidden_size))
        self.fc2 = nn.Linear(hidden_size, hidden_size)
        self.out = nn.Linear(hidden_size, math.prod(obs_shape))
        initialise(self)
        bound = 1 / math.sqrt(self.encoder.out_features + num_agents)
        nn.init.uniform_(self.ids, -bound, bound)
        if binary:
            nn.init.constant_(self.out.bias, -2.0)

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
        raw = self.out(hidden)
        imagined: Tensor = (torch.sigmoid(raw) if self.binary else raw).unflatten(-1, self.obs_shape)
        return imagined
