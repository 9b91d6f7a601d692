"""Random numbers by counting: a draw is a function of (seed, env index, episode, step, number of the draw).

So a trajectory does not depend on how many copies are stepped together, in which order or in which process.
The mixing function is that of splitmix64 (Steele, Lea and Flood, 2014). The compiled functions serve the
kernels; `Draws` says the same in plain Python and serves the oracles.
"""

import numpy as np

from mixed_motive.kernels.jit import compiled, inner

__all__ = ["Draws", "below", "draw", "episode_key", "fold", "mix", "uniform"]

MASK = 0xFFFFFFFFFFFFFFFF
SALT = 0xD1B54A32D192ED03
GOLDEN = 0x9E3779B97F4A7C15
MIX_1 = 0xBF58476D1CE4E5B9
MIX_2 = 0x94D049BB133111EB
TO_UNIT = 2.0**-53

_GOLDEN, _MIX_1, _MIX_2, _SALT = np.uint64(GOLDEN), np.uint64(MIX_1), np.uint64(MIX_2), np.uint64(SALT)
_30, _27, _31, _11, _32 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11), np.uint64(32)


@inner
def mix(x: np.uint64) -> np.uint64:
    """The finaliser of splitmix64: a bijection of 64 bits; every input bit reaches every output bit."""
    x = (x ^ (x >> _30)) * _MIX_1
    x = (x ^ (x >> _27)) * _MIX_2
    return x ^ (x >> _31)


@inner
def fold(key: np.uint64, value: np.uint64) -> np.uint64:
    """The key below `key` with this number."""
    return mix(key + _GOLDEN * value)


@compiled
def episode_key(seed: np.uint64, env_index: np.uint64, episode: np.uint64) -> np.uint64:
    """The key of one episode of one copy."""
    return fold(fold(mix(seed ^ _SALT), env_index), episode)


@inner
def draw(step_key: np.uint64, number: int) -> np.uint64:
    """64 random bits: the given draw of a step (`step_key` is ``fold(episode_key, step)``)."""
    return fold(step_key, np.uint64(number))


@inner
def uniform(bits: np.uint64) -> float:
    """A float in [0, 1), uniform on multiples of 2**-53."""
    return np.float64(bits >> _11) * TO_UNIT


@inner
def below(bits: np.uint64, bound: int) -> int:
    """An integer in [0, bound), for bounds below 2**31; uneven by at most bound / 2**32."""
    return np.int64(((bits >> _32) * np.uint64(bound)) >> _32)  # type: ignore[return-value]  # compiled, it is one


class Draws:
    """The draws of one step in plain Python.

    Args:
        seed: What the game was reset with.
        env_index: Index of the copy among all copies of a run.
        episode: Episodes that this copy ended since the reset.
        step: 0 for the draws that set up the episode, then 1, 2, ...
    """

    def __init__(self, seed: int, env_index: int, episode: int, step: int) -> None:
        key = self._mix(seed ^ SALT)
        for value in (env_index, episode, step):
            key = self._fold(key, value)
        self._key = key

    @staticmethod
    def _mix(x: int) -> int:
        x = ((x ^ (x >> 30)) * MIX_1) & MASK
        x = ((x ^ (x >> 27)) * MIX_2) & MASK
        return x ^ (x >> 31)

    @classmethod
    def _fold(cls, key: int, value: int) -> int:
        return cls._mix((key + GOLDEN * value) & MASK)

    def bits(self, number: int) -> int:
        """64 random bits."""
        return self._fold(self._key, number)

    def uniform(self, number: int) -> float:
        """A float in [0, 1)."""
        return (self.bits(number) >> 11) * TO_UNIT

    def below(self, number: int, bound: int) -> int:
        """An integer in [0, bound)."""
        return ((self.bits(number) >> 32) * bound) >> 32
