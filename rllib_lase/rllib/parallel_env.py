"""`ParallelEnvAdapter`: any PettingZoo `ParallelEnv` as an RLlib `MultiAgentEnv`.

In place of RLlib's own wrapper, which takes the agents' order from a set, lets no agent leave, leaves the end
open where some agents terminate and others are truncated in one step, and cannot render.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from gymnasium import Space
from pettingzoo import AECEnv, ParallelEnv
from ray.rllib.env.multi_agent_env import MultiAgentEnv
from ray.rllib.env.wrappers.pettingzoo_env import ParallelPettingZooEnv, PettingZooEnv
from ray.rllib.utils.typing import MultiAgentDict

from rllib_lase.rllib.joint_env import EnvironmentFault

_Step = tuple[MultiAgentDict, MultiAgentDict, MultiAgentDict, MultiAgentDict, MultiAgentDict]


class ParallelEnvAdapter(MultiAgentEnv):
    """A `ParallelEnv` with its agents in the order of `possible_agents`, with fixed spaces.

    Observations are copied: what the environment writes into its arrays later changes nothing, and whoever
    gets one may write into it. The episode ends when every agent has ended, or when the environment's
    `agents` is empty; agents without a flag then count as truncated. If all who were left terminate in the
    last step, `__all__` is terminated; else it is truncated, with flags for those who terminated only.

    Args:
        env: The environment; not reset yet, and no one else's.

    Attributes:
        par_env: The environment.

    Raises:
        EnvironmentFault: if it does not list its agents before the first reset, or has no spaces for them.
    """

    def __init__(self, env: ParallelEnv[Any, Any, Any]) -> None:
        super().__init__()
        self.par_env = env
        self._name = str(env)
        listed = getattr(env, "possible_agents", None)
        if not isinstance(listed, list | tuple) or not listed:
            raise EnvironmentFault(
                f"{self._name}: `possible_agents` is {listed!r}; expected a list of all agents that ever "
                "take part, before the first reset(). Cure: set self.possible_agents in __init__."
            )
        self.possible_agents = list(listed)
        self.agents = list(listed)
        self.observation_spaces = {agent: self._space("observation_space", agent) for agent in listed}
        self.action_spaces = {agent: self._space("action_space", agent) for agent in listed}
        self.metadata = dict(getattr(env, "metadata", None) or {})
        self.render_mode = getattr(env, "render_mode", None)
        self._closed = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[MultiAgentDict, MultiAgentDict]:
        """Starts an episode.

        Args:
            seed: Passed on; None lets the environment go on drawing.
            options: Passed on if there are any.

        Returns:
            First observations and infos of the agents in the game.

        Raises:
            EnvironmentFault: if a space is no longer what it was.
        """
        extra = {} if options is None else {"options": options}
        answer = self.par_env.reset(seed=seed, **extra)
        if not isinstance(answer, tuple) or len(answer) != 2:
            raise EnvironmentFault(
                f"reset() returned {_kind(answer)}, expected a pair of dicts. Likely cause: an environment "
                "older than PettingZoo 1.23. Cure: return observations, infos."
            )
        self._require_same_spaces()
        self.agents = list(self.par_env.agents)
        obs, infos = answer
        return _copies(obs), infos

    def step(self, action_dict: MultiAgentDict) -> _Step:
        """Steps the environment.

        Args:
            action_dict: The action of every agent in `agents`.

        Returns:
            Observations, rewards, terminateds, truncateds and infos, the flags with `__all__`.

        Raises:
            EnvironmentFault: if an agent is gone that has not ended.
        """
        acted = self.agents
        answer = self.par_env.step(action_dict)
        if not isinstance(answer, tuple) or len(answer) != 5:
            raise EnvironmentFault(
                f"step() returned {_kind(answer)}, expected five dicts: observations, rewards, terminations, "
                "truncations, infos. Cure: return them, truncations apart from terminations."
            )
        obs, rewards, terminations, truncations, infos = answer
        flags = [self._by_agent(part, acted) for part in (terminations, truncations)]
        ended = {agent for agent in acted if flags[0][agent] or flags[1][agent]}
        staying = [agent for agent in acted if agent not in ended]
        present = set(self.par_env.agents)
        gone = [agent for agent in staying if agent not in present]
        if present and gone:
            raise EnvironmentFault(
                f"agents {gone} are no longer in `agents`, neither terminated nor truncated; expected that "
                "agents leave with a flag. Cure: flag them in the step in which they leave."
            )
        self.agents = staying if present else []
        if not self.agents:
            self._require_same_spaces()
            if all(flags[0][agent] for agent in acted):
                flags[0]["__all__"] = True
            else:  # where every agent has a flag of its own, RLlib's episodes take it for a termination
                flags[1] = {"__all__": True}
        return _copies(obs), rewards, flags[0], flags[1], infos

    @staticmethod
    def _by_agent(flags: Any, agents: list[Any]) -> MultiAgentDict:
        """Flags of those who acted, and an open `__all__`."""
        found = flags if isinstance(flags, Mapping) else {}
        return {**{agent: bool(found.get(agent, False)) for agent in agents}, "__all__": False}

    def render(self) -> Any:
        """What the environment draws in its own render mode; None without one."""
        return None if self.render_mode is None else self.par_env.render()

    def close(self) -> None:
        """Closes the environment, once."""
        if not self._closed:
            self._closed = True
            self.par_env.close()

    def _space(self, call: str, agent: Any) -> Space[Any]:
        try:
            space = getattr(self.par_env, call)(agent)
        except Exception as error:
            raise EnvironmentFault(
                f"{self._name}: {call}({agent!r}) threw {type(error).__name__}: {error}. Expected a space of "
                "every agent in `possible_agents`, at any time. Cure: build all spaces in __init__."
            ) from error
        if not isinstance(space, Space):
            raise EnvironmentFault(
                f"{self._name}: {call}({agent!r}) is {space!r}; expected a gymnasium space."
            )
        return space

    def _require_same_spaces(self) -> None:
        for call, spaces in (
            ("observation_space", self.observation_spaces),
            ("action_space", self.action_spaces),
        ):
            for agent, known in spaces.items():
                now = self._space(call, agent)
                if now is not known and now != known:
                    raise EnvironmentFault(
                        f"{call} of agent {agent!r} is now {now}, and was {known}; expected spaces that "
                        "never change, since networks are built for them. Likely cause: it is made from "
                        "the state. Cure: build the largest one in __init__, and pad."
                    )


def as_multi_agent_env(made: Any) -> Any:
    """A `MultiAgentEnv` where `made` is one, is wrapped in RLlib's wrapper, or is a `ParallelEnv`.

    Anything else is returned as it is, for whoever refuses it by name.
    """
    if isinstance(made, ParallelPettingZooEnv):
        return ParallelEnvAdapter(made.par_env)
    return ParallelEnvAdapter(made) if isinstance(made, ParallelEnv) else made


def make_multi_agent_env(env_fn: Callable[..., Any], env_config: Mapping[str, Any]) -> Any:
    """Calls a function of `register_env`, or of an import path, and adapts what it makes.

    Args:
        env_fn: A `MultiAgentEnv` class gets the config itself, anything else gets it as keywords.
        env_config: The environment's options; RLlib's `EnvContext` is one.
    """
    if isinstance(env_fn, type) and issubclass(env_fn, MultiAgentEnv):
        return env_fn(env_config)
    return as_multi_agent_env(env_fn(**env_config))


def takes_turns(env: Any) -> bool:
    """Whether an environment is PettingZoo's kind in which agents act one after the other."""
    return isinstance(env, AECEnv | PettingZooEnv)


def _copies(obs: Any) -> Any:
    """The same observations in arrays of their own; what is no dict is left to the checks that follow."""
    return {agent: _copied(own) for agent, own in obs.items()} if isinstance(obs, Mapping) else obs


def _copied(obs: Any) -> Any:
    if isinstance(obs, np.ndarray):
        return obs.copy()
    if isinstance(obs, Mapping):
        return {key: _copied(part) for key, part in obs.items()}
    if isinstance(obs, tuple | list):
        return tuple(_copied(part) for part in obs)
    return obs


def _kind(answer: Any) -> str:
    return f"a tuple of {len(answer)}" if isinstance(answer, tuple) else f"a {type(answer).__name__}"
