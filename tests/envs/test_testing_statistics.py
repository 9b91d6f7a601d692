import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import mixed_motive
from mixed_motive.testing import CheckFailure, check_rate, check_symmetry, symmetry_false_alarm_rate
from mixed_motive.testing.statistics import binomial_p_value, distances_from_common_mean, normal_tail


@given(st.integers(1, 5000), st.data())
def test_the_binomial_p_value_is_twice_the_exact_tail(trials, data):
    events = data.draw(st.integers(0, trials))
    probability = data.draw(st.floats(0.001, 0.999))
    exact = stats.binom(trials, probability)
    upper, lower = exact.sf(events - 1), exact.cdf(events)
    tail = upper if events > trials * probability else lower
    assert binomial_p_value(events, trials, probability) == pytest.approx(min(1.0, 2 * tail), rel=1e-6)


def test_what_cannot_happen_never_does_and_what_must_always_does():
    check_rate(0, 100, 0.0)
    check_rate(100, 100, 1.0)
    for events, probability in ((1, 0.0), (99, 1.0)):
        with pytest.raises(CheckFailure, match=f"events: {events} in 100 trials"):
            check_rate(events, 100, probability)


def test_a_rate_is_off_beyond_its_false_alarm_rate_only():
    check_rate(560, 1000, 0.5)  # 3.8 standard deviations
    with pytest.raises(CheckFailure, match=r"565 in 1000 trials, a rate of 0\.565\. Expected: about 0\.5"):
        check_rate(565, 1000, 0.5)
    with pytest.raises(CheckFailure, match="560 in 1000"):
        check_rate(560, 1000, 0.5, false_alarm_rate=1e-3)


def test_no_trial_is_no_rate_and_impossible_numbers_are_refused():
    with pytest.raises(CheckFailure, match="no trial for apples"):
        check_rate(0, 0, 0.5, what="apples")
    for numbers in ((2, 1, 0.5), (-1, 1, 0.5), (0, 1, 1.5)):
        with pytest.raises(ValueError, match="expected 0 <= events <= trials"):
            check_rate(*numbers)


def test_the_normal_tail_is_that_of_scipy():
    for z in (0.0, 1.0, 3.0, 6.0):
        assert normal_tail(z) == pytest.approx(stats.norm.sf(z), rel=1e-12)


@pytest.mark.parametrize("shape", ["normal", "shared luck", "one winner in ten episodes"])
def test_distances_are_standard_normal_for_agents_that_are_alike(shape):
    rng = np.random.default_rng(0)
    found = []
    for _ in range(2000):
        returns = rng.normal(size=(400, 4))
        if shape == "shared luck":
            returns = returns + 100.0 * rng.normal(size=(400, 1))
        elif shape == "one winner in ten episodes":
            returns = (rng.integers(0, 40, (400, 1)) == np.arange(4)).astype(float)
        found.append(distances_from_common_mean(returns)[0])
    assert np.std(found) == pytest.approx(1.0, abs=0.06)
    # Exactly 2.3% of a normal distribution lie beyond 2 on either side.
    check_rate(int((np.array(found) > 2.0).sum()), 2000, 0.0228, false_alarm_rate=1e-6)
    check_rate(int((np.array(found) < -2.0).sum()), 2000, 0.0228, false_alarm_rate=1e-6)


def test_distances_of_constant_returns_are_none_or_infinite():
    assert distances_from_common_mean(np.full((10, 3), 0.1)).tolist() == [0.0, 0.0, 0.0]
    assert distances_from_common_mean(np.tile([0.0, 1.0], (10, 1))).tolist() == [-math.inf, math.inf]


def test_the_false_alarm_rate_is_that_of_two_samples_in_a_row():
    assert symmetry_false_alarm_rate(4) == pytest.approx(8 * stats.norm.sf(3.0) ** 2)
    assert symmetry_false_alarm_rate(64, 0.0) == 1.0


def test_a_favoured_agent_of_a_batched_game_is_found():
    class Favoured(type(mixed_motive.make("coingame"))):
        def step(self, actions, out=None):
            step = super().step(actions, out)
            step.rewards[:, 1] += step.rewards[:, 1] > 0
            return step

    made = mixed_motive.make("coingame", 200, num_agents=3)
    made.__class__ = Favoured
    with pytest.raises(CheckFailure, match=r"\[symmetry\] 'agent_1', seed 0: mean return .*: \+"):
        check_symmetry(lambda: made)


def test_every_copy_of_a_batch_gives_as_many_episodes_also_where_agents_leave():
    seen = []

    class Watched(type(mixed_motive.make("escape_room"))):
        def step(self, actions, out=None):
            step = super().step(actions, out)
            seen.append(step.done.copy())
            return step

    made = mixed_motive.make("escape_room", 50)
    made.__class__ = Watched
    check_symmetry(lambda: made, num_episodes=500)
    done = np.sum(seen, axis=0)
    assert done.min() == 10
    assert done.max() > 10
