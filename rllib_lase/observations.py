"""What a space says of the numbers in its observations, for networks that imagine observations."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray


class EncodedBox(gym.spaces.Box):
    """A Box of which some numbers are one-hot codes.

    Args:
        box: Its bounds and dtype.
        one_hot_groups: Where in the flat observation the codes begin and end.
    """

    def __init__(self, box: gym.spaces.Box, one_hot_groups: tuple[tuple[int, int], ...]) -> None:
        super().__init__(box.low, box.high, dtype=box.dtype)  # type: ignore[arg-type] # a dtype or its name
        self.one_hot_groups = one_hot_groups


def one_hot_groups(space: gym.Space[Any]) -> tuple[tuple[int, int], ...]:
    """Where in an observation one-hot codes begin and end."""
    return space.one_hot_groups if isinstance(space, EncodedBox) else ()


def in_unit_range(space: gym.Space[Any]) -> NDArray[np.bool_]:
    """`(*obs)`, which numbers of an observation lie in [0, 1] and have a network's sigmoid for an output."""
    if not isinstance(space, gym.spaces.Box):
        return np.zeros(space.shape or (), np.bool_)
    return (space.low >= 0) & (space.high <= 1)
