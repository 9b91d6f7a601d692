"""The arrays that one step of a batched game fills."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

__all__ = ["StepBuffers"]


@dataclasses.dataclass(frozen=True)
class StepBuffers:
    """Results of one step for B copies of a game with N agents.

    Every step writes every element of all arrays but `final_obs`. The arrays may be the caller's own, e.g.
    row t of arrays with a leading time axis: C-contiguous, writeable, of these shapes and dtypes.

    Attributes:
        obs: (B, N, *obs) uint8. Where an episode ended, the first observation of the next one.
        rewards: (B, N) float32, extrinsic.
        terminations: (B, N) bool: the agent left the game in this step.
        truncations: (B, N) bool: the episode reached its horizon in this step.
        final_obs: (B, N, *obs) uint8, valid only for copies with `done`: the last observation of the episode
            that ended.
        done: (B,) bool: the episode of this copy ended in this step.
        active: (B, N) bool: the agent was in the game when the actions of this step were taken.
        counts: (B, N, K) int32: events of this step, in the order of the game's `count_names`.
        arrays: All of these, in this order.
        layout: Shape, dtype, contiguity and writeability of each: equal for buffers that fit the same game.
    """

    obs: npt.NDArray[np.uint8]
    rewards: npt.NDArray[np.float32]
    terminations: npt.NDArray[np.bool_]
    truncations: npt.NDArray[np.bool_]
    final_obs: npt.NDArray[np.uint8]
    done: npt.NDArray[np.bool_]
    active: npt.NDArray[np.bool_]
    counts: npt.NDArray[np.int32]
    arrays: tuple[npt.NDArray[np.generic], ...] = dataclasses.field(init=False, repr=False, compare=False)
    layout: tuple[object, ...] = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        arrays = tuple(getattr(self, name) for name in FIELDS)
        object.__setattr__(self, "arrays", arrays)
        object.__setattr__(self, "layout", tuple(map(array_layout, arrays)))


FIELDS = tuple(field.name for field in dataclasses.fields(StepBuffers) if field.init)


def array_layout(array: object) -> object:
    """What must agree for the compiled step to write into an array; the type's name where it is no array."""
    if not isinstance(array, np.ndarray):
        return type(array).__name__
    kind = "contiguous" if array.flags.c_contiguous else "strided"
    return array.shape, array.dtype.name, kind, "writeable" if array.flags.writeable else "read-only"
