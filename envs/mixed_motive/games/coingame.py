"""Coingame: every coin pays who picks it, but costs its owner where somebody else does.

Rules. Every agent has a colour of its own. There is always exactly one coin, in the colour of one agent, its
owner. Agents start on random cells, distinct while there are enough (then again from all); then comes the
first coin. In each step:

1. All agents move at once (up, down, left, right; there is no staying). A move into the map's edge leaves the
   agent where it is; with `torus` there is no edge, and who leaves the map on one side comes in on the other.
   Agents may share a cell.
2. An agent that is on the coin's cell after the moves picks the coin; of several a random one, each with the
   same chance, gets it. So a coin that appeared under an agent is not picked by that: it must come back, or
   press against the map's edge there.
3. The picker gets `coin_reward`, whatever the colour. Unless it is the owner itself, the owner loses
   `owner_penalty`.
4. A new coin appears at once on a random cell, evenly; with `coin_avoids_agents` on one without an agent,
   where there is one. Its colour is random, evenly; with `alternate_colours` it is that of the agent after
   the last coin's owner, the first agent's after the last one's (the first coin's colour is random).

The episode is truncated after `horizon` steps.

On a torus the window of an agent wraps round: what lies beyond one side of the map is seen from its other
side, as often as the window is larger than the map, and nothing is outside. The window that always covers the
whole map then has as many rows and columns as the map, or one more where that number is even.

Source: LASE (arXiv 2410.07863), Section 5.1 and Appendix B; the game is LOLA's (arXiv 1709.04326). More than
two agents, and where coins and agents start, are our choice.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType, ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from mixed_motive.games.grid import GridGame
from mixed_motive.games.moves import MOVES, STAY
from mixed_motive.params import GridParams, param

__all__ = ["PRESETS", "REFERENCES", "CoinGame", "CoinGameParams"]

NUM_ACTIONS = 4
# Numbers of the draws of a step; those of an episode's start follow after the agents' own.
DRAW_CELL, DRAW_COLOUR, DRAW_TIE = 0, 1, 2


@dataclasses.dataclass(frozen=True)
class CoinGameParams(GridParams):
    """Parameters of Coingame."""

    coin_reward: float = param("reward of who picks a coin", 0, 1e6)
    owner_penalty: float = param("what the owner of a coin loses when another agent picks it", 0, 1e6)
    torus: bool = param("whether who leaves the map on one side comes in on the other")
    coin_avoids_agents: bool = param("whether coins appear only on cells without an agent, if there are any")
    alternate_colours: bool = param("whether the coins' colours take turns instead of being random")


PRESETS: Mapping[str, CoinGameParams] = MappingProxyType(
    {
        "lase": CoinGameParams(
            horizon=100,
            num_agents=2,
            height=5,
            width=5,
            view_radius=2,
            coin_reward=1.0,
            owner_penalty=2.0,
            torus=False,
            coin_avoids_agents=False,
            alternate_colours=False,
        ),
        "lola": CoinGameParams(
            horizon=150,
            num_agents=2,
            height=3,
            width=3,
            view_radius=1,
            coin_reward=1.0,
            owner_penalty=2.0,
            torus=True,
            coin_avoids_agents=True,
            alternate_colours=True,
        ),
    }
)

REFERENCES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "LASE paper": (
            "That coins appear anywhere, also under an agent, and that agents start on distinct cells is our "
            "choice.",
        ),
        "LASE repository": (
            "There both agents may start on one cell; here they start on distinct ones.",
            "Its older commits run 300 or 1,000 steps instead of 100.",
        ),
        "LOLA": (
            "Preset lola has its map, horizon, rewards and coins.",
            "There the first agent gets a coin that both reach in one step; here a random one does.",
            "There both agents see the map as it lies, in four planes; here each sees it around itself, and "
            "the plane of cells outside the map is all zeros, as a torus has none.",
        ),
        "JaxMARL": (
            "There one coin of each colour lies on the 3x3 torus at any time, two agents on one coin both "
            "get it, staying is a fifth action, and the second agent sees the colours swapped.",
            "There an episode is 10 games of 10 steps.",
        ),
        "SocialJax": (
            "There the map is 16x11, each cell grows coins of both colours with probability 0.0005 in a "
            "step, agents turn (7 actions), and episodes have 1,000 steps.",
            "There both agents get the sum of both rewards; without shared rewards each gets its own times "
            "2. Here each gets its own.",
            "There an agent sees 11x11 cells in 14 planes.",
        ),
        "Melting Pot": (
            "There the map is of random size, 10 to 15 cells a side, each cell grows coins with probability "
            "0.0005 in a step, agents turn (7 actions) and see pixels, and from step 300 on an episode ends "
            "by chance.",
        ),
    }
)


class CoinGame(GridGame):
    """B copies of Coingame. Counts: coins picked of the agent's own colour and of others, by agent."""

    action_names = MOVES[:STAY]
    count_names = ("own_coins", "other_coins")
    params: CoinGameParams

    @property
    def object_names(self) -> tuple[str, ...]:
        """Coins by their owner."""
        return tuple(f"coin_{i}" for i in range(self.params.num_agents))

    @property
    def pad_rows(self) -> int:
        """Rows that an agent sees on each side of itself."""
        p = self.params
        return p.height // 2 if p.torus and p.view_radius is None else super().pad_rows

    @property
    def pad_cols(self) -> int:
        """Columns that an agent sees on each side of itself."""
        p = self.params
        return p.width // 2 if p.torus and p.view_radius is None else super().pad_cols

    def _load_kernel(self) -> ModuleType:
        from mixed_motive.kernels import coingame

        return coingame

    def _kernel_constants(self) -> tuple[Any, ...]:
        p = self.params
        return (
            self.pad_rows,
            self.pad_cols,
            p.horizon,
            p.coin_reward,
            p.owner_penalty,
            p.torus,
            p.coin_avoids_agents,
            p.alternate_colours,
        )

    def _new_arrays(self) -> tuple[npt.NDArray[Any], ...]:
        arrays = super()._new_arrays()
        if self.params.torus:
            self._cells[:] = 0  # its border shows the other side of the map
        return arrays

    def _write_obs(self, obs: npt.NDArray[np.uint8]) -> None:
        self._kernel.observe(
            *self._arrays, obs, self._native, self.pad_rows, self.pad_cols, self.params.torus
        )

    def _load_arrays(self, indices: npt.NDArray[np.intp], state: Mapping[str, npt.NDArray[Any]]) -> None:
        super()._load_arrays(indices, state)
        if self.params.torus:
            border = ((0, 0), (self.pad_rows, self.pad_rows), (self.pad_cols, self.pad_cols))
            self._cells[indices] = np.pad(state["map"], border, mode="wrap")

    def _state_problems(self, state: Mapping[str, npt.NDArray[Any]]) -> list[str]:
        problems = super()._state_problems(state)
        if ((state["map"] > 0).sum(axis=(1, 2)) != 1).any():
            problems.append("'map' must have exactly one coin")
        return problems

    def _title(self, env_index: int) -> str:
        owner = int(self._map[env_index].max()) - 1
        return f"{super()._title(env_index)}, {self.agent_ids[owner]}'s coin"

    def _ground(self) -> list[str]:
        return ["grass"] * self.params.height
