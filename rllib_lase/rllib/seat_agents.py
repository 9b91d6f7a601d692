"""`SeatAgents`: agents that have learnt, or scripted players, one for each seat of a game, ready to be mixed.

They come from a run's checkpoint without building its algorithm. Knows nothing of who meets whom.
"""

from __future__ import annotations

import abc
import dataclasses
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import gymnasium as gym
import numpy as np
import torch
from numpy.typing import NDArray
from ray.rllib.core import COMPONENT_RL_MODULE
from ray.rllib.core.rl_module.rl_module import RLModule
from torch import Tensor

from rllib_lase.core.distributions import behaviour_probs, sample_actions
from rllib_lase.networks import PolicyNet
from rllib_lase.registry import StockSpec, resolve_algorithm
from rllib_lase.rllib.checkpoints import load_tree
from rllib_lase.rllib.config import SocialConfig
from rllib_lase.rllib.game_env import make_joint_env
from rllib_lase.rllib.joint_env import JointEnv
from rllib_lase.rllib.learner import SOCIAL_STATE
from rllib_lase.rllib.modules import SocialModule
from rllib_lase.rllib.seats import FrozenPlayer, ScriptedPlayer, SeatPlayer
from rllib_lase.rllib.stock import POLICIES_FOLDER, stock_config
from rllib_lase.rllib.stock_policies import StockPlayers, stock_logits
from rllib_lase.rollout import TensorRollout
from rllib_lase.social.fixed_share import FixedShareHook
from rllib_lase.social.hook import POLICY, LearntRewards, Networks, SocialHook
from rllib_lase.social.lase import LASEHook

Gives = Literal["nothing", "shares", "unknown"]


class SeatAgents(abc.ABC):
    """An agent for each seat of a game.

    Attributes:
        gives: What they give of their rewards: nothing; shares, whoever else plays; or something that is
            known only among their own kind.
    """

    gives: Gives = "nothing"

    @abc.abstractmethod
    def in_seat(self, env: JointEnv, seat: int, seed: int) -> SeatPlayer:
        """Who plays a seat.

        Args:
            env: The copies.
            seat: Position of the agent.
            seed: Of random decisions that are not drawn from a policy.
        """

    def after_gifting(self, rollout: TensorRollout, carry: Tensor | None) -> LearntRewards:
        """Rewards of everybody after these agents' gifts.

        Args:
            rollout: Steps in which nobody else has a reward.
            carry: That of the steps before, if these go on where they ended.
        """
        del carry
        return LearntRewards(rollout.rewards)


class ScriptedAgents(SeatAgents):
    """A scripted player of `mixed_motive` in every seat: "cooperator", "defector" or "random"."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def in_seat(self, env: JointEnv, seat: int, seed: int) -> SeatPlayer:
        """The script for that seat."""
        return ScriptedPlayer(self._kind, env, seat, seed)


@dataclass(frozen=True)
class Giving:
    """What is needed to tell what agents give.

    Attributes:
        hook: Their social preference.
        networks: Each agent's.
    """

    hook: SocialHook
    networks: Sequence[Networks]


class NetworkAgents(SeatAgents):
    """Agents of one of our algorithms.

    Args:
        nets: One policy per seat.
        tables: One per seat: the game's action that each of the agent's actions plays, or None.
        giving: How they give; None if they do not.
    """

    def __init__(
        self,
        nets: Sequence[PolicyNet],
        tables: Sequence[NDArray[np.int64] | None],
        giving: Giving | None = None,
    ) -> None:
        self._nets, self._tables, self._giving = nets, tables, giving
        if giving is not None:
            self.gives = "shares" if _gives_shares(giving.hook) else "unknown"

    @staticmethod
    def load(checkpoint: Path) -> NetworkAgents:
        """The agents of a checkpoint of one of our algorithms.

        Raises:
            CheckpointError: a file is missing or damaged.
        """
        saved = load_tree(checkpoint)
        config = SocialConfig.from_json(saved["config"])
        env = make_joint_env(config.env, config.env_config, 1)
        tables = [_table(config, env, agent_id) for agent_id in env.agent_ids]
        adapted = config.adapt_env(env)
        spaces = {a: (adapted.observation_spaces[a], adapted.action_spaces[a]) for a in adapted.agent_ids}
        module = config.get_multi_rl_module_spec(spaces=spaces, inference_only=False).build()
        module.set_state(saved["learner"][COMPONENT_RL_MODULE])
        adapted.close()
        hook = config.make_hook(config.joint_spaces(spaces))
        own = [cast(SocialModule, module[agent_id]) for agent_id in adapted.agent_ids]
        giving = None
        if hook.moves_rewards():
            hook.set_state(saved["learner"][SOCIAL_STATE]["hook"])
            giving = Giving(hook, [{POLICY: each.policy, **each.social} for each in own])
        return NetworkAgents([each.policy for each in own], tables, giving)

    def in_seat(self, env: JointEnv, seat: int, seed: int) -> SeatPlayer:
        """The agent of that seat; it draws from its own distribution."""
        del seed
        table = self._tables[seat]
        player = FrozenPlayer(self._nets[seat], env, seat)
        return player if table is None else _Translated(player, table)

    def after_gifting(self, rollout: TensorRollout, carry: Tensor | None) -> LearntRewards:
        """As the agents would judge the steps among their own kind."""
        if self._giving is None:
            return super().after_gifting(rollout, carry)
        hook = self._giving.hook
        before = hook.initial_carry(rollout.dones.shape[1]) if carry is None else carry
        nowhere = torch.zeros_like(rollout.dones)  # a giver without a reward gives nothing
        return hook.rewards(rollout, self._giving.networks, nowhere, before)


class StockAgents(SeatAgents):
    """Agents of one of RLlib's algorithms.

    Args:
        modules: One per seat; on flat observations.
        epsilon: Share of uniform random actions, for those that choose an action themselves.
    """

    def __init__(self, modules: Sequence[RLModule], epsilon: float) -> None:
        self._modules, self._epsilon = modules, epsilon

    @staticmethod
    def load(checkpoint: Path, spec: StockSpec, config: Mapping[str, Any]) -> StockAgents:
        """The agents of a checkpoint, without its pickles.

        Args:
            checkpoint: The folder of both parts.
            spec: The algorithm.
            config: The run's.

        Raises:
            CheckpointError: a file is missing or damaged.
        """
        game = config["game"], config["game_params"]
        rllib = stock_config(spec, *game, config["seed"], config["settings"])
        players = StockPlayers.load(checkpoint / POLICIES_FOLDER, rllib, *game)
        agent_ids = rllib.env(rllib.env_config).possible_agents
        return StockAgents([players.module[agent_id] for agent_id in agent_ids], players.epsilon)

    def in_seat(self, env: JointEnv, seat: int, seed: int) -> SeatPlayer:
        """The agent of that seat."""
        del env, seed
        return _StockPlayer(self._modules[seat], self._epsilon)


def load_agents(config: Mapping[str, Any], checkpoint: Path) -> SeatAgents:
    """The agents of a run.

    Args:
        config: The run's config.json.
        checkpoint: One of its checkpoints.

    Raises:
        CheckpointError: a file is missing or damaged.
    """
    logging.getLogger("ray").setLevel(logging.ERROR)  # as a session does, of which there is no need here
    spec, _ = resolve_algorithm(config["algo"])
    if isinstance(spec, StockSpec):
        return StockAgents.load(checkpoint, spec, config)
    return NetworkAgents.load(checkpoint)


class _Translated(SeatPlayer):
    """Plays the game's actions that a player's own ones stand for."""

    def __init__(self, player: SeatPlayer, table: NDArray[np.int64]) -> None:
        self._player, self._table = player, table
        self.state_size = player.state_size

    def act(
        self, obs: NDArray[Any], state: Tensor | None, uniform: NDArray[np.float32]
    ) -> tuple[NDArray[Any], Tensor | None]:
        """As the player, in the game's actions."""
        actions, after = self._player.act(obs, state, uniform)
        return self._table[actions], after


class _StockPlayer(SeatPlayer):
    """One of RLlib's modules."""

    def __init__(self, module: RLModule, epsilon: float) -> None:
        self._module, self._epsilon = module, epsilon

    def act(
        self, obs: NDArray[Any], state: Tensor | None, uniform: NDArray[np.float32]
    ) -> tuple[NDArray[Any], Tensor | None]:
        """Sampled actions."""
        logits = stock_logits(self._module, torch.from_numpy(obs).float(), self._epsilon)
        return sample_actions(behaviour_probs(logits, 0.0), torch.from_numpy(uniform)).numpy(), state


def only_rewards_of(rollout: TensorRollout, seats: Sequence[int]) -> TensorRollout:
    """The same steps, in which nobody but the agents of some seats has a reward."""
    kept = torch.zeros(rollout.num_agents, 1, 1, dtype=torch.bool)
    kept[list(seats)] = True
    return dataclasses.replace(rollout, rewards=torch.where(kept, rollout.rewards, 0.0))


def _gives_shares(hook: SocialHook) -> bool:
    """Whether what an agent gives depends on nothing but what it sees, its networks and its reward."""
    return isinstance(hook, LASEHook | FixedShareHook) and not hook.refuses_gifts


def _table(config: SocialConfig, env: JointEnv, agent_id: str) -> NDArray[np.int64] | None:
    """Which of the game's actions an agent's actions play, if its preference adds any."""
    space = env.action_spaces[agent_id]
    if not isinstance(space, gym.spaces.Discrete):
        return None
    return config.hook_class.action_table(config.settings(), int(space.n), env.stay_action)
