"""`GiftExchange`: the learner connector that gives RLlib's own algorithms a social hook's rewards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from ray.rllib.connectors.connector_v2 import ConnectorV2
from ray.rllib.env.multi_agent_episode import MultiAgentEpisode
from ray.rllib.utils.annotations import override

from rllib_lase.rllib.episode_rollouts import EpisodeRollout, to_joint_rollouts, with_rewards
from rllib_lase.rollout import JointRollout
from rllib_lase.social.hook import JointSpaces, LearntRewards

#: What the hook makes of all rollouts of one batch, in their order.
Exchange = Callable[[Sequence[JointRollout]], Sequence[LearntRewards]]


class GiftExchange(ConnectorV2):
    """Puts in place of each episode one whose rewards are those after gifts; returns are computed from them.

    Must come first, before `AddOneTsToEpisodesAndTruncate`, which makes every agent one step longer:
    `LASELearnerMixin.build` prepends it. Pieces of `config.learners(learner_connector=...)` come too late.
    The list of episodes is changed in place; the episodes that it had are not.

    Args:
        exchange: Asked once per batch.
        spaces: The modules, which stand for the agents, in their fixed order.
    """

    def __init__(self, exchange: Exchange, spaces: JointSpaces) -> None:
        super().__init__()
        self._exchange = exchange
        self._spaces = spaces

    @override(ConnectorV2)
    def __call__(
        self, *, rl_module: Any, batch: dict[str, Any], episodes: list[MultiAgentEpisode], **kwargs: Any
    ) -> dict[str, Any]:
        """Exchanges gifts within the episodes.

        Args:
            rl_module: Not used; what the hook reads is the exchange's business.
            batch: Handed on as it is.
            episodes: All data of one update.
            **kwargs: Not used.

        Raises:
            ValueError: if they do not fit the modules, agents do not act in every step until they leave, or a
                reward is not finite.
        """
        del rl_module, kwargs
        parts = to_joint_rollouts(episodes, self._spaces)
        for part in parts:
            _require_finite(part, episodes)
        for part, learnt in zip(parts, self._exchange([part.rollout for part in parts]), strict=True):
            rewards = learnt.rewards.cpu().numpy()
            for column, chunks in enumerate(part.chunks):
                start = 0
                for k in chunks:
                    stop = start + len(episodes[k])
                    episodes[k] = with_rewards(
                        episodes[k], rewards[:, start:stop, column], self._spaces.agent_ids
                    )
                    start = stop
        return batch


def _require_finite(part: EpisodeRollout, episodes: Sequence[MultiAgentEpisode]) -> None:
    """Refuses a reward that gifts would hand on to everybody, and from which nobody would ever learn again.

    Raises:
        ValueError: naming the first one's module, episode and step.
    """
    rollout = part.rollout
    faults = np.argwhere(~np.isfinite(rollout.rewards))
    if len(faults):
        agent, step, column = (int(place) for place in faults[0])
        episode_id = episodes[part.chunks[column][0]].id_
        raise ValueError(
            f"module {rollout.agent_ids[agent]!r} got reward {rollout.rewards[agent, step, column]} in env "
            f"step {int(rollout.lane_steps[column]) + step} of episode {episode_id}, expected a finite one; "
            "likely cause: a division or an overflow in the environment's reward"
        )
