"""The model of other agents: what they will do next, given what everybody does now."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from rllib_lase.networks.layers import Encoder, initialise, summed_rows


class MOANet(nn.Module):
    """Model of other agents: own observation and joint action -> every co-player's next action.

    The first linear layer is split like the SR value head's, so that a sweep over the own counterfactual
    actions runs the encoder once.

    Attributes:
        own: Position of the agent itself.
        others: Positions of its J co-players, in order.
    """

    impossible: Tensor

    def __init__(
        self, obs_shape: tuple[int, ...], num_actions: tuple[int, ...], own: int, hidden_size: int
    ) -> None:
        """Builds the network; its first predictions are nearly uniform.

        Args:
            obs_shape: Shape of the agent's own observation.
            num_actions: Number of actions of each of the N agents, in their fixed order.
            own: Position of the agent itself.
            hidden_size: Units of the linear layers.
        """
        super().__init__()
        self.own = own
        self.others = [agent for agent in range(len(num_actions)) if agent != own]
        self.encoder = Encoder(obs_shape)
        self.fc_obs = nn.Linear(self.encoder.out_features, hidden_size)
        self.action_table = nn.Parameter(torch.empty(len(num_actions), max(num_actions), hidden_size))
        self.fc = nn.Linear(hidden_size, hidden_size)
        self.out = nn.Linear(hidden_size, len(self.others) * max(num_actions))
        sizes = torch.tensor([num_actions[agent] for agent in self.others])
        impossible = torch.arange(max(num_actions)) >= sizes.unsqueeze(-1)
        self.register_buffer("impossible", impossible, persistent=False)
        self.num_own_actions = num_actions[own]
        initialise(self)
        bound = 1 / math.sqrt(self.encoder.out_features + sum(num_actions))
        nn.init.uniform_(self.action_table, -bound, bound)
        with torch.no_grad():
            self.out.weight.mul_(0.01)

    def next_logits(self, features: Tensor, actions: Tensor) -> Tensor:
        """Logits of the co-players' next actions after joint actions.

        Args:
            features: `(M, out_features)` of the own observation.
            actions: `(M, N)` executed joint actions.

        Returns:
            `(M, J, A')`, A' the largest number of actions; -1e9 for actions that a co-player does not have.
        """
        return self._head(self.fc_obs(features) + summed_rows(self.action_table, actions))

    def swept_logits(self, features: Tensor, actions: Tensor) -> Tensor:
        """As `next_logits`, with the own action replaced by each in turn, `(M, A, J, A')`."""
        rows = self.action_table[self.own, : self.num_own_actions]
        executed = self.fc_obs(features) + summed_rows(self.action_table, actions)
        without = executed - rows[actions[:, self.own]]
        return self._head(without.unsqueeze(1) + rows)

    def _head(self, pre_activation: Tensor) -> Tensor:
        hidden = torch.relu(self.fc(torch.relu(pre_activation)))
        logits: Tensor = self.out(hidden).unflatten(-1, self.impossible.shape)
        return logits.masked_fill(self.impossible, -1e9)
