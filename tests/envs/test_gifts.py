import numpy as np
import pytest

import mixed_motive
from mixed_motive.errors import GameError
from mixed_motive.kernels.shared import GONE
from mixed_motive.rendering.arrows import Box, clearest_curve
from mixed_motive.rendering.canvas import Canvas, agent_colour
from mixed_motive.rendering.gifts import MAX_ARROWS, draw_gifts, short_number, visible_gifts

GROUND = (100, 120, 100)
SPOTS = [(30.0, 30.0, 14.0), (30.0, 250.0, 14.0), (250.0, 30.0, 14.0), (250.0, 250.0, 14.0)]


def plain_picture():
    return np.full((296, 288, 3), GROUND, np.uint8)


def matrix(num_agents, *gifts):
    amounts = np.zeros((num_agents, num_agents))
    for giver, receiver, amount in gifts:
        amounts[giver, receiver] = amount
    return amounts


def pixels(picture, agent):
    """How many pixels have an agent's colour."""
    return int((picture == agent_colour(agent)).all(axis=2).sum())


def has_ground(picture, row, col, size=12):
    part = picture[round(row) - size : round(row) + size, round(col) - size : round(col) + size]
    return (part == GROUND).all()


def test_a_gift_is_an_arrow_from_its_giver_to_its_receiver():
    picture = plain_picture()
    drawn = draw_gifts(picture, SPOTS, matrix(4, (0, 3, 0.3), (0, 0, 0.7)))
    assert (picture == GROUND).all()
    assert pixels(drawn, 0) > 200
    assert [pixels(drawn, agent) for agent in (1, 2, 3)] == [0, 0, 0]
    # It begins and ends at the rims of the two, and leaves the others alone.
    for agent, touched in enumerate((True, False, False, True)):
        row, col, radius = SPOTS[agent]
        assert has_ground(drawn, row, col, round(radius / 2))
        assert has_ground(drawn, row, col, round(radius) + 4) != touched


def test_the_arrows_head_is_at_the_receiver():
    there, back = (
        draw_gifts(plain_picture(), SPOTS, matrix(4, pair) + 0.7 * np.eye(4))
        for pair in ((0, 1, 0.3), (1, 0, 0.3))
    )

    def thickness(drawn, agent, col):
        return (drawn[:, col] == agent_colour(agent)).all(axis=1).sum()

    assert thickness(there, 0, 226) > thickness(there, 0, 54)
    assert thickness(back, 1, 226) < thickness(back, 1, 54)


def test_a_larger_gift_has_a_wider_arrow():
    small = draw_gifts(plain_picture(), SPOTS, matrix(4, (0, 3, 0.1), (0, 0, 0.9)))
    large = draw_gifts(plain_picture(), SPOTS, matrix(4, (0, 3, 0.9), (0, 0, 0.1)))
    assert pixels(large, 0) > 1.5 * pixels(small, 0)


def test_gifts_both_ways_take_two_ways():
    one_way, other_way = matrix(4, (0, 3, 0.5)), matrix(4, (3, 0, 0.5))
    both = draw_gifts(plain_picture(), SPOTS, one_way + other_way)
    alone = draw_gifts(plain_picture(), SPOTS, one_way)
    assert pixels(both, 0) > 0.9 * pixels(alone, 0)
    assert pixels(both, 3) > 200


def test_an_arrow_goes_around_agents_on_its_way():
    between = (140.0, 140.0, 14.0)
    curve = clearest_curve(SPOTS[0], SPOTS[3], [between], [], Box(0, 0, 288, 288))
    assert np.linalg.norm(curve.points() - between[:2], axis=1).min() > 14


@pytest.mark.parametrize("place", [(100.0, 100.0), (12.0, 12.0), (276.0, 276.0)])
def test_agents_side_by_side_on_one_cell_have_visible_arrows(place):
    row, col = place
    spots = [(row, col - 8, 7.0), (row, col + 8, 7.0)]
    drawn = draw_gifts(plain_picture(), spots, matrix(2, (0, 1, 0.5)))
    assert pixels(drawn, 0) > 60


def test_only_the_largest_gifts_are_drawn_and_the_rest_is_summed_up():
    gifts = np.full((8, 8), 0.02)
    np.fill_diagonal(gifts, 0.5)
    gifts[3, [0, 1, 2, 4, 5, 6]] = 0.05
    spots = [(40.0 + 60 * (i // 3), 40.0 + 100 * (i % 3), 12.0) for i in range(8)]
    drawn = draw_gifts(plain_picture(), spots, gifts)
    assert [pixels(drawn, agent) > 0 for agent in range(8)] == [i == 3 for i in range(8)]
    corner = drawn[275:286, 200:]
    assert (corner == (32, 35, 42)).all(axis=2).any()
    few = draw_gifts(plain_picture(), spots, np.diag(np.full(8, 0.5)) + matrix(8, (3, 0, 0.05)))
    assert not (few[275:286, 200:] == (32, 35, 42)).all(axis=2).any()
    assert len(visible_gifts(gifts)) == 56 > MAX_ARROWS


def test_the_sum_of_the_rest_hides_no_agent():
    gifts = np.full((4, 4), 0.2)
    lower_right = [(30.0, 30.0, 14.0), (270.0, 270.0, 14.0), (140.0, 140.0, 14.0), (140.0, 200.0, 14.0)]
    corners = [np.s_[275:286, 200:286], np.s_[275:286, 2:88]]

    def has_note(spots):
        drawn = draw_gifts(plain_picture(), spots, gifts)
        return [bool((drawn[corner] == (32, 35, 42)).all(axis=2).any()) for corner in corners]

    assert has_note(lower_right) == [False, True]
    assert has_note([SPOTS[0], SPOTS[2], *lower_right[2:]]) == [True, False]


def test_tiny_gifts_and_what_is_kept_are_left_out():
    gifts = matrix(3, (0, 0, 0.9), (0, 1, 0.09), (0, 2, 0.01), (1, 2, -0.3))
    assert [gift[:2] for gift in visible_gifts(gifts)] == [(1, 2), (0, 1)]
    assert visible_gifts(np.zeros((3, 3))) == []
    assert (draw_gifts(plain_picture(), SPOTS, np.zeros((4, 4))) == GROUND).all()


def test_an_agent_that_is_not_in_the_picture_gives_on_the_lower_edge():
    drawn = draw_gifts(plain_picture(), [SPOTS[0], None, SPOTS[1]], matrix(3, (1, 2, 0.4)))
    lower = drawn[264:288, :30]
    assert (lower == agent_colour(1)).all(axis=2).any()
    assert has_ground(drawn, *SPOTS[0][:2])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.333, "0.33"),
        (-0.05, "-0.05"),
        (-0.004, "0.00"),
        (9.999, "10.0"),
        (-12.34, "-12.3"),
        (123.4, "123"),
        (1.2e6, "1e6"),
    ],
)
def test_numbers_are_short(value, text):
    assert short_number(value) == text


@pytest.mark.parametrize("game_id", list(mixed_motive.GAMES))
def test_every_game_draws_gifts_and_writes_them(game_id):
    game = mixed_motive.make(game_id, 2)
    game.reset(seed=0)
    n = game.num_agents
    gifts = matrix(n, (0, 0, 0.75), (0, n - 1, 0.25))
    plain, drawn = game.render(1), game.render(1, gifts)
    assert drawn.shape == plain.shape
    assert pixels(drawn, 0) > pixels(plain, 0) + 20
    assert np.array_equal(game.render(1, np.zeros((n, n))), plain)
    assert np.array_equal(game.render(1), plain)
    assert game.ansi(1, gifts) == f"{game.ansi(1)}\nagent_0 gives agent_{n - 1} 0.25"


@pytest.mark.parametrize("game_id", list(mixed_motive.GAMES))
def test_arrows_start_where_agents_are_drawn(game_id):
    game = mixed_motive.make(game_id, 2)
    game.reset(seed=0)
    picture, spots = game.render(1), game._spots(1)
    assert len(spots) == game.num_agents
    for i, (row, col, radius) in enumerate(spots):
        assert tuple(picture[int(row), int(col - 0.8 * radius)]) == agent_colour(i)


def test_agents_that_have_left_the_map_are_nowhere():
    game = mixed_motive.make("stag_hunt")
    game.reset(seed=0)
    state = game.get_state()
    state["positions"][0, 1] = GONE
    game.set_state(state)
    assert [spot is None for spot in game._spots(0)] == [i == 1 for i in range(game.num_agents)]
    gifts = matrix(game.num_agents, (1, 0, 0.5))
    assert pixels(game.render(), 1) == 0 < pixels(game.render(gifts=gifts), 1)


@pytest.mark.parametrize(("height", "width"), [(3, 100), (100, 2), (60, 80)])
def test_gifts_fit_on_maps_of_every_shape(height, width):
    tiny = {"river_rows": 1, "orchard_rows": 1, "max_waste": 2, "initial_waste": 2}
    game = mixed_motive.make("cleanup", height=height, width=width, num_agents=16, **tiny)
    game.reset(seed=0)
    drawn = game.render(gifts=np.full((16, 16), 0.1))
    assert drawn.shape == game.render().shape
    assert not np.array_equal(drawn, game.render())


@pytest.mark.parametrize(
    "gifts",
    [np.zeros(4), np.zeros((1, 4, 4)), np.zeros((3, 3)), np.full((4, 4), np.nan), np.full((4, 4), "a"), 1.0],
)
def test_gifts_of_a_wrong_kind_are_refused(gifts):
    game = mixed_motive.make("cleanup")
    game.reset(seed=0)
    for call in (game.render, game.ansi):
        with pytest.raises(GameError, match=r"cleanup: .*gifts .*expected finite numbers \(4, 4\), giver in"):
            call(0, gifts)


def test_lines_and_triangles_may_leave_the_canvas():
    canvas = Canvas(20, 20, GROUND)
    canvas.line([(-30.0, -30.0), (10.0, 10.0), (50.0, 10.0)], 4, (255, 0, 0))
    canvas.triangle([(-10.0, 10.0), (4.0, 40.0), (4.0, 15.0)], (0, 0, 255))
    canvas.line([(-9.0, -9.0), (-5.0, -5.0)], 2, (0, 255, 0))
    picture = canvas.to_array()
    assert (picture[12, 9:11] == (255, 0, 0)).all()
    assert (picture[3, 18] == (0, 0, 255)).all()
    assert tuple(picture[19, 0]) == GROUND
    assert not (picture == (0, 255, 0)).all(axis=2).any()
