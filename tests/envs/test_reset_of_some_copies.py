"""Episodes of some copies start anew while the others go on."""

import numpy as np
import pytest

import mixed_motive
from mixed_motive import GameError
from tests.envs.scenes import assert_unchanged, random_actions


@pytest.mark.parametrize("obs", ["planes", "float32"])
def test_copies_that_end_at_different_times_are_reset_alone(obs):
    game, other = (mixed_motive.make("escape_room", 3, auto_reset=False, obs=obs) for _ in range(2))
    game.reset(seed=4)
    other.reset(seed=4)
    stay, leave = [1, 1], [0, 2]
    done = game.step([stay, leave, stay]).done.copy()
    assert done.tolist() == [False, True, False]
    before = game.get_state([0, 2])
    with pytest.raises(GameError, match=r"reset\(env_indices=\[1\]\)"):
        game.step([stay] * 3)
    first = game.reset(env_indices=[1])
    assert first.shape == (1, *game.new_buffers().obs.shape[1:])
    assert_unchanged(game, before, [0, 2])
    assert game.get_state([1])["episode"].tolist() == [1]
    other.step([stay, leave, stay])
    other.reset()
    np.testing.assert_array_equal(first[0], other.observe()[1])
    assert_unchanged(game, other.get_state([1]), [1])
    game.step([stay] * 3)


def test_part_of_a_batch_starts_anew_with_a_seed_of_its_own():
    game, other = mixed_motive.make("cleanup", 4), mixed_motive.make("cleanup", 4)
    game.reset(seed=1)
    other.reset(seed=9)
    for actions in random_actions(game, 5):
        game.step(actions)
    untouched = game.get_state([0, 2])
    game.reset(seed=9, env_indices=[3, 1])
    assert_unchanged(game, other.get_state([1, 3]), [1, 3])
    assert_unchanged(game, untouched, [0, 2])


def test_part_of_a_batch_cannot_be_the_first_to_start_nor_lie_outside():
    game = mixed_motive.make("cleanup", 2)
    with pytest.raises(GameError, match="reset of part of the batch"):
        game.reset(env_indices=[0])
    game.reset(seed=0)
    before = game.get_state()
    with pytest.raises(GameError, match=r"positions in \[0, 2\)"):
        game.reset(env_indices=[2])
    with pytest.raises(GameError, match="expected an integer"):
        game.reset(seed=-1, env_indices=[0])
    assert_unchanged(game, before)
