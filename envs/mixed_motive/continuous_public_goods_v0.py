"""Public goods in which each agent gives any share, version 0: the number rises when the dynamics change.

A PettingZoo `ParallelEnv` in plain NumPy, one copy, for learners of continuous actions. The rules, the
presets and the parameters are those of the batched game `public_goods`, but that there are no levels: an
action is the share of the endowment that an agent gives, `Box(0, 1, (1,))`.

    reward = endowment - given + multiplier * (sum of all gifts) / num_agents

Observation: the share that everybody gave in the last step, the agent's own first, then its co-players' in
the agents' order, then a flag that says that nobody has acted yet; the shares are zeros then. Nothing is
random.

Source: as the batched game's, the linear voluntary contribution game.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from pettingzoo import AECEnv, ParallelEnv
from pettingzoo.utils.conversions import parallel_to_aec
from pettingzoo.utils.wrappers import ClipOutOfBoundsWrapper

from mixed_motive.errors import GameError, shown
from mixed_motive.games import public_goods
from mixed_motive.games.public_goods import GivingParams
from mixed_motive.params import max_cycles_problems, under_its_name
from mixed_motive.pettingzoo_env import one_of
from mixed_motive.registry import read_preset

__all__ = ["PRESETS", "ContinuousPublicGoods", "env", "parallel_env", "raw_env"]

_NAME = "continuous_public_goods_v0"
_RENDER_MODES = ("rgb_array", "ansi")

PRESETS: Mapping[str, GivingParams] = MappingProxyType(
    {
        name: GivingParams(
            horizon=p.horizon, num_agents=p.num_agents, endowment=p.endowment, multiplier=p.multiplier
        )
        for name, p in public_goods.PRESETS.items()
    }
)

Obs = dict[str, npt.NDArray[np.float32]]


class ContinuousPublicGoods(ParallelEnv):  # type: ignore[misc]  # PettingZoo ships no types
    """One copy of the game.

    Args:
        preset: One of `PRESETS`; by default the first.
        render_mode: "rgb_array", "ansi" or None.
        max_cycles: PettingZoo's name for the parameter `horizon`.
        params: Parameters to change in the preset: `num_agents`, `endowment`, `multiplier`, `horizon`.

    Attributes:
        params: All parameters.

    Raises:
        GameError: With everything that is wrong with the arguments.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012  # PettingZoo's form
        "name": _NAME,
        "render_modes": list(_RENDER_MODES),
        "render_fps": 8,
        "is_parallelizable": True,
    }

    def __init__(
        self,
        preset: str | None = None,
        *,
        render_mode: Literal["rgb_array", "ansi"] | None = None,
        max_cycles: int | None = None,
        **params: Any,
    ) -> None:
        problems = max_cycles_problems(max_cycles, params)
        values, found = read_preset(_NAME, PRESETS, preset, params)
        problems += under_its_name(max_cycles, found)
        problems += one_of("render_mode", render_mode, (*_RENDER_MODES, None))
        if problems or not isinstance(values, GivingParams):
            raise GameError(f"cannot make {_NAME}", problems)
        self.params = values
        self.render_mode = render_mode
        self.possible_agents = [f"agent_{i}" for i in range(values.num_agents)]
        self.agents: list[str] = []
        self.observation_spaces = {
            a: spaces.Box(0, 1, (values.num_agents + 1,), np.float32) for a in self.possible_agents
        }
        self.action_spaces = {a: spaces.Box(0, 1, (1,), np.float32) for a in self.possible_agents}
        self._steps: int | None = None  # None: never reset
        self._gifts: npt.NDArray[np.float64] | None = None  # of the last step

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
        self._steps, self._gifts = 0, None
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
        agents, shares, p = self.agents, self._read(actions), self.params
        self._gifts = gifts = p.endowment * shares.astype(np.float64)
        rewards = p.endowment - gifts + p.multiplier * gifts.sum() / len(agents)
        self._steps = steps = (self._steps or 0) + 1
        ended = steps >= p.horizon
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
        given = set(actions) if hasattr(actions, "keys") else None
        if given != set(self.agents):
            found = shown(actions) if given is None else f"of {list(actions)}"
            raise GameError(
                f"{_NAME}: step", [f"actions {found}, expected one of each agent in the game: {self.agents}"]
            )
        shares = {a: _share(actions[a]) for a in self.agents}
        wrong = [
            f"action of {a!r} is {shown(actions[a])}; expected a share (1,) in [0, 1]. Clip it first."
            for a, share in shares.items()
            if share is None
        ]
        if wrong:
            raise GameError(f"{_NAME}: step", wrong)
        return np.concatenate([share for share in shares.values() if share is not None])

    def _observations(self, shares: npt.NDArray[np.float32], *, started: bool) -> Obs:
        flag = np.float32(started)
        return {
            a: np.concatenate([shares[i : i + 1], np.delete(shares, i), [flag]]).astype(np.float32)
            for i, a in enumerate(self.possible_agents)
        }

    def render(self) -> npt.NDArray[np.uint8] | str | None:
        """A picture (296, 288, 3) uint8 or a text, by `render_mode`.

        Raises:
            GameError: Before `reset`.
        """
        if self.render_mode is None:
            warnings.warn(
                "render() does nothing without a render_mode; give one to parallel_env(...)", stacklevel=2
            )
            return None
        if self._steps is None:
            raise GameError(f"{_NAME}: render", ["called before reset. Call reset() first."])
        from mixed_motive.rendering.public_goods import draw_public_goods, public_goods_text

        if self.render_mode == "rgb_array":
            return draw_public_goods(*self._last_step(), self._steps / self.params.horizon)
        title = f"{_NAME}, step {self._steps} of {self.params.horizon}"
        return public_goods_text(title, *self._last_step())

    def close(self) -> None:
        """Nothing is held."""

    def _last_step(self) -> tuple[list[float | None], float, float]:
        """What each agent gave (None before the first step), what it could give, what each got back."""
        p = self.params
        if self._gifts is None:
            return [None] * p.num_agents, p.endowment, 0.0
        return [*self._gifts.tolist()], p.endowment, float(p.multiplier * self._gifts.sum() / p.num_agents)


def _share(action: Any) -> npt.NDArray[np.float32] | None:
    """The action as an array, None if it is no share."""
    try:
        given = np.asarray(action)
    except ValueError:  # rows of different lengths
        return None
    if given.dtype.kind not in "fiu":
        return None
    with np.errstate(over="ignore"):
        share = given.astype(np.float32)
    return share if share.shape == (1,) and 0 <= share[0] <= 1 else None


def parallel_env(preset: str | None = None, **kwargs: Any) -> ContinuousPublicGoods:
    """A fresh copy; the arguments are those of `ContinuousPublicGoods`."""
    return ContinuousPublicGoods(preset, **kwargs)


def raw_env(preset: str | None = None, **kwargs: Any) -> AECEnv:
    """The same game with agents that act in turns."""
    return parallel_to_aec(parallel_env(preset, **kwargs))


def env(preset: str | None = None, **kwargs: Any) -> AECEnv:
    """The same game with agents that act in turns, actions clipped to their space."""
    return ClipOutOfBoundsWrapper(raw_env(preset, **kwargs))
