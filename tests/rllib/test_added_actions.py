import numpy as np

from rllib_lase.rllib.added_actions import AddedActions, with_added_actions
from rllib_lase.rllib.game_copies import GameCopies


def allocate(env):
    shape = env.observation_spaces["agent_0"].shape
    return [np.zeros((len(env.agent_ids), env.num_envs, *shape), np.uint8)]


def test_an_added_action_plays_the_one_that_it_stands_for():
    plain, adapted = GameCopies("cleanup", 3), GameCopies("cleanup", 3)
    wider = with_added_actions(adapted, lambda size, stay: np.array([*range(size), stay]))
    assert plain.stay_action == wider.stay_action == 4
    assert {space.n for space in wider.action_spaces.values()} == {8}
    obs, seen = allocate(plain), allocate(wider)
    plain.reset(0, obs)
    wider.reset(0, seen)
    rng = np.random.default_rng(0)
    for _ in range(50):
        actions = rng.integers(0, 8, (4, 3))
        expected = plain.step(np.where(actions == 7, 4, actions), obs)
        found = wider.step(actions, seen)
        assert np.array_equal(obs[0], seen[0])
        assert np.array_equal(expected.rewards, found.rewards)
    assert all(np.array_equal(value, wider.get_state()[name]) for name, value in plain.get_state().items())


def test_an_environment_without_added_actions_stays_as_it_is():
    env = GameCopies("ipd", 2)
    assert env.stay_action is None
    assert with_added_actions(env, lambda size, stay: None) is env


def test_agents_may_have_tables_of_different_lengths():
    env = AddedActions(GameCopies("ipd", 1), [np.array([0, 1]), np.array([0, 1, 1])])
    assert [space.n for space in env.action_spaces.values()] == [2, 3]
    env.reset(0, obs := allocate(env))
    assert env.step(np.array([[0], [2]]), obs).rewards.shape == (2, 1)
