import numpy as np
import pytest

import mixed_motive
from mixed_motive.games.beam_cleanup import APPLE, WASTE
from mixed_motive.games.beams import QUARTERS, TURN_LEFT, TURN_RIGHT
from mixed_motive.games.harvest import near_offsets
from mixed_motive.games.moves import STAY
from mixed_motive.players.shooting import shooting_cells, waste_hit
from tests.envs.test_players import count, play

FORWARD, BACKWARD, STEP_LEFT, STEP_RIGHT = range(4)
CLEAN = 7


def put(game, positions, facing=0, objects=()):
    """Agents and objects on these cells, in every copy, on an otherwise empty map."""
    game.reset(seed=0)
    state = game.get_state()
    wall = state["map"][0] == len(game.object_names) + 1
    state["map"][:, ~wall] = 0
    for row, col, code in objects:
        state["map"][:, row, col] = code
    state["positions"][:] = positions
    state["facing"][:] = facing
    game.set_state(state)
    return game


def cleanup(*args, num_agents=2, **kwargs):
    game = mixed_motive.make("cleanup", 5, "ssdg", num_agents=num_agents, waste_spawn_probability=0.0)
    return put(game, *args, **kwargs)


# Aiming


@pytest.mark.parametrize("facings", [1, 4])
def test_waste_can_be_hit_from_exactly_the_cells_that_are_said(facings):
    rng = np.random.default_rng(0)
    waste = rng.random((3, 7, 9)) < 0.06
    cells = shooting_cells(waste, 3, facings)
    for row in range(7):
        for col in range(9):
            here = np.tile(np.array([row, col], np.int32), (3, 1, 1))
            hit = waste_hit(waste, here, np.zeros((3, 1), np.int32), np.array([0]), 3, facings)
            np.testing.assert_array_equal(cells[:, row, col], hit[:, 0].any(axis=1))


def test_what_a_beam_is_said_to_hit_is_what_it_cleans():
    game = mixed_motive.make("cleanup", 40, "ssdg", waste_spawn_probability=0.0)
    game.reset(seed=0)
    rng = np.random.default_rng(0)
    num_hit = 0
    for _ in range(60):
        state = game.get_state()
        shooter = rng.integers(5)
        expected = waste_hit(
            state["map"] == WASTE, state["positions"], state["facing"], np.array([shooter]), 5, 4
        )
        actions = np.full((40, 5), STAY)
        actions[:, shooter] = CLEAN
        cleaned = count(game, game.step(actions).counts, "waste_cleaned")[:, shooter]
        np.testing.assert_array_equal(cleaned, expected[:, 0, 0])
        num_hit += cleaned.sum()
        game.step(rng.integers(0, 7, (40, 5)))
    assert num_hit > 200


# Cleanup


@pytest.mark.parametrize(("facing", "move"), [(0, STEP_RIGHT), (1, FORWARD), (2, STEP_LEFT), (3, BACKWARD)])
def test_moves_are_taken_relative_to_the_facing(facing, move):
    game = cleanup([(5, 14), (20, 14)], facing, [(5, 16, APPLE)])
    assert (mixed_motive.player("defector", game).act([0]) == move).all()
    assert QUARTERS[move] == (1 - facing) % 4


@pytest.mark.parametrize(("facing", "action"), [(3, CLEAN), (0, TURN_LEFT), (2, TURN_RIGHT), (1, TURN_RIGHT)])
def test_a_cooperator_turns_to_the_waste_and_cleans_it(facing, action):
    game = cleanup([(5, 6), (20, 14)], facing, [(5, 3, WASTE)])
    assert (mixed_motive.player("cooperator", game).act([0]) == action).all()


def test_a_cooperator_walks_to_the_nearest_cell_from_which_it_can_clean():
    game = cleanup([(5, 12), (20, 14)], 3, [(5, 3, WASTE)])
    player = mixed_motive.player("cooperator", game)
    for action in (FORWARD, FORWARD, FORWARD, FORWARD, CLEAN):
        assert (player.act([0]) == action).all()
        step = game.step(np.tile([action, STAY], (5, 1)))
    assert (count(game, step.counts, "waste_cleaned")[:, 0] == 1).all()


def test_who_has_an_agent_in_the_line_of_fire_steps_aside():
    game = cleanup([(5, 5), (5, 4)], 3, [(5, 2, WASTE)])
    actions = mixed_motive.player("cooperator", game).act([0])
    assert (actions < STAY).all()


def test_a_little_waste_takes_one_cleaner_and_much_takes_all():
    agents = [(9, 6), (5, 6), (12, 6)]
    little = cleanup(agents, 3, [(5, 3, WASTE)], num_agents=3)
    assert ((mixed_motive.player("cooperator", little).act() == CLEAN) == [False, True, False]).all()
    much = cleanup(agents, 3, [(*cell, WASTE) for cell in little.layout.river], num_agents=3)
    assert (mixed_motive.player("cooperator", much).act() == CLEAN).all()


@pytest.mark.parametrize("preset", ["ssdg", "lio_7x7", "lio_10x10", "meltingpot"])
def test_defectors_never_clean_cooperators_do_and_nobody_fines(preset):
    game = mixed_motive.make("cleanup", 10, preset, horizon=200)
    n = game.num_agents
    game.reset(seed=0)
    _, counts = play(game, {"defector": range(n)})
    assert not counts.any()
    game.reset(seed=0)
    _, counts = play(game, {"cooperator": range(n)})
    assert count(game, counts, "waste_cleaned").sum() > 10 * game.params.initial_waste
    assert count(game, counts, "apples").sum() > 10
    if "shots" in game.count_names:
        assert not count(game, counts, "shots").any()


# Harvest


def test_cooperators_leave_apples_that_have_fewer_than_three_near():
    game = mixed_motive.make("harvest", 30, horizon=100)
    game.reset(seed=0)
    player = mixed_motive.player("cooperator", game)
    eaten = 0
    for _ in range(99):
        before = game.get_state()["map"] == 1
        step = game.step(player.act())
        for b, i in np.argwhere(count(game, step.counts, "apples") > 0):
            row, col = game.get_state()["positions"][b, i]
            near = [(row + r, col + c) for r, c in near_offsets(game.params)]
            assert sum(before[b, r, c] for r, c in near if 0 <= r < 8 and 0 <= c < 8) >= 3
            eaten += 1
    assert eaten > 30 * 15


def test_defectors_empty_the_patches_and_cooperators_do_not():
    game = mixed_motive.make("harvest", 30, "ssdg", horizon=300)
    game.reset(seed=0)
    play(game, {"defector": range(5)}, num_steps=299)
    assert not (game.get_state()["map"] == 1).any()
    game.reset(seed=0)
    play(game, {"cooperator": range(5)}, num_steps=299)
    assert ((game.get_state()["map"] == 1).sum(axis=(1, 2)) > 40).all()
