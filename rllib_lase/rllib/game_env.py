"""The games as an ordinary RLlib `MultiAgentEnv`, and which `JointEnv` an environment's name means."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pettingzoo import ParallelEnv
from ray.rllib.env.env_context import EnvContext
from ray.rllib.env.multi_agent_env import MultiAgentEnv
from ray.rllib.utils.typing import MultiAgentDict
from ray.tune import registry
from ray.tune.registry import ENV_CREATOR

import mixed_motive
from mixed_motive.checks import BOOLS
from rllib_lase.environments import is_import_path, load_env_fn
from rllib_lase.rllib.game_copies import GameCopies
from rllib_lase.rllib.joint_env import JointEnv
from rllib_lase.rllib.multi_agent_copies import MultiAgentEnvCopies
from rllib_lase.rllib.parallel_env import make_multi_agent_env
from rllib_lase.settings import suggestion

EnvLike = str | type[MultiAgentEnv] | Callable[[EnvContext], Any]


class GameEnv(MultiAgentEnv):
    """One copy of a game of `mixed_motive` as RLlib's own runners and algorithms know environments.

    The same seed and actions give the same trajectory as through the batched game.

    Args:
        env_config: `game`, an id of `mixed_motive.GAMES`; `obs`, the observations' encoding, "float32" unless
            given (RLlib's own modules refuse uint8); the rest are the game's parameters, `preset` among them.

    Raises:
        mixed_motive.GameError: for an unknown game, preset or parameter, or a value out of range.
    """

    def __init__(self, env_config: Mapping[str, Any]) -> None:
        super().__init__()
        _refuse_taken(env_config, ("num_envs", "auto_reset"))
        params = {"obs": "float32", **env_config}
        self.game = mixed_motive.make(params.pop("game", None), num_envs=1, auto_reset=False, **params)
        self._positions = {agent_id: i for i, agent_id in enumerate(self.game.agent_ids)}
        self.metadata = {"render_modes": ["rgb_array"]}
        self.render_mode = "rgb_array"
        self.possible_agents = list(self._positions)
        self.agents = list(self._positions)
        self.observation_spaces = dict.fromkeys(self._positions, self.game.observation_space)
        self.action_spaces = dict.fromkeys(self._positions, self.game.action_space)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[MultiAgentDict, MultiAgentDict]:
        """Starts an episode; without a seed the next one of the present seed.

        Args:
            seed: In [0, 2**64), or None.
            options: Not used.

        Returns:
            First observations and empty infos, by agent.
        """
        del options
        self.agents = list(self._positions)
        obs = self.game.reset(seed)[0]
        return dict(zip(self.agents, obs, strict=True)), {agent_id: {} for agent_id in self.agents}

    def step(
        self, action_dict: MultiAgentDict
    ) -> tuple[MultiAgentDict, MultiAgentDict, MultiAgentDict, MultiAgentDict, MultiAgentDict]:
        """Steps the game.

        Args:
            action_dict: The action of every agent in `agents`.

        Returns:
            Observations, rewards, terminateds, truncateds and infos (the game's counts) of the agents that
            acted. Where the horizon ends the episode, `__all__` is truncated; where the last agent leaves,
            `__all__` is terminated.

        Raises:
            mixed_motive.GameError: for a missing or unknown agent, an action that is no integer or out of
                range, or a step before `reset` or after the end. Nothing has changed then.
        """
        # Those who have left do nothing.
        joint = [action_dict.get(agent_id, 0) for agent_id in self._positions]
        if action_dict.keys() != set(self.agents) or not BOOLS.isdisjoint(map(type, joint)):
            raise mixed_motive.GameError(f"{self.game.game_id}: step", self._call_problems(action_dict))
        acted = {agent_id: i for agent_id, i in self._positions.items() if agent_id in action_dict}
        step = self.game.step([joint])
        obs = step.obs[0].copy()  # without auto-reset, the last step's is of the old episode, too
        rewards, leaves, counts = (
            array.tolist()[0] for array in (step.rewards, step.terminations, step.counts)
        )
        terminateds: MultiAgentDict = {agent_id: leaves[i] for agent_id, i in acted.items()}
        done, cut = bool(step.done[0]), bool(step.truncations.any())
        self.agents = [] if done else [agent_id for agent_id in acted if not terminateds[agent_id]]
        names = self.game.count_names
        return (
            {agent_id: obs[i] for agent_id, i in acted.items()},
            {agent_id: rewards[i] for agent_id, i in acted.items()},
            {**terminateds, "__all__": done and not cut},
            # Without flags of single agents: where all are set, RLlib's episodes take it for a termination.
            {"__all__": done and cut},
            {agent_id: dict(zip(names, counts[i], strict=True)) for agent_id, i in acted.items()},
        )

    def _call_problems(self, action_dict: MultiAgentDict) -> list[str]:
        if not self.agents:
            return ["no episode is under way. Call reset() first."]
        if action_dict.keys() != set(self.agents):
            return [f"actions of {list(action_dict)}, expected one of each agent in the game: {self.agents}"]
        return [
            f"action {action} of {agent_id} is a bool, expected an integer"
            for agent_id, action in action_dict.items()
            if type(action) in BOOLS
        ]

    def render(self) -> NDArray[np.uint8]:
        """A picture `(H, W, 3)`."""
        return self.game.render()


def _refuse_taken(env_config: Mapping[str, Any], names: Sequence[str]) -> None:
    """Refuses what says how many copies there are and how they end, which is not the user's to say here."""
    taken = [name for name in names if name in env_config]
    if taken:
        raise mixed_motive.GameError(
            "env_config",
            [
                f"it has {', '.join(taken)}, which the env runner sets itself. "
                "The number of copies is .env_runners(num_envs_per_env_runner=...)."
            ],
        )


def make_joint_env(
    env: EnvLike, env_config: Mapping[str, Any], num_envs: int, first_env_index: int = 0
) -> JointEnv:
    """B copies of an environment, as the batched runner steps them.

    Args:
        env: An id of `mixed_motive.GAMES`, a name in Tune's registry, where `register_env` puts it, an import
            path ("module:function"), a `MultiAgentEnv` class, or a function that makes a `MultiAgentEnv` or a
            `ParallelEnv` from an `EnvContext`.
        env_config: The game's parameters (`preset` and `obs` among them), or the environment's options.
        num_envs: B.
        first_env_index: Index of the first copy over all runners.

    Raises:
        ValueError: for an unknown name; a `mixed_motive.GameError`, which is one, for wrong parameters.
        EnvironmentFault: for an environment that the batched runner cannot serve.
    """
    if isinstance(env, str) and env in mixed_motive.GAMES:
        _refuse_taken(env_config, ("auto_reset", "first_env_index", "num_envs"))
        return GameCopies(env, num_envs, first_env_index, **env_config)
    creator, name = find_creator(env)
    return MultiAgentEnvCopies(creator, env_config, num_envs, first_env_index, name)


def find_creator(env: EnvLike) -> tuple[Callable[[EnvContext], Any], str]:
    """What makes a copy of an environment of others, and the environment's name in messages.

    Raises:
        ValueError: for an unknown name, or what is none and cannot be called.
    """
    if not isinstance(env, str):
        if isinstance(env, type) and issubclass(env, ParallelEnv):
            return functools.partial(make_multi_agent_env, env), env.__qualname__
        if not callable(env):
            raise ValueError(f"environment {env!r}: expected a name, a MultiAgentEnv class or a function")
        return env, getattr(env, "__qualname__", type(env).__qualname__)
    if is_import_path(env):
        return functools.partial(make_multi_agent_env, load_env_fn(env)), env
    tune_registry = registry._global_registry
    if not tune_registry.contains(ENV_CREATOR, env):
        entries = [*tune_registry._to_flush, *tune_registry._registered]
        known = [*mixed_motive.GAMES, *(key for category, key in entries if category == ENV_CREATOR)]
        raise ValueError(
            f"unknown environment {env!r}: {suggestion(env, dict.fromkeys(known))} Other environments must "
            "be registered first, rllib_lase.register_env(name, function), or named by where they are "
            "imported from, module:function."
        )
    return tune_registry.get(ENV_CREATOR, env), env
