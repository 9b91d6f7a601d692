"""Group optimisation (GO): everybody learns from the group's reward, the paper's upper reference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor

from rllib_lase.registry.go import GOSettings
from rllib_lase.rollout import TensorRollout
from rllib_lase.social.hook import LearntRewards, Networks, SocialHook


class GOHook(SocialHook):
    """Every agent learns from the sum (or mean) of all agents' rewards, departed agents' zeros included."""

    continuous_actions: ClassVar[bool] = True
    visible_fields: ClassVar[frozenset[str]] = frozenset({"rewards"})
    settings: GOSettings

    def rewards(
        self,
        rollout: TensorRollout,
        networks: Sequence[Networks],
        recorded: Tensor,
        carry: Tensor | None = None,
    ) -> LearntRewards:
        """The same group reward for everybody."""
        del networks, recorded, carry
        total = rollout.rewards.sum(0, keepdim=True)
        if self.settings.reward_aggregation == "mean":
            total = total / rollout.num_agents
        return LearntRewards(total.expand_as(rollout.rewards).contiguous())
