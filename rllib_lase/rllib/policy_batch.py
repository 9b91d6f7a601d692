"""`PolicyBatch`: a round as policies learn from it, and their losses on each minibatch of it.

Knows nothing of optimisers: gradients and steps are the learner's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from rllib_lase.core.policy_loss import normalize_advantages, policy_losses
from rllib_lase.core.returns import generalized_advantages
from rllib_lase.networks import PolicyNet
from rllib_lase.rllib.schedules import Schedules
from rllib_lase.rollout import TensorRollout
from rllib_lase.settings import Settings


@dataclass(frozen=True)
class PolicyBatch:
    """T steps of B copies, of the N agents that learn.

    Attributes:
        settings: Those of the optimiser.
        data: What these agents saw and did.
        advantages: `(N, T, B)`.
        value_targets: `(N, T, B)`.
    """

    settings: Settings
    data: TensorRollout
    advantages: Tensor
    value_targets: Tensor

    @classmethod
    def of(cls, data: TensorRollout, rewards: Tensor, settings: Settings) -> PolicyBatch:
        """With advantages and targets from `rewards`, `(N, T, B)`, which the agents learn from."""
        advantages = generalized_advantages(
            rewards * settings.reward_scale,
            data.vf_preds,
            data.final_vf_preds,
            data.terminateds,
            data.truncateds,
            settings.gamma,
            settings.lambda_,
        )
        targets = advantages + data.vf_preds[:, :-1]
        if settings.normalize_advantages:
            flat = normalize_advantages(advantages.flatten(1), data.active.flatten(1))
            advantages = flat.view_as(advantages)
        return cls(settings, data, advantages, targets)

    def minibatches(self, shuffler: torch.Generator) -> Iterator[Tensor | None]:
        """Flat sample indices (copies, for recurrent policies) of each gradient step; None means all."""
        if self.settings.optimizer == "a2c":
            yield None
            return
        steps, copies = self.data.dones.shape
        count = copies if self.settings.use_lstm else steps * copies
        for _ in range(self.settings.num_epochs):
            shuffled = torch.randperm(count, generator=shuffler)
            yield from shuffled.to(self.data.dones.device).tensor_split(self.settings.num_minibatches)

    def losses(
        self, policies: Sequence[PolicyNet], rows: Tensor | None, schedules: Schedules
    ) -> dict[str, Tensor]:
        """Losses of one minibatch; row i depends on policy i alone.

        Args:
            policies: The agents'.
            rows: One of `minibatches`.
            schedules: Entropy bonus and share of random actions in this round.

        Returns:
            As `policy_losses`, each `(N,)`.
        """
        settings, data = self.settings, self.data
        take = _sequence_columns if settings.use_lstm else _sample_columns
        outputs = [self._forward(agent, policy, rows) for agent, policy in enumerate(policies)]
        sizes = [logits.shape[-1] for logits, _ in outputs]
        num_actions = None
        if len(set(sizes)) > 1:
            num_actions = torch.tensor(sizes, device=data.dones.device).unsqueeze(-1)
        return policy_losses(
            torch.stack([_padded(logits, max(sizes)) for logits, _ in outputs]),
            torch.stack([values for _, values in outputs]),
            take(data.actions, rows),
            take(self.advantages, rows),
            take(self.value_targets, rows),
            take(data.active, rows),
            vf_loss_coeff=settings.vf_loss_coeff,
            entropy_coeff=schedules.entropy_coeff,
            epsilon=schedules.epsilon,
            num_actions=num_actions,
            old_action_logp=take(data.action_logp, rows) if settings.optimizer == "ppo" else None,
            clip_param=settings.clip_param,
        )

    def _forward(self, agent: int, policy: PolicyNet, rows: Tensor | None) -> tuple[Tensor, Tensor]:
        """`action_dist_inputs` `(M, ...)` and values `(M,)` of one agent on its own observations."""
        data = self.data
        obs, state, dones = data.obs[agent][:-1], data.state_in[agent], data.dones
        if not self.settings.use_lstm:
            flat = obs.flatten(0, 1)
            output = policy(flat if rows is None else flat[rows])
            return output.action_dist_inputs, output.vf_preds
        if rows is not None:
            obs, dones = obs[:, rows], dones[:, rows]
            state = None if state is None else state[rows]
        sequence = policy.forward_fragment(obs, state, dones)
        return sequence.action_dist_inputs.flatten(0, 1), sequence.vf_preds.flatten()


def _sample_columns(values: Tensor, rows: Tensor | None) -> Tensor:
    """`(N, T, B, ...) -> (N, M, ...)`, some samples of every agent."""
    flat = values.flatten(1, 2)
    return flat if rows is None else flat[:, rows]


def _sequence_columns(values: Tensor, copies: Tensor | None) -> Tensor:
    """`(N, T, B, ...) -> (N, T * len(copies), ...)`, whole sequences of some copies."""
    return (values if copies is None else values[:, :, copies]).flatten(1, 2)


def _padded(logits: Tensor, width: int) -> Tensor:
    """Logits `(M, A)` with impossible actions added up to `width`."""
    missing = width - logits.shape[-1]
    return F.pad(logits, (0, missing), value=-1e9) if missing else logits
