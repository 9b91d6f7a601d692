import numpy as np
import pytest
from scipy import stats

import mixed_motive
from mixed_motive.games.beam_cleanup import apple_chances, waste_chances
from tests.envs.beam_scenes import (
    APPLE,
    CLEAN,
    FORWARD,
    LEFT,
    RIGHT,
    STAY,
    UP,
    WASTE,
    beam_cells,
    beam_scene,
)
from tests.envs.scenes import act, cells_of, random_actions

CLEANING = 1
# Where waste may lie and apples grow in a `beam_scene`.
RIVER = [*((1, c) for c in range(1, 8)), (2, 1), (2, 2), (2, 3)]
ORCHARD = [(6, 5), (6, 6), (6, 7), *((7, c) for c in range(1, 8))]


def number_of(game, code):
    return (game.get_state()["map"] == code).sum(axis=(1, 2))


def test_a_cleaning_ray_takes_the_first_waste_and_ends_there():
    game = beam_scene([(4, 2), (7, 7)], [UP, UP], [(2, 2, WASTE), (1, 2, WASTE), (1, 3, WASTE)])
    step = act(game, CLEAN, STAY)
    codes = game.get_state()["map"][0]
    assert codes[2, 2] == 0
    assert codes[1, 2] == WASTE
    assert codes[1, 3] == 0
    assert step.rewards.tolist() == [[0, 0]]
    assert step.counts[0, :, 1].tolist() == [2, 0]
    assert (1, 2) not in beam_cells(game, CLEANING)
    assert (2, 2) in beam_cells(game, CLEANING)


def test_cleaning_reaches_as_far_as_its_length():
    # Outer rays start beside the shooter, the middle one before it.
    waste = [(1, c, WASTE) for c in (1, 2, 3)]
    for row, length, reached in [(6, 5, 1), (5, 5, 3), (5, 3, 0)]:
        game = beam_scene([(row, 2), (7, 7)], [UP, UP], waste, clean_length=length)
        assert act(game, CLEAN, STAY).counts[0, 0, 1] == reached


def test_an_agent_in_between_shields_the_waste():
    game = beam_scene([(4, 2), (3, 2)], [UP, UP], [(2, 2, WASTE)])
    assert act(game, CLEAN, STAY).counts[0, :, 1].tolist() == [0, 0]
    assert number_of(game, WASTE).tolist() == [1]


def test_the_waste_under_an_agent_can_be_cleaned_and_cleaning_hurts_nobody():
    game = beam_scene([(4, 2), (2, 2)], [UP, UP], [(2, 2, WASTE)], hit_freeze=3)
    step = act(game, CLEAN, STAY)
    assert step.counts[0, 0].tolist() == [0, 1, 0, 0, 0]
    assert step.rewards.tolist() == [[0, 0]]
    assert not game.get_state()["frozen"].any()


def test_one_of_two_cleaners_of_one_waste_gets_it_each_with_the_same_chance():
    game = beam_scene([(1, 1), (1, 5)], [RIGHT, LEFT], [(1, 3, WASTE)], num_envs=8000)
    cleaned = act(game, CLEAN, CLEAN).counts[:, :, 1]
    assert (cleaned.sum(axis=1) == 1).all()
    assert stats.chisquare(cleaned.sum(axis=0)).pvalue > 1e-3


def test_an_apple_is_eaten_by_entering_its_cell():
    game = beam_scene([(6, 4), (1, 1)], [RIGHT, UP], [(6, 5, APPLE)])
    step = act(game, FORWARD, STAY)
    assert cells_of(game)[0] == (6, 5)
    assert step.rewards.tolist() == [[1, 0]]
    assert step.counts[0, :, 0].tolist() == [1, 0]
    assert not number_of(game, APPLE).any()


@pytest.mark.parametrize(("num_waste", "chance"), [(0, 0.2), (9, 0.2), (10, 0)])
def test_waste_appears_with_its_probability_below_the_limit_on_clean_cells_evenly(num_waste, chance):
    waste = [(*cell, WASTE) for cell in RIVER[:num_waste]]
    change = {"waste_spawn_probability": 0.2, "try_every_cell": False}
    game = beam_scene([(4, 4), (4, 6)], [UP, UP], waste, num_envs=20000, **change)
    act(game, STAY, STAY)
    new = number_of(game, WASTE) - num_waste
    assert set(new.tolist()) <= {0, 1}
    assert stats.binomtest(int(new.sum()), 20000, chance).pvalue > 1e-3
    if num_waste == 0:
        where = (game.get_state()["map"] == WASTE).sum(axis=0)
        assert stats.chisquare([where[cell] for cell in RIVER]).pvalue > 1e-3


def test_a_chance_tried_on_every_clean_cell_is_the_chance_that_one_passes():
    waste = [(*cell, WASTE) for cell in RIVER[:7]]
    change = {"waste_spawn_probability": 0.1, "try_every_cell": True}
    game = beam_scene([(4, 4), (4, 6)], [UP, UP], waste, num_envs=20000, **change)
    act(game, STAY, STAY)
    new = int((number_of(game, WASTE) - 7).sum())
    assert stats.binomtest(new, 20000, 1 - 0.9**3).pvalue > 1e-3


def test_preset_ssdg_makes_one_waste_in_a_step_while_less_than_two_fifths_of_the_river_have_some():
    chances = waste_chances(mixed_motive.make("cleanup", preset="ssdg").params)
    assert (chances[:48] > 1 - 1e-15).all()
    assert (chances[48:] == 0).all()
    assert 47 / 119 < 0.4 <= 48 / 119


@pytest.mark.parametrize("preset", ["lio_7x7", "lio_10x10"])
def test_the_limits_of_waste_of_the_small_maps_are_shares_of_the_river(preset):
    p = mixed_motive.make("cleanup", preset=preset).params
    assert (p.max_waste - 1) / p.river_cells < p.threshold_depletion <= p.max_waste / p.river_cells


def test_no_waste_appears_before_the_delay_is_over():
    change = {"waste_spawn_probability": 1.0, "waste_delay": 3}
    game = beam_scene([(4, 4), (4, 6)], [UP, UP], num_envs=5, **change)
    seen = []
    for _ in range(5):
        act(game, STAY, STAY)
        seen.append(number_of(game, WASTE).tolist())
    assert seen == [[k] * 5 for k in (0, 0, 0, 1, 2)]


@pytest.mark.parametrize(("num_waste", "rate"), [(0, 0.3), (1, 0.3 * 0.75), (3, 0.3 * 0.25), (4, 0), (9, 0)])
def test_apples_grow_on_each_empty_cell_by_the_share_of_waste(num_waste, rate):
    waste = [(*cell, WASTE) for cell in RIVER[:num_waste]]
    change = {"apple_respawn_probability": 0.3, "threshold_depletion": 0.4}
    objects = [*waste, (*ORCHARD[0], APPLE)]
    game = beam_scene([ORCHARD[1], (4, 6)], [UP, UP], objects, num_envs=4000, **change)
    act(game, STAY, STAY)
    apples = game.get_state()["map"] == APPLE
    assert apples[(slice(None), *ORCHARD[0])].all()
    assert not apples[(slice(None), *ORCHARD[1])].any()  # an agent stands there
    by_cell = [int(apples[(slice(None), *cell)].sum()) for cell in ORCHARD[2:]]
    assert stats.binomtest(sum(by_cell), 4000 * 8, rate).pvalue > 1e-3
    assert apples.sum() == 4000 + sum(by_cell)
    if rate > 0:
        assert stats.chisquare(by_cell).pvalue > 1e-3
        # Cells do not depend on each other: as many in a copy as coins that fall.
        in_copy = apples.sum(axis=(1, 2)) - 1
        assert in_copy.var() == pytest.approx(8 * rate * (1 - rate), rel=0.15)


@pytest.mark.parametrize("rate", [0.05, 0.0025, 0.8])
def test_rates_hold_on_orchards_of_more_than_64_cells(rate):
    still = {"waste_spawn_probability": 0.0, "initial_waste": 0, "apple_respawn_probability": rate}
    game = mixed_motive.make("cleanup", 2000, "ssdg", num_agents=2, **still)
    game.reset(seed=1)
    game.step(np.full((2000, 2), STAY))
    by_cell = (game.get_state()["map"] == APPLE).sum(axis=0)[tuple(np.transpose(game.layout.orchard))]
    assert by_cell.size == 103
    assert stats.binomtest(int(by_cell.sum()), 2000 * 103, rate).pvalue > 1e-3
    if rate == 0.05:
        assert stats.chisquare(by_cell).pvalue > 1e-3


def test_the_cleaning_of_a_step_counts_for_its_apples_and_its_new_waste_does_not():
    waste = [(*cell, WASTE) for cell in RIVER[:4]]
    change = {"apple_respawn_probability": 0.4, "waste_spawn_probability": 1.0}
    game = beam_scene([(4, 1), (4, 6)], [UP, UP], waste, num_envs=3000, **change)
    act(game, CLEAN, STAY)
    assert (number_of(game, WASTE) == 4 - 2 + 1).all()
    assert stats.binomtest(int(number_of(game, APPLE).sum()), 3000 * 10, 0.2).pvalue > 1e-3


def test_stream_cells_make_the_share_of_waste_smaller():
    chances = apple_chances(mixed_motive.make("cleanup", preset="meltingpot").params)
    assert chances[0] == 0.05
    assert chances[66] > 0
    assert chances[67] == 0
    assert 66 / 167 < 0.4 < 67 / 167


@pytest.mark.parametrize("preset", ["ssdg", "lio_7x7", "lio_10x10", "meltingpot"])
def test_an_episode_starts_with_its_waste_without_apples_and_with_agents_between(preset):
    game = mixed_motive.make("cleanup", 2000, preset)
    game.reset(seed=4)
    p, state = game.params, game.get_state()
    waste = (state["map"] == WASTE).sum(axis=0)
    assert (number_of(game, WASTE) == p.initial_waste).all()
    assert not number_of(game, APPLE).any()
    by_cell = [waste[cell] for cell in game.layout.river]
    assert len(by_cell) == p.river_cells
    assert sum(by_cell) == 2000 * p.initial_waste
    # Drawn without replacement, these vary less than chi-square supposes, never more.
    assert stats.chisquare(by_cell).pvalue > 1e-3
    cells = {tuple(cell) for row in state["positions"].tolist() for cell in row}
    assert cells == set(game.layout.floor)


def test_the_maps_have_the_counts_of_their_references():
    counts = {"ssdg": (119, 103), "lio_7x7": (2, 5), "lio_10x10": (16, 12), "meltingpot": (147, 122)}
    for preset, (river, orchard) in counts.items():
        layout = mixed_motive.make("cleanup", preset=preset).layout
        assert (len(layout.river), len(layout.orchard)) == (river, orchard)
    small = mixed_motive.make("cleanup", preset="lio_7x7").layout
    assert small.river == ((1, 1), (2, 1))
    assert small.orchard == tuple((row, 5) for row in range(1, 6))


@pytest.mark.parametrize("num_agents", [2, 5, 64])
def test_any_number_of_agents_plays_on_the_large_map(num_agents):
    game = mixed_motive.make("cleanup", 4, "ssdg", num_agents=num_agents, horizon=30)
    game.reset(seed=0)
    actions = random_actions(game, 30)
    for k in range(29):
        assert not game.step(actions[k]).done.any()
    assert game.step(actions[29]).truncations.all()


def test_objects_are_conserved_and_rewards_follow_from_counts():
    size = {"height": 12, "width": 12, "river_cells": 20, "orchard_cells": 30}
    waste = {"initial_waste": 5, "max_waste": 9}
    game = mixed_motive.make("cleanup", 32, "ssdg", num_agents=8, hit_freeze=1, **size, **waste)
    game.reset(seed=1)
    before = game.get_state()["map"]
    for actions in random_actions(game, 200):
        step = game.step(actions)
        after = game.get_state()["map"]
        eaten, cleaned, shots, given, taken = np.moveaxis(step.counts, 2, 0)
        grown = ((after == APPLE) & (before != APPLE)).sum(axis=(1, 2))
        lost = ((after != APPLE) & (before == APPLE)).sum(axis=(1, 2))
        # Nothing grows back at once: the eater stands there.
        assert (lost == eaten.sum(axis=1)).all()
        assert (grown <= 30).all()
        new = (after == WASTE).sum(axis=(1, 2)) - (before == WASTE).sum(axis=(1, 2)) + cleaned.sum(axis=1)
        assert ((new == 0) | (new == 1)).all()
        assert (given.sum(axis=1) == taken.sum(axis=1)).all()
        assert (step.rewards == eaten - 1.0 * shots - 50.0 * taken).all()
        before = after
