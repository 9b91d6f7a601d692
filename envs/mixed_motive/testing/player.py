"""`Player`: plays an environment with random actions and knows where it is, so that a failure can say it."""

from __future__ import annotations

import copy
import dataclasses
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn

import numpy as np
from gymnasium import spaces
from pettingzoo import ParallelEnv

from mixed_motive.testing.failure import CheckFailure, Finding

__all__ = ["EnvFn", "Outcome", "Player", "Policy"]

EnvFn = Callable[..., ParallelEnv]
"""Makes a fresh environment; called without arguments, except for those that a check is about."""

Policy = Callable[[Any, Any, np.random.Generator], Any]
"""(agent id, its last observation, generator) -> action."""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What `reset` or one `step` gave; after a `reset` only `obs`, `infos` and `agents_after` are filled.

    Attributes:
        agents: The agents before the step.
        actions: What they did.
        obs: Observations, as returned.
        rewards: Rewards, as returned.
        terminations: Terminations, as returned.
        truncations: Truncations, as returned.
        infos: Infos, as returned.
        agents_after: The agents after it.
    """

    obs: Mapping[Any, Any]
    infos: Mapping[Any, Any]
    agents_after: tuple[Any, ...]
    agents: tuple[Any, ...] = ()
    actions: Mapping[Any, Any] = dataclasses.field(default_factory=dict)
    rewards: Mapping[Any, Any] = dataclasses.field(default_factory=dict)
    terminations: Mapping[Any, Any] = dataclasses.field(default_factory=dict)
    truncations: Mapping[Any, Any] = dataclasses.field(default_factory=dict)

    def ended(self, agent_id: Any) -> bool:
        """Whether the agent's part in the episode ended in this step."""
        return bool(self.terminations.get(agent_id) or self.truncations.get(agent_id))


class Player:
    """One environment under random play. Actions depend on `action_seed`, episode and agent alone.

    Args:
        check: Name of the check, for its findings.
        env_fn: Makes the environment.
        max_steps: Steps after which `episode` gives up an episode that does not end.
        action_seed: Seed of the random actions.
        policy: Plays instead of random actions.

    Attributes:
        env: The environment.
        step_number: Steps taken in the present episode.
    """

    def __init__(
        self,
        check: str,
        env_fn: EnvFn,
        *,
        max_steps: int,
        action_seed: int = 0,
        policy: Policy | None = None,
    ) -> None:
        self.check, self.max_steps, self.action_seed, self.policy = check, max_steps, action_seed, policy
        self.episode_number, self.step_number = -1, 0
        self.seed: int | None = None
        self._same_actions = False
        self._samplers: dict[Any, Any] = {}
        self._rng = np.random.default_rng(action_seed)
        self._last = Outcome({}, {}, ())
        if not callable(env_fn):
            self.fail(
                f"env_fn is a {type(env_fn).__name__}",
                "what makes a fresh environment",
                "give the class, or a function: check_env(lambda: MyEnv())",
            )
        self.env = self._call("env_fn()", env_fn)
        if not isinstance(self.env, ParallelEnv):
            self.fail(
                f"env_fn() gave a {type(self.env).__name__}",
                "a pettingzoo.ParallelEnv",
                "inherit from ParallelEnv; convert others with pettingzoo.utils.conversions.aec_to_parallel",
            )
        if getattr(self.env, "possible_agents", None) is None:
            self.fail(
                "possible_agents is None",
                "a list of all agents that can ever take part, before the first reset(); an environment that "
                "makes up agents as it goes is outside what is checked",
                "set self.possible_agents in __init__ if those agents can be listed",
            )

    def reset(self, seed: int | None = None, same_actions: bool = False) -> Outcome:
        """Start an episode.

        Args:
            seed: The seed; None calls `reset` without one.
            same_actions: Play the actions of episode 0 again.

        Raises:
            CheckFailure: If `reset` raises, or does not return two dicts.
        """
        self.episode_number += 1
        self.step_number = 0
        self.seed = self.seed if seed is None else seed
        self._same_actions, self._samplers = same_actions, {}
        self._rng = np.random.default_rng([self.action_seed, 0 if same_actions else self.episode_number])
        result = self._call("reset", self.env.reset if seed is None else lambda: self.env.reset(seed=seed))
        if not _are_dicts(result, 2):
            self.fail(
                f"reset() returned {_kind(result)}",
                "a pair of dicts: observations and infos, by agent",
                "return obs, infos",
            )
        self._last = Outcome(result[0], result[1], tuple(self.env.agents))
        return self._last

    def act(self) -> dict[Any, Any]:
        """An action for every agent; masked ones only from its mask."""
        last = self._last
        if self.policy is not None:
            return {a: self.policy(a, last.obs.get(a), self._rng) for a in self.env.agents}
        return {a: self._sample(a, last) for a in self.env.agents}

    def step(self, actions: dict[Any, Any] | None = None) -> Outcome:
        """Step once, with random actions by default. The environment gets the very dict that is given.

        Raises:
            CheckFailure: If `step` raises, or does not return five dicts.
        """
        given = self.act() if actions is None else actions
        taken, agents = dict(given), tuple(self.env.agents)
        self.step_number += 1
        result = self._call("step", lambda: self.env.step(given))
        if not _are_dicts(result, 5):
            self.fail(
                f"step() returned {_kind(result)}",
                "five dicts: observations, rewards, terminations, truncations and infos, by agent",
                "return obs, rewards, terminations, truncations, infos",
            )
        obs, rewards, terminations, truncations, infos = result
        self._last = Outcome(
            obs, infos, tuple(self.env.agents), agents, taken, rewards, terminations, truncations
        )
        return self._last

    def space(self, call: str, agent_id: Any) -> spaces.Space[Any]:
        """The agent's space, by the name of the method that gives it.

        Raises:
            CheckFailure: If that raises, or gives no space.
        """
        try:
            space = getattr(self.env, call)(agent_id)
        except Exception as error:
            finding = self.finding(
                f"{call}() raised {type(error).__name__}: {error}",
                "a space for every agent in possible_agents, at any time",
                "build all spaces in __init__",
                agent_id,
            )
            raise CheckFailure(finding) from error
        if not isinstance(space, spaces.Space):
            self.fail(f"{call}() gave {space!r}", "a gymnasium.Space", "return one", agent_id)
        return space

    @property
    def over(self) -> bool:
        """Whether the episode ended: nobody is left, or everybody is flagged."""
        last = self._last
        return not self.env.agents or all(last.ended(a) for a in self.env.agents)

    def episode(self, seed: int | None = None, same_actions: bool = False) -> Iterator[Outcome]:
        """The outcomes of an episode as it is played, `reset` first."""
        yield self.reset(seed, same_actions)
        while not self.over and self.step_number < self.max_steps:
            yield self.step()

    def fail(self, found: str, expected: str, cure: str, agent_id: Any = None) -> NoReturn:
        """Raise a failure that says where the player is."""
        raise CheckFailure(self.finding(found, expected, cure, agent_id))

    def finding(self, found: str, expected: str, cure: str, agent_id: Any = None) -> Finding:
        """A finding that says where the player is."""
        started = self.episode_number >= 0
        return Finding(
            self.check,
            found,
            expected,
            cure,
            agent_id,
            self.episode_number if started else None,
            self.step_number if started else None,
            self.seed,
        )

    def close(self) -> None:
        """Close the environment."""
        self._call("close", self.env.close)

    def _sample(self, agent_id: Any, last: Outcome) -> Any:
        space = self._samplers.get(agent_id)
        if space is None:
            # A copy: an environment may draw from the space that it gave, and must not notice the sampling.
            space = copy.deepcopy(self.space("action_space", agent_id))
            episode = 0 if self._same_actions else self.episode_number
            space.seed(zlib.crc32(f"{self.action_seed} {episode} {agent_id!r}".encode()))
            self._samplers[agent_id] = space
        for holder in (last.obs.get(agent_id), last.infos.get(agent_id)):
            if isinstance(holder, Mapping) and "action_mask" in holder:
                return space.sample(mask=holder["action_mask"])
        return space.sample()

    def _call(self, name: str, function: Callable[[], Any]) -> Any:
        try:
            return function()
        except CheckFailure:
            raise
        except Exception as error:
            finding = self.finding(
                f"{name} raised {type(error).__name__}: {error}",
                "no error",
                "the traceback above shows the line",
            )
            raise CheckFailure(finding) from error


def _are_dicts(result: Any, number: int) -> bool:
    return (
        isinstance(result, tuple) and len(result) == number and all(isinstance(part, dict) for part in result)
    )


def _kind(result: Any) -> str:
    if isinstance(result, tuple):
        return f"({', '.join(type(part).__name__ for part in result)})"
    return f"a {type(result).__name__}"
