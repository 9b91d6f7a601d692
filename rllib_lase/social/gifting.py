"""Gifts as actions: an agent may spend a step on rewarding its co-players."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, cast

import gymnasium as gym
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rllib_lase.core.gift_actions import affordable_gifts, gift_amounts
from rllib_lase.registry.gifting import GiftingSettings
from rllib_lase.rollout import TensorRollout
from rllib_lase.settings import Settings
from rllib_lase.social.hook import JointSpaces, LearntRewards, Networks, SocialHook


class GiftingHook(SocialHook):
    """The last action of every agent is a gift to all its co-players in the game (Lupu and Precup 2020).

    Carries the budgets, `(B, N)`, unless the giver pays.
    """

    visible_fields: ClassVar[frozenset[str]] = frozenset({"actions", "active"})
    settings: GiftingSettings

    def __init__(self, settings: GiftingSettings, spaces: JointSpaces, seed: int | None) -> None:
        super().__init__(settings, spaces, seed)
        sizes = [int(cast("gym.spaces.Discrete[Any]", space).n) for space in spaces.action_spaces]
        self._gift_actions = torch.tensor(sizes)[:, None, None] - 1

    @classmethod
    def action_table(cls, settings: Settings, num_actions: int, stay_action: int | None) -> NDArray[np.int64]:
        """The game's actions, then the gift, which stays."""
        del settings
        if stay_action is None:
            raise ValueError(
                "gifting needs an action that does nothing, as whoever gives does nothing else in that step; "
                f"none of this environment's {num_actions} actions is known to. Choose a game with an action "
                "'stay', or train with FixedShareConfig, whose gifts take no step"
            )
        return np.array([*range(num_actions), stay_action])

    @classmethod
    def decentralisation_problem(cls, settings: Settings) -> str | None:
        """Budgets that rewards replenish tell of rewards."""
        if cast(GiftingSettings, settings).gift_budget == "replenishable":
            return "what agents can give depends on their rewards, which others would have to know"
        return super().decentralisation_problem(settings)

    def moves_rewards(self) -> bool:
        """Only where the giver pays; other gifts add to the rewards that are learnt from."""
        return self.settings.gift_budget == "zero_sum"

    def initial_carry(self, num_envs: int) -> Tensor | None:
        """Full budgets, or empty ones that have to be earned, in gifts."""
        if self.moves_rewards():
            return None
        return torch.full((num_envs, self.spaces.num_agents), self._start())

    def _start(self) -> float:
        """Each agent's budget at an episode's start."""
        return float(self.settings.gifts_per_episode) if self.settings.gift_budget == "fixed" else 0.0

    def rewards(
        self,
        rollout: TensorRollout,
        networks: Sequence[Networks],
        recorded: Tensor,
        carry: Tensor | None = None,
    ) -> LearntRewards:
        """Rewards and gifts received, less what givers paid."""
        del networks, recorded
        value, active = self.settings.gift_value, rollout.active
        others_there = active & (active.sum(0) > 1)
        gives = (rollout.actions == self._gift_actions.to(rollout.actions.device)) & others_there
        budgets = self.initial_carry(rollout.dones.shape[1]) if carry is None else carry
        if budgets is not None:
            gives, budgets = affordable_gifts(
                gives,
                self._income(rollout.rewards),
                rollout.dones,
                budgets.to(rollout.rewards),
                self._start(),
            )
        amounts = gift_amounts(gives.permute(1, 2, 0), active.permute(1, 2, 0), value)
        learnt = rollout.rewards + amounts.sum(-2).permute(2, 0, 1)
        if not self.moves_rewards():
            return LearntRewards(learnt, carry=budgets)
        return LearntRewards(learnt - amounts.sum(-1).permute(2, 0, 1), amounts=amounts)

    def _income(self, rewards: Tensor) -> Tensor:
        """Gifts that the budgets gain in each step, `(N, T, B)`. Gifts received are no income."""
        if self.settings.gift_budget == "fixed":
            return torch.zeros_like(rewards)
        return rewards.clamp_min(0) * (self.settings.replenish_rate / self.settings.gift_value)
