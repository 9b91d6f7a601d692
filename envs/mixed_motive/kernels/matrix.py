"""Compiled matrix games. The rules stand in `games/matrix.py`, in plain Python in `oracles/matrix.py`."""

import numpy as np
import numpy.typing as npt

from mixed_motive.counters import BEGIN
from mixed_motive.games.matrix import COOPERATE, NUM_ACTIONS, START
from mixed_motive.kernels.jit import compiled, inner
from mixed_motive.kernels.shared import STEP, end_for_all, goes_on, next_step_key, refusal, start_key

__all__ = ["observe", "step"]


@inner
def _write(b: int, outcome: np.int64 | int, obs: npt.NDArray[np.uint8]) -> None:
    # CD of one agent is DC of the other.
    mirrored = 3 - outcome if outcome == 1 or outcome == 2 else outcome
    for k in range(5):
        obs[b, 0, k] = k == outcome
        obs[b, 1, k] = k == mirrored


@compiled
def observe(outcomes: npt.NDArray[np.uint8], obs: npt.NDArray[np.uint8], encoding: int) -> None:
    """Write the observations of all copies."""
    for b in range(outcomes.shape[0]):
        _write(b, np.int64(outcomes[b]), obs)


@compiled
def step(
    actions: npt.NDArray[np.int64],
    registers: npt.NDArray[np.uint64],
    outcomes: npt.NDArray[np.uint8],
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
    R: float,
    S: float,
    T: float,
    P: float,
) -> int:
    """Do the task in every copy and return -1; or change nothing and return the reason, see `refusal`."""
    if task == BEGIN:
        for b in range(outcomes.shape[0]):
            start_key(b, registers)
            outcomes[b] = START
            _write(b, np.int64(outcomes[b]), obs)
        return -1
    refused = refusal(actions, NUM_ACTIONS, registers)
    if refused != -1:
        return refused
    for b in range(outcomes.shape[0]):
        next_step_key(b, registers)
        first, second = actions[b, 0], actions[b, 1]
        if first == second:
            payoff = R if first == COOPERATE else P
            rewards[b, 0] = payoff
            rewards[b, 1] = payoff
        else:
            rewards[b, 0] = S if first == COOPERATE else T
            rewards[b, 1] = S if second == COOPERATE else T
        outcomes[b] = 2 * first + second
        counts[b, 0, 0] = first == COOPERATE
        counts[b, 1, 0] = second == COOPERATE
        ended = np.int64(registers[b, STEP]) >= horizon
        end_for_all(b, ended, registers, terminations, truncations, done, active)
        if ended:
            _write(b, np.int64(outcomes[b]), final_obs)
            if goes_on(b, task, registers):
                start_key(b, registers)
                outcomes[b] = START
        _write(b, np.int64(outcomes[b]), obs)
    return -1
