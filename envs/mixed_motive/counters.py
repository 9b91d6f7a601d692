"""`Counters`: seed, env index, episode, step and end of each copy, from which all its random draws follow.

They are the first columns of the registers that kernels read and write; a game may have further ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from mixed_motive.game_parts import State

__all__ = ["BEGIN", "PLAY", "PLAY_ON", "Counters"]

# What a kernel's `step` is told to do in every copy: start the episode that the registers name; play one
# step; or play one and start the next episode where that ended one.
BEGIN, PLAY, PLAY_ON = range(3)

_DTYPES: Mapping[str, type[np.generic]] = {
    "step": np.int64,
    "episode": np.int64,
    "seed": np.uint64,
    "env_index": np.int64,
    "ended": np.bool_,
}


class Counters:
    """The counters of B copies. Making them imports numba.

    Args:
        num_envs: B.
        first_env_index: Env index of the first copy; the others follow.
        num_extra: Columns of `registers` that are the game's own.

    Attributes:
        registers: (B, K) what kernels take.
    """

    def __init__(self, num_envs: int, first_env_index: int, num_extra: int) -> None:
        from mixed_motive.kernels import rng, shared

        self._episode_key, self._key_column = rng.episode_key, shared.KEY
        self._columns = {"step": shared.STEP, "episode": shared.EPISODE, "seed": shared.SEED}
        self._columns |= {"env_index": shared.ENV_INDEX, "ended": shared.ENDED}
        self._env_indices = np.arange(first_env_index, first_env_index + num_envs)
        self.registers: npt.NDArray[np.uint64] = np.zeros(
            (num_envs, shared.NUM_REGISTERS + num_extra), np.uint64
        )
        self.registers[:, shared.ENV_INDEX] = self._env_indices

    def to_first_episode(self, copies: slice | npt.NDArray[np.intp], seed: int) -> None:
        """Sets some copies to the first episode of `seed`, in [0, 2**64); the kernel starts it."""
        self.registers[copies, self._columns["seed"]] = np.uint64(seed)
        self.registers[copies, self._columns["episode"]] = 0
        self.registers[copies, self._columns["env_index"]] = self._env_indices[copies]

    def to_next_episode(self, copies: slice | npt.NDArray[np.intp]) -> None:
        """Sets some copies to the episode after their present one; the kernel starts it."""
        self.registers[copies, self._columns["episode"]] += np.uint64(1)

    def step_of(self, copy: int) -> int:
        """Steps of a copy's episode that were taken."""
        return int(self.registers[copy, self._columns["step"]])

    def has_ended(self, copy: int) -> bool:
        """Whether a copy's episode is over, and no other has begun."""
        return bool(self.registers[copy, self._columns["ended"]])

    def get_state(self, copies: npt.NDArray[np.intp]) -> State:
        """Name to array, for some copies."""
        return {
            name: self.registers[copies, self._columns[name]].astype(dtype) for name, dtype in _DTYPES.items()
        }

    def set_state(self, copies: npt.NDArray[np.intp], state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Takes over a checked state, and derives the key of the episodes' draws from it."""
        for name, column in self._columns.items():
            self.registers[copies, column] = state[name].astype(np.uint64)
        for copy in copies:
            seed, env_index, episode = (
                self.registers[copy, self._columns[name]] for name in ("seed", "env_index", "episode")
            )
            self.registers[copy, self._key_column] = self._episode_key(seed, env_index, episode)
