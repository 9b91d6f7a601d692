"""`GameParts`: what a game fills in, to be stepped, observed, saved and drawn by `BatchedGame`."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from mixed_motive.rendering.arrows import Spot

__all__ = ["GameParts", "State"]

State = dict[str, npt.NDArray[Any]]


class GameParts(abc.ABC):
    """The parts of a game that differ from game to game.

    Attributes:
        encodings: What the encoding of observations may be.
    """

    encodings: tuple[str, ...] = ("planes", "float32")

    @property
    @abc.abstractmethod
    def action_names(self) -> tuple[str, ...]:
        """Name of each action, by its number."""

    @property
    @abc.abstractmethod
    def count_names(self) -> tuple[str, ...]:
        """What `StepBuffers.counts` counts."""

    @abc.abstractmethod
    def _load_kernel(self) -> ModuleType:
        """The module with the compiled `step` and `observe` (importing it imports numba)."""

    @abc.abstractmethod
    def _native_shape(self) -> tuple[int, ...]:
        """Shape of one agent's observation in the encoding `self._native`, which the kernel writes."""

    @abc.abstractmethod
    def _new_arrays(self) -> tuple[npt.NDArray[Any], ...]:
        """The state beside the counters, (B, ...) each, in the order in which the kernel takes it."""

    @abc.abstractmethod
    def _kernel_constants(self) -> tuple[Any, ...]:
        """The last arguments of the kernel's `step`."""

    @abc.abstractmethod
    def _write_obs(self, obs: npt.NDArray[np.uint8]) -> None:
        """Fill (B, N, size) with the observations of the current state."""

    @abc.abstractmethod
    def _copy_arrays(self, indices: npt.NDArray[np.intp]) -> State:
        """Copies of the game's own state, for some copies of the game."""

    @abc.abstractmethod
    def _state_problems(self, state: Mapping[str, npt.NDArray[Any]]) -> list[str]:
        """What makes values impossible in arrays that already have the right names, shapes and dtypes."""

    @abc.abstractmethod
    def _load_arrays(self, indices: npt.NDArray[np.intp], state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Take over a checked state, and derive the game's extra registers from it."""

    @abc.abstractmethod
    def _draw(self, env_index: int) -> npt.NDArray[np.uint8]:
        """(H, W, 3) picture of one copy."""

    @abc.abstractmethod
    def _spots(self, env_index: int) -> Sequence[Spot | None]:
        """Row, column and radius of each agent in `_draw`'s picture; None for those that are not in it."""

    @abc.abstractmethod
    def _text(self, env_index: int) -> str:
        """One copy as text."""

    def _present(self) -> npt.NDArray[np.bool_] | None:
        """(B, N) which agents are in the game; None where nobody leaves before the end."""
        return None

    def _num_extra_registers(self) -> int:
        """Columns of `registers` beyond the common ones."""
        return 0

    @property
    def class_names(self) -> tuple[str, ...]:
        """What each class of the encoding "code" means; empty for games without it."""
        return ()

    def _make_palette(self) -> npt.NDArray[np.uint8]:
        """(number of classes, 3) colours of the encoding "rgb"; asked for only where `encodings` has it."""
        raise NotImplementedError(f"{type(self).__name__} has no encoding 'rgb'")

    @property
    def max_collective_reward(self) -> float | None:
        """Upper bound of the sum of all agents' rewards in an episode, where there is a simple one."""
        return None
