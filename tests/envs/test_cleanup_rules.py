import numpy as np
import pytest
from scipy import stats

import mixed_motive
from mixed_motive.games.cleanup import APPLE, CLEAN, PICK, WASTE, apple_probabilities
from tests.envs.scenes import DOWN, LEFT, RIGHT, STAY, UP, act, cells_of, random_actions, scene

# Nothing appears by itself.
STILL = {"waste_spawn_probability": 0.0, "apple_respawn_probability": 0.0}


def test_agents_move_one_cell_and_stay_at_the_edge():
    game = scene("cleanup", [(0, 0), (7, 7), (3, 3), (3, 4)], **STILL)
    act(game, UP, DOWN, DOWN, LEFT)
    assert cells_of(game) == [(0, 0), (7, 7), (4, 3), (3, 3)]
    act(game, LEFT, RIGHT, RIGHT, STAY)
    assert cells_of(game) == [(0, 0), (7, 7), (4, 4), (3, 3)]


def test_agents_share_cells():
    game = scene("cleanup", [(3, 3), (3, 4)], **STILL)
    act(game, RIGHT, STAY)
    assert cells_of(game) == [(3, 4), (3, 4)]


def test_picking_an_apple_pays_one_and_takes_it():
    game = scene("cleanup", [(7, 0), (3, 3)], [(7, 0, APPLE)], **STILL)
    step = act(game, PICK, STAY)
    assert step.rewards.tolist() == [[1, 0]]
    assert step.counts.tolist() == [[[1, 0], [0, 0]]]
    assert not game.get_state()["map"].any()


def test_cleaning_pays_nothing_and_takes_the_waste():
    game = scene("cleanup", [(0, 0), (3, 3)], [(0, 0, WASTE)], **STILL)
    step = act(game, CLEAN, STAY)
    assert step.rewards.tolist() == [[0, 0]]
    assert step.counts.tolist() == [[[0, 1], [0, 0]]]
    assert not game.get_state()["map"].any()


def test_an_action_that_does_not_apply_is_a_stay():
    game = scene("cleanup", [(0, 0), (7, 0)], [(0, 0, WASTE), (7, 0, APPLE)], **STILL)
    before = game.get_state()
    step = act(game, PICK, CLEAN)
    assert not step.rewards.any()
    assert not step.counts.any()
    after = game.get_state()
    assert (after["map"] == before["map"]).all()
    assert (after["positions"] == before["positions"]).all()


@pytest.mark.parametrize(("action", "code", "row", "count"), [(PICK, APPLE, 7, 0), (CLEAN, WASTE, 0, 1)])
def test_one_of_several_rivals_gets_the_object_each_with_the_same_chance(action, code, row, count):
    game = scene("cleanup", [(row, 2)] * 3 + [(4, 4)], [(row, 2, code)], num_envs=6000, **STILL)
    step = act(game, action, action, action, action)
    assert (step.counts.sum(axis=1) == [1 if k == count else 0 for k in range(2)]).all()
    assert not step.counts[:, 3].any()
    assert stats.chisquare(step.counts[:, :3, count].sum(axis=0)).pvalue > 1e-3


def test_rivals_for_different_objects_do_not_meet():
    game = scene("cleanup", [(7, 2), (7, 3), (7, 3)], [(7, 2, APPLE), (7, 3, APPLE)], num_envs=100, **STILL)
    step = act(game, PICK, PICK, STAY)
    assert (step.rewards == [1, 1, 0]).all()


def test_waste_appears_with_its_probability_on_clean_river_cells_evenly():
    clean = [(0, c, WASTE) for c in range(6)]
    game = scene("cleanup", [(4, 4), (4, 4)], clean, num_envs=20000, apple_respawn_probability=0)
    act(game, STAY, STAY)
    new = game.get_state()["map"] == WASTE
    new[:, 0, :6] = False
    assert new[:, 2:].sum() == 0
    assert stats.binomtest(int(new.sum()), 20000, 0.1).pvalue > 1e-3
    assert stats.chisquare(np.concatenate([new[:, 0, 6:].sum(0), new[:, 1].sum(0)])).pvalue > 1e-3


def test_no_waste_appears_at_the_limit():
    full = [(0, c, WASTE) for c in range(8)]
    game = scene("cleanup", [(4, 4), (4, 4)], full, num_envs=50, waste_spawn_probability=1.0)
    for _ in range(20):
        act(game, STAY, STAY)
    assert (game.get_state()["map"] == WASTE).sum() == 50 * 8


@pytest.mark.parametrize("num_waste", [0, 3, 7, 8])
def test_apples_grow_with_one_minus_an_eighth_of_the_waste_on_empty_orchard_cells_evenly(num_waste):
    waste = [(0, c, WASTE) for c in range(num_waste)]
    game = scene(
        "cleanup", [(4, 4), (4, 4)], [*waste, (6, 0, APPLE)], num_envs=8000, waste_spawn_probability=0
    )
    act(game, STAY, STAY)
    new = game.get_state()["map"] == APPLE
    new[:, 6, 0] = False
    assert new[:, :6].sum() == 0
    assert stats.binomtest(int(new.sum()), 8000, 1 - num_waste / 8).pvalue > 1e-3
    if num_waste < 8:
        assert stats.chisquare(np.concatenate([new[:, 6, 1:].sum(0), new[:, 7].sum(0)])).pvalue > 1e-3


def test_the_cleaning_of_a_step_counts_for_its_apple_and_its_new_waste_does_not():
    full = [(0, c, WASTE) for c in range(8)]
    game = scene("cleanup", [(0, 0), (4, 4)], full, num_envs=8000, waste_spawn_probability=1.0)
    act(game, CLEAN, STAY)
    codes = game.get_state()["map"]
    assert ((codes == WASTE).sum(axis=(1, 2)) == 8).all()
    assert stats.binomtest(int((codes == APPLE).sum()), 8000, 1 / 8).pvalue > 1e-3


def test_no_apple_grows_in_a_full_orchard():
    orchard = [(r, c, APPLE) for r in (6, 7) for c in range(8)]
    game = scene("cleanup", [(4, 4), (4, 4)], orchard)
    act(game, STAY, STAY)
    assert (game.get_state()["map"] == APPLE).sum() == 16


def test_thresholds_bend_the_apple_probability_as_in_the_field():
    change = {"threshold_depletion": 0.4, "threshold_restoration": 0.1, "apple_respawn_probability": 0.5}
    params = mixed_motive.make("cleanup", max_waste=16, **change).params
    found = apple_probabilities(params)
    assert (found[:2] == 0.5).all()
    assert found[4] == pytest.approx(0.5 * (0.4 - 0.25) / 0.3)
    assert (found[7:] == 0).all()


@pytest.mark.parametrize("preset", ["lase", "lase_extended"])
def test_an_episode_starts_with_its_waste_without_apples_and_with_agents_between_on_distinct_cells(preset):
    game = mixed_motive.make("cleanup", 3000, preset)
    game.reset(seed=4)
    p, state = game.params, game.get_state()
    waste = state["map"] == WASTE
    assert (waste.sum(axis=(1, 2)) == p.initial_waste).all()
    assert not waste[:, p.river_rows :].any()
    assert not (state["map"] == APPLE).any()
    assert stats.chisquare(waste[:, : p.river_rows].sum(axis=0).ravel()).pvalue > 1e-3
    rows, cols = state["positions"][..., 0], state["positions"][..., 1]
    assert rows.min() == p.river_rows
    assert rows.max() == p.height - p.orchard_rows - 1
    cells = rows * p.width + cols
    assert all(len(set(row)) == p.num_agents for row in cells.tolist())
    for i in range(p.num_agents):
        assert stats.chisquare(np.unique(cells[:, i], return_counts=True)[1]).pvalue > 1e-4


def test_agents_that_do_not_fit_on_distinct_cells_start_evenly_spread():
    game = mixed_motive.make(
        "cleanup",
        50,
        num_agents=7,
        height=3,
        width=3,
        river_rows=1,
        orchard_rows=1,
        max_waste=1,
        initial_waste=1,
    )
    game.reset(seed=0)
    cells = game.get_state()["positions"]
    for b in range(50):
        counts = np.bincount(cells[b, :, 1], minlength=3)
        assert sorted(counts.tolist()) == [2, 2, 3]


def test_objects_are_conserved():
    game = mixed_motive.make("cleanup", 64, threshold_depletion=0.9)
    game.reset(seed=1)
    before = game.get_state()["map"]
    for actions in random_actions(game, 99):
        step = game.step(actions)
        after = game.get_state()["map"]
        for code, count in ((APPLE, 0), (WASTE, 1)):
            change = (after == code).sum(axis=(1, 2)) - (before == code).sum(axis=(1, 2))
            gone = step.counts[..., count].sum(axis=1)
            assert ((change + gone == 0) | (change + gone == 1)).all()
        assert (step.rewards == step.counts[..., 0]).all()
        before = after


def test_an_observation_shows_agents_objects_and_the_outside_around_oneself():
    game = scene("cleanup", [(0, 1), (1, 2), (7, 7)], [(0, 0, WASTE), (6, 6, APPLE)], **STILL)
    obs = game.observe()[0]
    assert obs.shape == (3, 6, 5, 5)
    assert obs.dtype == np.uint8
    first = {plane: sorted(map(tuple, np.argwhere(obs[0, plane]).tolist())) for plane in range(6)}
    assert first[0] == [(2, 2)]
    assert first[1] == [(3, 3)]
    assert first[2] == first[4] == []
    assert first[3] == [(2, 1)]
    assert first[5] == sorted((r, c) for r in range(5) for c in range(5) if r < 2 or c < 1)
    assert np.argwhere(obs[2, 4]).tolist() == [[1, 1]]
    assert np.argwhere(obs[2, 2]).tolist() == [[2, 2]]


@pytest.mark.parametrize(("radius", "shape"), [(0, (1, 1)), (1, (3, 3)), (3, (7, 7)), (None, (15, 15))])
def test_the_view_radius_sets_the_window(radius, shape):
    game = mixed_motive.make("cleanup", view_radius=radius)
    assert game.observation_space.shape == (7, *shape)
    obs = game.reset(seed=0)
    assert obs.shape[1:] == (4, 7, *shape)
    if radius is None:
        # The whole map is always in view.
        assert (obs[0, :, 4].sum(axis=(1, 2)) == 8).all()
        assert (obs[0, :, :4].sum(axis=(2, 3)) == 1).all()
        assert (obs[0, :, 6].sum(axis=(1, 2)) == 15 * 15 - 64).all()


def test_random_play_earns_about_one_apple_in_an_episode():
    game = mixed_motive.make("cleanup", 500)
    game.reset(seed=0)
    total = sum(game.step(actions).rewards.sum() for actions in random_actions(game, 300))
    assert total / 1500 == pytest.approx(1.1, abs=0.12)
