"""Public goods: gifts are multiplied and shared by all, so everybody would rather that the others give.

Rules. In each step every agent has a fresh `endowment` and gives a share of it to the pot, all agents at
once. There are `num_levels` levels of giving, evenly spaced: at level k, which is action k, an agent gives
``k / (num_levels - 1)`` of the endowment; with 2 levels it gives nothing or everything. The pot is multiplied
by `multiplier` and shared equally by all agents, whatever they gave:

    reward = endowment - given + multiplier * (sum of all gifts) / num_agents

Each unit given returns ``multiplier / num_agents`` to its giver and `multiplier` to the group: for
``1 < multiplier < num_agents`` it is best for the group that all give everything and best for each agent to
give nothing, a social dilemma. Other multipliers are allowed and are none. The episode is truncated after
`horizon` steps. Nothing is random.

Observation: what everybody gave in the last step. A one-hot of the agent's own level, one of each co-player's
level, in the agents' order without the agent itself, then a flag that says that nobody has acted yet; the
one-hots are zeros then.

Source: the linear voluntary contribution game of experimental economics. LASE (arXiv 2410.07863) has none;
`standard` is our choice, `lab` has the numbers of a well-known experiment.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mixed_motive.base import BatchedGame
from mixed_motive.encodings import Obs
from mixed_motive.game_parts import State
from mixed_motive.params import GameParams, param

if TYPE_CHECKING:
    from mixed_motive.rendering.arrows import Spot

__all__ = ["PRESETS", "REFERENCES", "GivingParams", "PublicGoodsGame", "PublicGoodsParams"]

# In the place of an agent's last level: it has not acted yet.
NONE_YET = 255


@dataclasses.dataclass(frozen=True)
class GivingParams(GameParams):
    """Parameters of a public goods game, whatever an agent may give."""

    endowment: float = param("what every agent has in each step, to keep or to give", 0, 1e6)
    multiplier: float = param("what the group gets for each unit given; a dilemma in (1, num_agents)", 0, 1e6)


@dataclasses.dataclass(frozen=True)
class PublicGoodsParams(GivingParams):
    """Parameters of the public goods game."""

    num_levels: int = param("levels of giving, from nothing to the whole endowment", 2, 255)


PRESETS: Mapping[str, PublicGoodsParams] = MappingProxyType(
    {
        "standard": PublicGoodsParams(horizon=100, num_agents=4, endowment=1.0, multiplier=1.6, num_levels=2),
        "lab": PublicGoodsParams(horizon=10, num_agents=4, endowment=20.0, multiplier=1.6, num_levels=21),
    }
)

REFERENCES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "LASE paper": ("It has no public goods game.",),
        "Fehr and Gächter (2000), the treatments without punishment": (
            "`lab` has their numbers (4 players, 20 tokens, 0.4 back to the giver per token, 10 periods), as "
            "the literature reports them; the article's own text we could not check.",
            "Here an agent sees what each co-player gave; as far as we know, their subjects saw the sum.",
            "Here one group plays a whole episode; their stranger treatment draws new groups in each period.",
            "There is no second stage in which players punish each other.",
        ),
    }
)


class PublicGoodsGame(BatchedGame):
    """B copies of the public goods game. Counts: levels that an agent gave (with 2 levels: 1 if it gave)."""

    count_names = ("contributed",)
    params: PublicGoodsParams

    @property
    def gifts(self) -> tuple[float, ...]:
        """What an agent gives at each level, in units of reward."""
        p = self.params
        return tuple(k * p.endowment / (p.num_levels - 1) for k in range(p.num_levels))

    @functools.cached_property
    def action_names(self) -> tuple[str, ...]:
        """What each action gives."""
        return tuple(f"give_{gift:g}" for gift in self.gifts)

    @property
    def max_collective_reward(self) -> float | None:
        """Everybody gives all where that pays for the group, nothing otherwise."""
        p = self.params
        return p.horizon * p.num_agents * p.endowment * max(1.0, p.multiplier)

    def _load_kernel(self) -> ModuleType:
        from mixed_motive.kernels import public_goods

        return public_goods

    def _native_shape(self) -> tuple[int, ...]:
        return (self.params.num_agents * self.params.num_levels + 1,)

    def _new_arrays(self) -> tuple[npt.NDArray[Any], ...]:
        shape = (self.num_envs, self.params.num_agents)
        self._levels: npt.NDArray[np.uint8] = np.full(shape, NONE_YET, np.uint8)
        return (self._levels,)

    def _kernel_constants(self) -> tuple[Any, ...]:
        p = self.params
        return p.horizon, p.num_levels, p.endowment, p.multiplier

    def _write_obs(self, obs: Obs) -> None:
        self._kernel.observe(self._levels, obs, self._native, self.params.num_levels)

    def _copy_arrays(self, indices: npt.NDArray[np.intp]) -> State:
        return {"levels": self._levels[indices]}

    def _state_problems(self, state: Mapping[str, npt.NDArray[Any]]) -> list[str]:
        nobody = (state["levels"] == NONE_YET).all(axis=1)
        known = (state["levels"] < self.params.num_levels).all(axis=1)
        if (nobody | known).all():
            return []
        return [
            f"'levels' must hold levels in [0, {self.params.num_levels}), or {NONE_YET} for all agents of a "
            "copy in which nobody has acted yet"
        ]

    def _load_arrays(self, indices: npt.NDArray[np.intp], state: Mapping[str, npt.NDArray[Any]]) -> None:
        self._levels[indices] = state["levels"]

    def _draw(self, env_index: int) -> npt.NDArray[np.uint8]:
        from mixed_motive.rendering.public_goods import draw_public_goods

        return draw_public_goods(*self._last_gifts(env_index), progress=self._progress(env_index))

    def _spots(self, env_index: int) -> Sequence[Spot | None]:
        del env_index  # they are always in the same places
        from mixed_motive.rendering.public_goods import agent_spots

        return agent_spots(self.num_agents)

    def _text(self, env_index: int) -> str:
        from mixed_motive.rendering.public_goods import public_goods_text

        return public_goods_text(self._title(env_index), *self._last_gifts(env_index))

    def _last_gifts(self, env_index: int) -> tuple[list[float | None], float, float]:
        """What each agent gave (None before the first step), what it could give, what each got back."""
        p, levels = self.params, self._levels[env_index].tolist()
        if NONE_YET in levels:
            return [None] * p.num_agents, p.endowment, 0.0
        gifts = [self.gifts[level] for level in levels]
        return [*gifts], p.endowment, p.multiplier * sum(gifts) / p.num_agents
