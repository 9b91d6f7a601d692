"""What holds for every game, by the registry."""

import copy
import dataclasses
import pickle

import numpy as np
import pytest

import mixed_motive
from mixed_motive import GameError
from tests.envs.scenes import RULE_SETS, random_actions

#: Parameters with which random actions shoot, hit, freeze, clean and leave within a few steps.
LIVELY = {
    ("cleanup", "ssdg"): {
        "num_agents": 8,
        "height": 9,
        "width": 9,
        "view_radius": 2,
        "river_cells": 12,
        "orchard_cells": 12,
        "initial_waste": 6,
        "max_waste": 10,
        "hit_freeze": 3,
    },
    ("harvest", "small"): {"num_agents": 8, "fire_length": 3, "hit_freeze": 3},
    ("stag_hunt", "lase"): {"height": 3, "width": 3, "view_radius": 1, "num_stags": 1, "num_hares": 2},
}
ALL_GAMES = list(mixed_motive.GAMES)
every_rule_set = pytest.mark.parametrize("rules", RULE_SETS, ids="-".join)
FIELDS = [field.name for field in dataclasses.fields(mixed_motive.StepBuffers) if field.init]


def made(rules, num_envs=4, **kwargs):
    # Short episodes, so that their ends are inside what is looked at.
    return mixed_motive.make(rules[0], num_envs, rules[1], horizon=13, **LIVELY.get(rules, {}), **kwargs)


def copied(step):
    return {name: getattr(step, name).copy() for name in FIELDS}


def assert_same(first, second):
    for name in FIELDS:
        if name == "final_obs":
            np.testing.assert_array_equal(first[name][first["done"]], second[name][second["done"]])
        else:
            np.testing.assert_array_equal(first[name], second[name], err_msg=name)


def play(game, actions, seed=3):
    return game.reset(seed=seed), [copied(game.step(a)) for a in actions]


@every_rule_set
def test_results_have_the_promised_shapes_and_dtypes(rules):
    game = made(rules, 5)
    n, obs_shape = game.num_agents, game.observation_space.shape
    obs = game.reset(seed=0)
    step = game.step(random_actions(game, 1)[0])
    assert obs.shape == step.obs.shape == step.final_obs.shape == (5, n, *obs_shape)
    assert obs.dtype == step.obs.dtype == game.observation_space.dtype == np.uint8
    assert (step.rewards.shape, step.rewards.dtype) == ((5, n), np.float32)
    for name in ("terminations", "truncations", "active"):
        assert (getattr(step, name).shape, getattr(step, name).dtype) == ((5, n), np.bool_)
    assert (step.done.shape, step.done.dtype) == ((5,), np.bool_)
    assert (step.counts.shape, step.counts.dtype) == ((5, n, len(game.count_names)), np.int32)
    assert game.action_space.n == len(game.action_names)
    assert game.agent_ids == tuple(f"agent_{i}" for i in range(n))
    assert game.observation_space.contains(step.obs[0, 0])


@pytest.mark.parametrize("game_id", ALL_GAMES)
def test_the_names_of_actions_are_known_before_the_game_is_made(game_id):
    for preset in mixed_motive.GAMES[game_id].presets:
        names = mixed_motive.action_names(game_id, preset)
        assert names == mixed_motive.make(game_id, preset=preset).action_names
    with pytest.raises(GameError, match="no actions of"):
        mixed_motive.action_names(game_id, horizon=0)


@every_rule_set
def test_an_episode_is_truncated_at_the_horizon_or_over_when_all_have_left_and_the_next_one_starts_at_once(
    rules,
):
    game = made(rules)
    game.reset(seed=3)
    age, episode = np.zeros(4, int), np.zeros(4, int)
    for actions in random_actions(game, 40):
        step = game.step(actions)
        age += 1
        staying = step.active & ~step.terminations
        np.testing.assert_array_equal(step.done, (age == 13) | ~staying.any(axis=1))
        np.testing.assert_array_equal(step.truncations, staying & (age == 13)[:, None])
        assert not (step.terminations & ~step.active).any()
        age[step.done] = 0
        episode += step.done
        state = game.get_state()
        np.testing.assert_array_equal(state["step"], age)
        np.testing.assert_array_equal(state["episode"], episode)
    assert episode.min() >= 3


@every_rule_set
def test_the_same_seed_gives_the_same_trajectory_and_another_seed_another_one(rules):
    game = made(rules)
    actions = random_actions(game, 30)
    obs, steps = play(game, actions)
    again_obs, again = play(made(rules), actions)
    np.testing.assert_array_equal(obs, again_obs)
    for first, second in zip(steps, again, strict=True):
        assert_same(first, second)
    if rules[0] in ("cleanup", "snowdrift"):
        other, _ = play(made(rules), actions, seed=4)
        assert (obs != other).any()


@every_rule_set
@pytest.mark.parametrize("split", [1, 3])
def test_a_copy_does_not_depend_on_the_batch_that_it_is_in(rules, split):
    actions = random_actions(made(rules, 8), 40)
    whole_obs, whole = play(made(rules, 8), actions)
    for first in range(0, 8, split):
        part = slice(first, min(first + split, 8))
        game = made(rules, part.stop - first, first_env_index=first)
        obs, steps = play(game, actions[:, part])
        np.testing.assert_array_equal(obs, whole_obs[part])
        for own, all_copies in zip(steps, whole, strict=True):
            assert_same(own, {name: array[part] for name, array in all_copies.items()})


def test_copies_differ_from_each_other_and_episodes_from_the_one_before():
    for game_id in ("cleanup", "snowdrift"):
        game = mixed_motive.make(game_id, 50, horizon=1)
        obs = game.reset(seed=0)
        assert len(np.unique(obs.reshape(50, -1), axis=0)) > 45
        step = game.step(random_actions(game, 1)[0])
        assert (step.obs != obs).any(axis=(1, 2, 3, 4)).sum() > 45


def test_a_reset_without_seed_is_the_next_episode():
    game, twin = (mixed_motive.make("cleanup", 3, horizon=5) for _ in range(2))
    game.reset(seed=9)
    twin.reset(seed=9)
    for actions in random_actions(game, 5):
        step = game.step(actions)
    np.testing.assert_array_equal(step.obs, twin.reset())
    np.testing.assert_array_equal(game.reset(seed=9), twin.reset(seed=9))


def test_games_that_never_had_a_seed_differ():
    first, second = (mixed_motive.make("snowdrift", 10).reset() for _ in range(2))
    assert (first != second).any()


@every_rule_set
@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.int64, np.uint64])
def test_actions_of_any_integer_dtype_mean_the_same(rules, dtype):
    actions = random_actions(made(rules), 3)
    _, expected = play(made(rules), actions)
    _, found = play(made(rules), actions.astype(dtype))
    _, lists = play(made(rules), actions.tolist())
    # Neither contiguous nor writeable.
    odd = np.asfortranarray(actions.astype(dtype))
    odd.setflags(write=False)
    _, strided = play(made(rules), odd)
    for first, *others in zip(expected, found, lists, strided, strict=True):
        for other in others:
            assert_same(first, other)


@every_rule_set
def test_a_state_continues_to_the_bit_wherever_it_is_put(rules):
    game = made(rules, 6)
    actions = random_actions(game, 60)
    game.reset(seed=1)
    for a in actions[:20]:
        game.step(a)
    state = game.get_state()
    expected = [copied(game.step(a)) for a in actions[20:]]

    game.set_state(state)
    again = [copied(game.step(a)) for a in actions[20:]]
    other = made(rules, 6, first_env_index=100)
    other.set_state(state)  # never reset
    elsewhere = [copied(other.step(a)) for a in actions[20:]]
    for first, second, third in zip(expected, again, elsewhere, strict=True):
        assert_same(first, second)
        assert_same(first, third)


@every_rule_set
def test_a_copy_branches_into_other_places_of_the_batch_and_the_rest_is_untouched(rules):
    game, twin = made(rules, 6), made(rules, 6)
    actions = random_actions(game, 46)
    game.reset(seed=1)
    twin.reset(seed=1)
    for a in actions[:16]:
        game.step(a)
        twin.step(a)
    rest = [0, 2, 3, 4]
    branch = game.get_state([4, 4])
    # Copies that must not take each other's.
    assert all(game.get_state(rest)[name].any() for name in ("frozen", "beams") if name in branch)
    game.set_state(branch, [1, 5])
    np.testing.assert_equal(game.get_state(np.array(rest)), twin.get_state(rest))
    np.testing.assert_equal(game.get_state([1, 5]), branch)
    np.testing.assert_array_equal(game.observe()[1], game.observe()[4])
    for a in actions[16:]:
        a[[1, 5]] = a[4]
        step, apart = game.step(a), twin.step(a)
        for name in FIELDS:
            array, expected = getattr(step, name), getattr(apart, name)
            for b in rest:
                if name != "final_obs" or step.done[b]:
                    np.testing.assert_array_equal(array[b], expected[b], err_msg=name)
            if name != "final_obs" or step.done[4]:
                np.testing.assert_array_equal(array[1], array[4], err_msg=name)
                np.testing.assert_array_equal(array[5], array[4], err_msg=name)


@every_rule_set
def test_observe_repeats_what_the_last_step_showed(rules):
    game = made(rules)
    np.testing.assert_array_equal(game.reset(seed=0), game.observe())
    for a in random_actions(game, 15):
        step = game.step(a)
        np.testing.assert_array_equal(step.obs, game.observe())


@every_rule_set
def test_a_step_writes_everything_into_the_arrays_of_the_caller(rules):
    game = made(rules)
    actions = random_actions(game, 20)
    _, expected = play(game, actions)
    # Rows of arrays with a leading time axis, full of garbage.
    template = game.new_buffers()
    rows = {
        name: np.full((20, *getattr(template, name).shape), 77).astype(getattr(template, name).dtype)
        for name in FIELDS
    }
    game.reset(seed=3)
    for t in range(20):
        out = mixed_motive.StepBuffers(**{name: array[t] for name, array in rows.items()})
        assert game.step(actions[t], out=out) is out
    for t, step in enumerate(expected):
        assert_same(step, {name: array[t] for name, array in rows.items()})


def test_results_without_own_arrays_stay_valid_until_the_next_call_only():
    game = made(("ipd", "lase"))
    game.reset(seed=0)
    first = game.step(np.zeros((4, 2), int))
    assert game.step(np.ones((4, 2), int)) is first


def test_without_auto_reset_the_final_state_stays_until_the_reset():
    game = mixed_motive.make("cleanup", 2, horizon=3, auto_reset=False)
    game.reset(seed=0)
    actions = random_actions(game, 3)
    for a in actions:
        step = game.step(a)
    assert step.done.all()
    np.testing.assert_array_equal(step.obs, step.final_obs)
    np.testing.assert_array_equal(step.obs, game.observe())
    with pytest.raises(GameError, match=r"copy 0 has ended.*reset\(env_indices=\[0\]\)"):
        game.step(actions[0])
    ended, final_obs = game.get_state(), step.final_obs.copy()
    game.reset()
    game.step(actions[0])
    game.set_state(ended)
    np.testing.assert_array_equal(final_obs, game.observe())


@every_rule_set
@pytest.mark.parametrize("copy", [copy.deepcopy, lambda game: pickle.loads(pickle.dumps(game))])
def test_pickles_and_deep_copies_go_on_to_the_bit(rules, copy):
    game = made(rules, first_env_index=7)
    copy(game).reset(seed=0)  # also before the first reset
    actions = random_actions(game, 30)
    game.reset(seed=1)
    for a in actions[:5]:
        game.step(a)
    twin = copy(game)
    assert twin.params == game.params
    for a in actions[5:]:
        assert_same(copied(game.step(a)), copied(twin.step(a)))


def test_all_calls_with_the_same_game_share_one_compiled_step():
    from mixed_motive.kernels import cleanup

    game = mixed_motive.make("cleanup", 2, view_radius=None, waste_spawn_probability=1)
    game.reset(seed=0)
    game.step(np.zeros((2, 4), np.int8), out=game.new_buffers())
    mixed_motive.make("cleanup", 64, auto_reset=False).reset(seed=0)
    mixed_motive.make("cleanup", 2, obs="float32").reset(seed=0)
    assert len(cleanup.step.signatures) == 1
