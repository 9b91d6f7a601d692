"""Compiled public goods game.

The rules stand in `games/public_goods.py`, in plain Python in `oracles/public_goods.py`.
"""

import numpy as np
import numpy.typing as npt

from mixed_motive.counters import BEGIN
from mixed_motive.games.public_goods import NONE_YET
from mixed_motive.kernels.jit import compiled, inner
from mixed_motive.kernels.shared import STEP, end_for_all, goes_on, next_step_key, refusal, start_key

__all__ = ["observe", "step"]


@inner
def _write(b: int, levels: npt.NDArray[np.uint8], obs: npt.NDArray[np.uint8], num_levels: int) -> None:
    num_agents = np.uint64(levels.shape[1])
    started = levels[b, 0] == NONE_YET
    for i in range(num_agents):
        out = obs[np.uint64(b), i]
        for k in range(out.shape[0]):
            out[k] = 0
        if started:
            out[out.shape[0] - 1] = 1
            continue
        out[np.uint64(levels[b, i])] = 1
        offset = np.uint64(num_levels)
        for j in range(num_agents):
            if j != i:
                out[offset + np.uint64(levels[b, j])] = 1
                offset += np.uint64(num_levels)


@compiled
def observe(
    levels: npt.NDArray[np.uint8], obs: npt.NDArray[np.uint8], encoding: int, num_levels: int
) -> None:
    """Write the observations of all copies."""
    for b in range(levels.shape[0]):
        _write(b, levels, obs, num_levels)


@compiled
def step(
    actions: npt.NDArray[np.int64],
    registers: npt.NDArray[np.uint64],
    levels: npt.NDArray[np.uint8],
    obs: npt.NDArray[np.uint8],
    rewards: npt.NDArray[np.float32],
    terminations: npt.NDArray[np.bool_],
    truncations: npt.NDArray[np.bool_],
    final_obs: npt.NDArray[np.uint8],
    done: npt.NDArray[np.bool_],
    active: npt.NDArray[np.bool_],
    counts: npt.NDArray[np.int32],
    task: int,
    encoding: int,
    horizon: int,
    num_levels: int,
    endowment: float,
    multiplier: float,
) -> int:
    """Do the task in every copy and return -1; or change nothing and return the reason, see `refusal`."""
    num_agents = levels.shape[1]
    unit = endowment / (num_levels - 1)
    if task == BEGIN:
        for b in range(levels.shape[0]):
            start_key(b, registers)
            levels[b, :] = NONE_YET
            _write(b, levels, obs, num_levels)
        return -1
    refused = refusal(actions, num_levels, registers)
    if refused != -1:
        return refused
    for b in range(levels.shape[0]):
        next_step_key(b, registers)
        total = 0
        for i in range(num_agents):
            level = actions[b, i]
            levels[b, i] = level
            counts[b, i, 0] = level
            total += level
        share = multiplier * (total * unit) / num_agents
        for i in range(num_agents):
            rewards[b, i] = endowment - actions[b, i] * unit + share
        ended = np.int64(registers[b, STEP]) >= horizon
        end_for_all(b, ended, registers, terminations, truncations, done, active)
        if ended:
            _write(b, levels, final_obs, num_levels)
            if goes_on(b, task, registers):
                start_key(b, registers)
                levels[b, :] = NONE_YET
        _write(b, levels, obs, num_levels)
    return -1
