"""Cross-play: plays the matches of `rllib_lase.evaluation.crossplay` on the batched runner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from ray.rllib.algorithms.algorithm_config import AlgorithmConfig
from torch import Tensor

import mixed_motive
from rllib_lase.evaluation.crossplay import Match
from rllib_lase.rllib.env_runner import BatchedEnvRunner
from rllib_lase.rllib.evaluate import evaluate
from rllib_lase.rllib.game_env import EnvLike
from rllib_lase.rllib.policies import StackedPolicies
from rllib_lase.rllib.seat_agents import SeatAgents, only_rewards_of
from rllib_lase.rllib.seats import SeatedPolicies
from rllib_lase.rollout import JointRollout
from rllib_lase.social.hook import LearntRewards

#: What everybody sees of our games: the encoding that our networks read, and RLlib's as floats.
SHOWN = "planes"
_FRAGMENT_LENGTH = 50


@dataclass(frozen=True)
class Arena:
    """Where matches are played.

    Attributes:
        env: A game id, or any environment of RLlib's kind.
        params: The game's parameters, or the environment's options.
    """

    env: EnvLike
    params: Mapping[str, Any]

    @property
    def name(self) -> str:
        """For messages."""
        return self.env if isinstance(self.env, str) else getattr(self.env, "__qualname__", str(self.env))

    def config(self, copies: int, seed: int) -> AlgorithmConfig:
        """What an evaluation's runner is made from."""
        params = dict(self.params)
        if isinstance(self.env, str) and self.env in mixed_motive.GAMES:
            params["obs"] = SHOWN
        config = AlgorithmConfig().environment(self.env, env_config=params)
        config.env_runners(num_env_runners=0, num_envs_per_env_runner=copies).debugging(seed=seed)
        config.in_evaluation = True
        return config


def play_match(
    arena: Arena, match: Match, agents: Mapping[str, SeatAgents], num_episodes: int, seed: int
) -> pd.DataFrame:
    """Plays one match with sampled actions.

    Args:
        arena: Where.
        match: Who, in which seats.
        agents: Both players' agents, by the players' names.
        num_episodes: At least that many episodes; every copy plays equally many.
        seed: Of games and actions. A match is a function of it alone, whatever else is played.

    Returns:
        One row per episode and agent: `episode`, `agent_id`, `player`, `length`, `reward`,
        `reward_after_gifting` (NaN where a player's gifts are known only among its own kind), and one column
        per event counted.
    """
    seated = [agents[match.player(seat)] for seat in range(match.num_seats)]
    result = evaluate(_MatchPlayers(arena, seated, seed), num_episodes, seed)
    table = result.table()
    names = [match.player(seat) for seat in range(match.num_seats)]
    table.insert(2, "player", names * len(result.episodes))
    if any(each.gives == "unknown" for each in seated):
        table["reward_after_gifting"] = np.nan
    return table


def numbered(number: int, table: pd.DataFrame) -> pd.DataFrame:
    """A match's table with the match's number in front."""
    table.insert(0, "match", number)
    return table


class _MatchPlayers:
    """Who sits in the seats of a match, as `evaluate` wants players."""

    evaluation_fragment_length = _FRAGMENT_LENGTH

    def __init__(self, arena: Arena, seated: Sequence[SeatAgents], seed: int) -> None:
        self.env_name = arena.name
        self._arena, self._seated, self._seed = arena, seated, seed
        self._sides = {
            each: [seat for seat, other in enumerate(seated) if other is each]
            for each in dict.fromkeys(seated)
        }
        gives = {each.gives for each in seated}
        self.moves_rewards = "shares" in gives and "unknown" not in gives

    def evaluation_runner(self, copies: int, seed: int) -> BatchedEnvRunner:
        """A runner in which everybody has its seat."""
        return _MatchRunner(
            self._seated, self._seed, config=self._arena.config(copies, seed), worker_index=0, num_workers=0
        )

    def judge(self, rollout: JointRollout, carry: Tensor | None = None) -> LearntRewards:
        """Rewards after gifting: each side gives of its own rewards, by its own rule.

        The carry holds the sides' own, side by side.
        """
        data = rollout.to_tensors()
        after, carried = torch.zeros_like(data.rewards), []
        for number, (side, seats) in enumerate(self._sides.items()):
            own = None if carry is None else carry[:, number]
            learnt = side.after_gifting(only_rewards_of(data, seats), own)
            after += learnt.rewards
            carried.append(learnt.carry)
        kept = [each for each in carried if each is not None]
        if not kept:
            return LearntRewards(after)
        side_by_side = [torch.zeros_like(kept[0]) if each is None else each for each in carried]
        return LearntRewards(after, carry=torch.stack(side_by_side, 1))


class _MatchRunner(BatchedEnvRunner):
    """The batched runner with somebody in every seat."""

    def __init__(self, seated: Sequence[SeatAgents], seed: int, **kwargs: Any) -> None:
        self._seated, self._match_seed = seated, seed
        super().__init__(**kwargs)

    def make_module(self) -> None:
        assert self.env is not None
        players = [each.in_seat(self.env, seat, self._match_seed) for seat, each in enumerate(self._seated)]
        nobody_learns = StackedPolicies({}, self.env)
        self.act_by(SeatedPolicies(self.env, nobody_learns, dict(enumerate(players))))
