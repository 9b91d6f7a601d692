"""One colour for everything that can be seen: pixels of the encoding "rgb"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from mixed_motive.rendering.canvas import Colour, agent_colour

__all__ = ["palette"]

EMPTY: Colour = (0, 0, 0)
OUTSIDE: Colour = (128, 128, 128)

_OBJECT_COLOURS: Mapping[str, Colour] = MappingProxyType(
    {
        "waste": (110, 75, 45),
        "apple": (205, 28, 44),
        "pile": (226, 238, 250),
    }
)


def palette(object_names: Sequence[str], num_agents: int) -> npt.NDArray[np.uint8]:
    """(K + 2 + N, 3) uint8: empty, K kinds of objects, outside, N agents; all different."""
    objects = [_OBJECT_COLOURS[name] for name in object_names]
    agents = [agent_colour(i) for i in range(num_agents)]
    return np.array([EMPTY, *objects, OUTSIDE, *agents], np.uint8)
