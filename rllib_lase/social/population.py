"""A mixed population: each seat has its own preference or none. First gifts, then what each makes of them."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from rllib_lase.core.gifting import rewards_after_gifting
from rllib_lase.networks import PolicyNet
from rllib_lase.rollout import JointRollout, TensorRollout
from rllib_lase.settings import Settings
from rllib_lase.social.hook import JointSpaces, LearntRewards, Moments, Networks, SocialHook


class PopulationHook(SocialHook):
    """Composes preferences; each works for its own seats, as it would among its own kind.

    Of a rollout, the givers' gifts are taken first: everybody receives, agents that do not give keep their
    rewards. What is then each agent's reward is what the preferences of agents that do not give see, of
    themselves and of others, and make of it what they learn from.

    Args:
        settings: Those of all preferences.
        spaces: All agents'.
        seed: Of the run.
        classes: Each seat's preference; None where nobody learns.
    """

    continuous_actions: ClassVar[bool] = True

    def __init__(
        self,
        settings: Settings,
        spaces: JointSpaces,
        seed: int | None,
        classes: Sequence[type[SocialHook] | None],
    ) -> None:
        super().__init__(settings, spaces, seed)
        self._hooks: list[SocialHook] = []
        for hook_class in dict.fromkeys(each for each in classes if each is not None):
            hook = hook_class(settings, spaces, seed)
            hook.agents = tuple(seat for seat, each in enumerate(classes) if each is hook_class)
            self._hooks.append(hook)
        self.agents = tuple(seat for seat, each in enumerate(classes) if each is not None)
        self.of_seat: list[SocialHook | None] = [self._owner(seat) for seat in range(spaces.num_agents)]
        self._givers = [hook for hook in self._hooks if hook.moves_rewards()]
        self._due = [0] * len(self._hooks)

    def _owner(self, seat: int) -> SocialHook | None:
        return next((hook for hook in self._hooks if seat in hook.agents), None)

    def _require(self, seat: int) -> SocialHook:
        hook = self.of_seat[seat]
        if hook is None:
            raise ValueError(f"{self.spaces.agent_ids[seat]} does not learn, and has no networks")
        return hook

    @classmethod
    def decentralisation_problem(cls, settings: Settings) -> str | None:
        """Not built."""
        del settings
        return "its players are not divided yet; train agents of one kind"

    def moves_rewards(self) -> bool:
        """Whether anybody gives."""
        return bool(self._givers)

    # --- rewards ----------------------------------------------------------------------------------

    def initial_carry(self, num_envs: int) -> Tensor | None:
        """What all preferences carry, side by side: `(B, ...)`."""
        parts = [part.flatten(1) for part in self._initial_carries(num_envs) if part is not None]
        return torch.cat(parts, 1) if parts else None

    def _initial_carries(self, num_envs: int) -> list[Tensor | None]:
        return [hook.initial_carry(num_envs) for hook in self._hooks]

    def _split(self, carry: Tensor | None, num_envs: int) -> dict[SocialHook, Tensor | None]:
        """Each preference's own part of the carry."""
        own: dict[SocialHook, Tensor | None] = {}
        start = 0
        for hook, initial in zip(self._hooks, self._initial_carries(num_envs), strict=True):
            if initial is None or carry is None:
                own[hook] = initial
                continue
            size = initial[0].numel()
            own[hook] = carry[:, start : start + size].unflatten(1, initial.shape[1:])
            start += size
        return own

    @torch.no_grad()
    def rewards(
        self,
        rollout: TensorRollout,
        networks: Sequence[Networks],
        recorded: Tensor,
        carry: Tensor | None = None,
    ) -> LearntRewards:
        """Gifts, and then what every learner makes of its reward and the others'.

        Rewards of agents that do not learn are those after gifting.
        """
        before = self._split(carry, rollout.dones.shape[1])
        answers = {hook: hook.rewards(rollout, networks, recorded, before[hook]) for hook in self._givers}
        weights, shared, exchanged = self._gifts(rollout, answers)
        received = dataclasses.replace(rollout, rewards=exchanged)
        learnt = exchanged.clone()
        for hook in self._hooks:
            if hook not in answers:
                answers[hook] = hook.rewards(received, networks, recorded, before[hook])
                learnt[list(hook.agents)] = answers[hook].rewards[list(hook.agents)]
        carried = [after.flatten(1) for hook in self._hooks if (after := answers[hook].carry) is not None]
        return LearntRewards(
            learnt,
            weights,
            shared,
            torch.cat(carried, 1) if carried else None,
            exchanged=exchanged,
            measured=self._measured(answers),
        )

    def _gifts(
        self, rollout: TensorRollout, answers: Mapping[SocialHook, LearntRewards]
    ) -> tuple[Tensor | None, Tensor | None, Tensor]:
        """Gift weights, what they split, and the rewards after gifting.

        Rows of the weights come from the givers' preferences; everybody else's is the identity's.

        Source: Eq. 2.
        """
        if not answers:
            return None, None, rollout.rewards
        steps, copies = rollout.dones.shape
        weights = torch.eye(rollout.num_agents, device=rollout.rewards.device)
        weights = weights.expand(steps, copies, -1, -1).clone()
        shared = rollout.rewards.clone()
        for hook, answer in answers.items():
            for agent in hook.agents:
                if answer.gift_weights is not None and answer.shared is not None:
                    weights[:, :, agent] = answer.gift_weights[:, :, agent]
                    shared[agent] = answer.shared[agent]
        after = rewards_after_gifting(shared.permute(1, 2, 0), weights).permute(2, 0, 1)
        return weights, shared, after + (rollout.rewards - shared)

    def _measured(self, answers: Mapping[SocialHook, LearntRewards]) -> dict[str, Moments]:
        """What the preferences measured of their own agents; of others nothing is counted."""
        total: dict[str, Moments] = {}
        for hook in self._hooks:
            for name, moments in answers[hook].measured.items():
                own = torch.zeros_like(moments.count)
                own[list(hook.agents)] = 1
                kept = Moments(moments.count * own, moments.total * own, moments.squares * own)
                total[name] = total[name] + kept if name in total else kept
        return total

    # --- networks ---------------------------------------------------------------------------------

    def make_policy(self, agent: int) -> PolicyNet:
        """As the seat's preference makes it."""
        return self._require(agent).make_policy(agent)

    def extra_modules(self, agent: int) -> dict[str, nn.Module]:
        """Those of the seat's preference."""
        return self._require(agent).extra_modules(agent)

    def learning_rate(self, group: str) -> float:
        """As the preference with that parameter group has it."""
        return self._first_answer(lambda hook: hook.learning_rate(group), super().learning_rate, group)

    def grad_clip(self, group: str) -> float:
        """As the preference with that parameter group has it."""
        return self._first_answer(lambda hook: hook.grad_clip(group), super().grad_clip, group)

    def _first_answer(
        self, question: Callable[[SocialHook], float], otherwise: Callable[[str], float], group: str
    ) -> float:
        for hook in self._hooks:
            with contextlib.suppress(KeyError):  # has no such group
                return question(hook)
        return otherwise(group)

    # --- learning ---------------------------------------------------------------------------------

    def set_env_steps(self, env_steps: int) -> None:
        """Moves all schedules."""
        for hook in self._hooks:
            hook.set_env_steps(env_steps)

    def observe(self, rollout: JointRollout, networks: Sequence[Networks]) -> None:
        """Every preference keeps what it needs, of the environment's own rewards."""
        for hook in self._hooks:
            hook.observe(rollout, networks)

    def updates_due(self, round_index: int) -> int:
        """As many as any preference wants; each takes part in as many as it wants itself."""
        self._due = [hook.updates_due(round_index) for hook in self._hooks]
        return max(self._due, default=0)

    def losses(self, networks: Sequence[Networks]) -> dict[str, Tensor]:
        """One term per learner; 0 of those without such networks."""
        groups: dict[str, Tensor] = {}
        for number, hook in enumerate(self._hooks):
            if self._due[number] == 0:
                continue
            self._due[number] -= 1
            for group, terms in hook.losses(networks).items():
                rows = torch.tensor([self.agents.index(a) for a in hook.agents], device=terms.device)
                whole = groups.get(group, terms.new_zeros(len(self.agents)))
                groups[group] = whole.index_copy(0, rows, terms)
        return groups

    def get_state(self) -> dict[str, Any]:
        """Of every preference."""
        return {"hooks": [hook.get_state() for hook in self._hooks]}

    def set_state(self, state: dict[str, Any]) -> None:
        """Restores `get_state`."""
        for hook, saved in zip(self._hooks, state["hooks"], strict=True):
            hook.set_state(saved)
