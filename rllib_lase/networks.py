"""The networks: policy, SR (value and policy on one encoder), conversion, incentives, values. Plain torch.

Each serves one agent. Convolutions are 3x3 without padding. Observations come as their environment's dtype
and are cast here.
"""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CONV_CHANNELS = (16, 32)
LOGIT_BOUND = 10.0
#: Largest image (channels x height x width) that is convolved by patches.
MAX_PATCHED_INPUTS = 1024


class PolicyOutput(NamedTuple):
    """Heads of the policy: `action_dist_inputs` (..., A), `vf_preds` (...)."""

    action_dist_inputs: Tensor
    vf_preds: Tensor


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


class PolicyNet(nn.Module):
    """Encoder, fully connected layer, optional LSTM, separate linear actor and critic heads."""

    def __init__(
        self, obs_shape: tuple[int, ...], num_actions: int, hidden_size: int, lstm_size: int | None
    ) -> None:
        super().__init__()
        self.encoder = Encoder(obs_shape)
        self.fc = nn.Linear(self.encoder.out_features, hidden_size)
        self.lstm = None if lstm_size is None else nn.LSTM(hidden_size, lstm_size)
        width = hidden_size if lstm_size is None else lstm_size
        self.pi = nn.Linear(width, num_actions)
        self.vf = nn.Linear(width, 1)
        initialise(self)
        with torch.no_grad():
            self.pi.weight.mul_(0.01)

    def heads(self, features: Tensor) -> PolicyOutput:
        """Actor and critic on the last hidden layer, `(..., width)`."""
        return PolicyOutput(self.pi(features), self.vf(features).squeeze(-1))

    def hidden(self, obs: Tensor) -> Tensor:
        """The layer below LSTM and heads, `(M, hidden_size)`."""
        return torch.relu(self.fc(self.encoder(obs.float())))

    def forward(self, obs: Tensor) -> PolicyOutput:
        """Feed-forward policy on observations `(M, *obs)`."""
        return self.heads(self.hidden(obs))

    def forward_sequence(self, obs: Tensor, state: Tensor, resets: Tensor) -> tuple[PolicyOutput, Tensor]:
        """Recurrent policy over a fragment with resets inside; equal to stepping it.

        Args:
            obs: `(T, B, *obs)`.
            state: `(B, 2 * lstm_size)`, hidden and cell state at the fragment's start.
            resets: `(T, B)` bool, the state is zeroed before step t (an episode begins).

        Returns:
            Heads `(T, B, ...)` and the state after the last step.
        """
        if self.lstm is None:
            raise TypeError("forward_sequence needs a recurrent policy; set use_lstm=True")
        steps, copies = obs.shape[:2]
        inputs = self.hidden(obs.flatten(0, 1)).unflatten(0, (steps, copies))
        cuts = [0, *(t for t in torch.nonzero(resets.any(1)).flatten().tolist() if t > 0), steps]
        outputs = []
        for start, stop in itertools.pairwise(cuts):
            state = state * (~resets[start]).unsqueeze(-1).to(state.dtype)
            hidden, cell = state.chunk(2, -1)
            out, (hidden, cell) = self.lstm(
                inputs[start:stop], (hidden.unsqueeze(0).contiguous(), cell.unsqueeze(0).contiguous())
            )
            outputs.append(out)
            state = torch.cat([hidden.squeeze(0), cell.squeeze(0)], -1)
        return self.heads(torch.cat(outputs)), state

    def forward_fragment(self, obs: Tensor, state: Tensor | None, dones: Tensor) -> PolicyOutput:
        """Heads over a whole fragment, recurrent or not.

        Args:
            obs: `(T, B, *obs)`.
            state: `(B, 2 * lstm_size)` at the fragment's start; None for a feed-forward policy.
            dones: `(T, B)` bool, the copy's episode ended in step t, so that the next one begins in t + 1.

        Returns:
            Heads `(T, B, ...)`.

        Raises:
            ValueError: if the policy is recurrent and there is no state.
        """
        if self.lstm is None:
            flat = self(obs.flatten(0, 1))
            return PolicyOutput(*(head.unflatten(0, obs.shape[:2]) for head in flat))
        if state is None:
            raise ValueError("a recurrent policy needs state_in; the rollout has none")
        resets = torch.cat([torch.zeros_like(dones[:1]), dones[:-1]])
        return self.forward_sequence(obs, state, resets)[0]


class SRNet(nn.Module):
    """SR value and SR policy on shared convolutions.

    The value head's first linear layer is split into an observation part and one embedding row per (agent,
    action): replacing one agent's action in the joint action replaces one row, so that a sweep over
    counterfactual actions never runs the encoder again.
    """

    def __init__(
        self, obs_shape: tuple[int, ...], num_actions: tuple[int, ...], own: int, hidden_size: int
    ) -> None:
        """Builds the network.

        Args:
            obs_shape: Shape of the agent's own observation.
            num_actions: Number of actions of each of the N agents, in their fixed order.
            own: Position of the agent itself.
            hidden_size: Units of the linear layers.
        """
        super().__init__()
        self.own = own
        self.num_actions = num_actions
        self.encoder = Encoder(obs_shape)
        self.q_obs = nn.Linear(self.encoder.out_features, hidden_size)
        self.q_actions = nn.Parameter(torch.empty(len(num_actions), max(num_actions), hidden_size))
        self.q_out = nn.Linear(hidden_size, 1)
        self.pi_fc = nn.Linear(self.encoder.out_features, hidden_size)
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

    def action_rows(self, actions: Tensor) -> Tensor:
        """Sum of the embedding rows of a joint action `(M, N)`, `(M, hidden)`.

        As a product with one-hot rows: the gradient of plain indexing would be scattered row by row.
        """
        one_hot = F.one_hot(actions, self.q_actions.shape[1]).flatten(1).to(self.q_actions.dtype)
        return one_hot @ self.q_actions.flatten(0, 1)

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
        rows = self.q_actions[agents]
        taken = rows[torch.arange(len(agents), device=actions.device), actions[:, agents]]
        without = pre_activation.unsqueeze(1) - taken
        return self.q_head(pre_activation), self.q_head(without.unsqueeze(2) + rows)


class ConversionNet(nn.Module):
    """Own observation and a co-player's id -> the observation that one imagines it to have.

    The first fully connected layer is split like the SR value head's, so that the convolution runs once per
    own observation, not once per co-player.
    """

    def __init__(self, obs_shape: tuple[int, ...], num_agents: int, hidden_size: int, binary: bool) -> None:
        """Builds the network.

        Args:
            obs_shape: Shape of the agent's own observation.
            num_agents: N, length of the one-hot id.
            hidden_size: Units of the linear layers.
            binary: Whether observations lie in [0, 1]: sigmoid output, biased towards 0; else linear.
        """
        super().__init__()
        self.obs_shape = obs_shape
        self.binary = binary
        self.encoder = Encoder(obs_shape, CONV_CHANNELS[:1])
        self.fc1 = nn.Linear(self.encoder.out_features, hidden_size)
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


def initialise(module: nn.Module) -> None:
    """Orthogonal weights and zero biases for linear and convolutional layers."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            nn.init.orthogonal_(layer.weight, math.sqrt(2))
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
