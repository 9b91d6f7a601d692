"""Repeated two-player matrix games, with any payoffs R, S, T, P: both agents cooperate or defect at once.

Rules. In each step both agents cooperate or defect at once. Payoffs: both cooperate, R each; both defect, P
each; otherwise the cooperator gets S and the defector T. An agent observes the last joint action from its own
side, one-hot of CC, CD, DC, DD (own action first) and start. The episode is truncated after `horizon` steps.
Nothing is random.

The game `ipd` is preset `ipd` of the game `matrix` under an id of its own.

Source: LASE (arXiv 2410.07863), Section 5.1, for the prisoner's dilemma's payoffs; the other presets of
`matrix` lie in the middle of their quadrant of the (T, S) plane with R = 1 and P = 0 (our choice).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mixed_motive.base import BatchedGame
from mixed_motive.game_parts import State
from mixed_motive.params import GameParams, param

if TYPE_CHECKING:
    from mixed_motive.rendering.arrows import Spot

__all__ = ["IPD_PRESETS", "PRESETS", "REFERENCES", "MatrixGame", "MatrixParams"]

COOPERATE, DEFECT = 0, 1
NUM_ACTIONS = 2
START = 4
OUTCOMES = ("CC", "CD", "DC", "DD", "start")


@dataclasses.dataclass(frozen=True)
class MatrixParams(GameParams):
    """Parameters of a matrix game, payoffs under the letters that they have in the literature."""

    num_agents: int = param("players of a two-player game", 2, 2)
    R: float = param("reward: payoff of each when both cooperate", -1e6, 1e6)
    S: float = param("sucker: payoff of a cooperator whose co-player defects", -1e6, 1e6)
    T: float = param("temptation: payoff of a defector whose co-player cooperates", -1e6, 1e6)
    P: float = param("punishment: payoff of each when both defect", -1e6, 1e6)


PRESETS: Mapping[str, MatrixParams] = MappingProxyType(
    {
        "ipd": MatrixParams(horizon=100, num_agents=2, R=1.0, S=-0.2, T=1.2, P=0.0),
        "stag_hunt": MatrixParams(horizon=100, num_agents=2, R=1.0, S=-0.5, T=0.5, P=0.0),
        "chicken": MatrixParams(horizon=100, num_agents=2, R=1.0, S=0.5, T=1.5, P=0.0),
        "harmony": MatrixParams(horizon=100, num_agents=2, R=1.0, S=0.5, T=0.5, P=0.0),
    }
)
IPD_PRESETS: Mapping[str, MatrixParams] = MappingProxyType({"lase": PRESETS["ipd"]})

REFERENCES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "LASE paper": (
            "The prisoner's dilemma has its payoffs; the other presets of `matrix` are our choice.",
        ),
        "LASE repository": (
            "Its prisoner's dilemma pays R, S, T, P = 4, 0, 5, 1, with 3, 0, 4, 2 noted beside it.",
            "There an observation is one of the four joint actions, and an episode starts as if both had "
            "cooperated; here the start is a fifth one.",
        ),
        "LOLA and LIO": (
            "Their prisoner's dilemma pays -1, -3, 0, -2; the five states are the same.",
            "LOLA's episodes have 150 steps, LIO's 5.",
        ),
        "Melting Pot": (
            "There a matrix game is played on a map: agents collect resources and then meet to play, see "
            "pixels, and episodes have 1,000 steps or more.",
            "R, S, T, P are 3, 0, 5, 1 in its prisoner's dilemma, 4, 0, 2, 2 in its stag hunt and 3, 2, 5, 0 "
            "in its chicken.",
        ),
    }
)


class MatrixGame(BatchedGame):
    """B copies of a matrix game. Counts: steps in which an agent cooperated."""

    action_names = ("cooperate", "defect")
    count_names = ("cooperated",)
    params: MatrixParams

    @property
    def max_collective_reward(self) -> float | None:
        """The best joint action in every step."""
        p = self.params
        return p.horizon * max(2 * p.R, p.S + p.T, 2 * p.P)

    def _load_kernel(self) -> ModuleType:
        from mixed_motive.kernels import matrix

        return matrix

    def _native_shape(self) -> tuple[int, ...]:
        return (len(OUTCOMES),)

    def _new_arrays(self) -> tuple[npt.NDArray[Any], ...]:
        # The last joint action, 2 * (agent 0 defected) + (agent 1 defected), or START.
        self._outcomes: npt.NDArray[np.uint8] = np.full(self.num_envs, START, np.uint8)
        return (self._outcomes,)

    def _kernel_constants(self) -> tuple[Any, ...]:
        p = self.params
        return p.horizon, p.R, p.S, p.T, p.P

    def _write_obs(self, obs: npt.NDArray[np.uint8]) -> None:
        self._kernel.observe(self._outcomes, obs, self._native)

    def _copy_arrays(self, indices: npt.NDArray[np.intp]) -> State:
        return {"outcome": self._outcomes[indices]}

    def _state_problems(self, state: Mapping[str, npt.NDArray[Any]]) -> list[str]:
        if (state["outcome"] <= START).all():
            return []
        return [f"'outcome' must hold only: {', '.join(f'{k} {name}' for k, name in enumerate(OUTCOMES))}"]

    def _load_arrays(self, indices: npt.NDArray[np.intp], state: Mapping[str, npt.NDArray[Any]]) -> None:
        self._outcomes[indices] = state["outcome"]

    def _draw(self, env_index: int) -> npt.NDArray[np.uint8]:
        from mixed_motive.rendering.matrix import draw_matrix

        p = self.params
        outcome = int(self._outcomes[env_index])
        return draw_matrix((p.R, p.S, p.T, p.P), outcome, progress=self._progress(env_index))

    def _spots(self, env_index: int) -> Sequence[Spot | None]:
        del env_index  # they are always in the same places
        from mixed_motive.rendering.matrix import AGENT_SPOTS

        return AGENT_SPOTS

    def _text(self, env_index: int) -> str:
        from mixed_motive.rendering.text import matrix_text

        p = self.params
        return matrix_text(self._title(env_index), (p.R, p.S, p.T, p.P), int(self._outcomes[env_index]))
