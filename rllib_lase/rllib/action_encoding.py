"""How the actions of our policies become those of an environment."""

from __future__ import annotations

import abc
from typing import Any

import numpy as np
from gymnasium import Space, spaces
from numpy.typing import NDArray

from rllib_lase.action_spaces import MAX_COMBINATIONS, Combinations


class ActionEncoder(abc.ABC):
    """One agent's actions.

    Attributes:
        space: The environment's own.
        encoded: The space that policies act in.
    """

    space: Space[Any]
    encoded: Space[Any]

    @abc.abstractmethod
    def decode(self, action: Any) -> Any:
        """The environment's own action."""

    def __eq__(self, other: object) -> bool:
        """Whether both know the same space."""
        return isinstance(other, ActionEncoder) and self.space == other.space

    def __hash__(self) -> int:
        """Of the space's description."""
        return hash(repr(self.space))


class DiscreteActions(ActionEncoder):
    """Counted from 0, whatever number the environment starts with."""

    def __init__(self, space: spaces.Discrete[Any]) -> None:
        self.space = space
        self.encoded = spaces.Discrete(int(space.n))
        self._start = int(space.start)

    def decode(self, action: Any) -> Any:
        """Counted as the environment does."""
        return action + self._start


class BoxActions(ActionEncoder):
    """In units in which [-1, 1] is the box; what lies beyond is clipped."""

    def __init__(self, space: spaces.Box) -> None:
        self.space = space
        self.encoded = spaces.Box(-1, 1, space.shape, np.float32)
        self._low, self._high = space.low.astype(np.float64), space.high.astype(np.float64)

    def decode(self, action: Any) -> Any:
        """`(D,)` of the space's dtype, within the box."""
        share = (np.clip(action.astype(np.float64), -1, 1) + 1) / 2
        return np.clip(self._low + share * (self._high - self._low), self._low, self._high).astype(
            self.space.dtype
        )


class CombinedActions(ActionEncoder):
    """The combinations of a MultiDiscrete or MultiBinary, numbered."""

    encoded: Combinations

    def __init__(self, space: spaces.MultiDiscrete | spaces.MultiBinary) -> None:
        self.space = space
        self._start: NDArray[Any] = np.zeros(space.shape, np.int64)
        sizes: NDArray[Any] = np.full(space.shape, 2)
        if isinstance(space, spaces.MultiDiscrete):
            sizes, self._start = np.asarray(space.nvec), np.asarray(space.start)
        self.encoded = Combinations(sizes.reshape(-1).tolist())

    def decode(self, action: Any) -> Any:
        """An array of the space's shape and dtype."""
        choices = np.stack(np.unravel_index(int(action), self.encoded.sizes)).reshape(self._start.shape)
        return (choices + self._start).astype(self.space.dtype)


def make_action_encoder(space: Space[Any]) -> ActionEncoder:
    """The encoder of one agent's actions.

    Raises:
        ValueError: for a space of a kind that is not supported; the message describes it.
    """
    if isinstance(space, spaces.Discrete):
        return DiscreteActions(space)
    if isinstance(space, spaces.MultiDiscrete | spaces.MultiBinary):
        combined = CombinedActions(space)
        count = int(combined.encoded.n)
        if count > MAX_COMBINATIONS:
            raise ValueError(f"{space}, with {count} combinations, more than {MAX_COMBINATIONS}")
        return combined
    if not isinstance(space, spaces.Box):
        raise ValueError(f"{space}")
    if not np.issubdtype(space.dtype, np.floating) or len(space.shape) != 1 or space.shape[0] == 0:
        raise ValueError(f"{space}, a Box of shape {space.shape} and dtype {space.dtype}")
    if not space.is_bounded() or not (space.low < space.high).all():
        raise ValueError(f"{space}, a Box without a finite range above 0 in every entry")
    return BoxActions(space)
