"""What LIO adds: incentives for co-players, and a value of the own extrinsic reward."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rllib_lase.networks.layers import Encoder, initialise


class IncentiveNet(nn.Module):
    """Own observation and the co-players' actions -> one incentive for each co-player."""

    def __init__(
        self,
        obs_shape: tuple[int, ...],
        num_actions: tuple[int, ...],
        hidden_size: int,
        max_incentive: float,
    ) -> None:
        """Builds the network.

        Args:
            obs_shape: Shape of the giver's own observation.
            num_actions: Number of actions of each of the N - 1 co-players, in their fixed order.
            hidden_size: Units of the linear layers.
            max_incentive: No incentive is larger.
        """
        super().__init__()
        self.num_actions = num_actions
        self.max_incentive = max_incentive
        self.encoder = Encoder(obs_shape)
        self.fc_obs = nn.Linear(self.encoder.out_features, hidden_size)
        self.fc_actions = nn.Linear(sum(num_actions), hidden_size, bias=False)
        self.fc = nn.Linear(hidden_size, hidden_size)
        self.out = nn.Linear(hidden_size, len(num_actions))
        initialise(self)
        with torch.no_grad():
            self.out.weight.mul_(0.01)

    def forward(self, obs: Tensor, actions: Tensor, present: Tensor) -> Tensor:
        """Incentives in [0, max_incentive].

        Args:
            obs: `(M, *obs)`.
            actions: `(M, N - 1)` int64, what the co-players did.
            present: `(M, N - 1)` bool, which of them did anything at all.

        Returns:
            `(M, N - 1)`, also for those who are not present.
        """
        rows = [
            F.one_hot(actions[:, k], size) * present[:, k : k + 1] for k, size in enumerate(self.num_actions)
        ]
        dtype = self.fc_obs.weight.dtype
        done = torch.cat(rows, -1).to(dtype)
        hidden = torch.relu(self.fc_obs(self.encoder(obs.to(dtype))) + self.fc_actions(done))
        raw: Tensor = self.out(torch.relu(self.fc(hidden)))
        return self.max_incentive * torch.sigmoid(raw)


class ValueNet(nn.Module):
    """Own observation -> a value."""

    def __init__(self, obs_shape: tuple[int, ...], hidden_size: int) -> None:
        super().__init__()
        self.encoder = Encoder(obs_shape)
        self.fc = nn.Linear(self.encoder.out_features, hidden_size)
        self.out = nn.Linear(hidden_size, 1)
        initialise(self)

    def forward(self, obs: Tensor) -> Tensor:
        """Values `(M,)` of observations `(M, *obs)`."""
        features = self.encoder(obs.to(self.fc.weight.dtype))
        values: Tensor = self.out(torch.relu(self.fc(features))).squeeze(-1)
        return values
