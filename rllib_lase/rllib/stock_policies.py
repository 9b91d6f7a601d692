"""The policies that RLlib's algorithms have learnt, played on the batched runner: evaluation and pictures.

Actions are drawn as in training at its end: from the policy's distribution, or epsilon-greedily for DQN.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from ray.rllib.algorithms.algorithm_config import AlgorithmConfig
from ray.rllib.core.columns import Columns
from ray.rllib.core.rl_module.multi_rl_module import MultiRLModule
from ray.rllib.core.rl_module.rl_module import RLModule
from torch import Tensor
from torch.nn import functional as F

from rllib_lase.rllib.checkpoints import load_tree
from rllib_lase.rllib.env_runner import BatchedEnvRunner
from rllib_lase.rllib.joint_env import JointEnv
from rllib_lase.rllib.policies import RLlibPolicies
from rllib_lase.rollout import JointRollout
from rllib_lase.social.hook import LearntRewards

POLICIES_KIND = "rllib policies"
_FRAGMENT_LENGTH = 50


@dataclass(frozen=True)
class StockPlayers:
    """Trained policies of one game, as `evaluate` and `record_episode` want them.

    Attributes:
        env_name: The game.
        game_params: Its parameters.
        module: One module per agent.
        epsilon: Share of uniform random actions; 0 for algorithms that draw from their distribution.
    """

    env_name: str
    game_params: Mapping[str, Any]
    module: MultiRLModule
    epsilon: float
    evaluation_fragment_length: int = _FRAGMENT_LENGTH
    moves_rewards: bool = False

    @staticmethod
    def build(
        config: AlgorithmConfig,
        policies: Mapping[str, Any],
        epsilon: float,
        game: str,
        game_params: Mapping[str, Any],
    ) -> StockPlayers:
        """The policies from the weights of each agent's module."""
        env = config.env(config.env_config)
        spaces = {a: (env.observation_spaces[a], env.action_spaces[a]) for a in env.possible_agents}
        module = config.get_multi_rl_module_spec(spaces=spaces, inference_only=True).build()
        module.set_state(policies)
        return StockPlayers(game, game_params, module, epsilon)

    @staticmethod
    def load(
        folder: Path, config: AlgorithmConfig, game: str, game_params: Mapping[str, Any]
    ) -> StockPlayers:
        """The policies from the part of a checkpoint that holds no pickle.

        Raises:
            CheckpointError: a file is missing or damaged.
        """
        saved = load_tree(folder, kind=POLICIES_KIND)
        return StockPlayers.build(config, saved["policies"], saved["epsilon"], game, game_params)

    def evaluation_runner(self, copies: int, seed: int) -> BatchedEnvRunner:
        """A runner of this process with these policies."""
        config = AlgorithmConfig().environment(self.env_name, env_config=dict(self.game_params))
        config.env_runners(num_env_runners=0, num_envs_per_env_runner=copies).debugging(seed=seed)
        config.in_evaluation = True
        return _StockRunner(self, config=config, worker_index=0, num_workers=0)

    def judge(self, rollout: JointRollout, carry: Tensor | None = None) -> LearntRewards:
        """The rewards themselves: nobody gives."""
        del carry
        return LearntRewards(torch.from_numpy(rollout.rewards))


class _StockRunner(BatchedEnvRunner):
    """The batched runner with modules that are there already."""

    def __init__(self, players: StockPlayers, **kwargs: Any) -> None:
        self._players = players
        super().__init__(**kwargs)

    def make_module(self) -> None:
        assert self.env is not None
        self.module = self._players.module
        self.act_by(_StockPolicies(self.module, self.env, self._players.epsilon))


class _StockPolicies(RLlibPolicies):
    """RLlib's modules on flat observations; those that choose an action themselves are mixed with epsilon."""

    def __init__(self, module: MultiRLModule, env: JointEnv, epsilon: float) -> None:
        super().__init__(module, env, lambda agent_id: agent_id)
        self._mixture = epsilon

    def _logits_of(self, module: RLModule, obs: Tensor) -> Tensor:
        return stock_logits(module, obs, self._mixture)


@torch.no_grad()
def stock_logits(module: RLModule, obs: Tensor, epsilon: float) -> Tensor:
    """Unnormalised log-probabilities `(B, A)` of an agent's actions.

    Args:
        module: The agent's, which reads flat observations.
        obs: `(B, *obs)` float32.
        epsilon: Share of uniform random actions of a module that chooses an action itself.
    """
    out = module.forward_inference({Columns.OBS: obs.flatten(1)})
    if Columns.ACTION_DIST_INPUTS in out:
        logits: Tensor = out[Columns.ACTION_DIST_INPUTS]
        return logits
    num_actions = int(module.action_space.n)
    greedy = F.one_hot(out[Columns.ACTIONS].long(), num_actions).float()
    return ((1 - epsilon) * greedy + epsilon / num_actions).log()
