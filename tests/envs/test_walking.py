import numpy as np
from scipy import stats

from mixed_motive.players.walking import walk
from tests.envs.scenes import DOWN, LEFT, RIGHT, STAY, UP


def distances_by_hand(start, walls):
    """Steps to every cell, -1 where there is no way: plain breadth-first search."""
    distances = np.full(walls.shape, -1)
    distances[start] = 0
    ring = [start]
    while ring:
        ring, last = [], ring
        for row, col in last:
            for r, c in ((row - 1, col), (row + 1, col), (row, col - 1), (row, col + 1)):
                inside = 0 <= r < walls.shape[0] and 0 <= c < walls.shape[1]
                if inside and not walls[r, c] and distances[r, c] < 0:
                    distances[r, c] = distances[row, col] + 1
                    ring.append((r, c))
    return distances


def test_walks_are_shortest_among_random_walls():
    rng = np.random.default_rng(0)
    num, height, width = 200, 6, 9
    walls, wanted = rng.random((2, num, height, width)) < [[[[0.35]]], [[[0.08]]]]
    positions = np.stack([rng.integers(0, height, num), rng.integers(0, width, num)], axis=-1)[:, None]
    walks = walk(
        rng.integers(0, 2**63, num).astype(np.uint64),
        np.array([0]),
        positions.astype(np.int32),
        wanted,
        blocked=walls,
        shared=True,
    )
    none = 0
    for b in range(num):
        row, col = positions[b, 0]
        distances = distances_by_hand((row, col), walls[b])
        reached = distances[wanted[b] & (distances >= 0)]
        if len(reached) == 0:
            none += 1
            assert (walks.distances[b, 0], walks.cells[b, 0], walks.moves[b, 0]) == (-1, -1, STAY)
            continue
        assert walks.distances[b, 0] == reached.min()
        goal = divmod(walks.cells[b, 0], width)
        assert wanted[b][goal]
        if walks.distances[b, 0] > 0:
            there = {UP: (-1, 0), DOWN: (1, 0), LEFT: (0, -1), RIGHT: (0, 1)}[walks.moves[b, 0]]
            after = distances_by_hand(goal, walls[b])
            assert after[row + there[0], col + there[1]] == walks.distances[b, 0] - 1
    assert 0 < none < num / 2


def test_each_cell_is_given_to_one_agent_the_shortest_walk_first():
    wanted = np.zeros((1, 1, 10), bool)
    wanted[0, 0, [3, 9]] = True
    positions = np.array([[[0, 0], [0, 2], [0, 4]]], np.int32)
    walks = walk(np.zeros(1, np.uint64), np.arange(2), positions, wanted)
    assert walks.cells.tolist() == [[9, 3]]
    assert walks.distances.tolist() == [[9, 1]]
    walks = walk(np.zeros(1, np.uint64), np.arange(3), positions, wanted)
    assert sorted(walks.cells[0].tolist()) == [-1, 3, 9]
    assert walks.cells[0, 0] == -1


def test_of_agents_equally_near_a_random_one_gets_the_cell():
    keys = np.random.default_rng(0).integers(0, 2**63, 4000).astype(np.uint64)
    wanted = np.zeros((4000, 3, 3), bool)
    wanted[:, 1, 1] = True
    around = np.tile(np.array([[0, 1], [1, 0], [1, 2], [2, 1]], np.int32), (4000, 1, 1))
    given = walk(keys, np.arange(4), around, wanted).cells >= 0
    assert (given.sum(axis=1) == 1).all()
    assert stats.chisquare(given.sum(axis=0)).pvalue > 1e-3
