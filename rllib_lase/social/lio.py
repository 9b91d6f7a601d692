"""LIO: every agent learns what to pay its co-players by what the pay makes of their policies."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from rllib_lase.core.incentives import incentive_advantages, policy_gradient_step
from rllib_lase.core.policy_loss import masked_mean
from rllib_lase.core.returns import generalized_advantages
from rllib_lase.networks import IncentiveNet, PolicyNet, ValueNet
from rllib_lase.registry.lio import LIOSettings
from rllib_lase.rollout import JointRollout, TensorRollout
from rllib_lase.social.hook import POLICY, JointSpaces, LearntRewards, Moments, Networks, SocialHook

INCENTIVES = "incentives"
WORTH = "worth"


@dataclass(frozen=True)
class _Round:
    """A rollout and the parameters of the policies that sampled it, by name."""

    rollout: TensorRollout
    policies: tuple[Mapping[str, Tensor], ...]

    def to(self, device: torch.device) -> _Round:
        """The same on a device."""
        parts = {
            name: _mapped(lambda part: part.to(device), part) for name, part in vars(self.rollout).items()
        }
        return _Round(TensorRollout(**parts), _mapped(lambda value: value.to(device), self.policies))


class LIOHook(SocialHook):
    """Incentive networks, trained through one policy-gradient step of each recipient.

    A pair of consecutive rollouts is what they learn from: the step is taken on the earlier one, its worth
    to the giver is read off the later one.
    """

    reads_policies: ClassVar[bool] = True
    #: Centralised while learning: a giver also knows its co-players' policies.
    visible_fields: ClassVar[frozenset[str]] = frozenset(
        {
            "policy", "obs", "actions", "active", "rewards", "vf_preds", "final_vf_preds", "terminateds",
            "truncateds",
        }
    )  # fmt: skip
    settings: LIOSettings

    def __init__(self, settings: LIOSettings, spaces: JointSpaces, seed: int | None) -> None:
        super().__init__(settings, spaces, seed)
        if spaces.num_agents < 2:
            raise ValueError(
                f"LIO needs at least 2 agents to give to; the environment has {spaces.agent_ids}"
            )
        self._others = [
            torch.tensor([j for j in range(spaces.num_agents) if j != i]) for i in range(spaces.num_agents)
        ]
        self._earlier: _Round | None = None
        self._latest: _Round | None = None

    def extra_modules(self, agent: int) -> dict[str, nn.Module]:
        """`incentives`, the agent's incentive network, and `worth`, the critic of what it wants."""
        sizes = [int(cast("gym.spaces.Discrete[Any]", space).n) for space in self.spaces.action_spaces]
        shape = cast("tuple[int, ...]", self.spaces.observation_spaces[agent].shape)
        others = tuple(size for j, size in enumerate(sizes) if j != agent)
        hidden = self.settings.hidden_size
        return {
            INCENTIVES: IncentiveNet(shape, others, hidden, self.settings.max_incentive),
            WORTH: ValueNet(shape, hidden),
        }

    def learning_rate(self, group: str) -> float:
        """`incentive_lr` or `worth_lr`."""
        return {INCENTIVES: self.settings.incentive_lr, WORTH: self.settings.worth_lr}[group]

    def grad_clip(self, group: str) -> float:
        """`incentive_grad_clip` for both groups."""
        del group
        return self.settings.incentive_grad_clip

    @torch.no_grad()
    def rewards(
        self,
        rollout: TensorRollout,
        networks: Sequence[Networks],
        recorded: Tensor,
        carry: Tensor | None = None,
    ) -> LearntRewards:
        """Extrinsic rewards and what the co-players give; if givers pay, less what they give."""
        del carry
        incentives = self.incentives(rollout, networks)
        given = Moments.of(incentives.sum(1), rollout.active & recorded)
        return LearntRewards(
            self._learnt(rollout, incentives),
            amounts=incentives.permute(2, 3, 0, 1) if self.settings.givers_pay else None,
            measured={"incentives_given": given},
        )

    def moves_rewards(self) -> bool:
        """Only where givers pay; other incentives add to the rewards that are learnt from."""
        return self.settings.givers_pay

    def _learnt(self, rollout: TensorRollout, incentives: Tensor) -> Tensor:
        learnt = rollout.rewards + incentives.sum(0)
        return learnt - incentives.sum(1) if self.settings.givers_pay else learnt

    def incentives(self, rollout: TensorRollout, networks: Sequence[Networks]) -> Tensor:
        """`(N, N, T, B)`, giver first; 0 to oneself, from and to agents that had left."""
        steps, copies = rollout.dones.shape
        num_agents = rollout.num_agents
        joint_actions = rollout.actions.reshape(num_agents, -1).T
        active = rollout.active.reshape(num_agents, -1).T
        given = []
        for agent, nets in enumerate(networks):
            others = self._others[agent].to(joint_actions.device)
            obs = rollout.obs[agent][:steps].flatten(0, 1)
            amounts = nets[INCENTIVES](obs, joint_actions[:, others], active[:, others])
            own = amounts.new_zeros(num_agents, steps * copies).index_copy(0, others, amounts.T)
            given.append(own.view(num_agents, steps, copies))
        both = rollout.active.unsqueeze(1) & rollout.active.unsqueeze(0)
        return torch.stack(given) * both

    def observe(self, rollout: JointRollout, networks: Sequence[Networks]) -> None:
        """Keeps the rollout and a copy of the policies that sampled it, and those of the round before."""
        policies = tuple(
            {name: value.detach().clone() for name, value in nets[POLICY].named_parameters()}
            for nets in networks
        )
        self._earlier, self._latest = self._latest, _Round(rollout.to_tensors(), policies)

    def updates_due(self, round_index: int) -> int:
        """One in every round that has one before it."""
        del round_index
        return int(self._earlier is not None)

    def losses(self, networks: Sequence[Networks]) -> dict[str, Tensor]:
        """What its own incentives cost each agent, less what they are worth to it through its co-players.

        And the squared error of `worth`, its critic.

        Raises:
            RuntimeError: if fewer than two rollouts were observed.

        Source: Yang et al. 2020, the giver's objective and its chain rule.
        """
        if self._earlier is None or self._latest is None:
            raise RuntimeError("LIO learns from two consecutive rollouts; `observe` saw fewer")
        device = next(networks[0][POLICY].parameters()).device
        earlier, after = self._earlier.to(device), self._latest.to(device).rollout
        incentives = self.incentives(earlier.rollout, networks)
        stepped = self._stepped_policies(earlier, networks, incentives)
        worth, worth_losses = self._worth(after, networks)
        losses = []
        for giver, by_recipient in enumerate(stepped):
            cost = masked_mean(incentives[giver].sum(0).flatten(), earlier.rollout.active[giver].flatten())
            loss = self.settings.incentive_cost * cost
            for recipient, parameters in by_recipient.items():
                logp = _action_logp(networks[recipient], parameters, after, recipient)
                # What happens after either had left is worth nothing to the giver.
                both = after.active[recipient] & after.active[giver]
                loss = loss - masked_mean(logp * worth[giver].flatten(), both.flatten())
            losses.append(loss)
        return {INCENTIVES: torch.stack(losses), WORTH: worth_losses}

    def _stepped_policies(
        self, earlier: _Round, networks: Sequence[Networks], incentives: Tensor
    ) -> list[dict[int, dict[str, Tensor]]]:
        """Per giver i: recipient j -> theta_hat^j, in which only i's own incentives have a gradient.

        A giver that pays is among the recipients: what it gives changes its own policy, too.
        """
        rollout, settings = earlier.rollout, self.settings
        advantages = self._advantages(rollout, self._learnt(rollout, incentives.detach()))
        effects = incentives * settings.reward_scale
        if settings.givers_pay:
            own = torch.eye(len(networks), device=effects.device)[:, :, None, None]
            effects = effects - own * effects.sum(1, keepdim=True)
        effects = incentive_advantages(
            effects, rollout.terminateds, rollout.truncateds, settings.gamma, settings.lambda_
        )
        effects = effects - effects.detach()
        stepped: list[dict[int, dict[str, Tensor]]] = [{} for _ in networks]
        for recipient, nets in enumerate(networks):
            parameters = {
                name: value.detach().requires_grad_() for name, value in earlier.policies[recipient].items()
            }
            logp = _action_logp(nets, parameters, rollout, recipient)
            for giver in range(len(networks)):
                if giver != recipient or settings.givers_pay:
                    stepped[giver][recipient] = policy_gradient_step(
                        parameters,
                        logp,
                        (advantages[recipient] + effects[giver, recipient]).flatten(),
                        rollout.active[recipient].flatten(),
                        settings.inner_lr,
                    )
        return stepped

    def _advantages(self, rollout: TensorRollout, rewards: Tensor) -> Tensor:
        """Advantages `(N, T, B)` of rewards, with the baseline of the policies' critics."""
        settings = self.settings
        return generalized_advantages(
            rewards * settings.reward_scale,
            rollout.vf_preds,
            rollout.final_vf_preds,
            rollout.terminateds,
            rollout.truncateds,
            settings.gamma,
            settings.lambda_,
        )

    def _worth(self, rollout: TensorRollout, networks: Sequence[Networks]) -> tuple[Tensor, Tensor]:
        """Advantages of what givers want more of, and their critics' losses.

        That is their extrinsic return up to the end of an episode, whether terminated or truncated; net of
        incentives if they pay.

        Returns:
            `(N, T, B)` without gradient, and `(N,)`.
        """
        rewards = rollout.rewards
        if self.settings.givers_pay:
            with torch.no_grad():
                rewards = self._learnt(rollout, self.incentives(rollout, networks))
        values = torch.stack(
            [
                nets[WORTH](obs.flatten(0, 1)).view(obs.shape[:2])
                for nets, obs in zip(networks, rollout.obs, strict=True)
            ]
        )
        fixed, ended = values.detach(), rollout.terminateds | rollout.truncateds
        advantages = generalized_advantages(
            rewards * self.settings.reward_scale,
            fixed,
            torch.zeros_like(rewards),
            ended,
            torch.zeros_like(ended),
            self.settings.gamma,
            self.settings.lambda_,
        )
        errors = values[:, :-1] - fixed[:, :-1] - advantages
        return advantages, masked_mean(errors.square().flatten(1), rollout.active.flatten(1))

    def get_state(self) -> dict[str, Any]:
        """The latest rollout and its policies; the round before has no more use once a round is over."""
        if self._latest is None:
            return {"latest": None}
        rollout, policies = vars(self._latest.rollout), self._latest.policies
        arrays = {name: _mapped(lambda part: part.cpu().numpy(), part) for name, part in rollout.items()}
        return {
            "latest": {
                "rollout": arrays,
                "policies": _mapped(lambda value: value.cpu().numpy(), policies),
            }
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Restores `get_state`."""
        self._earlier, saved = None, state["latest"]
        self._latest = (
            None
            if saved is None
            else _Round(
                TensorRollout(**_mapped(_tensor, saved["rollout"])),
                tuple(_mapped(_tensor, saved["policies"])),
            )
        )


class _Fragment(nn.Module):
    """A policy's logits over a whole fragment as a module's forward, which `functional_call` asks for."""

    def __init__(self, policy: PolicyNet) -> None:
        super().__init__()
        self.policy = policy

    def forward(self, obs: Tensor, state: Tensor | None, dones: Tensor) -> Tensor:
        """Logits `(T, B, A)`."""
        return self.policy.forward_fragment(obs, state, dones).action_dist_inputs


def _action_logp(
    nets: Networks, parameters: Mapping[str, Tensor], rollout: TensorRollout, agent: int
) -> Tensor:
    """Log-probability `(T * B,)` of an agent's actions, under its policy with the given parameters."""
    policy = cast(PolicyNet, nets[POLICY])
    named = {f"policy.{name}": value for name, value in parameters.items()}
    arguments = (rollout.obs[agent][:-1], rollout.state_in[agent], rollout.dones)
    with _twice_differentiable(policy):
        logits = functional_call(_Fragment(policy), named, arguments)
    logp: Tensor = logits.log_softmax(-1).gather(-1, rollout.actions[agent].unsqueeze(-1))
    return logp.flatten()


@contextlib.contextmanager
def _twice_differentiable(policy: PolicyNet) -> Iterator[None]:
    """Leaves cuDNN out for an LSTM, which it cannot differentiate twice; all else stays as it is set."""
    cudnn = torch.backends.cudnn
    enabled = cudnn.enabled
    cudnn.enabled = enabled and policy.lstm is None
    try:
        yield
    finally:
        cudnn.enabled = enabled


def _tensor(array: Any) -> Tensor:
    return torch.as_tensor(np.array(array))


def _mapped(change: Callable[[Any], Any], tree: Any) -> Any:
    """`change` of every leaf of nested tuples, lists and dicts; None stays None."""
    if tree is None:
        return None
    if isinstance(tree, dict):
        return {name: _mapped(change, part) for name, part in tree.items()}
    if isinstance(tree, list | tuple):
        return tuple(_mapped(change, part) for part in tree)
    return change(tree)
