"""Public goods in which each agent gives any share, version 0: the number rises when the dynamics change.

A PettingZoo `ParallelEnv` in plain NumPy, one copy, for learners of continuous actions. The rules are those
of the batched game `public_goods`, but that there are no levels: an action is the share of the endowment that
an agent gives, `Box(0, 1, (1,))`.

    reward = endowment - given + multiplier * (sum of all gifts) / num_agents

Observation: the share that everybody gave in the last step, the agent's own first, then its co-players' in
the agents' order, then a flag that says that nobody has acted yet; the shares are zeros then. Nothing is
random.

Source: as the batched game's, the linear voluntary contribution game.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from pettingzoo import ParallelEnv

from mixed_motive.errors import GameError

__all__ = ["ContinuousPublicGoods", "parallel_env"]

_NAME = "continuous_public_goods_v0"
# Lowest and highest of each parameter.
_RANGES = {
    "num_agents": (2, 64),
    "endowment": (0.0, 1e6),
    "multiplier": (0.0, 1e6),
    "max_cycles": (1, 2**31 - 1),
}

Obs = dict[str, npt.NDArray[np.float32]]


class ContinuousPublicGoods(ParallelEnv):  # type: ignore[misc]  # PettingZoo ships no types
    """One copy of the game.

    Args:
        num_agents: N, in [2, 64].
        endowment: What every agent has in each step, to keep or to give.
        multiplier: What the group gets for each unit given; a dilemma in (1, N).
        max_cycles: Steps of an episode, which then ends by truncation.

    Raises:
        GameError: With every parameter that is out of range.
    """

    metadata: dict[str, Any] = {"name": _NAME, "render_modes": [], "is_parallelizable": True}  # noqa: RUF012  # PettingZoo's form

    def __init__(
        self, num_agents: int = 4, endowment: float = 1.0, multiplier: float = 1.6, max_cycles: int = 100
    ) -> None:
        given = {
            "num_agents": num_agents,
            "endowment": endowment,
            "multiplier": multiplier,
            "max_cycles": max_cycles,
        }
        problems = [
            f"{name}={given[name]!r} is out of range; expected {low} to {high}"
            for name, (low, high) in _RANGES.items()
            if not low <= given[name] <= high
        ]
        if problems:
            raise GameError(f"cannot make {_NAME}", problems)
        self.endowment, self.multiplier, self.max_cycles = endowment, multiplier, max_cycles
        self.render_mode = None
        self.possible_agents = [f"agent_{i}" for i in range(num_agents)]
        self.agents: list[str] = []
        self.observation_spaces = {
            a: spaces.Box(0, 1, (num_agents + 1,), np.float32) for a in self.possible_agents
        }
        self.action_spaces = {a: spaces.Box(0, 1, (1,), np.float32) for a in self.possible_agents}

    def observation_space(self, agent: str) -> spaces.Box:
        """The agent's own, always the same object."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Box:
        """The agent's own, always the same object."""
        return self.action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Obs, dict[str, dict[str, Any]]]:
        """Start an episode.

        Args:
            seed: Ignored, nothing is random.
            options: Ignored, there are none.

        Returns:
            Observations and empty infos, by agent.
        """
        del seed, options
        self.agents = list(self.possible_agents)
        self._steps = 0
        shares: npt.NDArray[np.float32] = np.zeros(len(self.agents), np.float32)
        return self._observations(shares, started=True), {a: {} for a in self.agents}

    def step(
        self, actions: Mapping[str, Any]
    ) -> tuple[Obs, dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]]:
        """Step once.

        Args:
            actions: The share that each agent gives, `(1,)` in [0, 1].

        Returns:
            Observations, rewards, terminations, truncations and infos, by agent; an info has `given`.

        Raises:
            GameError: When no episode is under way, for a missing or unknown agent, or for an action out of
                range. Nothing has changed then.
        """
        agents, shares = self.agents, self._read(actions)
        gifts = self.endowment * shares.astype(np.float64)
        rewards = self.endowment - gifts + self.multiplier * gifts.sum() / len(agents)
        self._steps += 1
        ended = self._steps >= self.max_cycles
        observations = self._observations(shares, started=False)
        if ended:
            self.agents = []
        return (
            observations,
            dict(zip(agents, rewards.tolist(), strict=True)),
            dict.fromkeys(agents, False),
            dict.fromkeys(agents, ended),
            {a: {"given": gift} for a, gift in zip(agents, gifts.tolist(), strict=True)},
        )

    def _read(self, actions: Mapping[str, Any]) -> npt.NDArray[np.float32]:
        """All shares in the agents' order."""
        if not self.agents:
            raise GameError(f"{_NAME}: step", ["no episode is under way. Call reset() first."])
        if set(actions) != set(self.agents):
            raise GameError(
                f"{_NAME}: step",
                [f"actions of {list(actions)}, expected one of each agent in the game: {self.agents}"],
            )
        given = {a: np.asarray(actions[a], np.float32) for a in self.agents}
        wrong = [
            f"action of {a!r} is {actions[a]!r}; expected a share of shape (1,) in [0, 1]. Clip it first."
            for a, share in given.items()
            if share.shape != (1,) or not 0 <= share[0] <= 1
        ]
        if wrong:
            raise GameError(f"{_NAME}: step", wrong)
        return np.concatenate(list(given.values()))

    def _observations(self, shares: npt.NDArray[np.float32], *, started: bool) -> Obs:
        flag = np.float32(started)
        return {
            a: np.concatenate([shares[i : i + 1], np.delete(shares, i), [flag]]).astype(np.float32)
            for i, a in enumerate(self.possible_agents)
        }

    def render(self) -> None:
        """Nothing: there are no pictures."""

    def close(self) -> None:
        """Nothing is held."""


def parallel_env(
    num_agents: int = 4, endowment: float = 1.0, multiplier: float = 1.6, max_cycles: int = 100
) -> ContinuousPublicGoods:
    """A fresh copy; the arguments are those of `ContinuousPublicGoods`."""
    return ContinuousPublicGoods(num_agents, endowment, multiplier, max_cycles)
