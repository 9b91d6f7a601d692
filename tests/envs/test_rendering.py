import numpy as np
import pytest

import mixed_motive
from mixed_motive.games.cleanup import APPLE, WASTE
from mixed_motive.games.stag_hunt import HARE, HUNT_STAG, STAG
from mixed_motive.rendering.canvas import agent_colour
from tests.envs.scenes import STAY, act, scene


def has_colour(picture, colour):
    return (picture == colour).all(axis=2).any()


@pytest.mark.parametrize("game_id", list(mixed_motive.GAMES))
def test_a_frame_is_an_rgb_picture_of_even_size(game_id):
    game = mixed_motive.make(game_id, 2)
    game.reset(seed=0)
    frame = game.render(1)
    assert frame.dtype == np.uint8
    height, width, colours = frame.shape
    assert (height % 2, width % 2, colours) == (0, 0, 3)
    assert 280 <= width <= 288
    assert height == width + 8


@pytest.mark.parametrize(
    ("game_id", "params"), [("cleanup", {}), ("snowdrift", {}), ("cleanup", {"num_agents": 64})]
)
def test_every_agent_shows_its_own_colour(game_id, params):
    game = mixed_motive.make(game_id, **params)
    game.reset(seed=0)
    frame = game.render()
    for i in range(game.num_agents):
        assert has_colour(frame, agent_colour(i))
    assert len({agent_colour(i) for i in range(64)}) == 64


def test_objects_stay_in_sight_under_agents():
    alone = scene("cleanup", [(0, 0), (7, 0)]).render()
    waste, apple = (84, 58, 36), (205, 28, 44)
    assert not has_colour(alone, waste)
    assert not has_colour(alone, apple)
    together = scene("cleanup", [(0, 0), (7, 0)], [(0, 0, WASTE), (7, 0, APPLE)]).render()
    assert has_colour(together, waste)
    assert has_colour(together, apple)


def test_a_coin_shows_its_owner_s_colour_around_its_number():
    for owner in (0, 1):
        game = scene("coingame", [(0, 0), (0, 1), (0, 2)], [(3, 3, owner + 1)])
        below_the_agents = game.render()[60:-8]
        assert has_colour(below_the_agents, agent_colour(owner))
        assert not has_colour(below_the_agents, agent_colour(1 - owner))
        assert game.ansi().splitlines()[0] == f"coingame, step 0 of 100, agent_{owner}'s coin"
        assert game.ansi().splitlines()[-1] == "c coin"


def test_who_has_left_is_in_no_picture_and_named_in_the_text():
    game = scene("stag_hunt", [(2, 2), (2, 2), (2, 2), (6, 1)], [(2, 2, STAG), (4, 4, HARE)])
    fur, ear = (150, 82, 36), (236, 170, 170)
    assert has_colour(game.render(), fur)
    act(game, HUNT_STAG, HUNT_STAG, STAY, STAY)
    frame = game.render()
    assert not has_colour(frame, fur)
    assert has_colour(frame, ear)
    assert [has_colour(frame, agent_colour(i)) for i in range(4)] == [False, False, True, True]
    lines = game.ansi().splitlines()
    assert lines[3].split() == [".", ".", ".2", *"....."]
    assert lines[-1] == "h hare; s stag; left the game: 0, 1"


def test_large_maps_and_crowded_cells_can_be_drawn():
    tiny = {"height": 3, "width": 2, "river_rows": 1, "orchard_rows": 1, "max_waste": 2, "initial_waste": 2}
    game = mixed_motive.make("cleanup", num_agents=64, **tiny)
    game.reset(seed=0)
    assert game.render().shape == (296, 192, 3)
    wide = mixed_motive.make("snowdrift", height=100, width=20)
    wide.reset(seed=0)
    assert wide.render().shape == (808, 160, 3)


def test_the_bar_grows_with_the_episode():
    game = mixed_motive.make("snowdrift", horizon=4)
    game.reset(seed=0)
    lengths = []
    for _ in range(3):
        lengths.append(int((game.render()[-1, :, 0] > 200).sum()))
        act(game, 4, 4, 4, 4)
    assert lengths == [0, 72, 144]


def test_the_last_joint_action_is_lit():
    game = mixed_motive.make("ipd")
    game.reset(seed=0)
    lit = (255, 214, 92)
    assert not has_colour(game.render(), lit)
    for first, second in ((0, 0), (0, 1), (1, 0), (1, 1)):
        act(game, first, second)
        rows, cols = np.nonzero((game.render() == lit).all(axis=2))
        assert (rows.mean() > 172, cols.mean() > 172) == (bool(first), bool(second))


def test_the_text_of_a_map_names_objects_and_agents():
    game = scene("cleanup", [(0, 0), (3, 2), (3, 2), (7, 7)], [(0, 0, WASTE), (7, 6, APPLE)], step=5)
    lines = game.ansi().splitlines()
    assert lines[0] == "cleanup, step 5 of 100"
    assert lines[1].split() == ["w0", *"~~~~~~~"]
    assert lines[4].split() == [".", ".", ".+", *"....."]
    assert lines[8].split() == [*",,,,,,", "a", ",3"]
    assert lines[9] == "w waste; a apple; ~ river; , orchard; agents 1, 2 at (3, 2)"


def test_the_text_of_a_matrix_game_marks_the_last_joint_action():
    game = mixed_motive.make("ipd")
    game.reset(seed=0)
    assert "*" not in game.ansi()
    act(game, 1, 0)
    assert game.ansi().splitlines()[-1].split() == ["D", "1.2,", "-0.2", "*", "0,", "0"]
