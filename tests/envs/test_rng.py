import itertools

import numba
import numpy as np
import pytest
from scipy import stats

from mixed_motive.kernels import rng

# As kernels call them.
fold, draw, uniform, below = map(numba.njit, (rng.fold, rng.draw, rng.uniform, rng.below))


def test_mixing_is_that_of_splitmix64():
    # The published sequence for seed 1234567: its state grows by the golden constant before each output.
    expected = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    assert [int(fold(np.uint64(1234567), np.uint64(k))) for k in (1, 2, 3)] == expected


@pytest.mark.parametrize("seed", [0, 1, 2**63, 2**64 - 1])
def test_compiled_draws_equal_those_in_plain_python(seed):
    u = np.uint64
    for env_index, episode, step, number in itertools.product((0, 1, 2**40), (0, 7), (0, 1, 99), (0, 5)):
        episode_key = rng.episode_key(u(seed), u(env_index), u(episode))
        step_key = fold(u(episode_key), u(step))
        bits = u(draw(u(step_key), number))
        draws = rng.Draws(seed, env_index, episode, step)
        assert int(bits) == draws.bits(number)
        assert uniform(bits) == draws.uniform(number)
        assert below(bits, 37) == draws.below(number, 37)


def test_draws_are_even_along_each_of_their_coordinates():
    size = 4000
    for axis in range(5):
        coordinates = [[0] * 5 for _ in range(size)]
        for k in range(size):
            coordinates[k][axis] = k
        faces = [rng.Draws(*key).below(number, 16) for *key, number in coordinates]
        assert stats.chisquare(np.bincount(faces, minlength=16)).pvalue > 1e-3
        units = [rng.Draws(*key).uniform(number) for *key, number in coordinates]
        assert stats.kstest(units, "uniform").pvalue > 1e-3
        assert abs(np.corrcoef(units[:-1], units[1:])[0, 1]) < 0.05


def test_integers_below_a_bound_reach_every_value_and_no_more():
    assert {rng.Draws(0, 0, 0, k).below(0, 5) for k in range(200)} == set(range(5))
    assert below(np.uint64(2**64 - 1), 5) == 4
    assert below(np.uint64(0), 5) == 0
