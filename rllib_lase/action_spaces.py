"""`Combinations`: joint choices of several parts, numbered as one discrete action. Neither Ray nor torch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import Space, spaces
from numpy.typing import NDArray

#: Most combinations of one action. Policies give each one a probability.
MAX_COMBINATIONS = 4096


class Combinations(spaces.Discrete):  # type: ignore[type-arg] # generic in gymnasium's stubs only
    """All combinations of several choices, counted from 0, the last choice fastest.

    Whoever takes it for a `Discrete` is right; whoever knows it can treat the choices apart.

    Args:
        sizes: How many there are of each choice.

    Attributes:
        sizes: The same.
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        self.sizes = tuple(int(size) for size in sizes)
        super().__init__(math.prod(self.sizes))

    def __repr__(self) -> str:
        """As MultiDiscrete."""
        return f"Combinations({list(self.sizes)})"

    def __eq__(self, other: object) -> bool:
        """Whether the other has the same choices."""
        return isinstance(other, Combinations) and self.sizes == other.sizes

    def __hash__(self) -> int:
        """Of the sizes."""
        return hash(self.sizes)


def sizes_of(space: Space[Any]) -> tuple[int, ...]:
    """How many there are of each choice: `(n,)` of a `Discrete`, several of `Combinations`."""
    if isinstance(space, Combinations):
        return space.sizes
    assert isinstance(space, spaces.Discrete), f"found {space}"
    return (int(space.n),)


def choice_codes(sizes: Sequence[int]) -> NDArray[np.float32]:
    """`(A, sum(sizes))`: each of the A combinations as its choices' one-hot codes, one after the other."""
    choices = np.stack(np.unravel_index(np.arange(math.prod(sizes)), sizes), -1)
    return np.concatenate([np.eye(n, dtype=np.float32)[choices[:, k]] for k, n in enumerate(sizes)], -1)
