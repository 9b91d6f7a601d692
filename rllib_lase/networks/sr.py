"""SR value and SR policy on one encoder, for discrete and for continuous actions."""

from __future__ import annotations

import abc
import math

import torch
from torch import Tensor, nn

from rllib_lase.networks.layers import Encoder, Identity, LogStd, first_linear, initialise, summed_rows

LOGIT_BOUND = 10.0
#: Bound of the means of continuous actions: beyond the box, so that no gradient vanishes within it.
MEAN_BOUND = 1.5


class SRBase(nn.Module, abc.ABC):
    """SR value and SR policy on shared convolutions.

    The value head's first linear layer is split into an observation part and a vector per agent that depends
    on its action alone: replacing one agent's action in the joint action replaces one vector, so that a sweep
    over counterfactual actions never runs the encoder again.
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
            num_actions: Number of actions of each of the N agents, in their fixed order; of continuous
                actions D of each.
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

    @abc.abstractmethod
    def policy_inputs(self, features: Tensor) -> Tensor:
        """`action_dist_inputs` of pi_SR on encoder features `(M, out_features)`."""

    @abc.abstractmethod
    def action_rows(self, actions: Tensor) -> Tensor:
        """Sum of all agents' vectors of joint actions `(M, N)` or `(M, N, D)`, `(M, hidden)`."""

    def action_tables(self) -> Tensor:
        """The rows that each agent's action is read from, `(N, A, hidden)` or `(N, D, hidden)`."""
        if not self.shared:
            return self.q_actions
        before, after = self.q_actions[: self.own], self.q_actions[self.own + 1 : -1]
        return torch.cat([before, self.q_actions[-1:], after])

    def q_head(self, pre_activation: Tensor) -> Tensor:
        """Q from the first layer's pre-activation, `(..., hidden) -> (...)`."""
        values: Tensor = self.q_out(torch.relu(pre_activation)).squeeze(-1)
        return values

    def q_joint(self, features: Tensor, actions: Tensor) -> Tensor:
        """Q(o, a) of executed joint actions `(M, N)` or `(M, N, D)`, `(M,)`."""
        return self.q_head(self.q_obs(features) + self.action_rows(actions))


class SRNet(SRBase):
    """For discrete actions: an agent's vector is the embedding row of its action."""

    def policy_inputs(self, features: Tensor) -> Tensor:
        """Bounded logits of pi_SR on encoder features, `(M, A)`."""
        raw = self.pi_out(torch.relu(self.pi_fc(features)))
        return LOGIT_BOUND * torch.tanh(raw / LOGIT_BOUND)

    def action_rows(self, actions: Tensor) -> Tensor:
        """Sum of the embedding rows of a joint action `(M, N)`, `(M, hidden)`."""
        return summed_rows(self.action_tables(), actions)

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


class ContinuousSRNet(SRBase):
    """For actions `(D,)` in [-1, 1]: an agent's vector is a linear map of its action.

    Actions beyond are read as the nearest ones within, which are executed in their place.
    """

    def __init__(
        self,
        obs_shape: tuple[int, ...],
        num_agents: int,
        action_size: int,
        own: int,
        hidden_size: int,
        shared: bool = False,
    ) -> None:
        """Builds the network; arguments as `SRNet`'s, `action_size` being D of all agents."""
        super().__init__(obs_shape, (action_size,) * num_agents, own, hidden_size, shared)
        self.log_std = LogStd(action_size)

    def policy_inputs(self, features: Tensor) -> Tensor:
        """Bounded means and logarithms of standard deviations of pi_SR on encoder features, `(M, 2D)`."""
        mean = MEAN_BOUND * torch.tanh(self.pi_out(torch.relu(self.pi_fc(features))) / MEAN_BOUND)
        return torch.cat([mean, self.log_std().expand_as(mean)], -1)

    def action_rows(self, actions: Tensor) -> Tensor:
        """Sum of all agents' maps of a joint action `(M, N, D)`, `(M, hidden)`."""
        return actions.clamp(-1, 1).flatten(1) @ self.action_tables().flatten(0, 1)

    def q_points(
        self, features: Tensor, actions: Tensor, agents: Tensor, points: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Q of the executed joint action, and with each of some agents' actions swapped for given ones.

        Args:
            features: `(M, out_features)` of the own observation.
            actions: `(M, N, D)` executed joint actions.
            agents: `(J,)` int64, positions whose action is replaced in turn.
            points: `(M, J, K, D)`, what each is replaced by.

        Returns:
            `q_joint (M,)` and `q_swaps (M, J, K)`, everybody else's action held fixed.

        Source: Eq. 3.
        """
        pre_activation = self.q_obs(features) + self.action_rows(actions)
        maps = self.action_tables()[agents]
        taken = torch.einsum("mjd,jdh->mjh", actions[:, agents].clamp(-1, 1), maps)
        swapped = torch.einsum("mjkd,jdh->mjkh", points.clamp(-1, 1), maps)
        without = pre_activation.unsqueeze(1) - taken
        return self.q_head(pre_activation), self.q_head(without.unsqueeze(2) + swapped)
