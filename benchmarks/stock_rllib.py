"""RLlib's own PPO on its own runner, with networks and batches of the same size as ours."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.core.columns import Columns
from ray.rllib.core.rl_module.apis import ValueFunctionAPI
from ray.rllib.core.rl_module.multi_rl_module import MultiRLModuleSpec
from ray.rllib.core.rl_module.rl_module import RLModuleSpec
from ray.rllib.core.rl_module.torch import TorchRLModule
from ray.rllib.utils.annotations import override
from torch import Tensor

import mixed_motive
from rllib_lase import with_gifts
from rllib_lase.networks import PolicyNet
from rllib_lase.rllib.env_runner import BatchedEnvRunner


class StockModule(TorchRLModule, ValueFunctionAPI):  # type: ignore[misc]
    """`PolicyNet` as RLlib's PPO wants it: embeddings are shared between policy and value in training."""

    @override(TorchRLModule)  # type: ignore[untyped-decorator]
    def setup(self) -> None:
        """Builds the network."""
        super().setup()
        self.net = PolicyNet(self.observation_space.shape, int(self.action_space.n), 128, None)

    @override(TorchRLModule)  # type: ignore[untyped-decorator]
    def _forward(self, batch: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        return {Columns.ACTION_DIST_INPUTS: self.net.pi(self.net.hidden(batch[Columns.OBS]))}

    @override(TorchRLModule)  # type: ignore[untyped-decorator]
    def _forward_train(self, batch: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        hidden = self.net.hidden(batch[Columns.OBS])
        return {Columns.ACTION_DIST_INPUTS: self.net.pi(hidden), Columns.EMBEDDINGS: hidden}

    @override(ValueFunctionAPI)  # type: ignore[untyped-decorator]
    def compute_values(self, batch: dict[str, Any], embeddings: Any = None) -> Tensor:
        """Values of `Columns.OBS`, `(M,)`."""
        hidden = self.net.hidden(batch[Columns.OBS]) if embeddings is None else embeddings
        values: Tensor = self.net.vf(hidden).squeeze(-1)
        return values


class StockPPO:
    """RLlib's PPO in this process: one epoch, the whole batch as one minibatch.

    Args:
        num_envs: Copies of the game that its runner steps.
        env_steps: Env steps of one iteration.
        lr: Adam's learning rate.
        iterations_per_turn: Iterations in one `train`.
        gifts: Whether it learns from rewards after gifts.
        batched: Whether our runner samples instead of RLlib's.
    """

    def __init__(
        self,
        num_envs: int,
        env_steps: int,
        lr: float,
        iterations_per_turn: int,
        gifts: bool = False,
        batched: bool = False,
    ) -> None:
        runner = f"{num_envs} {'copies' if batched else 'env' if num_envs == 1 else 'envs'}"
        self.name = f"RLlib PPO, {runner}{' and gifts' if gifts else ''}"
        self._iterations_per_turn = iterations_per_turn
        agents = mixed_motive.make("cleanup", num_envs=1).agent_ids
        config = (
            PPOConfig()
            .environment("cleanup", env_config={"obs": "float32"})
            .env_runners(
                env_runner_cls=BatchedEnvRunner if batched else None,
                num_env_runners=0,
                num_envs_per_env_runner=num_envs,
                rollout_fragment_length=env_steps // num_envs,
            )
            .multi_agent(policies=set(agents), policy_mapping_fn=lambda agent, episode, **kwargs: agent)
            .rl_module(
                rl_module_spec=MultiRLModuleSpec(
                    rl_module_specs={agent: RLModuleSpec(module_class=StockModule) for agent in agents}
                )
            )
            .training(
                train_batch_size_per_learner=env_steps,
                num_epochs=1,
                minibatch_size=None,
                lr=lr,
                gamma=0.98,
                lambda_=0.95,
                entropy_coeff=0.05,
                vf_loss_coeff=0.5,
                grad_clip=0.5,
                use_kl_loss=False,
            )
            .debugging(seed=0, log_level="ERROR")
        )
        if gifts:
            with_gifts(config)
        self._algorithm = config.build_algo()
        self._losses: dict[str, float] = {}
        self._agents = agents
        self._lifetime = 0
        self._initial = self._weights()

    def _weights(self) -> dict[str, Any]:
        state: dict[str, Any] = self._algorithm.learner_group.get_weights()
        return {agent: {name: np.array(value) for name, value in state[agent].items()} for agent in state}

    def train(self) -> int:
        """One turn."""
        result: dict[str, Any] = {}
        for _ in range(self._iterations_per_turn):
            result = self._algorithm.train()
        self._losses = {agent: float(result["learners"][agent]["total_loss"]) for agent in self._agents}
        before, self._lifetime = self._lifetime, int(result["num_env_steps_sampled_lifetime"])
        return self._lifetime - before

    def check(self) -> None:
        """Finite losses, moved weights, and observations that change from step to step."""
        assert all(np.isfinite(loss) for loss in self._losses.values()), f"{self.name}: {self._losses}"
        after = self._weights()
        for agent, weights in self._initial.items():
            moved = any(not np.array_equal(weights[name], after[agent][name]) for name in weights)
            assert moved, f"{self.name}: the weights of {agent} have not moved"
        with torch.no_grad():
            episodes = self._algorithm.env_runner.sample(num_timesteps=64)
        observations = [
            np.stack(episode.agent_episodes[agent].get_observations())
            for episode in episodes
            for agent in self._agents
        ]
        assert any((np.diff(obs, axis=0) != 0).any() for obs in observations), f"{self.name}: nothing moves"

    def stop(self) -> None:
        """Frees its runners."""
        self._algorithm.stop()
