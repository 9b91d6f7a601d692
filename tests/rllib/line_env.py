"""A small `MultiAgentEnv` that can be made to break every rule, for the tests of what steps it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from gymnasium import spaces
from ray.rllib.env.multi_agent_env import MultiAgentEnv

AGENTS = ("walker_2", "walker_10", "cook")


class Line(MultiAgentEnv):
    """Three agents on a line; an agent sees (step, own place, noise) and gets its action as reward.

    Config: `leave`, agent -> (step, "terminated" or "truncated"); `horizon`, steps of an episode; `ending`,
    how the end is told ("__all__" or "each"); `spoil`, called with the step (0 at reset) and what would be
    returned, returns what is; `changes`, attributes of the environment to set.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        self.config = config
        self.possible_agents = list(AGENTS)
        self.agents = list(AGENTS)
        box = spaces.Box(-100, 100, (3,), np.float32)
        self.observation_spaces = dict.fromkeys(AGENTS, box)
        self.action_spaces = dict.fromkeys(AGENTS, spaces.Discrete(3))
        for name, value in config.get("changes", {}).items():
            setattr(self, name, value)
        self.spoil: Callable[[int, Any], Any] = config.get("spoil", lambda step, answer: answer)
        self.horizon = config.get("horizon", 4)
        self.seeds: list[int | None] = []
        self.closed = 0

    def reset(self, *, seed=None, options=None):
        if seed is not None or not self.seeds:
            self.rng = np.random.default_rng(seed)
        self.seeds.append(seed)
        self.time = 0
        self.places = dict.fromkeys(AGENTS, 0)
        self.agents = list(AGENTS)
        return self.spoil(0, ({agent: self.see(agent) for agent in self.agents}, {}))

    def see(self, agent: str) -> np.ndarray:
        return np.array([self.time, self.places[agent], self.rng.random()], np.float32)

    def step(self, action_dict):
        assert list(action_dict) == self.agents
        self.time += 1
        for agent, action in action_dict.items():
            self.places[agent] += action
        acted, ended = list(self.agents), self.time == self.horizon
        leaving = {
            agent: how for agent, (step, how) in self.config.get("leave", {}).items() if step == self.time
        }
        told = self.config.get("ending", "__all__")
        each = dict.fromkeys(acted, "truncated") if ended and told == "each" else {}
        flags = {
            how: {
                agent: True for agent, which in {**each, **leaving}.items() if which == how and agent in acted
            }
            for how in ("terminated", "truncated")
        }
        if ended and told == "__all__":
            flags["truncated"]["__all__"] = True
        self.agents = [agent for agent in self.agents if agent not in leaving]
        answer = (
            {agent: self.see(agent) for agent in acted},
            {agent: float(action) for agent, action in action_dict.items()},
            flags["terminated"],
            flags["truncated"],
            {},
        )
        return self.spoil(self.time, answer)

    def close(self) -> None:
        self.closed += 1


def spoiled(part: int, agent: str, value: Any, when: int = 3) -> Any:
    """Puts `value` into part 0 (observations) to 3 of what step `when` returns; Ellipsis: takes it out."""

    def spoil(step: int, answer: Any) -> Any:
        if step == when:
            answer[part].pop(agent, None) if value is ... else answer[part].update({agent: value})
        return answer

    return spoil
