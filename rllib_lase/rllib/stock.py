"""RLlib's own algorithms on our games: RLlib's runner and learner as they are, our run folder around them.

Episodes are counted in the environment and travel through RLlib's metrics, so that local and remote runners
report alike. What evaluation needs is in `stock_policies`.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray
from ray._common.deprecation import DEPRECATED_VALUE
from ray.rllib.algorithms.algorithm import Algorithm
from ray.rllib.algorithms.algorithm_config import AlgorithmConfig
from ray.rllib.core import COMPONENT_LEARNER, COMPONENT_RL_MODULE
from ray.rllib.utils.metrics import (
    ENV_RUNNER_RESULTS,
    LEARNER_RESULTS,
    NUM_ENV_STEPS_SAMPLED_LIFETIME,
)
from ray.rllib.utils.schedules.scheduler import Scheduler
from ray.rllib.utils.typing import MultiAgentDict

import mixed_motive
from rllib_lase.registry.stock import StockSpec
from rllib_lase.rllib.checkpoints import appearing, save_tree
from rllib_lase.rllib.episode_account import FinishedEpisodes
from rllib_lase.rllib.game_env import GameEnv
from rllib_lase.rllib.iteration_report import IterationReport
from rllib_lase.rllib.stock_policies import POLICIES_KIND, StockPlayers
from rllib_lase.settings import closest

#: Key of the finished episodes among RLlib's metrics of env runners.
_EPISODES = "rllib_lase_episodes"
#: Subfolders of a checkpoint: RLlib's own, which holds pickles, and the policies as safe tensors.
RLLIB_FOLDER, POLICIES_FOLDER = "rllib", "policies"
#: Settings that are methods' other than `training`.
_RUNNER_SETTINGS = ("num_env_runners", "num_envs_per_env_runner", "rollout_fragment_length")
_LEARNER_SETTINGS = ("num_learners",)


class StockGameEnv(GameEnv):
    """A game with flat observations, as RLlib's default networks take them, that counts its episodes.

    Attributes:
        last_episode: `(1 + N + N * C,)`: length, returns and event counts of the latest finished episode.
    """

    def __init__(self, env_config: Mapping[str, Any]) -> None:
        super().__init__(env_config)
        space = flat_space(self.game.observation_space)
        self.observation_spaces = dict.fromkeys(self.possible_agents, space)
        self._start_account()
        self.last_episode: NDArray[np.float64] | None = None

    def _start_account(self) -> None:
        agents = len(self._positions)
        self._length = 0
        self._returns = np.zeros(agents)
        self._counts = np.zeros((agents, len(self.game.count_names)))

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[MultiAgentDict, MultiAgentDict]:
        """Starts an episode, as `GameEnv.reset`."""
        self._start_account()
        obs, infos = super().reset(seed=seed, options=options)
        return _flat(obs), infos

    def step(
        self, action_dict: MultiAgentDict
    ) -> tuple[MultiAgentDict, MultiAgentDict, MultiAgentDict, MultiAgentDict, MultiAgentDict]:
        """Steps the game, as `GameEnv.step`."""
        obs, rewards, terminateds, truncateds, infos = super().step(action_dict)
        self._length += 1
        for agent_id, reward in rewards.items():
            position = self._positions[agent_id]
            self._returns[position] += reward
            self._counts[position] += list(infos[agent_id].values())
        if terminateds["__all__"] or truncateds["__all__"]:
            self.last_episode = np.concatenate([[self._length], self._returns, self._counts.ravel()])
        return _flat(obs), rewards, terminateds, truncateds, infos


def flat_space(space: gym.Space[Any]) -> gym.spaces.Box:
    """A float32 vector with the bounds of a box of any shape."""
    assert isinstance(space, gym.spaces.Box)
    return gym.spaces.Box(
        space.low.ravel().astype(np.float32), space.high.ravel().astype(np.float32), dtype=np.float32
    )


def _flat(obs: MultiAgentDict) -> MultiAgentDict:
    return {agent_id: array.ravel() for agent_id, array in obs.items()}


def log_episode(*, metrics_logger: Any, env: Any, env_index: int, **kwargs: Any) -> None:
    """RLlib's callback at an episode's end: hands the environment's account to RLlib's metrics."""
    del kwargs
    metrics_logger.log_value(_EPISODES, env.envs[env_index].unwrapped.last_episode, reduce="item_series")


def finished_episodes(rows: Any, num_agents: int, num_counts: int) -> FinishedEpisodes:
    """The episodes among RLlib's metrics.

    Args:
        rows: What RLlib made of the `last_episode`s: a list of them, one of them, or NaN for none.
        num_agents: N.
        num_counts: C.
    """
    if rows is None or np.ndim(rows) == 0:
        return FinishedEpisodes.none(num_agents, num_counts)
    table = np.reshape(rows, (-1, 1 + num_agents * (1 + num_counts)))
    counts = table[:, 1 + num_agents :].reshape(-1, num_agents, num_counts)
    return FinishedEpisodes(
        table[:, 1 : 1 + num_agents].astype(np.float64),
        table[:, 0].astype(np.int64),
        counts.astype(np.int64),
        np.zeros(len(table), np.int64),
    )


def stock_config(
    spec: StockSpec, game: str, game_params: Mapping[str, Any], seed: int, settings: Mapping[str, Any]
) -> AlgorithmConfig:
    """RLlib's config of a run: its defaults, one module per agent, and `settings`.

    Args:
        spec: The algorithm.
        game: An id of `mixed_motive.GAMES`.
        game_params: Its parameters.
        seed: Seed of environments, weights and actions.
        settings: RLlib's settings, those of the spec among them.

    Raises:
        ValueError: RLlib refuses a setting.
    """
    agents = list(mixed_motive.make(game, num_envs=1, **game_params).agent_ids)
    config: AlgorithmConfig = spec.config_class()()
    config.environment(StockGameEnv, env_config={"game": game, **game_params})
    # A list, since RLlib walks sets in the order of hashes; the first weight would depend on it.
    config.multi_agent(policies=agents, policy_mapping_fn=_own_module)
    config.callbacks(on_episode_end=log_episode)
    config.debugging(seed=seed, log_level="ERROR")
    if spec.num_env_steps_per_iteration:
        config.reporting(
            min_time_s_per_iteration=None,
            min_sample_timesteps_per_iteration=spec.num_env_steps_per_iteration,
        )
    buffer = getattr(config, "replay_buffer_config", None)
    if buffer is not None:
        # Another type replaces the whole dict, alpha and beta included: so all of it is given.
        kind = f"MultiAgent{buffer['type'].removeprefix('MultiAgent')}"
        config.training(replay_buffer_config={**buffer, "type": kind})
    rest = dict(settings)
    config.env_runners(**{name: rest.pop(name) for name in _RUNNER_SETTINGS if name in rest})
    config.learners(**{name: rest.pop(name) for name in _LEARNER_SETTINGS if name in rest})
    if "model_config" in rest:
        config.rl_module(model_config=rest.pop("model_config"))
    config.training(**rest)
    config.validate()
    return config


def _own_module(agent_id: str, *args: Any, **kwargs: Any) -> str:
    del args, kwargs
    return agent_id


def training_settings(config: AlgorithmConfig) -> dict[str, Any]:
    """What RLlib trains with, its defaults included, for the record: all settings that JSON can hold."""
    values = {name: getattr(config, name) for name in _names(config)}
    skipped = ("model", "model_config")  # the old API stack's, and the network's, which is given or RLlib's
    return {name: value for name, value in values.items() if name not in skipped and _is_plain(value)}


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_plain(item) for key, item in value.items())
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return isinstance(value, bool | int | float | str) and value != DEPRECATED_VALUE


def num_actors(config: AlgorithmConfig) -> int:
    """Processes beside this one that RLlib starts for a config."""
    return int(config.num_env_runners) + int(config.num_learners)


@dataclass(frozen=True)
class StockReport(IterationReport):
    """An iteration of an algorithm without gifts."""

    def rewards_after_gifting_per_episode(self) -> NDArray[np.float64]:
        """`(N,)`, the rewards themselves; NaN if no episode ended."""
        if len(self.finished) == 0:
            return np.full(len(self.agent_ids), np.nan)
        return np.asarray(self.finished.returns.mean(0), np.float64)


class StockAlgorithm:
    """One of RLlib's algorithms with the face that a run has towards `rllib_lase.training`.

    Attributes:
        algorithm: RLlib's own.
        report: What the latest iteration saw.
    """

    report: StockReport

    def __init__(self, config: AlgorithmConfig, game: str, game_params: Mapping[str, Any]) -> None:
        self._game, self._game_params = game, dict(game_params)
        made = mixed_motive.make(game, num_envs=1, **game_params)
        self._agent_ids, self._count_names = tuple(made.agent_ids), tuple(made.count_names)
        self.max_collective_reward = made.max_collective_reward
        self.env_steps = self.num_episodes = 0
        self.algorithm: Algorithm = config.build_algo()
        self._read: dict[str, Any] | None = None

    @property
    def iteration(self) -> int:
        """RLlib's iterations so far."""
        return int(self.algorithm.iteration)

    def train(self) -> None:
        """One iteration of RLlib's."""
        self._read = None
        result = self.algorithm.train()
        sampled = result.get(ENV_RUNNER_RESULTS, {})
        before = self.env_steps
        self.env_steps = int(sampled.get(NUM_ENV_STEPS_SAMPLED_LIFETIME, before))
        finished = finished_episodes(sampled.get(_EPISODES), len(self._agent_ids), len(self._count_names))
        self.num_episodes += len(finished)
        self.report = StockReport(
            agent_ids=self._agent_ids,
            count_names=self._count_names,
            env_steps=self.env_steps,
            num_episodes=self.num_episodes,
            finished=finished,
            learner=_learner_report(result.get(LEARNER_RESULTS, {}), self._agent_ids)
            | {"measured": {}, "gift_weights": None, "epsilon": self.epsilon},
            iteration_env_steps=self.env_steps - before,
        )

    @property
    def epsilon(self) -> float:
        """Share of uniform random actions with which RLlib's runners act at present; DQN's only."""
        if not hasattr(self.algorithm.config, "double_q"):
            return 0.0
        schedule = Scheduler(fixed_value_or_schedule=self.algorithm.config.epsilon)
        return float(schedule.update(self.env_steps))

    def players(self) -> StockPlayers:
        """The present policies, for evaluation."""
        return StockPlayers.build(
            self.algorithm.config, self._policies(), self.epsilon, self._game, self._game_params
        )

    def _policies(self) -> dict[str, Any]:
        """Read once between iterations: asynchronous learners go on, and what is played is what is saved."""
        if self._read is None:
            state = self.algorithm.learner_group.get_state(
                components=f"{COMPONENT_LEARNER}/{COMPONENT_RL_MODULE}", inference_only=True
            )
            self._read = dict(state[COMPONENT_LEARNER][COMPONENT_RL_MODULE])
        return self._read

    def save_to_path(self, path: Path) -> None:
        """Writes a checkpoint of two parts.

        `rllib/` is RLlib's own: `Algorithm.from_checkpoint` goes on from it. It holds pickles, which run code
        when they are loaded. `policies/` is what evaluation loads: safe tensors and JSON.
        """
        policies = {"policies": self._policies(), "epsilon": self.epsilon}
        with appearing(path.absolute()) as partial:
            self.algorithm.save_to_path(str(partial / RLLIB_FOLDER))
            save_tree(partial / POLICIES_FOLDER, policies, kind=POLICIES_KIND)

    def stop(self) -> None:
        """Ends RLlib's processes."""
        self.algorithm.stop()


_BOOKKEEPING = ("num_", "diff_num_", "module_train_batch_size", "weights_seq_no", "curr_", "last_")


def _learner_report(results: Mapping[str, Any], agent_ids: Sequence[str]) -> dict[str, Any]:
    """Learning rate and losses of all agents' learners, in the agents' order; none before learning starts."""
    modules = [results.get(agent_id, {}) for agent_id in agent_ids]
    names = [
        name
        for name, value in modules[0].items()
        if isinstance(value, int | float | np.number)
        and not name.startswith(_BOOKKEEPING)
        and all(name in module for module in modules)
    ]
    rates = [name for name in names if name.endswith("learning_rate")]
    losses = {name: [float(module[name]) for module in modules] for name in names if name not in rates}
    return {"learner": losses, "lr": float(modules[0][rates[0]]) if rates else float("nan")}


def setting_problems(spec: StockSpec, given: Mapping[str, Any]) -> list[str]:
    """What is wrong with settings of RLlib's, one line each: unknown names, and values of another kind.

    Args:
        spec: The algorithm.
        given: Settings by name. RLlib itself looks at single values only when it uses them.
    """
    config = spec.config_class()()
    known = {name: value for name in _names(config) if (value := getattr(config, name)) != DEPRECATED_VALUE}
    problems = []
    for name, value in given.items():
        if name not in known:
            problems.append(f"{name}: {spec.algo_id} has no such setting{closest(name, known) or '.'}")
        elif expected := _expected(known[name], value):
            problems.append(f"{name}: expected {expected} like the default {known[name]!r}, found {value!r}")
    return problems


def _names(config: AlgorithmConfig) -> list[str]:
    """The settings that `training` takes, in any class that the config inherits from, and a few others."""
    methods = [vars(each)["training"] for each in type(config).__mro__ if "training" in vars(each)]
    names = [name for method in methods for name in inspect.signature(method).parameters]
    others = (*_RUNNER_SETTINGS, *_LEARNER_SETTINGS, "model_config")
    return [n for n in dict.fromkeys([*names, *others]) if not n.startswith("_") and hasattr(config, n)]


def _expected(default: Any, value: Any) -> str | None:
    """The kind of value that a setting takes, if `value` is of another; None also if that is not known."""
    if isinstance(default, bool):
        return None if isinstance(value, bool) else "true or false"
    if isinstance(default, dict):
        return None if isinstance(value, dict) else "an object"
    # Numbers may follow a schedule, [[0, 0.1], [100000, 0.01]].
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(default, int):
        return None if number and value == int(value) else "a whole number"
    if isinstance(default, float):
        return None if number or isinstance(value, list) else "a number or a list"
    return None
