"""The arrays that one step of a batched game fills."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np
import numpy.typing as npt

from mixed_motive.encodings import Obs

__all__ = ["StepBuffers"]


@dataclasses.dataclass(frozen=True)
class StepBuffers:
    """Results of one step for B copies of a game with N agents.

    Every step writes every element of all arrays but `final_obs`. The arrays may be the caller's own, e.g.
    row t of arrays with a leading time axis: C-contiguous, writeable, of these shapes and dtypes.

    Attributes:
        obs: (B, N, *obs), in the observation space's dtype. Where an episode ended, the first observation
            of the next one.
        rewards: (B, N) float32, extrinsic.
        terminations: (B, N) bool: the agent left the game in this step.
        truncations: (B, N) bool: the episode reached its horizon in this step, the agent still in the game.
        final_obs: (B, N, *obs), valid only for copies with `done`: the last observation of the episode
            that ended.
        done: (B,) bool: the episode of this copy ended in this step.
        active: (B, N) bool: the agent was in the game when the actions of this step were taken.
        counts: (B, N, K) int32: events of this step, in the order of the game's `count_names`.
        arrays: All of these, in this order, as kernels take them: observations as (B, N, size).
        layout: Shape, dtype, contiguity and writeability of each, and which of them share memory: equal for
            buffers that fit the same game.
    """

    obs: Obs
    rewards: npt.NDArray[np.float32]
    terminations: npt.NDArray[np.bool_]
    truncations: npt.NDArray[np.bool_]
    final_obs: Obs
    done: npt.NDArray[np.bool_]
    active: npt.NDArray[np.bool_]
    counts: npt.NDArray[np.int32]
    arrays: tuple[npt.NDArray[np.generic], ...] = dataclasses.field(init=False, repr=False, compare=False)
    layout: tuple[object, ...] = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        arrays = [getattr(self, name) for name in FIELDS]
        object.__setattr__(self, "layout", (*self.read_layouts(), self.overlaps()))
        # One number of axes for every game and encoding, so that each kernel is compiled once.
        flat = [
            flat_obs(a) if name in ("obs", "final_obs") and isinstance(a, np.ndarray) and a.size > 0 else a
            for name, a in zip(FIELDS, arrays, strict=True)
        ]
        object.__setattr__(self, "arrays", tuple(flat))

    def read_layouts(self) -> list[object]:
        """Layout of each array by now: one may have been made read-only since."""
        return [array_layout(getattr(self, name)) for name in FIELDS]

    def overlaps(self) -> tuple[tuple[str, str], ...]:
        """Arrays whose memory overlaps: one step would write both results into it."""
        named = [(name, a) for name in FIELDS if isinstance(a := getattr(self, name), np.ndarray)]
        return tuple(
            (one, other)
            for (one, a), (other, b) in itertools.combinations(named, 2)
            if np.may_share_memory(a, b)  # compares bounds, which is exact for contiguous arrays
        )


FIELDS = tuple(field.name for field in dataclasses.fields(StepBuffers) if field.init)


def flat_obs(obs: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """(B, N, *obs) as (B, N, size), the same memory where it is contiguous."""
    return obs.reshape(*obs.shape[:2], -1)


def array_layout(array: object) -> object:
    """What must agree for the compiled step to write into an array; the type's name where it is no array."""
    if not isinstance(array, np.ndarray):
        return type(array).__name__
    kind = "contiguous" if array.flags.c_contiguous else "strided"
    return array.shape, array.dtype.name, kind, "writeable" if array.flags.writeable else "read-only"
