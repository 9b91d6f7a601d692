import numpy as np
import pytest
from scipy import stats

import mixed_motive
from mixed_motive import GameError
from tests.envs.scenes import DOWN, LEFT, RIGHT, UP, act, cells_of, random_actions, scene

COIN_OF_0, COIN_OF_1, COIN_OF_2 = 1, 2, 3
LOLA = {"height": 3, "width": 3, "view_radius": 1, "torus": True, "coin_avoids_agents": True}


def coins(game):
    """(B, 3) row, column and owner of the coin of each copy."""
    where = np.argwhere(game.get_state()["map"])
    assert where[:, 0].tolist() == list(range(game.num_envs))
    owners = game.get_state()["map"][tuple(where.T)].astype(int) - 1
    return np.column_stack([where[:, 1:], owners])


def test_there_are_four_moves_and_no_staying():
    assert mixed_motive.make("coingame").action_names == ("up", "down", "left", "right")


def test_an_agent_gets_plus_one_for_a_coin_of_its_colour():
    game = scene("coingame", [(2, 2), (0, 0)], [(2, 3, COIN_OF_0)])
    step = act(game, RIGHT, DOWN)
    assert step.rewards.tolist() == [[1, 0]]
    assert step.counts.tolist() == [[[1, 0], [0, 0]]]


def test_who_picks_another_agents_coin_gets_plus_one_and_its_owner_minus_two():
    game = scene("coingame", [(2, 2), (0, 0)], [(2, 3, COIN_OF_1)])
    step = act(game, RIGHT, DOWN)
    assert step.rewards.tolist() == [[1, -2]]
    assert step.counts.tolist() == [[[0, 1], [0, 0]]]


def test_the_penalty_goes_to_the_owner_alone_however_far_it_is_and_however_many_play():
    game = scene("coingame", [(2, 2), (0, 0), (4, 4), (0, 4)], [(2, 3, COIN_OF_2)])
    step = act(game, RIGHT, DOWN, UP, DOWN)
    assert step.rewards.tolist() == [[1, 0, -2, 0]]
    assert step.counts[0].tolist() == [[0, 1], [0, 0], [0, 0], [0, 0]]


def test_rewards_and_penalties_are_parameters():
    game = scene("coingame", [(2, 2), (0, 0)], [(2, 3, COIN_OF_1)], coin_reward=0.5, owner_penalty=3)
    assert act(game, RIGHT, DOWN).rewards.tolist() == [[0.5, -3]]


def test_nothing_happens_beside_the_coin():
    game = scene("coingame", [(2, 2), (0, 0)], [(2, 4, COIN_OF_0)])
    step = act(game, RIGHT, DOWN)
    assert not step.rewards.any()
    assert not step.counts.any()
    assert coins(game).tolist() == [[2, 4, 0]]


def test_one_of_several_agents_gets_the_coin_each_with_the_same_chance():
    around = [(1, 2), (3, 2), (2, 1)]
    game = scene("coingame", [*around, (4, 4)], [(2, 2, COIN_OF_0)], num_envs=6000)
    step = act(game, DOWN, UP, RIGHT, UP)
    picked = step.counts.sum(axis=2)
    assert (picked.sum(axis=1) == 1).all()
    assert not picked[:, 3].any()
    assert stats.chisquare(picked[:, :3].sum(axis=0)).pvalue > 1e-3
    by_owner = picked[:, 0] == 1
    assert (step.rewards[by_owner] == [1, 0, 0, 0]).all()
    assert (step.rewards[~by_owner, 0] == -2).all()
    assert (step.rewards[~by_owner].sum(axis=1) == -1).all()


def test_agents_share_cells_and_pass_each_other():
    game = scene("coingame", [(2, 2), (2, 3), (1, 3)], [(4, 0, COIN_OF_0)])
    act(game, RIGHT, LEFT, DOWN)
    assert cells_of(game) == [(2, 3), (2, 2), (2, 3)]


def test_moves_end_at_the_edge():
    game = scene("coingame", [(0, 0), (4, 4)], [(2, 2, COIN_OF_0)])
    act(game, UP, DOWN)
    act(game, LEFT, RIGHT)
    assert cells_of(game) == [(0, 0), (4, 4)]


def test_a_coin_that_appeared_under_an_agent_is_left_behind_when_it_walks_on():
    game = scene("coingame", [(2, 2), (0, 0)], [(2, 2, COIN_OF_0)])
    assert not act(game, RIGHT, DOWN).counts.any()
    assert coins(game).tolist() == [[2, 2, 0]]
    assert act(game, LEFT, DOWN).counts[0, 0].tolist() == [1, 0]


def test_a_coin_under_an_agent_at_the_edge_is_picked_by_pressing_against_the_edge():
    game = scene("coingame", [(0, 2), (4, 0)], [(0, 2, COIN_OF_0)])
    assert act(game, UP, RIGHT).counts[0, 0].tolist() == [1, 0]


def test_a_new_coin_of_random_colour_appears_at_once_anywhere():
    game = scene("coingame", [(2, 2), (0, 0), (4, 4)], [(2, 3, COIN_OF_1)], num_envs=15000)
    act(game, RIGHT, DOWN, UP)
    new = coins(game)
    assert stats.chisquare(np.bincount(new[:, 0] * 5 + new[:, 1], minlength=25)).pvalue > 1e-3
    assert stats.chisquare(np.bincount(new[:, 2], minlength=3)).pvalue > 1e-3
    table = np.zeros((3, 25))
    np.add.at(table, (new[:, 2], new[:, 0] * 5 + new[:, 1]), 1)
    assert stats.chi2_contingency(table).pvalue > 1e-3


def test_a_coin_that_avoids_agents_appears_evenly_on_all_cells_without_one():
    game = scene(
        "coingame",
        [(2, 2), (0, 0), (0, 1), (4, 4)],
        [(2, 3, COIN_OF_1)],
        num_envs=8000,
        coin_avoids_agents=True,
    )
    act(game, RIGHT, RIGHT, LEFT, DOWN)
    assert cells_of(game) == [(2, 3), (0, 1), (0, 0), (4, 4)]
    new = coins(game)
    found = np.bincount(new[:, 0] * 5 + new[:, 1], minlength=25)
    taken = [13, 1, 0, 24]
    assert not found[taken].any()
    assert stats.chisquare(np.delete(found, taken)).pvalue > 1e-3


def test_agents_on_one_cell_take_one_cell_from_a_coin_that_avoids_them():
    crowd = [(0, 0)] * 5 + [(0, 1)]
    params = {**LOLA, "width": 2, "height": 2, "torus": False}
    game = scene("coingame", crowd, [(1, 0, COIN_OF_0)], num_envs=3000, **params)
    act(game, *[DOWN] * 6)
    new = coins(game)
    assert set(new[:, 0].tolist()) == {0}
    assert stats.chisquare(np.bincount(new[:, 1], minlength=2)).pvalue > 1e-3


def test_a_coin_that_cannot_avoid_the_agents_appears_anywhere():
    game = mixed_motive.make(
        "coingame", 2000, num_agents=6, height=2, width=2, view_radius=1, coin_avoids_agents=True
    )
    game.reset(seed=0)
    first = coins(game)
    assert stats.chisquare(np.bincount(first[:, 0] * 2 + first[:, 1], minlength=4)).pvalue > 1e-3


def test_alternating_colours_take_turns_and_start_at_random():
    game = mixed_motive.make(
        "coingame", 300, num_agents=3, alternate_colours=True, height=2, width=2, view_radius=1
    )
    game.reset(seed=0)
    before = coins(game)[:, 2]
    assert stats.chisquare(np.bincount(before, minlength=3)).pvalue > 1e-3
    seen = 0
    for actions in random_actions(game, 90):
        step = game.step(actions)
        picked, now = step.counts.any(axis=(1, 2)), coins(game)[:, 2]
        assert (now == np.where(picked, (before + 1) % 3, before)).all()
        before, seen = now, seen + picked.sum()
    assert seen > 5000


def test_there_is_always_exactly_one_coin_and_its_picking_is_all_that_pays():
    game = mixed_motive.make("coingame", 64, num_agents=3)
    game.reset(seed=1)
    before = coins(game)
    for actions in random_actions(game, 99):
        step = game.step(actions)
        own, other = step.counts[..., 0].sum(axis=1), step.counts[..., 1].sum(axis=1)
        assert (own + other <= 1).all()
        np.testing.assert_array_equal(step.rewards.sum(axis=1), own - other)
        still = own + other == 0
        after = coins(game)
        assert (after[still] == before[still]).all()
        before = after


@pytest.mark.parametrize("preset", ["lase", "lola"])
def test_an_episode_starts_with_agents_on_distinct_cells_evenly_and_a_coin_of_either_colour(preset):
    game = mixed_motive.make("coingame", 6000, preset)
    game.reset(seed=4)
    p = game.params
    cells = game.get_state()["positions"] @ [p.width, 1]
    assert (cells[:, 0] != cells[:, 1]).all()
    for i in range(2):
        assert stats.chisquare(np.bincount(cells[:, i], minlength=p.width * p.height)).pvalue > 1e-3
    first = coins(game)
    coin_cells = first[:, 0] * p.width + first[:, 1]
    assert stats.chisquare(np.bincount(coin_cells, minlength=p.width * p.height)).pvalue > 1e-3
    assert stats.chisquare(np.bincount(first[:, 2], minlength=2)).pvalue > 1e-3
    under_an_agent = (coin_cells[:, None] == cells).any(axis=1)
    if preset == "lola":
        assert not under_an_agent.any()
    else:
        assert stats.binomtest(int(under_an_agent.sum()), 6000, 2 / 25).pvalue > 1e-3


def test_on_a_torus_who_leaves_on_one_side_comes_in_on_the_other():
    game = scene("coingame", [(0, 0), (2, 2)], [(1, 1, COIN_OF_0)], **LOLA)
    act(game, UP, DOWN)
    assert cells_of(game) == [(2, 0), (0, 2)]
    act(game, LEFT, RIGHT)
    assert cells_of(game) == [(2, 2), (0, 0)]


def test_on_a_torus_a_coin_is_picked_across_the_edge():
    game = scene("coingame", [(0, 0), (1, 1)], [(2, 0, COIN_OF_1)], **LOLA)
    assert act(game, UP, LEFT).rewards.tolist() == [[1, -2]]


def seen(obs, plane):
    return sorted(map(tuple, np.argwhere(obs[plane]).tolist()))


def test_an_observation_shows_agents_coins_by_owner_and_the_outside_around_oneself():
    game = scene("coingame", [(0, 1), (1, 2)], [(0, 3, COIN_OF_1)])
    obs = game.observe()[0]
    assert obs.shape == (2, 5, 5, 5)
    assert seen(obs[0], 0) == [(2, 2)]
    assert seen(obs[0], 1) == [(3, 3)]
    assert seen(obs[0], 2) == []
    assert seen(obs[0], 3) == [(2, 4)]
    assert seen(obs[0], 4) == sorted((r, c) for r in range(5) for c in range(5) if r < 2 or c < 1)
    assert seen(obs[1], 0) == [(1, 1)]
    assert seen(obs[1], 3) == [(1, 3)]


def test_on_a_torus_the_window_wraps_round_and_nothing_is_outside():
    game = scene("coingame", [(0, 0), (2, 2)], [(2, 1, COIN_OF_0)], **LOLA)
    obs = game.observe()[0]
    assert obs.shape == (2, 5, 3, 3)
    assert seen(obs[0], 1) == [(0, 0)]
    assert seen(obs[0], 2) == [(0, 2)]
    assert seen(obs[1], 0) == [(2, 2)]
    assert seen(obs[1], 2) == [(1, 0)]
    assert not obs[:, 4].any()
    codes = scene("coingame", [(0, 0), (2, 2)], [(2, 1, COIN_OF_0)], obs="code", **LOLA)
    assert codes.observe()[0, 0].tolist() == [[5, 0, 1], [0, 0, 0], [0, 0, 0]]


def test_a_window_larger_than_the_torus_shows_things_as_often_as_it_covers_them():
    game = scene("coingame", [(0, 0), (2, 2)], [(1, 1, COIN_OF_0)], **{**LOLA, "view_radius": 2})
    obs = game.observe()[0, 0]
    assert seen(obs, 0) == [(2, 2)]
    assert seen(obs, 1) == [(r, c) for r in (1, 4) for c in (1, 4)]
    assert seen(obs, 2) == [(r, c) for r in (0, 3) for c in (0, 3)]
    whole = {**LOLA, "view_radius": None, "width": 4}
    game = scene("coingame", [(0, 0), (0, 2)], [(1, 1, COIN_OF_0)], **whole)
    obs = game.observe()[0, 0]
    assert obs.shape[1:] == (3, 5)
    assert seen(obs, 1) == [(1, 0), (1, 4)]
    assert seen(obs, 2) == [(2, 3)]


@pytest.mark.parametrize("preset", ["lase", "lola"])
def test_a_window_of_the_whole_map_always_shows_agents_and_coin(preset):
    game = mixed_motive.make("coingame", 20, preset, view_radius=None, num_agents=3)
    game.reset(seed=0)
    for actions in random_actions(game, 50):
        obs = game.step(actions).obs
        assert (obs[:, :, :3].sum(axis=(3, 4)) == 1).all()
        assert (obs[:, :, 3:6].sum(axis=(2, 3, 4)) == 1).all()


@pytest.mark.parametrize("torus", [False, True])
def test_a_state_with_another_number_of_coins_is_refused(torus):
    game = mixed_motive.make("coingame", 2, torus=torus)
    game.reset(seed=0)
    state = game.get_state()
    for wrong in (np.zeros_like(state["map"]), np.ones_like(state["map"])):
        with pytest.raises(GameError, match="'map' must have exactly one coin"):
            game.set_state({**state, "map": wrong})


def test_greedy_play_sums_to_zero():
    game = mixed_motive.make("coingame", 400)
    game.reset(seed=0)
    total = np.zeros(400)
    for _ in range(100):
        found = coins(game)[:, None, :2]
        down, right = np.moveaxis(found - game.get_state()["positions"], -1, 0)
        # On the coin already: away and back, or against the edge.
        sideways = np.where(right > 0, RIGHT, LEFT)
        total += game.step(np.where(down > 0, DOWN, np.where(down < 0, UP, sideways))).rewards.sum(axis=1)
    assert abs(total.mean()) < 4 * total.std() / 20
    assert total.std() > 1


def test_random_play_picks_about_as_many_coins_of_either_kind():
    game = mixed_motive.make("coingame", 1000)
    game.reset(seed=0)
    counts = sum(game.step(actions).counts.sum(axis=(0, 1)) for actions in random_actions(game, 100))
    assert stats.binomtest(int(counts[0]), int(counts.sum())).pvalue > 1e-3
    assert counts.sum() / 1000 > 2
