import numpy as np
import pytest

from rllib_lase.social.replay import JointReplay
from tests.rollouts import random_rollout


def _stream(rng, fragments, length, **kwargs):
    return [random_rollout(rng, num_steps=length, first_step=k * length, **kwargs) for k in range(fragments)]


def test_a_successor_is_the_same_copys_next_step_even_across_fragments():
    rng = np.random.default_rng(0)
    stream = _stream(rng, 3, 4)
    replay = JointReplay(1000)
    for rollout in stream:
        replay.add(rollout)
    usable = replay.transitions(1)
    assert len(usable) == (3 * 4 - 1) * 4, "all steps but the last have a successor"
    obs = np.concatenate([rollout.obs_of(1)[:-1] for rollout in stream])
    flat = obs.reshape(-1, *obs.shape[2:])
    after = replay.successors(usable)
    assert np.array_equal(replay.obs(1, usable), flat[usable])
    assert np.array_equal(replay.obs(1, after), flat[usable + 4])


def test_truncated_steps_are_left_out_and_terminal_ones_stay():
    rng = np.random.default_rng(0)
    replay = JointReplay(1000)
    replay.add(random_rollout(rng, num_steps=12, episode_length=6, leavers=True))
    steps_of_leaver = np.unique(replay.transitions(0) // 4)
    steps_of_stayer = np.unique(replay.transitions(1) // 4)
    assert steps_of_leaver.tolist() == [0, 1, 2, 3, 6, 7, 8, 9], "until it terminates in steps 3 and 9"
    assert steps_of_stayer.tolist() == [0, 1, 2, 3, 4, 6, 7, 8, 9, 10], "without the horizon's steps 5 and 11"
    terminal = replay.own("terminateds", 0, replay.transitions(0))
    assert terminal.sum() == 2 * 4


def test_the_oldest_steps_make_room_and_the_seam_joins_nothing():
    rng = np.random.default_rng(0)
    replay = JointReplay(10 * 4)
    stream = _stream(rng, 6, 3)
    for rollout in stream:
        replay.add(rollout)
    assert len(replay) == 40
    newest = np.concatenate([rollout.rewards[2] for rollout in stream])[-10:]
    kept = replay.own("rewards", 2, np.arange(40)).reshape(10, 4)
    order = (np.arange(10) + 18) % 10
    assert np.array_equal(kept[order], newest)
    assert len(replay.transitions(2)) == 9 * 4


def test_a_gap_in_a_copys_steps_joins_nothing():
    rng = np.random.default_rng(0)
    replay = JointReplay(1000)
    replay.add(random_rollout(rng, num_steps=3, first_step=0))
    replay.add(random_rollout(rng, num_steps=3, first_step=50))
    assert np.unique(replay.transitions(0) // 4).tolist() == [0, 1, 3, 4]


def test_a_fragment_longer_than_the_ring_keeps_its_end():
    rng = np.random.default_rng(0)
    rollout = random_rollout(rng, num_steps=9)
    replay = JointReplay(5 * 4)
    replay.add(rollout)
    assert np.array_equal(
        np.sort(replay.own("rewards", 0, np.arange(20))), np.sort(rollout.rewards[0, 4:].ravel())
    )


@pytest.mark.parametrize("more", [1, 4])
def test_a_restored_replay_goes_on_exactly(more):
    rng = np.random.default_rng(0)
    replay, twin = JointReplay(30), JointReplay(30)
    for rollout in _stream(rng, 3, 4):
        replay.add(rollout)
    twin.set_state(replay.get_state())
    for rollout in _stream(np.random.default_rng(1), more, 4):
        replay.add(rollout)
        twin.add(rollout)
    assert np.array_equal(replay.transitions(1), twin.transitions(1))
    usable = replay.transitions(1)
    assert np.array_equal(replay.obs(1, usable), twin.obs(1, usable))
    assert np.array_equal(replay.joint_actions(usable), twin.joint_actions(usable))
