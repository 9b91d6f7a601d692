"""Our algorithms as contestants, fresh or with the networks of a trained run, and where their time goes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.bare_torch import RecordedRound
from benchmarks.timing import PartClock
from rllib_lase.defaults import default_settings
from rllib_lase.networks import PolicyNet
from rllib_lase.registry import ALGORITHMS
from rllib_lase.rllib.algorithm import SocialAlgorithm
from rllib_lase.rllib.env_runner import BatchedEnvRunner
from rllib_lase.rllib.learner import SocialLearner
from rllib_lase.settings import Optimizer, Settings, setting_names
from rllib_lase.social.lase import LASEHook
from rllib_lase.train_spec import build_config

GAME = "cleanup"
#: A learning rate that leaves weights as they are, with all of the work of an update.
FROZEN_LR = 1e-12
#: The parts that a round's time is shared out to; what belongs to none of them is `rest`.
PARTS = ("env", "acting", "relationships", "policy", "sr", "conversion", "replay", "rest")


class OwnAlgorithm:
    """One of our algorithms in this process.

    Args:
        name: Its row in the table.
        algo_id: Id of the algorithm.
        settings: All settings.
        game: Id of the game.
        game_params: Its parameters.
    """

    def __init__(
        self,
        name: str,
        algo_id: str,
        settings: Settings,
        game: str = GAME,
        game_params: Mapping[str, Any] | None = None,
    ) -> None:
        self.name = name
        self.algorithm: SocialAlgorithm = build_config(
            ALGORITHMS[algo_id], settings, game, game_params or {}, 0
        ).build_algo()
        self._learns = settings.lr > FROZEN_LR
        self._initial = self._weights()
        self._collective_rewards: list[float] = []
        self._losses: dict[str, Any] = {}

    @property
    def runner(self) -> BatchedEnvRunner:
        """The sampler of this process."""
        return cast(BatchedEnvRunner, self.algorithm.env_runner_group.local_env_runner)

    @property
    def learner(self) -> SocialLearner:
        """The learner of this process."""
        return cast(SocialLearner, self.algorithm.learner_group._learner)

    def nets(self) -> list[PolicyNet]:
        """The agents' policies."""
        return [module.policy for module in self.learner.module.values()]

    def _weights(self) -> dict[str, Tensor]:
        parts = {agent: self.learner.module[agent] for agent in self.learner.module.keys()}  # noqa: SIM118
        return {
            f"{agent}.{name}": parameter.detach().clone()
            for agent, module in parts.items()
            for name, parameter in module.named_parameters()
        }

    def load_networks(self, trained: dict[str, dict[str, Tensor]]) -> None:
        """Takes over those of a trained run's networks that this algorithm has."""
        for agent, state in trained.items():
            module: nn.Module = self.learner.module[agent]
            module.load_state_dict({name: state[name] for name in module.state_dict()})
        self._initial = self._weights()

    def train(self) -> int:
        """One iteration."""
        before = self.algorithm.env_steps
        self.algorithm.train()
        report = self.algorithm.report
        self._collective_rewards += report.finished.returns.sum(1).tolist()
        self._losses = report.learner["learner"]
        return self.algorithm.env_steps - before

    def collective_reward(self) -> float:
        """Mean collective reward of all episodes that `train` has ended so far."""
        return float(np.mean(self._collective_rewards))

    def record(self, num_rounds: int, settings: Settings) -> list[RecordedRound]:
        """Rounds as they are learnt from, sampled now."""
        return [
            RecordedRound.of(
                self.runner.sample_rollout(settings.rollout_fragment_length, 0.0),
                settings.gamma,
                settings.lambda_,
            )
            for _ in range(num_rounds)
        ]

    def check(self) -> None:
        """Finite losses, weights that moved if they should have, and observations that change."""
        for name, values in self._losses.items():
            assert np.isfinite(values).all(), f"{self.name}: {name} is {values}"
        after = self._weights()
        for name, weights in self._initial.items():
            if self._learns:
                assert not torch.equal(after[name], weights), f"{self.name}: {name} has not moved"
            else:
                assert torch.allclose(after[name], weights, atol=1e-6), f"{self.name}: {name} has moved"
        obs = self.runner.sample_rollout(10, 0.0).groups[0].obs
        assert (obs[:, 1:] != obs[:, :-1]).any(axis=(0, 1, 3, 4, 5)).all(), f"{self.name}: nothing moves"

    def part_seconds(self, iterations: int) -> dict[str, float]:
        """CPU seconds of an iteration by part, mean over some further ones. The clocks stay in place."""
        clock, runner, learner = PartClock(), self.runner, self.learner
        for method in ("refresh", "start_fragment", "act", "finish_fragment", "values"):
            clock.watch(runner.sampler.policy, method, "acting")
        clock.watch(runner.env, "step", "env")
        clock.watch(learner.hook, "rewards", "relationships")
        clock.watch(learner, "_update_policies", "policy")
        clock.watch(learner.hook, "observe", "replay")
        if self.algorithm.config.algo_id == "lase":
            training = cast(LASEHook, learner.hook)._training
            clock.watch(training, "sr_loss", "sr")
            clock.watch(training, "conversion_loss", "conversion")
        for method in ("_gradients", "_step"):
            clock.watch(learner, method, lambda group, *_: group)
        clock.watch(self, "train", "rest")
        for _ in range(iterations):
            self.train()
        return {part: clock.seconds[part] / iterations for part in PARTS}

    def time_shares(self, iterations: int) -> dict[str, float]:
        """Shares of CPU time by part, over some further iterations. The clocks stay in place."""
        seconds = self.part_seconds(iterations)
        total = sum(seconds.values())
        return {part: own / total for part, own in seconds.items()}

    def stop(self) -> None:
        """Frees its runners."""
        self.algorithm.stop()


def settings_of(algo_id: str, optimizer: Optimizer, **changes: Any) -> Settings:
    """The game's tuned settings with changes; those that the algorithm does not have are left out."""
    defaults = default_settings(GAME, ALGORITHMS[algo_id], optimizer)
    known = setting_names(type(defaults))
    return defaults.replace(**{name: value for name, value in changes.items() if name in known})


def trained_networks(path: Path | None, env_steps: int) -> dict[str, dict[str, Tensor]]:
    """The networks of a LASE run with the game's tuned settings and seed 0, by agent.

    Args:
        path: Where the run's checkpoint is kept; trains and writes it if it is not there. None keeps nothing.
        env_steps: Length of the run.
    """
    if path is not None and path.exists():
        algorithm = SocialAlgorithm.from_checkpoint(path)
    else:
        settings = settings_of("lase", "ppo", schedule_env_steps=env_steps)
        algorithm = build_config(ALGORITHMS["lase"], settings, GAME, {}, 0).build_algo()
        while algorithm.env_steps < env_steps:
            algorithm.train()
        if path is not None:
            algorithm.save_to_path(path)
    learner = cast(SocialLearner, algorithm.learner_group._learner)
    states = {
        agent: {name: value.clone() for name, value in learner.module[agent].state_dict().items()}
        for agent in learner.module.keys()  # noqa: SIM118
    }
    algorithm.stop()
    return states


def frozen_pair(
    optimizer: Optimizer, networks: dict[str, dict[str, Tensor]], rounds: int
) -> Sequence[OwnAlgorithm]:
    """LASE and independent learners with the tuned settings, both playing a trained run's policies.

    Args:
        optimizer: Of both.
        networks: From `trained_networks`.
        rounds: Rounds of one turn; whole episodes, so that all turns see all phases of an episode.
    """
    pair = []
    for algo_id, label in (("lase", "LASE"), ("independent", "independent")):
        settings = settings_of(
            algo_id,
            optimizer,
            lr=FROZEN_LR,
            lr_end=FROZEN_LR,
            sr_lr=FROZEN_LR,
            conversion_lr=FROZEN_LR,
            rounds_per_iteration=rounds,
        )
        contestant = OwnAlgorithm(f"{label}, {optimizer}", algo_id, settings)
        contestant.load_networks(networks)
        pair.append(contestant)
    return pair


def a2c_settings(num_envs: int, fragment: int, rounds: int, lr: float) -> Settings:
    """Independent A2C learners with a given batch."""
    return dataclasses.replace(
        settings_of("independent", "a2c"),
        num_envs_per_env_runner=num_envs,
        rollout_fragment_length=fragment,
        rounds_per_iteration=rounds,
        lr=lr,
        lr_end=lr,
    )
