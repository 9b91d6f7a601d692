"""Evaluation of an algorithm with sampled actions: whole episodes, and the hook applied at every step.

Policies are evaluated as they act in training, but without our epsilon mixture; RLlib's DQN keeps its own.
Argmax play is no option: with feed-forward policies it deadlocks (two agents that mirror each other).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import Tensor

from rllib_lase.evaluation.metrics import mean_gift_weights
from rllib_lase.rllib.env_runner import BatchedEnvRunner
from rllib_lase.rllib.episode_account import EpisodeAccount, FinishedEpisodes
from rllib_lase.rllib.joint_env import EnvironmentFault
from rllib_lase.rollout import JointRollout
from rllib_lase.social.hook import LearntRewards

#: Copies that play at the same time.
MAX_COPIES = 128
#: Steps after which an episode is taken to be endless.
MAX_EPISODE_STEPS = 100_000


class Players(Protocol):
    """Trained agents as evaluations and pictures see them: an algorithm of ours, or policies of RLlib's.

    Attributes:
        env_name: The environment, for messages.
        evaluation_fragment_length: Steps that are played at once.
        moves_rewards: Whether agents give rewards away.
    """

    @property
    def env_name(self) -> str: ...  # noqa: D102

    @property
    def evaluation_fragment_length(self) -> int: ...  # noqa: D102

    @property
    def moves_rewards(self) -> bool: ...  # noqa: D102

    def evaluation_runner(self, copies: int, seed: int) -> BatchedEnvRunner:
        """A runner of this process with the present policies."""
        ...

    def judge(self, rollout: JointRollout, carry: Tensor | None = None) -> LearntRewards:
        """Rewards after gifting, with gift weights at every step."""
        ...


@dataclass(frozen=True)
class SocialEvaluation:
    """What E episodes of N agents came to.

    Attributes:
        agent_ids: The agents.
        count_names: Names of the C counted events.
        episodes: Returns, lengths and counts.
        returns_after_gifting: `(E, N)`; equal to the returns unless the hook moves rewards.
        gift_weights: `(N, N)`, giver in the row, mean over all steps in which the giver was in the game; NaN
            where gifts are no shares of a reward.
    """

    agent_ids: tuple[str, ...]
    count_names: tuple[str, ...]
    episodes: FinishedEpisodes
    returns_after_gifting: NDArray[np.float64]
    gift_weights: NDArray[np.float64]

    def table(self) -> pd.DataFrame:
        """One row per episode and agent, with the columns of a run's episodes.parquet."""
        count, agents = self.episodes.returns.shape
        columns: dict[str, Any] = {
            "episode": np.repeat(np.arange(count), agents),
            "agent_id": list(self.agent_ids) * count,
            "length": np.repeat(self.episodes.lengths, agents),
            "reward": self.episodes.returns.reshape(-1),
            "reward_after_gifting": self.returns_after_gifting.reshape(-1),
        }
        for position, name in enumerate(self.count_names):
            columns[name] = self.episodes.counts[:, :, position].reshape(-1)
        return pd.DataFrame(columns)


def evaluate(players: Players, num_episodes: int, seed: int) -> SocialEvaluation:
    """Plays whole episodes with sampled actions, and applies the hook at every step. Changes no state.

    Args:
        players: Any of our algorithms, trained or not, or policies of RLlib's.
        num_episodes: At least that many episodes; every copy plays equally many.
        seed: Seed of environments and actions; the same seed gives the same episodes.
    """
    copies = min(num_episodes, MAX_COPIES)
    quota = -(-num_episodes // copies)
    runner = players.evaluation_runner(copies, seed)
    env = runner.env
    if env is None:
        raise RuntimeError("the evaluation runner has no environment")
    length = players.evaluation_fragment_length
    agents = len(env.agent_ids)
    plain = EpisodeAccount(agents, copies, len(env.count_names))
    gifted = EpisodeAccount(agents, copies, 0)
    finished, after = [], []
    weight_sum, weight_steps = np.zeros((agents, agents)), np.zeros(agents)
    episodes_per_copy = np.zeros(copies, np.int64)
    carry = None
    while episodes_per_copy.min() < quota:
        rollout = runner.sample_rollout(length, 0.0)
        if rollout.lane_steps.max() > quota * MAX_EPISODE_STEPS:
            raise EnvironmentFault(
                f"{players.env_name}: an episode has not ended after {MAX_EPISODE_STEPS:,} steps; "
                "evaluation needs whole episodes. Truncate episodes in the environment"
            )
        episodes_per_copy += rollout.dones.sum(0)
        finished.append(plain.add(rollout))
        if not players.moves_rewards:
            continue
        learnt = players.judge(rollout, carry)
        carry = learnt.carry
        given = dataclasses.replace(
            rollout, rewards=learnt.after_gifting.numpy(), counts=rollout.counts[..., :0]
        )
        after.append(gifted.add(given))
        if learnt.gift_weights is not None:
            mean, steps = mean_gift_weights(learnt.gift_weights.numpy(), rollout.active.transpose(1, 2, 0))
            weight_sum += np.where(steps[:, None] > 0, mean, 0) * steps[:, None]
            weight_steps += steps
    runner.stop()
    weights = np.full((agents, agents), np.nan) if players.moves_rewards else np.eye(agents)
    np.divide(weight_sum, weight_steps[:, None], out=weights, where=weight_steps[:, None] > 0)
    return SocialEvaluation(
        agent_ids=env.agent_ids,
        count_names=env.count_names,
        episodes=FinishedEpisodes.join(finished).first_of_each_copy(quota),
        returns_after_gifting=FinishedEpisodes.join(after or finished).first_of_each_copy(quota).returns,
        gift_weights=weights,
    )
