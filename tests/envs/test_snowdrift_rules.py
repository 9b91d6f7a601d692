import numpy as np
import pytest
from scipy import stats

import mixed_motive
from mixed_motive.games.snowdrift import PILE, REMOVE
from tests.envs.scenes import DOWN, LEFT, RIGHT, STAY, UP, act, cells_of, random_actions, scene


def test_a_removed_pile_pays_everybody_and_costs_its_remover():
    game = scene("snowdrift", [(2, 2), (0, 0), (7, 7), (5, 5)], [(2, 2, PILE)])
    step = act(game, REMOVE, STAY, STAY, STAY)
    assert step.rewards.tolist() == [[2, 6, 6, 6]]
    assert step.counts[..., 0].tolist() == [[1, 0, 0, 0]]
    assert not game.get_state()["map"].any()


def test_two_piles_removed_at_once_pay_twice():
    game = scene("snowdrift", [(2, 2), (0, 0), (7, 7), (5, 5)], [(2, 2, PILE), (0, 0, PILE)])
    assert act(game, REMOVE, REMOVE, STAY, STAY).rewards.tolist() == [[8, 8, 12, 12]]


def test_agents_that_remove_one_pile_together_share_its_cost():
    game = scene("snowdrift", [(2, 2), (2, 2), (2, 2), (5, 5)], [(2, 2, PILE)], agents_block=False)
    step = act(game, REMOVE, STAY, REMOVE, STAY)
    assert step.rewards.tolist() == [[4, 6, 4, 6]]
    assert step.counts[..., 0].tolist() == [[1, 0, 1, 0]]


def test_removing_where_nothing_lies_is_a_stay():
    game = scene("snowdrift", [(2, 2), (0, 0)], [(2, 3, PILE)])
    step = act(game, REMOVE, REMOVE)
    assert not step.rewards.any()
    assert not step.counts.any()
    assert cells_of(game) == [(2, 2), (0, 0)]


def test_piles_do_not_come_back_and_the_episode_goes_on_without_them():
    game = scene("snowdrift", [(2, 2), (0, 0)], [(2, 2, PILE)])
    act(game, REMOVE, STAY)
    for _ in range(48):
        step = act(game, STAY, STAY)
        assert not step.done.any()
        assert not game.get_state()["map"].any()
    assert act(game, STAY, STAY).done.all()


def test_moves_end_at_the_edge():
    game = scene("snowdrift", [(0, 0), (7, 7)])
    act(game, UP, DOWN)
    act(game, LEFT, RIGHT)
    assert cells_of(game) == [(0, 0), (7, 7)]


def test_a_move_into_an_occupied_cell_is_a_stay():
    game = scene("snowdrift", [(2, 2), (2, 3)])
    act(game, RIGHT, STAY)
    assert cells_of(game) == [(2, 2), (2, 3)]


def test_agents_neither_follow_into_a_cell_just_left_nor_swap():
    game = scene("snowdrift", [(2, 2), (2, 3)])
    act(game, RIGHT, RIGHT)
    assert cells_of(game) == [(2, 2), (2, 4)]
    game = scene("snowdrift", [(2, 2), (2, 3)])
    act(game, RIGHT, LEFT)
    assert cells_of(game) == [(2, 2), (2, 3)]


def test_one_of_several_agents_gets_a_free_cell_each_with_the_same_chance():
    around = [(2, 3), (4, 3), (3, 2), (3, 4)]
    game = scene("snowdrift", around, num_envs=8000)
    act(game, DOWN, UP, RIGHT, LEFT)
    positions = game.get_state()["positions"]
    arrived = (positions == (3, 3)).all(axis=2)
    assert (arrived.sum(axis=1) == 1).all()
    stayed = (positions == around).all(axis=2)
    assert (arrived ^ stayed).all()
    assert stats.chisquare(arrived.sum(axis=0)).pvalue > 1e-3


def test_a_draw_for_one_cell_leaves_other_moves_alone():
    game = scene("snowdrift", [(2, 2), (2, 4), (5, 5), (6, 1)], num_envs=200)
    act(game, RIGHT, LEFT, UP, DOWN)
    positions = game.get_state()["positions"]
    assert (positions[:, 2] == (4, 5)).all()
    assert (positions[:, 3] == (7, 1)).all()
    assert 50 < (positions[:, 0] == (2, 3)).all(axis=1).sum() < 150


def test_without_blocking_agents_follow_swap_and_share_cells():
    game = scene("snowdrift", [(2, 2), (2, 3), (1, 3)], agents_block=False)
    act(game, RIGHT, LEFT, DOWN)
    assert cells_of(game) == [(2, 3), (2, 2), (2, 3)]


def test_agents_that_block_never_share_a_cell():
    game = mixed_motive.make("snowdrift", 50, num_agents=20, height=5, width=5, num_piles=3)
    game.reset(seed=2)
    for actions in random_actions(game, 120):
        game.step(actions)
        cells = game.get_state()["positions"] @ [5, 1]
        assert all(len(set(row)) == 20 for row in cells.tolist())


@pytest.mark.parametrize("preset", ["lase", "lase_extended"])
def test_an_episode_starts_with_its_piles_and_agents_on_distinct_cells_evenly(preset):
    game = mixed_motive.make("snowdrift", 4000, preset)
    game.reset(seed=4)
    p, state = game.params, game.get_state()
    assert (state["map"].sum(axis=(1, 2)) == p.num_piles).all()
    assert stats.chisquare(state["map"].sum(axis=0).ravel().astype(float)).pvalue > 1e-3
    cells = state["positions"] @ [p.width, 1]
    assert all(len(set(row)) == p.num_agents for row in cells.tolist())
    for i in range(p.num_agents):
        assert stats.chisquare(np.bincount(cells[:, i], minlength=p.width * p.height)).pvalue > 1e-4


def test_the_ceiling_is_reached_when_every_pile_is_removed_by_one_agent():
    piles = [(0, c, PILE) for c in range(6)]
    game = scene("snowdrift", [(0, 0), (7, 0), (7, 1), (7, 2)], piles)
    total = 0.0
    for k in range(12):
        total += act(game, RIGHT if k % 2 else REMOVE, STAY, STAY, STAY).rewards.sum()
    assert total == game.max_collective_reward == 120


def test_the_ceiling_is_zero_where_removing_does_not_pay_for_the_group():
    assert mixed_motive.make("snowdrift", removal_cost=30).max_collective_reward == 0
    assert mixed_motive.make("snowdrift", preset="lase_extended").max_collective_reward == 12 * (8 * 6 - 4)


def test_random_play_earns_about_thirty_six_in_an_episode():
    game = mixed_motive.make("snowdrift", 500)
    game.reset(seed=0)
    total = sum(game.step(actions).rewards.sum() for actions in random_actions(game, 150))
    assert total / 1500 == pytest.approx(36.5, abs=1.5)
