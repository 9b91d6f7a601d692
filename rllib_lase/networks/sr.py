"""SR value and SR policy on one encoder."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from rllib_lase.networks.layers import Encoder, Identity, first_linear, initialise, summed_rows

LOGIT_BOUND = 10.0


class SRNet(nn.Module):
    """SR value and SR policy on shared convolutions.

    The value head's first linear layer is split into an observation part and one embedding row per (agent,
    action): replacing one agent's action in the joint action replaces one row, so that a sweep over
    counterfactual actions never runs the encoder again.
    """

    def __init__(
        self,
        obs_shape: tuple[int, ...],
        num_actions: tuple[int, ...],
        own: int,
        hidden_size: int,
        shared: bool = False,
    ) -> None:
        """Builds the network.

        Args:
            obs_shape: Shape of the agent's own observation.
            num_actions: Number of actions of each of the N agents, in their fixed order.
            own: Position of the agent itself.
            hidden_size: Units of the linear layers.
            shared: Whether agents share their parameters. Then the own action is read from one more table,
                behind the N, whoever the agent is, so that it means the same to all.
        """
        super().__init__()
        self.own = own
        self.shared = shared
        self.num_actions = num_actions
        self.encoder = Encoder(obs_shape)
        identity = Identity(len(num_actions), own) if shared else None
        self.q_obs = first_linear(self.encoder.out_features, hidden_size, identity)
        self.q_actions = nn.Parameter(torch.empty(len(num_actions) + shared, max(num_actions), hidden_size))
        self.q_out = nn.Linear(hidden_size, 1)
        self.pi_fc = first_linear(self.encoder.out_features, hidden_size, identity)
        self.pi_out = nn.Linear(hidden_size, num_actions[own])
        initialise(self)
        bound = 1 / math.sqrt(self.encoder.out_features + sum(num_actions))
        nn.init.uniform_(self.q_actions, -bound, bound)
        with torch.no_grad():
            self.pi_out.weight.mul_(0.01)

    def policy_logits(self, features: Tensor) -> Tensor:
        """Bounded logits of pi_SR on encoder features, `(M, A)`."""
        raw = self.pi_out(torch.relu(self.pi_fc(features)))
        return LOGIT_BOUND * torch.tanh(raw / LOGIT_BOUND)

    def action_tables(self) -> Tensor:
        """The embedding rows that each agent's action is read from, `(N, A, hidden)`."""
        if not self.shared:
            return self.q_actions
        before, after = self.q_actions[: self.own], self.q_actions[self.own + 1 : -1]
        return torch.cat([before, self.q_actions[-1:], after])

    def action_rows(self, actions: Tensor) -> Tensor:
        """Sum of the embedding rows of a joint action `(M, N)`, `(M, hidden)`."""
        return summed_rows(self.action_tables(), actions)

    def q_head(self, pre_activation: Tensor) -> Tensor:
        """Q from the first layer's pre-activation, `(..., hidden) -> (...)`."""
        values: Tensor = self.q_out(torch.relu(pre_activation)).squeeze(-1)
        return values

    def q_joint(self, features: Tensor, actions: Tensor) -> Tensor:
        """Q(o, a) of executed joint actions `(M, N)`, `(M,)`."""
        return self.q_head(self.q_obs(features) + self.action_rows(actions))

    def q_swaps(self, features: Tensor, actions: Tensor, agents: Tensor) -> tuple[Tensor, Tensor]:
        """Q of the executed joint action, and with each of some agents' actions swapped for every other.

        Args:
            features: `(M, out_features)` of the own observation.
            actions: `(M, N)` executed joint actions.
            agents: `(J,)` int64, positions whose action is replaced in turn.

        Returns:
            `q_joint (M,)` and `q_swaps (M, J, A)`, everybody else's action held fixed.

        Source: Eq. 3.
        """
        pre_activation = self.q_obs(features) + self.action_rows(actions)
        rows = self.action_tables()[agents]
        taken = rows[torch.arange(len(agents), device=actions.device), actions[:, agents]]
        without = pre_activation.unsqueeze(1) - taken
        return self.q_head(pre_activation), self.q_head(without.unsqueeze(2) + rows)
