"""What an observation looks like; that it is right follows from the comparison with the oracles."""

import pickle

import numpy as np
import pytest

import mixed_motive
from mixed_motive import GameError
from mixed_motive.rendering.palette import palette
from tests.envs.scenes import LEFT, RULE_SETS, STAY, act, random_actions, scene

ON_A_MAP = [
    (game_id, preset)
    for game_id, preset in RULE_SETS
    if "rgb" in mixed_motive.GAMES[game_id].game_class(preset).encodings
]
WASTE, APPLE, OUTSIDE, FIRST_AGENT = 1, 2, 3, 4


@pytest.mark.parametrize(("game_id", "preset"), RULE_SETS)
def test_planes_and_float32_have_the_same_values(game_id, preset):
    games = [mixed_motive.make(game_id, 3, preset, obs=obs, horizon=5) for obs in ("planes", "float32")]
    bits, floats = (game.reset(seed=1) for game in games)
    for actions in random_actions(games[0], 12):
        np.testing.assert_array_equal(bits, floats)
        assert (bits.dtype, floats.dtype) == (np.uint8, np.float32)
        steps = [game.step(actions) for game in games]
        bits, floats = (step.obs.copy() for step in steps)
        if steps[0].done.any():
            np.testing.assert_array_equal(*(step.final_obs for step in steps))
    np.testing.assert_array_equal(games[1].observe(), floats)


@pytest.mark.parametrize(("game_id", "preset"), ON_A_MAP)
def test_each_class_is_one_colour(game_id, preset):
    games = [mixed_motive.make(game_id, 3, preset, obs=obs, horizon=5) for obs in ("code", "rgb")]
    classes, pixels = (game.reset(seed=1) for game in games)
    colours = palette(games[0].object_names, games[0].num_agents)
    assert len(np.unique(colours, axis=0)) == len(colours) == len(games[0].class_names)
    for actions in random_actions(games[0], 12):
        np.testing.assert_array_equal(colours[classes], pixels)
        steps = [game.step(actions) for game in games]
        classes, pixels = (step.obs.copy() for step in steps)
        if steps[0].done.any():
            np.testing.assert_array_equal(colours[steps[0].final_obs], steps[1].final_obs)
    np.testing.assert_array_equal(games[1].observe(), pixels)


def test_coins_have_colours_of_their_own():
    game = mixed_motive.make("coingame", num_agents=64)
    colours = palette(game.object_names, 64)
    assert len(np.unique(colours, axis=0)) == len(colours) == len(game.class_names) == 130


def test_every_class_has_its_name_and_agents_cover_objects_but_not_for_themselves():
    game = scene(
        "cleanup", [(0, 0), (0, 1), (0, 1)], [(0, 0, WASTE), (0, 1, WASTE)], obs="code", view_radius=1
    )
    assert game.class_names == ("empty", "waste", "apple", "outside", "agent_0", "agent_1", "agent_2")
    assert game.observation_space.high.max() == len(game.class_names) - 1
    obs = act(game, STAY, STAY, STAY).obs[0]
    last = FIRST_AGENT + 2
    np.testing.assert_array_equal(obs[0], [[OUTSIDE] * 3, [OUTSIDE, WASTE, last], [OUTSIDE, 0, 0]])
    np.testing.assert_array_equal(obs[1], [[OUTSIDE] * 3, [FIRST_AGENT, last, 0], [0, 0, 0]])
    np.testing.assert_array_equal(obs[2], [[OUTSIDE] * 3, [FIRST_AGENT, FIRST_AGENT + 1, 0], [0, 0, 0]])
    alone = act(game, STAY, LEFT, LEFT).obs[0]
    assert alone[0, 1, 1] == last


@pytest.mark.parametrize("obs", ["planes", "code", "float32", "rgb"])
def test_pickles_and_buffers_keep_the_encoding(obs):
    game = mixed_motive.make("snowdrift", 2, obs=obs)
    game.reset(seed=3)
    again = pickle.loads(pickle.dumps(game))
    out = game.new_buffers()
    for actions in random_actions(game, 5):
        assert game.step(actions, out) is out
        np.testing.assert_array_equal(out.obs, again.step(actions).obs)
        assert game.observation_space.contains(out.obs[1, 2])


def test_a_game_without_a_map_has_no_cells():
    with pytest.raises(GameError, match="obs='rgb': ipd has no cells; expected one of: planes, float32"):
        mixed_motive.make("ipd", obs="rgb")
    with pytest.raises(GameError, match=r"obs='planse'; did you mean 'planes'\? Known: planes, code"):
        mixed_motive.make("cleanup", obs="planse")
