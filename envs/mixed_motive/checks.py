"""What is wrong with the arguments of a batched game's calls."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from mixed_motive.buffers import FIELDS, StepBuffers
from mixed_motive.errors import GameError, shown

__all__ = [
    "BOOLS",
    "action_problems",
    "array_problems",
    "buffer_problems",
    "counter_problems",
    "read_array",
    "read_gifts",
    "read_indices",
    "read_seed",
    "read_state",
    "refusal_problem",
]

#: Types that NumPy takes for 0 and 1 in a list where other actions are integers.
BOOLS = frozenset((bool, np.bool_))


def read_seed(game_id: str, seed: int | None) -> int:
    """The seed as an integer in [0, 2**64); a random one for None.

    Raises:
        GameError: If it is no such integer.
    """
    if seed is None:
        return int(np.random.SeedSequence().generate_state(1, np.uint64)[0])
    try:
        number = operator.index(seed)
    except TypeError:
        number = -1
    if not 0 <= number < 2**64 or isinstance(seed, bool):
        problem = f"seed={shown(seed)}: expected an integer in [0, 2**64) or None"
        raise GameError(f"{game_id}: reset", [problem])
    return number


def read_indices(
    what: str, env_indices: Sequence[int] | npt.NDArray[np.integer[Any]] | None, num_envs: int, distinct: bool
) -> npt.NDArray[np.intp]:
    """Positions in the batch; all of them for None.

    Raises:
        GameError: If they are no integers, lie outside the batch or, where they must be distinct, are not.
    """
    if env_indices is None:
        return np.arange(num_envs)
    indices = read_array(what, "env_indices", env_indices)
    problems = []
    if indices.ndim != 1 or (indices.dtype.kind not in "iu" and indices.size > 0):
        problems.append(f"env_indices is {indices.dtype} {indices.shape}, expected a sequence of integers")
    elif ((indices < 0) | (indices >= num_envs)).any():
        problems.append(f"env_indices has {indices.tolist()}, expected positions in [0, {num_envs})")
    elif distinct and len(np.unique(indices)) != len(indices):
        problems.append(f"env_indices has a position twice: {indices.tolist()}")
    if problems:
        raise GameError(what, problems)
    return indices.astype(np.intp)


def read_gifts(what: str, gifts: npt.ArrayLike | None, num_agents: int) -> npt.NDArray[np.float64]:
    """Amounts given in one step, (N, N) float64.

    Raises:
        GameError: If they have another shape, or are no finite numbers.
    """
    array = read_array(what, "gifts", gifts)
    expected = f"finite numbers ({num_agents}, {num_agents}), giver in the row, receiver in the column"
    if array.shape != (num_agents, num_agents) or array.dtype.kind not in "iuf":
        raise GameError(what, [f"gifts are {array.dtype} {array.shape}, expected {expected}"])
    amounts = array.astype(np.float64)
    if not np.isfinite(amounts).all():
        raise GameError(what, [f"gifts have {amounts[~np.isfinite(amounts)][0]}, expected {expected}"])
    return amounts


def buffer_problems(found: object, expected: StepBuffers) -> list[str]:
    """Why a step cannot write into these arrays, as they were made or as they are by now."""
    if not isinstance(found, StepBuffers):
        return [f"out={shown(found)} ({type(found).__name__}): expected StepBuffers, as from new_buffers()"]
    now, overlaps = found.read_layouts(), found.overlaps()
    problems = [
        f"out.{name} {f'is {given}' if given != right else f'was made {made}'}, expected {right}"
        for name, made, given, right in zip(FIELDS, found.layout[:-1], now, expected.layout[:-1], strict=True)
        if not made == given == right
    ]
    return problems + [
        f"out.{one} and out.{other} share memory; expected an array of its own for each result"
        for one, other in overlaps
    ]


def read_state(what: str, state: object) -> dict[str, npt.NDArray[Any]]:
    """A state's arrays by name.

    Raises:
        GameError: If it is no mapping, or holds what is no array.
    """
    if not isinstance(state, Mapping):
        found = f"state={shown(state)} ({type(state).__name__})"
        raise GameError(what, [f"{found}: expected a dict of arrays by name, as from get_state()"])
    return {name: read_array(what, f"values of {name!r}", array) for name, array in state.items()}


def read_array(what: str, name: str, value: Any) -> npt.NDArray[Any]:
    """An argument as an array.

    Raises:
        GameError: If it is none, e.g. rows of different lengths.
    """
    try:
        return np.asarray(value)
    except ValueError as error:
        raise GameError(what, [f"{name} are no array: {error}"]) from error


def action_problems(actions: npt.NDArray[Any], shape: tuple[int, ...]) -> list[str]:
    """What is wrong with shape and dtype of a step's actions."""
    problems = []
    if actions.shape != shape:
        problems.append(f"actions have shape {actions.shape}, expected (num_envs, num_agents) = {shape}")
    if actions.dtype.kind not in "iu":
        problems.append(f"actions have dtype {actions.dtype}, expected an integer dtype")
    return problems


def refusal_problem(
    refused: int, given: npt.NDArray[Any], agent_ids: Sequence[str], action_names: Sequence[str]
) -> str:
    """What a kernel says by its number of `refusal`, for actions (B, N)."""
    if refused < -1:
        return (
            f"the episode of copy {-2 - refused} has ended, and auto_reset is False. Call "
            f"reset(env_indices=[{-2 - refused}]) first, or reset() for all copies."
        )
    b, i = divmod(refused, len(agent_ids))
    names = ", ".join(f"{k} {name}" for k, name in enumerate(action_names))
    return f"action {given[b, i]} of {agent_ids[i]} in copy {b}; expected one of: {names}"


def array_problems(
    state: Mapping[str, npt.NDArray[Any]], expected: Mapping[str, npt.NDArray[Any]], num_copies: int
) -> list[str]:
    """What is wrong with names, shapes and dtypes of a state; `expected` is that of no copies."""
    problems = [f"array {name!r} is missing" for name in expected if name not in state]
    problems += [f"unknown array {name!r}" for name in state if name not in expected]
    for name in expected.keys() & state.keys():
        found, shape = state[name], (num_copies, *expected[name].shape[1:])
        if found.shape != shape or found.dtype != expected[name].dtype:
            problems.append(
                f"{name!r} is {found.dtype} {found.shape}, expected {expected[name].dtype} {shape}: "
                "as many copies as env_indices, of a game with the same parameters"
            )
    return problems


def counter_problems(state: Mapping[str, npt.NDArray[Any]], horizon: int, auto_reset: bool) -> list[str]:
    """What is impossible in the counters of a state."""
    problems = []
    last = np.where(state["ended"], horizon, horizon - 1)
    if not ((state["step"] >= 0) & (state["step"] <= last)).all():
        problems.append(f"'step' must lie in [0, {horizon}), at {horizon} 'ended' be True")
    if auto_reset and state["ended"].any():
        problems.append("'ended' is True somewhere; with auto_reset the next episode starts at once")
    return problems + [
        f"{name!r} must not be negative" for name in ("episode", "env_index") if (state[name] < 0).any()
    ]
