"""Independent learners: everybody learns from its own extrinsic reward."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor

from rllib_lase.rollout import TensorRollout
from rllib_lase.social.hook import LearntRewards, Networks, SocialHook


class IndependentHook(SocialHook):
    """No social preference."""

    continuous_actions: ClassVar[bool] = True

    def rewards(
        self,
        rollout: TensorRollout,
        networks: Sequence[Networks],
        recorded: Tensor,
        carry: Tensor | None = None,
    ) -> LearntRewards:
        """The extrinsic rewards."""
        del networks, recorded, carry
        return LearntRewards(rollout.rewards)
