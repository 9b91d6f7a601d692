"""The policy: encoder, fully connected layer, optional LSTM, heads of actor and critic."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self, cast

import torch
from torch import Tensor, nn

from rllib_lase.action_spaces import choice_codes
from rllib_lase.networks.layers import AgentLinear, Encoder, Identity, LogStd, first_linear, initialise

#: Probability with which an untrained policy refuses gifts, where it may.
INITIAL_REFUSAL = 0.1


class PolicyOutput(NamedTuple):
    """Heads of the policy: `action_dist_inputs` (..., A), of Gaussians (..., 2D), and `vf_preds` (...)."""

    action_dist_inputs: Tensor
    vf_preds: Tensor


class ActorHead(nn.Linear):
    """Linear layer to the logits of all actions."""

    def start(self) -> None:
        """Initial weights that make all actions nearly equally likely; after `initialise`."""
        with torch.no_grad():
            self.weight.mul_(0.01)

    def joint(self) -> tuple[Tensor, Tensor]:
        """Weights `(A', width)` and biases `(A',)` of a linear layer that gives the logits of all actions."""
        return self.weight, self.bias


class RefusingActorHead(ActorHead):
    """Logits of 2A actions from A + 1: action a, and a + A, which plays a and refuses gifts.

    What is played and whether gifts are refused are independent given the observation: the logit of a + A is
    that of a plus the refusal's, whose sigmoid is the probability of refusing.
    """

    def __init__(self, width: int, num_actions: int) -> None:
        """Builds the layer.

        Args:
            width: Units of the layer below.
            num_actions: 2A.
        """
        super().__init__(width, num_actions // 2 + 1)

    def start(self) -> None:
        """As all actors; gifts are refused with probability `INITIAL_REFUSAL`."""
        super().start()
        with torch.no_grad():
            self.bias[-1] = math.log(INITIAL_REFUSAL / (1 - INITIAL_REFUSAL))

    def joint(self) -> tuple[Tensor, Tensor]:
        """The logits of 2A actions are linear, too: the refusal's row is added to every action's."""
        weight, bias = self.weight[:-1], self.bias[:-1]
        return torch.cat([weight, weight + self.weight[-1]]), torch.cat([bias, bias + self.bias[-1]])

    def forward(self, features: Tensor) -> Tensor:
        """Logits `(..., 2A)` of `(..., width)`."""
        logits: Tensor = super().forward(features)
        actions, refusal = logits[..., :-1], logits[..., -1:]
        return torch.cat([actions, actions + refusal], -1)


class CombinationsActorHead(ActorHead):
    """Logits of A combinations from those of their parts: the parts are independent given the observation."""

    def __init__(self, width: int, num_actions: int, sizes: Sequence[int]) -> None:
        """Builds the layer.

        Args:
            width: Units of the layer below.
            num_actions: A, the product of `sizes`.
            sizes: How many choices each part has.
        """
        super().__init__(width, sum(sizes))
        self.register_buffer("codes", torch.from_numpy(choice_codes(sizes)), persistent=False)
        assert len(cast(Tensor, self.codes)) == num_actions

    def joint(self) -> tuple[Tensor, Tensor]:
        """A combination's row is the sum of its parts' rows."""
        codes = cast(Tensor, self.codes)
        return codes @ self.weight, codes @ self.bias

    def forward(self, features: Tensor) -> Tensor:
        """Logits `(..., A)` of `(..., width)`."""
        logits: Tensor = super().forward(features) @ cast(Tensor, self.codes).T
        return logits


class GaussianActorHead(ActorHead):
    """Means of D continuous actions, and standard deviations that do not depend on the observation."""

    def __init__(self, width: int, action_size: int) -> None:
        """Builds the layer.

        Args:
            width: Units of the layer below.
            action_size: D.
        """
        super().__init__(width, action_size)
        self.log_std = LogStd(action_size)

    def joint(self) -> tuple[Tensor, Tensor]:
        """A linear layer to `(2D,)`, whose second half is biases only."""
        return torch.cat([self.weight, torch.zeros_like(self.weight)]), torch.cat([self.bias, self.log_std()])

    def forward(self, features: Tensor) -> Tensor:
        """Means and logarithms of standard deviations, `(..., 2D)`, of `(..., width)`."""
        mean: Tensor = super().forward(features)
        return torch.cat([mean, self.log_std().expand_as(mean)], -1)


class PolicyNet(nn.Module):
    """Encoder, fully connected layer, optional LSTM, separate linear actor and critic heads.

    Without a fully connected layer (`hidden_size=None`) the heads read the encoder's features: on one-hot
    observations that is a table.
    """

    def __init__(
        self,
        obs_shape: tuple[int, ...],
        num_actions: int,
        hidden_size: int | None,
        lstm_size: int | None,
        identity: Identity | None = None,
        head: type[ActorHead] = ActorHead,
        part_sizes: Sequence[int] | None = None,
    ) -> None:
        """Builds the network.

        Args:
            obs_shape: Shape of the agent's own observation.
            num_actions: Number of the agent's own actions, added ones included; D of continuous actions.
            hidden_size: Units of the fully connected layer; None leaves it out.
            lstm_size: Units of the LSTM, or None for a feed-forward policy.
            identity: Whose it is, if agents share their parameters.
            head: The actor: `ActorHead`, `RefusingActorHead` where the second half of the actions are the
                first with gifts refused, or `GaussianActorHead` for continuous actions.
            part_sizes: Where actions are combinations of parts, how many choices each part has; the actor is
                then a `CombinationsActorHead`.
        """
        super().__init__()
        self._built_from = {
            "obs_shape": list(obs_shape),
            "num_actions": num_actions,
            "hidden_size": hidden_size,
            "lstm_size": lstm_size,
            "identity": None if identity is None else list(identity),
            "head": head.__name__,
            "part_sizes": None if part_sizes is None else list(part_sizes),
        }
        self.encoder = Encoder(obs_shape)
        width = self.encoder.out_features
        self.fc: nn.Linear | AgentLinear | None = None
        if hidden_size is not None:
            self.fc = first_linear(width, hidden_size, identity)
            width = hidden_size
        self.lstm = None if lstm_size is None else nn.LSTM(width, lstm_size)
        width = width if lstm_size is None else lstm_size
        self.pi: ActorHead = (
            head(width, num_actions)
            if part_sizes is None
            else CombinationsActorHead(width, num_actions, part_sizes)
        )
        self.vf = nn.Linear(width, 1)
        initialise(self)
        self.pi.start()

    def description(self) -> dict[str, Any]:
        """What the network is built from, in plain values, for `from_description`."""
        return dict(self._built_from)

    @classmethod
    def from_description(cls, built_from: Mapping[str, Any]) -> Self:
        """The network that `description` describes, with other weights."""
        identity, heads = built_from["identity"], (ActorHead, RefusingActorHead, GaussianActorHead)
        return cls(
            tuple(built_from["obs_shape"]),
            built_from["num_actions"],
            built_from["hidden_size"],
            built_from["lstm_size"],
            None if identity is None else Identity(*identity),
            {head.__name__: head for head in heads}[built_from["head"]],
            built_from["part_sizes"],
        )

    def heads(self, features: Tensor) -> PolicyOutput:
        """Actor and critic on the last hidden layer, `(..., width)`."""
        return PolicyOutput(self.pi(features), self.vf(features).squeeze(-1))

    def hidden(self, obs: Tensor) -> Tensor:
        """The layer below LSTM and heads, `(M, hidden_size)`."""
        features: Tensor = self.encoder(obs.float())
        return features if self.fc is None else torch.relu(self.fc(features))

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
