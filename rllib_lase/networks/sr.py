"""SR value and SR policy on one encoder, for discrete and for continuous actions."""

from __future__ import annotations

import abc
import math
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from rllib_lase.action_spaces import choice_codes
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
        num_actions: Sequence[int | tuple[int, ...]],
        own: int,
        hidden_size: int,
        shared: bool = False,
        predicts_others: bool = True,
    ) -> None:
        """Builds the network.

        Args:
            obs_shape: Shape of the agent's own observation.
            num_actions: Number of actions of each of the N agents, in their fixed order; where actions have
                several parts, the number of choices of each part; of continuous actions D of each.
            own: Position of the agent itself.
            hidden_size: Units of the linear layers.
            shared: Whether agents share their parameters. Then the own action is read from one more table,
                behind the N, whoever the agent is, so that it means the same to all.
            predicts_others: Whether pi_SR has a head for each action space of others that is not its own.
        """
        super().__init__()
        self.own = own
        self.shared = shared
        self.sizes = tuple((n,) if isinstance(n, int) else tuple(n) for n in num_actions)
        self.num_actions = tuple(math.prod(sizes) for sizes in self.sizes)
        widths = [sum(sizes) for sizes in self.sizes]
        others = [sizes for sizes in dict.fromkeys(self.sizes) if sizes != self.sizes[own]]
        self.encoder = Encoder(obs_shape)
        identity = Identity(len(num_actions), own) if shared else None
        self.q_obs = first_linear(self.encoder.out_features, hidden_size, identity)
        self.q_actions = nn.Parameter(torch.empty(len(num_actions) + shared, max(widths), hidden_size))
        self.q_out = nn.Linear(hidden_size, 1)
        self.pi_fc = first_linear(self.encoder.out_features, hidden_size, identity)
        self.pi_out = nn.Linear(hidden_size, widths[own])
        self.pi_others = nn.ModuleList(
            nn.Linear(hidden_size, sum(sizes)) for sizes in others if predicts_others
        )
        self._heads = {self.sizes[own]: self.pi_out, **dict(zip(others, self.pi_others, strict=False))}
        initialise(self)
        bound = 1 / math.sqrt(self.encoder.out_features + sum(widths))
        nn.init.uniform_(self.q_actions, -bound, bound)
        with torch.no_grad():
            for head in self._heads.values():
                cast(nn.Linear, head).weight.mul_(0.01)

    def policy_inputs(self, features: Tensor) -> Tensor:
        """`action_dist_inputs` of pi_SR on encoder features `(M, out_features)`, of the own actions."""
        return self.head_inputs(self.policy_hidden(features), self.own)

    def policy_hidden(self, features: Tensor) -> Tensor:
        """The layer below the heads of pi_SR, `(M, hidden)`."""
        return torch.relu(self.pi_fc(features))

    @abc.abstractmethod
    def head_inputs(self, hidden: Tensor, like: int) -> Tensor:
        """`action_dist_inputs` of the head for the actions that the agent at position `like` has."""

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

    def __init__(
        self,
        obs_shape: tuple[int, ...],
        num_actions: Sequence[int | tuple[int, ...]],
        own: int,
        hidden_size: int,
        shared: bool = False,
        predicts_others: bool = True,
    ) -> None:
        super().__init__(obs_shape, num_actions, own, hidden_size, shared, predicts_others)
        self.has_parts = any(len(sizes) > 1 for sizes in self.sizes)
        if self.has_parts:
            codes = torch.zeros(len(self.sizes), max(self.num_actions), self.q_actions.shape[1])
            for agent, sizes in enumerate(self.sizes):
                codes[agent, : self.num_actions[agent], : sum(sizes)] = torch.from_numpy(choice_codes(sizes))
            #: `(N, A, W)`: which rows of an agent's table make up each of its actions.
            self.register_buffer("codes", codes, persistent=False)

    def head_inputs(self, hidden: Tensor, like: int) -> Tensor:
        """Bounded logits `(M, A)`; those of an action with several parts are its parts' in sum."""
        sizes = self.sizes[like]
        bounded = LOGIT_BOUND * torch.tanh(self._heads[sizes](hidden) / LOGIT_BOUND)
        return bounded if len(sizes) == 1 else bounded @ self.codes_of(like).T

    def codes_of(self, agent: int) -> Tensor:
        """`(A, sum(sizes))`, what each of an agent's actions consists of; of actions with several parts."""
        return cast(Tensor, self.codes)[agent, : self.num_actions[agent], : sum(self.sizes[agent])]

    def action_rows(self, actions: Tensor) -> Tensor:
        """Sum of the embedding rows of a joint action `(M, N)`, `(M, hidden)`."""
        if not self.has_parts:
            return summed_rows(self.action_tables(), actions)
        places = torch.arange(actions.shape[1], device=actions.device)
        return cast(Tensor, self.codes)[places, actions].flatten(1) @ self.action_tables().flatten(0, 1)

    def rows_of(self, agents: Tensor) -> Tensor:
        """The embeddings `(J, A, hidden)` of all actions of some agents with the same actions."""
        rows, count = self.action_tables()[agents], self.num_actions[int(agents[0])]
        return cast(Tensor, self.codes)[agents, :count] @ rows if self.has_parts else rows[:, :count]

    def _without(
        self, features: Tensor, actions: Tensor, agents: Tensor, rows: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Pre-activations of the executed joint action, and `(M, J, hidden)` without each agent's part."""
        pre_activation = self.q_obs(features) + self.action_rows(actions)
        taken = rows[torch.arange(len(agents), device=actions.device), actions[:, agents]]
        return pre_activation, pre_activation.unsqueeze(1) - taken

    def q_choices(
        self, features: Tensor, actions: Tensor, agents: Tensor, choices: Tensor
    ) -> tuple[Tensor, Tensor]:
        """As `q_swaps`, with some of the actions only.

        Args:
            features: `(M, out_features)` of the own observation.
            actions: `(M, N)` executed joint actions.
            agents: `(J,)` int64, positions whose action is replaced in turn; all with the same actions.
            choices: `(M, J, S)` int64, what each is replaced by.

        Returns:
            `q_joint (M,)` and `q_swaps (M, J, S)`.
        """
        rows = self.rows_of(agents)
        pre_activation, without = self._without(features, actions, agents, rows)
        places = torch.arange(len(agents), device=actions.device)[:, None]
        return self.q_head(pre_activation), self.q_head(without.unsqueeze(2) + rows[places, choices])

    def q_swaps(self, features: Tensor, actions: Tensor, agents: Tensor) -> tuple[Tensor, Tensor]:
        """Q of the executed joint action, and with each of some agents' actions swapped for every other.

        Args:
            features: `(M, out_features)` of the own observation.
            actions: `(M, N)` executed joint actions.
            agents: `(J,)` int64, positions whose action is replaced in turn; all with the same actions.

        Returns:
            `q_joint (M,)` and `q_swaps (M, J, A)`, everybody else's action held fixed.

        Source: Eq. 3.
        """
        rows = self.rows_of(agents)
        pre_activation, without = self._without(features, actions, agents, rows)
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

    def head_inputs(self, hidden: Tensor, like: int) -> Tensor:
        """Bounded means and logarithms of standard deviations, `(M, 2D)`; all agents have one head."""
        mean = MEAN_BOUND * torch.tanh(self._heads[self.sizes[like]](hidden) / MEAN_BOUND)
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
