"""Compiled help for scripted players: their random keys, shortest walks, and who goes to which cell.

All compiled code of the players is in this file, because numba keeps compiled code by file.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mixed_motive.games.moves import DOWN, LEFT, RIGHT, STAY, UP
from mixed_motive.kernels import rng
from mixed_motive.kernels.jit import compiled

__all__ = ["Walks", "gather", "player_keys", "random_below", "step_towards", "walk"]

# Keeps the draws of players apart from those of the game.
_PLAYER_SALT = np.uint64(0x8CB92BA72F3D8DD7)


class Walks(NamedTuple):
    """Where agents go.

    Attributes:
        moves: (B, n) int64: the first move of a shortest walk; STAY on the cell itself, or without one.
        distances: (B, n) int64: its length; 0 on the cell itself, -1 without a cell.
        cells: (B, n) int64: the cell, row * W + column; -1 without one.
    """

    moves: npt.NDArray[np.int64]
    distances: npt.NDArray[np.int64]
    cells: npt.NDArray[np.int64]


@compiled
def player_keys(
    seeds: npt.NDArray[np.uint64],
    env_indices: npt.NDArray[np.int64],
    episodes: npt.NDArray[np.int64],
    steps: npt.NDArray[np.int64],
    player_seed: np.uint64,
) -> npt.NDArray[np.uint64]:
    """(B,) key of a player's draws in the present step of each copy."""
    keys = np.empty(len(seeds), np.uint64)
    for b in range(len(seeds)):
        key = rng.episode_key(seeds[b], np.uint64(env_indices[b]), np.uint64(episodes[b]))
        key = rng.mix(rng.fold(key, np.uint64(steps[b])) ^ _PLAYER_SALT)
        keys[b] = rng.fold(key, player_seed)
    return keys


@compiled
def random_below(
    keys: npt.NDArray[np.uint64],
    agents: npt.NDArray[np.int64],
    bounds: npt.NDArray[np.int64],
    first_draw: int = 0,
) -> npt.NDArray[np.int64]:
    """(B, n) integers in [0, bounds), uniformly random; `bounds` is (B, n).

    Agent i has draw first_draw + i.
    """
    numbers = np.empty(bounds.shape, np.int64)
    for b in range(len(keys)):
        for j in range(len(agents)):
            numbers[b, j] = rng.below(rng.draw(keys[b], first_draw + agents[j]), bounds[b, j])
    return numbers


def walk(
    keys: npt.NDArray[np.uint64],
    agents: npt.NDArray[np.int64],
    positions: npt.NDArray[np.int32],
    wanted: npt.NDArray[np.bool_],
    *,
    going: npt.NDArray[np.bool_] | None = None,
    blocked: npt.NDArray[np.bool_] | None = None,
    agents_block: bool = False,
    shared: bool = False,
    first_draw: int = 0,
) -> Walks:
    """Walk each agent to the nearest of the wanted cells.

    Ties are broken at random: between directions, and between agents.

    Args:
        keys: (B,) keys of the draws.
        agents: (n,) the agents that walk.
        positions: (B, N, 2) row and column of all agents; negative where one has left.
        wanted: (B, H, W) cells to go to.
        going: (B, n) which of the agents walk; all by default.
        blocked: (B, H, W) cells that nobody can enter; none by default.
        agents_block: Whether nobody can enter another agent's cell.
        shared: Whether several agents may go to one cell. If not, each cell is for one agent: the shortest
            walk of all is given out first.
        first_draw: Agent i has draw first_draw + i of its key.

    Returns:
        The walks of the agents.
    """
    shape = len(keys), len(agents)
    walks = Walks(np.full(shape, STAY), np.full(shape, -1), np.full(shape, -1))
    if going is None:
        going = np.ones(shape, np.bool_)
    if blocked is None:
        blocked = np.zeros((1, 1, 1), np.bool_)
    _walk_all(keys, agents, positions, wanted, going, blocked, agents_block, shared, first_draw, *walks)
    return walks


@compiled
def _walk_all(
    keys: npt.NDArray[np.uint64],
    agents: npt.NDArray[np.int64],
    positions: npt.NDArray[np.int32],
    wanted: npt.NDArray[np.bool_],
    going: npt.NDArray[np.bool_],
    blocked: npt.NDArray[np.bool_],
    agents_block: bool,
    shared: bool,
    first_draw: int,
    moves: npt.NDArray[np.int64],
    distances: npt.NDArray[np.int64],
    cells: npt.NDArray[np.int64],
) -> None:
    height, width = wanted.shape[1:]
    size = height * width
    goals, walls = np.empty(size, np.bool_), np.zeros(size, np.bool_)
    seen, stamp = np.zeros(size, np.int64), 0
    first, queue = np.empty(size, np.uint8), np.empty(size, np.int64)
    given, order = np.empty(len(agents), np.bool_), np.empty(len(agents), np.uint64)
    for b in range(len(keys)):
        for r in range(height):
            for c in range(width):
                goals[r * width + c] = wanted[b, r, c]
                walls[r * width + c] = blocked.shape[1] > 1 and blocked[b, r, c]
        if agents_block:
            for i in range(positions.shape[1]):
                if positions[b, i, 0] >= 0:
                    walls[positions[b, i, 0] * width + positions[b, i, 1]] = True
        waiting = 0
        for j in range(len(agents)):
            row, col = positions[b, agents[j], 0], positions[b, agents[j], 1]
            given[j] = not going[b, j] or row < 0
            if given[j]:
                continue
            order[j] = rng.draw(keys[b], first_draw + agents[j])
            stamp += 1
            distances[b, j], cells[b, j], moves[b, j] = _nearest(
                row, col, height, width, goals, walls, order[j], seen, stamp, first, queue
            )
            given[j] = cells[b, j] < 0
            waiting += not given[j]
        if shared:
            continue
        while waiting > 0:
            best = -1
            for j in range(len(agents)):
                if not given[j] and (
                    best < 0
                    or distances[b, j] < distances[b, best]
                    or (distances[b, j] == distances[b, best] and order[j] < order[best])
                ):
                    best = j
            given[best] = True
            waiting -= 1
            goals[cells[b, best]] = False
            for j in range(len(agents)):
                if not given[j] and cells[b, j] == cells[b, best]:
                    row, col = positions[b, agents[j], 0], positions[b, agents[j], 1]
                    stamp += 1
                    distances[b, j], cells[b, j], moves[b, j] = _nearest(
                        row, col, height, width, goals, walls, order[j], seen, stamp, first, queue
                    )
                    given[j] = cells[b, j] < 0
                    waiting -= given[j]


@compiled
def _nearest(
    row: int,
    col: int,
    height: int,
    width: int,
    goals: npt.NDArray[np.bool_],
    walls: npt.NDArray[np.bool_],
    bits: np.uint64,
    seen: npt.NDArray[np.int64],
    stamp: int,
    first: npt.NDArray[np.uint8],
    queue: npt.NDArray[np.int64],
) -> tuple[int, int, int]:
    """Distance, cell and first move to the nearest goal by breadth-first search; (-1, -1, STAY) if none.

    `bits` choose the order of the directions; `seen`, `first` and `queue` are scratch, `stamp` a number that
    no earlier search had.
    """
    start = row * width + col
    if goals[start]:
        return 0, start, STAY
    turn, backwards = np.int64(bits & np.uint64(3)), (bits & np.uint64(4)) != 0
    seen[start] = stamp
    queue[0] = start
    head, tail, distance = 0, 1, 0
    while head < tail:
        distance += 1
        ring_end = tail
        while head < ring_end:
            cell = queue[head]
            head += 1
            for k in range(4):
                move = (turn - k if backwards else turn + k) & 3
                r, c = cell // width, cell % width
                r += int(move == DOWN) - int(move == UP)
                c += int(move == RIGHT) - int(move == LEFT)
                if r < 0 or r >= height or c < 0 or c >= width:
                    continue
                there = r * width + c
                if seen[there] == stamp or walls[there]:
                    continue
                seen[there] = stamp
                first[there] = move if distance == 1 else first[cell]
                if goals[there]:
                    return distance, there, int(first[there])
                queue[tail] = there
                tail += 1
    return -1, -1, STAY


@compiled
def gather(
    keys: npt.NDArray[np.uint64],
    agents: npt.NDArray[np.int64],
    positions: npt.NDArray[np.int32],
    meeting: npt.NDArray[np.bool_],
    party_size: int,
) -> npt.NDArray[np.int64]:
    """Split agents into parties, each for one of the meeting cells; nothing is in anybody's way.

    Again and again the party that can be complete soonest is formed, and its cell given to it. Who is left
    over goes to the first cell, row by row, without a party; where all have one, to the first.

    Args:
        keys: (B,) keys of the draws, which break ties between agents; agent i has draw i.
        agents: (n,) the agents.
        positions: (B, N, 2) row and column of all agents; negative where one has left.
        meeting: (B, H, W) the cells.
        party_size: Agents of a party.

    Returns:
        (B, n) the cell that each goes to, row * W + column; -1 without one.
    """
    height, width = meeting.shape[1:]
    num = len(agents)
    goals = np.full((len(keys), num), -1)
    cells, has_party = np.empty(height * width, np.int64), np.empty(height * width, np.bool_)
    order, distances = np.empty(num, np.uint64), np.empty(num, np.int64)
    party, best = np.empty(num, np.int64), np.empty(num, np.int64)
    for b in range(len(keys)):
        num_cells = 0
        for cell in range(height * width):
            if meeting[b, cell // width, cell % width]:
                cells[num_cells] = cell
                has_party[num_cells] = False
                num_cells += 1
        for j in range(num):
            order[j] = rng.draw(keys[b], agents[j])
        while num_cells > 0:
            soonest, chosen = -1, -1
            for k in range(num_cells):
                if has_party[k]:
                    continue
                for j in range(num):
                    row, col = positions[b, agents[j], 0], positions[b, agents[j], 1]
                    away = abs(row - cells[k] // width) + abs(col - cells[k] % width)
                    distances[j] = away if row >= 0 and goals[b, j] < 0 else -1
                complete = _fill_party(distances, order, party_size, party)
                if complete >= 0 and (soonest < 0 or complete < soonest):
                    soonest, chosen = complete, k
                    best[:party_size] = party[:party_size]
            if soonest < 0:
                break
            has_party[chosen] = True
            for m in range(party_size):
                goals[b, best[m]] = cells[chosen]
        first_free = 0
        while first_free < num_cells and has_party[first_free]:
            first_free += 1
        for j in range(num):
            if num_cells > 0 and goals[b, j] < 0 and positions[b, agents[j], 0] >= 0:
                goals[b, j] = cells[first_free if first_free < num_cells else 0]
    return goals


@compiled
def _fill_party(
    distances: npt.NDArray[np.int64],
    order: npt.NDArray[np.uint64],
    party_size: int,
    party: npt.NDArray[np.int64],
) -> int:
    """Choose the nearest `party_size` agents; the distance of the last one, or -1 if there are too few.

    Args:
        distances: (n,) steps of each agent; -1 where it cannot join. Those who join are set to -1.
        order: (n,) breaks ties.
        party_size: Agents needed.
        party: The chosen ones, written.
    """
    last = -1
    if party_size > len(distances):
        return -1
    for m in range(party_size):
        nearest = -1
        for j in range(len(distances)):
            if distances[j] >= 0 and (
                nearest < 0
                or distances[j] < distances[nearest]
                or (distances[j] == distances[nearest] and order[j] < order[nearest])
            ):
                nearest = j
        if nearest < 0:
            return -1
        last = distances[nearest]
        party[m] = nearest
        distances[nearest] = -1
    return last


@compiled
def step_towards(
    keys: npt.NDArray[np.uint64],
    agents: npt.NDArray[np.int64],
    positions: npt.NDArray[np.int32],
    goals: npt.NDArray[np.int64],
    width: int,
) -> npt.NDArray[np.int64]:
    """(B, n) first moves of shortest walks to cells, row * W + column; STAY on the cell, and for -1.

    Nothing is in anybody's way. Agent i has draw N + i, which chooses between two directions that lead there.
    """
    moves = np.full(goals.shape, STAY)
    num_agents = positions.shape[1]
    for b in range(goals.shape[0]):
        for j in range(goals.shape[1]):
            row, col = positions[b, agents[j], 0], positions[b, agents[j], 1]
            if goals[b, j] < 0 or row < 0:
                continue
            down, right = goals[b, j] // width - row, goals[b, j] % width - col
            across = rng.below(rng.draw(keys[b], num_agents + agents[j]), 2) == 1
            if right != 0 and (down == 0 or across):
                moves[b, j] = RIGHT if right > 0 else LEFT
            elif down != 0:
                moves[b, j] = DOWN if down > 0 else UP
    return moves
