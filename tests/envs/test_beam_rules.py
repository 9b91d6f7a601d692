import numpy as np
import pytest
from scipy import stats

import mixed_motive
from mixed_motive.errors import GameError
from tests.envs.beam_scenes import (
    BACKWARD,
    CLEAN,
    DOWN,
    FIRE,
    FORWARD,
    LEFT,
    RIGHT,
    STAY,
    STEP_LEFT,
    STEP_RIGHT,
    TURN_LEFT,
    TURN_RIGHT,
    UP,
    WASTE,
    beam_cells,
    beam_scene,
)
from tests.envs.scenes import act, cells_of, random_actions

CLEANING, FINING = 1, 2


@pytest.mark.parametrize(
    ("facing", "cells"),
    [
        (UP, [(3, 4), (5, 4), (4, 3), (4, 5)]),
        (RIGHT, [(4, 5), (4, 3), (3, 4), (5, 4)]),
        (DOWN, [(5, 4), (3, 4), (4, 5), (4, 3)]),
        (LEFT, [(4, 3), (4, 5), (5, 4), (3, 4)]),
    ],
)
def test_moves_are_relative_to_the_facing(facing, cells):
    for action, cell in zip((FORWARD, BACKWARD, STEP_LEFT, STEP_RIGHT), cells, strict=True):
        game = beam_scene([(4, 4), (7, 7)], [facing, UP])
        act(game, action, STAY)
        assert cells_of(game) == [cell, (7, 7)]
        assert game.get_state()["facing"].tolist() == [[facing, UP]]


def test_turns_are_quarters():
    game = beam_scene([(4, 4), (4, 6)], [UP, UP])
    seen = []
    for _ in range(4):
        act(game, TURN_RIGHT, TURN_LEFT)
        seen.append(game.get_state()["facing"][0].tolist())
    assert seen == [[RIGHT, LEFT], [DOWN, DOWN], [LEFT, RIGHT], [UP, UP]]
    assert cells_of(game) == [(4, 4), (4, 6)]


def test_without_turning_agents_move_as_on_a_page():
    game = beam_scene([(4, 4), (4, 6)], [UP, UP], turning=False)
    assert game.action_names == ("up", "down", "left", "right", "stay", "clean", "fire")
    act(game, 2, 1)
    assert cells_of(game) == [(4, 3), (5, 6)]


def test_walls_are_not_entered():
    game = beam_scene([(1, 1), (7, 7)], [UP, DOWN])
    act(game, FORWARD, FORWARD)
    act(game, STEP_LEFT, STEP_LEFT)
    assert cells_of(game) == [(1, 1), (7, 7)]


def test_without_walls_agents_and_rays_end_at_the_edge_of_the_map():
    game = beam_scene([(0, 4), (8, 8)], [UP, UP], walled=False, view_radius=0)
    act(game, FORWARD, FIRE)
    assert cells_of(game) == [(0, 4), (8, 8)]
    rays = [(r, 8) for r in range(3, 8)] + [(r, 7) for r in range(4, 9)]
    assert beam_cells(game, FINING) == sorted(rays)


def test_one_of_several_agents_enters_a_free_cell_each_with_the_same_chance():
    around = [(3, 4), (5, 4), (4, 3), (4, 5)]
    game = beam_scene(around, [DOWN, UP, RIGHT, LEFT], num_envs=8000)
    act(game, FORWARD, FORWARD, FORWARD, FORWARD)
    arrived = (game.get_state()["positions"] == (4, 4)).all(axis=2)
    assert (arrived.sum(axis=1) == 1).all()
    assert stats.chisquare(arrived.sum(axis=0)).pvalue > 1e-3


def test_agents_follow_into_a_cell_that_was_left_before_their_turn_and_only_then():
    game = beam_scene([(4, 3), (4, 4), (6, 6)], [RIGHT, RIGHT, UP], num_envs=8000)
    act(game, FORWARD, FORWARD, STAY)
    positions = game.get_state()["positions"]
    assert (positions[:, 1] == (4, 5)).all()
    followed = (positions[:, 0] == (4, 4)).all(axis=1)
    assert stats.binomtest(int(followed.sum()), 8000, 0.5).pvalue > 1e-3


def test_agents_never_swap_or_share_a_cell():
    game = beam_scene([(4, 3), (4, 4)], [RIGHT, LEFT], num_envs=100)
    act(game, FORWARD, FORWARD)
    assert (game.get_state()["positions"] == [(4, 3), (4, 4)]).all()
    crowd = mixed_motive.make("harvest", 30, "small", num_agents=40)
    crowd.reset(seed=1)
    for actions in random_actions(crowd, 90):
        crowd.step(actions)
        cells = crowd.get_state()["positions"] @ [8, 1]
        assert all(len(set(row)) == 40 for row in cells.tolist())


def test_a_beam_is_three_wide_and_its_outer_rays_start_beside_the_shooter():
    game = beam_scene([(6, 4), (7, 7)], [UP, UP], fire_length=3)
    act(game, FIRE, STAY)
    middle = [(r, 4) for r in (3, 4, 5)]
    outer = [(r, c) for r in (4, 5, 6) for c in (3, 5)]
    assert beam_cells(game, FINING) == sorted(middle + outer)


def test_rays_end_before_walls():
    game = beam_scene([(4, 6), (7, 1)], [RIGHT, UP])
    act(game, FIRE, STAY)
    assert beam_cells(game, FINING) == [(3, 6), (3, 7), (4, 7), (5, 6), (5, 7)]
    game = beam_scene([(1, 4), (7, 1)], [RIGHT, UP])
    act(game, FIRE, STAY)
    assert beam_cells(game, FINING) == sorted([(1, c) for c in (5, 6, 7)] + [(2, c) for c in (4, 5, 6, 7)])


def test_a_ray_ends_on_the_first_agent_which_alone_is_hit():
    game = beam_scene([(7, 4), (5, 4), (3, 4)], [UP, UP, UP])
    step = act(game, FIRE, STAY, STAY)
    assert (5, 4) in beam_cells(game, FINING)
    assert (4, 4) not in beam_cells(game, FINING)
    assert step.rewards.tolist() == [[-1, -50, 0]]
    assert [dict(zip(game.count_names, row, strict=True)) for row in step.counts[0].tolist()] == [
        {"apples": 0, "waste_cleaned": 0, "shots": 1, "hits_given": 1, "hits_taken": 0},
        {"apples": 0, "waste_cleaned": 0, "shots": 0, "hits_given": 0, "hits_taken": 1},
        {"apples": 0, "waste_cleaned": 0, "shots": 0, "hits_given": 0, "hits_taken": 0},
    ]


def test_a_fining_beam_costs_its_shooter_once_whatever_it_hits():
    game = beam_scene([(7, 4), (1, 1)], [UP, UP])
    assert act(game, FIRE, STAY).rewards.tolist() == [[-1, 0]]
    game = beam_scene([(7, 4), (7, 3), (6, 4), (7, 5)], [UP] * 4, fire_cost=2, hit_cost=7)
    assert act(game, FIRE, STAY, STAY, STAY).rewards.tolist() == [[-2, -7, -7, -7]]


def test_every_beam_that_hits_costs_and_shooters_hit_each_other():
    game = beam_scene([(4, 2), (4, 4), (4, 6)], [RIGHT, RIGHT, LEFT])
    step = act(game, FIRE, FIRE, FIRE)
    assert step.rewards.tolist() == [[-1, -1 - 100, -1 - 50]]


def test_beams_are_shot_after_all_moves():
    game = beam_scene([(7, 4), (5, 6)], [UP, LEFT], num_envs=50)
    step = act(game, FIRE, FORWARD)
    assert (step.counts[:, 1, 4] == 1).all()


def test_rays_fly_over_waste_and_apples_unless_they_clean():
    game = beam_scene([(3, 2), (7, 7)], [UP, UP], [(2, 2, WASTE)])
    act(game, FIRE, STAY)
    assert (1, 2) in beam_cells(game, FINING)
    assert game.get_state()["map"][0, 2, 2] == WASTE


def test_who_is_hit_cannot_act_for_some_steps_nor_be_hit():
    game = beam_scene([(7, 4), (5, 4)], [UP, RIGHT], hit_freeze=2)
    act(game, FIRE, STAY)
    assert game.get_state()["frozen"].tolist() == [[0, 2]]
    for _ in range(2):
        step = act(game, FIRE, FORWARD)
        assert step.active.all()
        assert cells_of(game) == [(7, 4), (5, 4)]
        assert step.rewards.tolist() == [[-1, 0]]
        assert (4, 4) not in beam_cells(game, FINING)
    act(game, STAY, FORWARD)
    assert cells_of(game) == [(7, 4), (5, 5)]


def test_the_view_is_turned_so_that_the_agent_looks_up():
    # A wall and an agent ahead, waste to the right, seen from all four sides.
    for facing, (ahead, right) in enumerate(
        [((-1, 0), (0, 1)), ((0, 1), (1, 0)), ((1, 0), (0, -1)), ((0, -1), (-1, 0))]
    ):
        own = np.array((4, 4))
        other = own + 2 * np.array(ahead) + np.array(right)
        game = beam_scene([own, other], [facing, UP], obs="code")
        classes = game.observe()[0, 0]
        names = game.class_names
        assert classes.shape == (7, 7)
        assert names[classes[1, 4]] == "agent_1"
        assert np.argwhere(classes == names.index("agent_1")).tolist() == [[1, 4]]
        assert "agent_0" not in {names[k] for k in np.unique(classes)}


def test_objects_walls_and_beams_are_seen_where_they_are():
    game = beam_scene([(2, 1), (7, 7)], [RIGHT, UP], [(1, 3, WASTE)], view_radius=2)
    act(game, FIRE, STAY)
    planes = game.observe()[0, 0]
    assert planes.shape == (7, 5, 5)
    # Facing right: the top of the view is the right, its left is up.
    waste, clean, fire, outside = planes[2], planes[4], planes[5], planes[6]
    assert np.argwhere(waste).tolist() == [[0, 1]]
    assert not clean.any()
    assert np.argwhere(fire).tolist() == [[0, 1], [0, 2], [0, 3], [1, 1], [1, 2], [1, 3], [2, 1], [2, 3]]
    expected = np.zeros((5, 5), int)
    expected[:, 0] = 1
    expected[3:] = 1
    assert (outside == expected).all()


def test_in_classes_agents_cover_fining_beams_which_cover_cleaning_beams_which_cover_objects():
    game = beam_scene([(4, 3), (4, 5), (2, 4)], [UP, UP, UP], [(2, 3, WASTE)], obs="code")
    act(game, FIRE, CLEAN, STAY)
    names, seen = game.class_names, game.observe()[0, 0]
    assert game.get_state()["beams"][0, 3, 4] == CLEANING | FINING
    assert names[seen[2, 4]] == "fire_beam"
    assert names[seen[2, 5]] == "clean_beam"
    assert names[seen[1, 4]] == "agent_2"
    assert names[seen[1, 3]] == "fire_beam"
    assert game.get_state()["map"][0, 2, 3] == WASTE


def test_nobody_sees_itself_but_the_beam_on_its_cell():
    game = beam_scene([(5, 4), (3, 4)], [UP, UP], obs="code")
    act(game, FIRE, STAY)
    assert game.class_names[game.observe()[0, 1, 3, 3]] == "fire_beam"
    assert game.class_names[game.observe()[0, 0, 3, 3]] == "empty"


def test_a_view_of_the_whole_map_is_square_where_it_turns():
    turning = mixed_motive.make("harvest", preset="ssdg_25x18", view_radius=None, obs="code")
    assert turning.observation_space.shape == (49, 49)
    fixed = mixed_motive.make("harvest", preset="ssdg_25x18", view_radius=None, obs="code", turning=False)
    assert fixed.observation_space.shape == (49, 35)
    for game in (turning, fixed):
        obs = game.reset(seed=0)[0, 0]
        assert (obs == game.class_names.index("apple")).sum() == len(game.layout.orchard)


def test_beams_are_gone_after_the_next_step():
    game = beam_scene([(7, 4), (1, 1)], [UP, UP])
    act(game, FIRE, CLEAN)
    assert beam_cells(game, FINING)
    assert beam_cells(game, CLEANING)
    act(game, STAY, STAY)
    assert not game.get_state()["beams"].any()


def test_a_state_with_beams_frozen_agents_and_facings_goes_on_to_the_bit():
    size = {"num_agents": 30, "height": 12, "river_cells": 40, "orchard_cells": 40, "initial_waste": 30}
    one, other = (mixed_motive.make("cleanup", 3, "meltingpot", max_waste=40, **size) for _ in range(2))
    one.reset(seed=5)
    actions = random_actions(one, 40)
    for k in range(20):
        one.step(actions[k])
    state = one.get_state()
    assert state["beams"].any()
    assert state["frozen"].any()
    other.set_state(state)
    assert (other.observe() == one.observe()).all()
    for k in range(20, 40):
        first, second = one.step(actions[k]), other.step(actions[k])
        assert (first.obs == second.obs).all()
        assert (first.rewards == second.rewards).all()


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("map", lambda a: a.__setitem__((0, 0, 0), 0), "walls"),
        ("map", lambda a: a.__setitem__((0, 4, 4), 4), "beam"),
        ("map", lambda a: a.__setitem__((0, 4, 4), WASTE), "waste off"),
        ("positions", lambda a: a.__setitem__((0, 0), (0, 3)), "wall"),
        ("positions", lambda a: a.__setitem__((0, 0), a[0, 1]), "two agents"),
        ("facing", lambda a: a.__setitem__((0, 0), 4), "facing"),
        ("frozen", lambda a: a.__setitem__((0, 0), 1), "frozen"),
        ("beams", lambda a: a.__setitem__((0, 0, 0), 1), "beams"),
        ("beams", lambda a: a.__setitem__((0, 4, 4), 4), "beams"),
        ("beams", lambda a: a.__setitem__((0, slice(1, 8), slice(1, 8)), 3), "more than"),
    ],
)
def test_impossible_states_are_refused(name, change, message):
    game = beam_scene([(4, 4), (7, 7)], [UP, UP])
    state = game.get_state()
    change(state[name])
    with pytest.raises(GameError, match=message):
        game.set_state(state)


def test_nobody_is_frozen_in_a_game_without_fines():
    game = mixed_motive.make("harvest", hit_freeze=3)
    game.reset(seed=0)
    state = game.get_state()
    state["frozen"][:] = 2  # nothing would count it down
    with pytest.raises(GameError, match=r"'frozen' must lie in \[0, 0\]"):
        game.set_state(state)


def test_agents_start_on_distinct_cells_of_the_floor_evenly_facing_anywhere():
    game = mixed_motive.make("cleanup", 3000, "lio_10x10", num_agents=20, turning=True)
    game.reset(seed=4)
    floor = set(game.layout.floor)
    positions = game.get_state()["positions"]
    assert len(floor) == 36
    for row in positions[:200].tolist():
        assert len({tuple(cell) for cell in row} & floor) == 20
    cells = positions @ [10, 1]
    for i in range(20):
        assert stats.chisquare(np.unique(cells[:, i], return_counts=True)[1]).pvalue > 1e-4
    assert stats.chisquare(np.bincount(game.get_state()["facing"].ravel())).pvalue > 1e-3


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"num_agents": 64, "height": 12, "width": 12, "river_cells": 40}, "too many agents"),
        ({"height": 2, "view_radius": 1}, "all wall"),
        ({"river_cells": 10}, "must not exceed"),
        ({"threshold_restoration": 0.5}, "must lie below"),
        ({"fire_length": -1}, "fire_length"),
    ],
)
def test_what_does_not_fit_is_refused(params, message):
    with pytest.raises(GameError, match=message):
        mixed_motive.make("cleanup", preset="ssdg", **params)
