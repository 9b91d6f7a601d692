"""One colour for everything that can be seen: pixels of the encoding "rgb"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from mixed_motive.rendering.canvas import Colour, agent_colour

__all__ = ["coin_owner", "palette"]

EMPTY: Colour = (0, 0, 0)
OUTSIDE: Colour = (128, 128, 128)

_OBJECT_COLOURS: Mapping[str, Colour] = MappingProxyType(
    {
        "waste": (110, 75, 45),
        "apple": (205, 28, 44),
        "pile": (226, 238, 250),
        "hare": (190, 178, 160),
        "stag": (160, 84, 30),
        "clean_beam": (150, 222, 222),
        "fire_beam": (255, 96, 0),
    }
)


def coin_owner(object_name: str) -> int | None:
    """Whose coin this is; None for other objects."""
    kind, _, owner = object_name.partition("_")
    return int(owner) if kind == "coin" else None


def _object_colour(name: str) -> Colour:
    owner = coin_owner(name)
    if owner is None:
        return _OBJECT_COLOURS[name]
    r, g, b = agent_colour(owner)
    return r * 5 // 8, g * 5 // 8, b * 5 // 8


def palette(object_names: Sequence[str], num_agents: int) -> npt.NDArray[np.uint8]:
    """(K + 2 + N, 3) uint8: empty, K kinds of objects, outside, N agents; all different."""
    objects = [_object_colour(name) for name in object_names]
    agents = [agent_colour(i) for i in range(num_agents)]
    return np.array([EMPTY, *objects, OUTSIDE, *agents], np.uint8)
