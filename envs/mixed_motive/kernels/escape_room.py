"""Compiled Escape Room.

The rules stand in `games/escape_room.py`, in plain Python in `oracles/escape_room.py`.
"""

import numpy as np
import numpy.typing as npt

from mixed_motive.counters import BEGIN
from mixed_motive.games.escape_room import DOOR, LEVER, NUM_ACTIONS, START
from mixed_motive.kernels.jit import compiled, inner
from mixed_motive.kernels.shared import ENDED, STEP, goes_on, next_step_key, refusal, start_key

__all__ = ["observe", "step"]

_THREE = np.uint64(3)


@inner
def _write(b: int, places: npt.NDArray[np.uint8], obs: npt.NDArray[np.uint8]) -> None:
    num_agents = np.uint64(places.shape[1])
    for i in range(num_agents):
        out = obs[np.uint64(b), i]
        for k in range(out.shape[0]):
            out[k] = 0
        out[np.uint64(places[b, i])] = 1
        offset = _THREE
        for j in range(num_agents):
            if j != i:
                out[offset + np.uint64(places[b, j])] = 1
                offset += _THREE


@compiled
def observe(places: npt.NDArray[np.uint8], obs: npt.NDArray[np.uint8], encoding: int) -> None:
    """Write the observations of all copies."""
    for b in range(places.shape[0]):
        _write(b, places, obs)


@compiled
def step(
    actions: npt.NDArray[np.int64],
    registers: npt.NDArray[np.uint64],
    places: npt.NDArray[np.uint8],
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
    min_at_lever: int,
    exit_reward: float,
    move_cost: float,
) -> int:
    """Do the task in every copy and return -1; or change nothing and return the reason, see `refusal`."""
    num_agents = places.shape[1]
    if task == BEGIN:
        for b in range(places.shape[0]):
            start_key(b, registers)
            places[b, :] = START
            _write(b, places, obs)
        return -1
    refused = refusal(actions, NUM_ACTIONS, registers)
    if refused != -1:
        return refused
    for b in range(places.shape[0]):
        next_step_key(b, registers)
        at_lever = 0
        for i in range(num_agents):
            at_lever += actions[b, i] == LEVER
        is_open = at_lever >= min_at_lever
        somebody_escaped = False
        for i in range(num_agents):
            place = actions[b, i]
            escaped = is_open and place == DOOR
            if escaped:
                rewards[b, i] = exit_reward
            else:
                rewards[b, i] = -move_cost if place != places[b, i] else 0.0
            counts[b, i, 0] = is_open and place == LEVER
            counts[b, i, 1] = escaped
            places[b, i] = place
            somebody_escaped |= escaped
        ended = somebody_escaped or np.int64(registers[b, STEP]) >= horizon
        registers[b, ENDED] = ended
        done[b] = ended
        for i in range(num_agents):
            terminations[b, i] = somebody_escaped
            truncations[b, i] = ended and not somebody_escaped
            active[b, i] = True
        if ended:
            _write(b, places, final_obs)
            if goes_on(b, task, registers):
                start_key(b, registers)
                places[b, :] = START
        _write(b, places, obs)
    return -1
