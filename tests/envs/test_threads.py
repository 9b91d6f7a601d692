"""Several threads for one batch: the same to the bit, and nothing left over, whatever happens to the game."""

import copy
import gc
import multiprocessing
import os
import pickle
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType

import numba
import numpy as np
import pytest

import mixed_motive
from mixed_motive import GameError, threads
from mixed_motive.kernels import crew
from tests.envs.scenes import random_actions
from tests.interpreter import run_python

RESULTS = ("obs", "rewards", "terminations", "truncations", "done", "active", "counts")


def made(num_threads, game_id="cleanup", num_envs=7, **kwargs):
    game = mixed_motive.make(game_id, num_envs, num_threads=num_threads, horizon=6, **kwargs)
    game.reset(seed=4)
    return game


def assert_same_play(first, second, steps=20):
    for actions in random_actions(first, steps):
        expected, found = first.step(actions), second.step(actions)
        for name in RESULTS:
            np.testing.assert_array_equal(getattr(expected, name), getattr(found, name), err_msg=name)
        np.testing.assert_array_equal(expected.final_obs[expected.done], found.final_obs[expected.done])
    np.testing.assert_equal(first.get_state(), second.get_state())


def followers():
    return [thread for thread in threading.enumerate() if getattr(thread, "_target", None) is threads._follow]


@pytest.fixture
def no_followers_yet():
    gc.collect()
    assert not followers()


@pytest.mark.parametrize("game_id", list(mixed_motive.GAMES))
@pytest.mark.parametrize("num_threads", [2, 3])
def test_threads_change_nothing(game_id, num_threads):
    assert_same_play(made(1, game_id), made(num_threads, game_id))


@pytest.mark.parametrize("preset", ["ssdg", "lase"])
@pytest.mark.parametrize("obs", ["planes", "code", "float32", "rgb"])
def test_threads_change_nothing_in_any_encoding_of_a_large_batch(preset, obs):
    kwargs = {"num_envs": 200, "preset": preset, "obs": obs}
    assert_same_play(made(1, **kwargs), made(2, **kwargs), steps=8)


def test_there_may_be_more_threads_than_copies():
    assert_same_play(made(1, num_envs=2), made(5, num_envs=2))


def test_arrays_of_the_caller_may_be_others_in_every_step(no_followers_yet):
    alone, shared = made(1), made(2)
    for actions in random_actions(alone, 20):
        out = shared.new_buffers()
        assert shared.step(actions, out) is out
        np.testing.assert_array_equal(alone.step(actions).obs, out.obs)
    np.testing.assert_array_equal(alone.step(actions).obs, shared.step(actions).obs)
    assert len(followers()) == 1


def test_followers_that_sleep_are_woken():
    alone, shared = made(1), made(3)
    for actions in random_actions(alone, 8):
        expected, found = alone.step(actions), shared.step(actions)
        np.testing.assert_array_equal(expected.obs, found.obs)
        asleep_within_a_second(shared, 2)


def asleep_within_a_second(game, number):
    words = game._crew._signals[crew._ASLEEP * crew._APART :: crew._APART]
    for _ in range(1000):
        if words.sum() == number:
            return
        time.sleep(1e-3)
    raise AssertionError(f"of {number} followers, {words.sum()} went to sleep")


def test_a_refused_step_changes_nothing():
    game = made(2, num_envs=4)
    before = game.get_state()
    actions = np.zeros((4, 4), int)
    actions[3, 2] = 7
    with pytest.raises(GameError, match="action 7 of agent_2 in copy 3"):
        game.step(actions)
    np.testing.assert_equal(game.get_state(), before)


def test_a_game_with_threads_uses_the_step_that_is_compiled_already():
    from mixed_motive.kernels import cleanup

    assert_same_play(made(1), made(2), steps=2)
    assert len(cleanup.step.signatures) == 1


def test_followers_start_with_the_first_step_and_end_with_the_game(no_followers_yet):
    game = made(3)
    assert not followers()
    game.step(random_actions(game, 1)[0])
    assert len(followers()) == 2
    del game
    assert not followers()


def test_followers_of_a_game_in_a_cycle_of_references_end_when_that_is_collected(no_followers_yet):
    game = made(2)
    game.step(random_actions(game, 1)[0])
    game.itself = game
    del game
    gc.collect()
    assert not followers()


@pytest.mark.parametrize("twin_of", [copy.deepcopy, lambda game: pickle.loads(pickle.dumps(game))])
def test_pickles_and_deep_copies_have_threads_of_their_own(twin_of, no_followers_yet):
    game = made(2)
    game.step(random_actions(game, 1)[0])
    twin = twin_of(game)
    assert_same_play(game, twin)
    assert len(followers()) == 2


def test_an_idle_game_uses_no_cpu():
    games = [made(2) for _ in range(3)]
    for game in games:
        game.step(random_actions(game, 1)[0])
        asleep_within_a_second(game, 1)
    used = time.process_time()
    time.sleep(0.3)
    assert time.process_time() - used < 0.1


def test_games_stepped_at_the_same_time_by_more_threads_than_cores_do_not_wait_for_each_other_forever():
    each = os.cpu_count() or 1
    games = [made(each + 1, num_envs=64) for _ in range(4)]
    expected = made(1, num_envs=64)
    actions = random_actions(expected, 50)

    def play(game):
        return [game.step(a).rewards.copy() for a in actions]

    with ThreadPoolExecutor(4) as pool:
        found = [future.result(timeout=60) for future in [pool.submit(play, game) for game in games]]
    for rewards in found:
        np.testing.assert_array_equal(rewards, found[0])
    np.testing.assert_array_equal(found[0], play(expected))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_fork_goes_on_with_threads_of_its_own():
    game = made(2)
    actions = random_actions(game, 6)
    game.step(actions[0])
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)

    def child():
        sender.send([game.step(a).obs.copy() for a in actions[1:]])

    process = context.Process(target=child)
    process.start()
    assert receiver.poll(60), "the fork hangs"
    np.testing.assert_array_equal(receiver.recv(), [game.step(a).obs.copy() for a in actions[1:]])
    process.join(60)
    assert process.exitcode == 0


@pytest.mark.parametrize("idle", [0.0, 0.05])
def test_the_interpreter_ends_with_a_game_alive(idle):
    code = f"""
import time, mixed_motive
game = mixed_motive.make("ipd", 8, num_threads=3)
game.reset(seed=0)
game.step([[0, 1]] * 8)
time.sleep({idle})
print("ends")
"""
    assert run_python(code) == "ends"


def test_a_game_with_one_thread_loads_nothing_for_threads():
    code = """
import sys, mixed_motive
game = mixed_motive.make("ipd", 8)
game.reset(seed=0)
game.step([[0, 1]] * 8)
print([name for name in ("mixed_motive.threads", "mixed_motive.kernels.crew") if name in sys.modules])
"""
    assert run_python(code) == "[]"


# A step that fails where it is told to.


@numba.njit(nogil=True)
def _halve(numbers, halves, refused):
    for b in range(numbers.shape[0]):
        if numbers[b] == refused:
            raise ValueError("refused")
        halves[b] = numbers[b] / 2
    return -1


@pytest.fixture
def halving(monkeypatch):
    # Not kept on disk: numba would not notice a change of `_halve`.
    monkeypatch.setattr(crew, "compiled", numba.njit(nogil=True))
    kernel, numbers = ModuleType("halving"), np.arange(64.0)
    kernel.step = _halve
    return threads.Crew(kernel, 2, (numbers,), (-5.0,)), numbers, np.zeros(64)


@pytest.mark.parametrize("failing", [slice(0, 1), slice(63, 64), slice(None)])
def test_an_error_in_any_thread_ends_the_step_and_the_next_one_works(halving, failing, no_followers_yet):
    team, numbers, halves = halving
    for _ in range(10):
        numbers[failing] = -5
        with pytest.raises(ValueError, match="refused"):
            team.step((halves,))
        assert not followers()
        numbers[:] = np.arange(64)
        team.step((halves,))
        np.testing.assert_array_equal(halves, numbers / 2)


def test_an_interrupted_step_leaves_no_thread_at_work(halving, monkeypatch, no_followers_yet):
    team, _, halves = halving
    team.step((halves,))

    def interrupted(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(team, "_work", interrupted)
        with pytest.raises(KeyboardInterrupt):
            team.step((halves,))
    assert not followers()
    halves[:] = 0
    team.step((halves,))
    np.testing.assert_array_equal(halves, np.arange(64) / 2)
