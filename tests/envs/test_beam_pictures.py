import numpy as np

import mixed_motive
from tests.envs.beam_scenes import CLEAN, FIRE, LEFT, RIGHT, STAY, UP, WASTE, beam_scene
from tests.envs.scenes import act


def part_of(frame, row, col, cell=32):
    return frame[row * cell : (row + 1) * cell, col * cell : (col + 1) * cell].astype(int)


def test_beams_are_tinted_cells_cleaning_ones_pale_and_fining_ones_orange():
    game = beam_scene([(4, 2), (4, 6)], [UP, UP])
    before = game.render()
    act(game, CLEAN, FIRE)
    frame = game.render()
    red, green, blue = part_of(frame, 3, 2)[16, 4]
    assert min(green, blue) > 220
    assert red < blue
    red, green, blue = part_of(frame, 3, 6)[16, 4]
    assert red > 200 > green > 100 > blue
    assert (part_of(frame, 3, 4) == part_of(before, 3, 4)).all()


def test_an_eye_shows_where_an_agent_looks():
    frames = [beam_scene([(4, 4), (7, 7)], [facing, UP]).render() for facing in (LEFT, RIGHT)]
    white = [(part_of(frame, 4, 4) == 255).all(axis=2) for frame in frames]
    assert white[0][:, :10].any()
    assert white[1][:, 22:].any()
    assert not white[0][:, 22:].any()
    assert not white[1][:, :10].any()


def test_an_agent_that_cannot_act_is_hollow():
    game = beam_scene([(4, 2), (2, 2)], [UP, UP], hit_freeze=3)
    own = part_of(game.render(), 2, 2)[10, 10]
    act(game, FIRE, STAY)
    grey = part_of(game.render(), 2, 2)[10, 10]
    assert np.ptp(own) > 60
    assert np.ptp(grey) < 10
    act(game, STAY, STAY)
    act(game, STAY, STAY)
    act(game, STAY, STAY)
    np.testing.assert_array_equal(part_of(game.render(), 2, 2)[10, 10], own)


def test_walls_river_and_orchard_are_drawn_where_they_are():
    frame = beam_scene([(4, 4), (7, 7)], [UP, UP]).render()
    wall, river, grass, orchard = (part_of(frame, *cell)[16, 16] for cell in ((0, 0), (1, 2), (3, 2), (7, 1)))
    assert np.ptp(wall) < 20
    assert river.argmax() == 2
    assert grass.min() > 140
    assert orchard.argmax() == 1
    assert orchard[1] < grass[1]


def test_numbers_of_agents_can_be_read_on_large_maps():
    game = mixed_motive.make("harvest", preset="ssdg")
    game.reset(seed=0)
    assert game.render().shape == (16 * 24 + 8, 38 * 24, 3)


def test_the_text_shows_walls_beams_facings_and_who_is_frozen():
    game = beam_scene([(4, 2), (3, 6)], [UP, RIGHT], [(1, 5, WASTE)], hit_freeze=3)
    act(game, CLEAN, FIRE)
    lines = game.ansi().splitlines()
    assert lines[1].split() == ["#"] * 9
    assert lines[2].split() == ["#", "/", "/", "/", "~", "w", "~", "~", "#"]
    assert lines[4].split() == ["#", "/", "/", "/", ".", ".", ".1", "*", "#"]
    assert lines[-1] == "facing: 0 up, 1 right"
    game = beam_scene([(4, 2), (2, 2)], [UP, UP], hit_freeze=3)
    act(game, FIRE, STAY)
    assert game.ansi().splitlines()[-1] == "frozen: 1"
