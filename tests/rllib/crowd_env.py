"""A small PettingZoo `ParallelEnv` that can be made to break its rules, for the tests of what adapts it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from gymnasium import spaces
from pettingzoo import ParallelEnv

AGENTS = ["zoe", "adam", "bob"]


class Crowd(ParallelEnv):
    """Three agents who see (time, noise) in one array that all share, and get their action as reward.

    Args:
        leave: Agent -> (step, "terminated" or "truncated").
        horizon: Steps after which whoever is left is truncated; None: never.
        changes: Attributes to set.
        spoil: Called with the step (0 at reset) and what would be returned; returns what is.
        render_mode: "rgb_array" or None.
    """

    metadata = {"render_modes": ["rgb_array"], "name": "crowd_v0"}  # noqa: RUF012

    def __init__(
        self,
        leave: dict[str, tuple[int, str]] | None = None,
        horizon: int | None = 4,
        changes: dict[str, Any] | None = None,
        spoil: Callable[[int, Any], Any] | None = None,
        render_mode: str | None = None,
    ) -> None:
        self.possible_agents = list(AGENTS)
        self.agents: list[str] = []
        self.leave, self.horizon, self.render_mode = leave or {}, horizon, render_mode
        self.spoil = spoil or (lambda step, answer: answer)
        self.observation_spaces = {agent: spaces.Box(-1, 99, (2,), np.float64) for agent in AGENTS}
        self.action_spaces = {agent: spaces.Discrete(3) for agent in AGENTS}
        self.seeds: list[int | None] = []
        self.closed = 0
        self.seen = np.zeros(2)
        for name, value in (changes or {}).items():
            setattr(self, name, value)

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Space[Any]:
        return self.action_spaces[agent]

    def reset(self, seed=None, options=None):
        if seed is not None or not self.seeds:
            self.rng = np.random.default_rng(seed)
        self.seeds.append(seed)
        self.time = 0
        self.agents = list(self.possible_agents)
        return self.spoil(0, (self._look(), {agent: {} for agent in self.agents}))

    def _look(self) -> dict[str, Any]:
        self.seen[:] = self.time, self.rng.random()
        self.seen.flags.writeable = False  # as what comes out of a shared store
        views = dict.fromkeys(self.agents, self.seen[:])
        self.seen.flags.writeable = True
        return views

    def step(self, actions):
        assert sorted(actions) == sorted(self.agents)
        self.time += 1
        observations = self._look()
        over = self.time == self.horizon
        leaving = {a: how for a, (step, how) in self.leave.items() if step == self.time and a in self.agents}
        terminations = {agent: leaving.get(agent) == "terminated" for agent in self.agents}
        truncations = {
            agent: leaving.get(agent) == "truncated" or (over and not terminations[agent])
            for agent in self.agents
        }
        rewards = {agent: float(actions[agent]) for agent in self.agents}
        self.agents = [a for a in self.agents if not (terminations[a] or truncations[a])]
        infos: dict[str, Any] = {agent: {} for agent in rewards}
        return self.spoil(self.time, (observations, rewards, terminations, truncations, infos))

    def render(self):
        return np.full((4, 5, 3), self.time, np.uint8)

    def close(self):
        self.closed += 1


def make_crowd(**options: Any) -> Crowd:
    """For import paths."""
    return Crowd(**options)
