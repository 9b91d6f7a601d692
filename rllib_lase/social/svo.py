"""Social value orientation (SVO): an angle says how much the others' reward counts beside one's own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from rllib_lase.core.value_orientation import angular_svo_rewards, linear_svo_rewards, mean_of_others
from rllib_lase.registry.svo import SVOSettings
from rllib_lase.rollout import TensorRollout
from rllib_lase.social.hook import LearntRewards, Networks, SocialHook


class SVOHook(SocialHook):
    """Every agent learns from its own reward and the mean of its co-players' (McKee et al. 2020)."""

    continuous_actions: ClassVar[bool] = True
    visible_fields: ClassVar[frozenset[str]] = frozenset({"rewards", "active"})
    settings: SVOSettings

    def rewards(
        self,
        rollout: TensorRollout,
        networks: Sequence[Networks],
        recorded: Tensor,
        carry: Tensor | None = None,
    ) -> LearntRewards:
        """Rewards as the orientation sees them."""
        del networks, recorded, carry
        own = rollout.rewards.permute(1, 2, 0)
        active = rollout.active.permute(1, 2, 0)
        others = mean_of_others(own, active)
        svo = math.radians(self.settings.svo_degrees)
        if self.settings.svo_form == "linear":
            learnt = linear_svo_rewards(own, others, svo)
        else:
            learnt = angular_svo_rewards(own, others, svo, self.settings.svo_weight)
        alone = active & (active.sum(-1, keepdim=True) == 1)  # has nobody to compare itself with
        learnt = torch.where(alone, own, learnt)
        return LearntRewards(learnt.permute(2, 0, 1).contiguous())
