"""Inequity aversion (IA): agents compare smoothed rewards, and inequity hurts both sides of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from rllib_lase.core.inequity import inequity_averse_rewards, smoothed_rewards
from rllib_lase.registry.ia import IASettings
from rllib_lase.rollout import TensorRollout
from rllib_lase.social.hook import LearntRewards, Networks, SocialHook


class IAHook(SocialHook):
    """Every agent learns from its reward less the inequity that it sees (Hughes et al. 2018).

    Carries the smoothed rewards, `(B, N)`.
    """

    continuous_actions: ClassVar[bool] = True
    visible_fields: ClassVar[frozenset[str]] = frozenset({"rewards", "active"})
    settings: IASettings

    def initial_carry(self, num_envs: int) -> Tensor:
        """Nothing was earned yet."""
        return torch.zeros(num_envs, self.spaces.num_agents)

    def rewards(
        self,
        rollout: TensorRollout,
        networks: Sequence[Networks],
        recorded: Tensor,
        carry: Tensor | None = None,
    ) -> LearntRewards:
        """Rewards less the pain of inequity."""
        del networks, recorded
        settings = self.settings
        before = self.initial_carry(rollout.dones.shape[1]) if carry is None else carry
        smoothed, after = smoothed_rewards(
            rollout.rewards, rollout.dones, before.to(rollout.rewards), settings.gamma * settings.ia_lambda
        )
        learnt = inequity_averse_rewards(
            rollout.rewards.permute(1, 2, 0),
            smoothed.permute(1, 2, 0),
            rollout.active.permute(1, 2, 0),
            settings.ia_alpha,
            settings.ia_beta,
        )
        return LearntRewards(learnt.permute(2, 0, 1).contiguous(), carry=after)
