"""Constant gifts: every agent gives the same share of its reward to all co-players alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor

from rllib_lase.core.gifting import equal_fractions, gift_weights, rewards_after_gifting
from rllib_lase.registry.fixed_share import FixedShareSettings
from rllib_lase.rollout import TensorRollout
from rllib_lase.social.hook import LearntRewards, Networks, SocialHook


class FixedShareHook(SocialHook):
    """Zero-sum gifting (Eq. 2) with weights that never change: what inference adds is seen against it."""

    continuous_actions: ClassVar[bool] = True
    visible_fields: ClassVar[frozenset[str]] = frozenset({"active"})
    settings: FixedShareSettings

    def moves_rewards(self) -> bool:
        """Shares of their own rewards."""
        return True

    def rewards(
        self,
        rollout: TensorRollout,
        networks: Sequence[Networks],
        recorded: Tensor,
        carry: Tensor | None = None,
    ) -> LearntRewards:
        """Rewards after gifting.

        Source: Eq. 2.
        """
        del networks, recorded, carry
        active = rollout.active.permute(1, 2, 0)
        weights = gift_weights(equal_fractions(active, self.settings.share), active)
        after = rewards_after_gifting(rollout.rewards.permute(1, 2, 0), weights)
        return LearntRewards(after.permute(2, 0, 1).contiguous(), weights, rollout.rewards)
