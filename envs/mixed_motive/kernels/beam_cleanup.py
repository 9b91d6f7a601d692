"""Compiled Cleanup with beams. The rules stand in `games/beam_cleanup.py`, in plain Python in `oracles/`."""

import numpy as np
import numpy.typing as npt

from mixed_motive.counters import BEGIN
from mixed_motive.games.beam_cleanup import APPLE, WASTE
from mixed_motive.games.beams import DRAW_START_OBJECT, DRAW_WASTE, DRAW_WASTE_CELL
from mixed_motive.kernels import rng
from mixed_motive.kernels.beams import act, begin, grow, place, settle, shoot, vacate
from mixed_motive.kernels.jit import compiled, inner
from mixed_motive.kernels.shared import (
    NUM_REGISTERS,
    STEP,
    end_for_all,
    goes_on,
    next_step_key,
    refusal,
    start_key,
)
from mixed_motive.kernels.turned_views import observe, scratch_size, write_views

__all__ = ["WASTE_LEFT", "observe", "step"]

# Column of `registers` beyond the common ones, derived from the map.
WASTE_LEFT = NUM_REGISTERS


@inner
def _start(
    b: int,
    registers: npt.NDArray[np.uint64],
    cells: npt.NDArray[np.uint8],
    positions: npt.NDArray[np.int32],
    facing: npt.NDArray[np.int32],
    frozen: npt.NDArray[np.int32],
    beams: npt.NDArray[np.int32],
    stride: int,
    border_rows: int,
    border_cols: int,
    turning: bool,
    floor: npt.NDArray[np.int64],
    orchard: npt.NDArray[np.int64],
    river: npt.NDArray[np.int64],
    initial_waste: int,
    at: npt.NDArray[np.int64],
) -> None:
    key = start_key(b, registers)
    place(b, key, positions, facing, frozen, beams, stride, border_rows, border_cols, floor, turning, at)
    for k in range(orchard.shape[0]):
        cells[orchard[k]] = 0
    missing = initial_waste
    for k in range(river.shape[0]):
        wasted = rng.below(rng.draw(key, DRAW_START_OBJECT + k), river.shape[0] - k) < missing
        cells[river[k]] = WASTE if wasted else 0
        missing -= wasted
    registers[b, WASTE_LEFT] = initial_waste


@inner
def _pollute(
    b: int,
    key: np.uint64,
    registers: npt.NDArray[np.uint64],
    cells: npt.NDArray[np.uint8],
    river: npt.NDArray[np.int64],
    waste: np.int64 | int,
    waste_delay: int,
    waste_chances: npt.NDArray[np.float64],
) -> None:
    """Count the waste that the beams left, and let it appear on one more cell of the river, or not."""
    registers[b, WASTE_LEFT] = waste
    if (
        np.int64(registers[b, STEP]) > waste_delay
        and waste_chances[waste] > 0.0
        and rng.uniform(rng.draw(key, DRAW_WASTE)) < waste_chances[waste]
    ):
        tries = 0
        cell = river[rng.below(rng.draw(key, DRAW_WASTE_CELL), river.shape[0])]
        while cells[cell] == WASTE:
            tries += 1
            cell = river[rng.below(rng.draw(key, DRAW_WASTE_CELL + tries), river.shape[0])]
        cells[cell] = WASTE
        registers[b, WASTE_LEFT] = waste + 1


@compiled
def step(
    actions: npt.NDArray[np.int64],
    registers: npt.NDArray[np.uint64],
    cells: npt.NDArray[np.uint8],
    positions: npt.NDArray[np.int32],
    facing: npt.NDArray[np.int32],
    frozen: npt.NDArray[np.int32],
    beams: npt.NDArray[np.int32],
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
    border_rows: int,
    border_cols: int,
    rows: int,
    cols: int,
    clean_beam: int,
    fire_beam: int,
    outside: int,
    horizon: int,
    turning: bool,
    fire_length: int,
    fire_cost: float,
    hit_cost: float,
    hit_freeze: int,
    floor: npt.NDArray[np.int64],
    orchard: npt.NDArray[np.int64],
    river: npt.NDArray[np.int64],
    clean_length: int,
    initial_waste: int,
    waste_delay: int,
    waste_chances: npt.NDArray[np.float64],
    apple_chances: npt.NDArray[np.float64],
    candidate_bits: int,
) -> int:
    """Do the task in every copy and return -1; or change nothing and return the reason, see `refusal`."""
    clean_action = 7 if turning else 5
    fire_action = clean_action + 1 if fire_length > 0 else -1
    num_envs, num_agents, stride = positions.shape[0], positions.shape[1], cells.shape[2]
    flat_cells = cells.reshape((num_envs, cells.shape[1] * stride))
    flat_obs, flat_final_obs = obs.reshape(obs.size), final_obs.reshape(obs.size)
    order, at = np.empty(num_agents, np.int64), np.empty(num_agents, np.int64)
    occupant = np.empty(flat_cells.shape[1], np.uint8)
    for k in range(occupant.shape[0]):
        occupant[k] = 0
    grown, near = np.empty(orchard.shape[0], np.int64), np.empty(0, np.int64)
    scratch = np.empty(scratch_size(rows, cols, beams, num_agents), np.uint8)
    if task == BEGIN:
        for b in range(num_envs):
            flat = flat_cells[b]
            _start(
                b,
                registers,
                flat,
                positions,
                facing,
                frozen,
                beams,
                stride,
                border_rows,
                border_cols,
                turning,
                floor,
                orchard,
                river,
                initial_waste,
                at,
            )
            write_views(
                b,
                encoding,
                flat,
                positions,
                facing,
                beams,
                flat_obs,
                stride,
                border_rows,
                border_cols,
                rows,
                cols,
                clean_beam,
                fire_beam,
                outside,
                at,
                scratch,
            )
        return -1
    refused = refusal(actions, clean_action + 1 + (fire_length > 0), registers)
    if refused != -1:
        return refused
    for b in range(num_envs):
        flat = flat_cells[b]
        key = next_step_key(b, registers)
        begin(b, key, flat, positions, beams, counts, stride, border_rows, border_cols, order, at, occupant)
        act(
            b,
            actions,
            flat,
            positions,
            facing,
            frozen,
            counts,
            stride,
            turning,
            APPLE,
            outside,
            order,
            at,
            occupant,
        )
        cleaned = 0
        for k in range(num_agents):
            i = order[k]
            cleans = actions[b, i] == clean_action
            if (cleans or actions[b, i] == fire_action) and frozen[b, i] == 0:
                length = clean_length if cleans else fire_length
                cleaned += shoot(
                    b,
                    i,
                    cleans,
                    length,
                    flat,
                    facing,
                    frozen,
                    beams,
                    counts,
                    stride,
                    WASTE,
                    outside,
                    at,
                    occupant,
                )
        settle(b, frozen, rewards, counts, fire_length > 0, fire_cost, hit_cost, hit_freeze)

        waste = np.int64(registers[b, WASTE_LEFT]) - cleaned
        _pollute(b, key, registers, flat, river, waste, waste_delay, waste_chances)
        if apple_chances[waste] > 0.0:
            chances = apple_chances[waste : waste + 1]
            grow(key, flat, orchard, near, chances, candidate_bits, APPLE, occupant, grown)
        vacate(at, occupant)

        ended = np.int64(registers[b, STEP]) >= horizon
        end_for_all(b, ended, registers, terminations, truncations, done, active)
        if ended:
            write_views(
                b,
                encoding,
                flat,
                positions,
                facing,
                beams,
                flat_final_obs,
                stride,
                border_rows,
                border_cols,
                rows,
                cols,
                clean_beam,
                fire_beam,
                outside,
                at,
                scratch,
            )
            if goes_on(b, task, registers):
                _start(
                    b,
                    registers,
                    flat,
                    positions,
                    facing,
                    frozen,
                    beams,
                    stride,
                    border_rows,
                    border_cols,
                    turning,
                    floor,
                    orchard,
                    river,
                    initial_waste,
                    at,
                )
        write_views(
            b,
            encoding,
            flat,
            positions,
            facing,
            beams,
            flat_obs,
            stride,
            border_rows,
            border_cols,
            rows,
            cols,
            clean_beam,
            fire_beam,
            outside,
            at,
            scratch,
        )
    return -1
