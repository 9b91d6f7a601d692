import numpy as np
import pytest
from scipy import stats

import mixed_motive
from mixed_motive.games.harvest import APPLE
from tests.envs.beam_scenes import put
from tests.envs.scenes import act, cells_of, random_actions

UP, DOWN, LEFT, RIGHT, STAY = range(5)
PRESETS = list(mixed_motive.GAMES["harvest"].presets)
# The upper left patch of preset "small".
CENTRE, ARMS = (2, 2), [(1, 2), (2, 1), (2, 3), (3, 2)]
CHANCES = {
    "respawn_probability_0": 0.05,
    "respawn_probability_1": 0.3,
    "respawn_probability_2": 0.5,
    "apple_respawn_probability": 0.7,
}


def harvest_scene(positions, apples, num_envs=1, **params):
    game = mixed_motive.make("harvest", num_envs, "small", num_agents=len(positions), **params)
    return put(game, positions, [0] * len(positions), [(*cell, APPLE) for cell in apples])


def apples_of(game):
    return (game.get_state()["map"] == APPLE).sum(axis=(1, 2))


def grown_on(game, cell):
    return int((game.get_state()["map"][(slice(None), *cell)] == APPLE).sum())


def test_an_apple_is_eaten_by_entering_its_cell():
    game = harvest_scene([(0, 2), (7, 7)], ARMS, apple_respawn_probability=0, respawn_probability_2=0)
    step = act(game, DOWN, STAY)
    assert cells_of(game)[0] == (1, 2)
    assert step.rewards.tolist() == [[1, 0]]
    assert step.counts.tolist() == [[[1], [0]]]
    assert apples_of(game).tolist() == [3]


def test_without_fining_beams_there_is_nothing_to_shoot_with():
    game = mixed_motive.make("harvest")
    assert game.action_names == ("up", "down", "left", "right", "stay")
    assert game.count_names == ("apples",)
    assert game.class_names[:3] == ("empty", "apple", "outside")
    assert mixed_motive.make("harvest", fire_length=3).action_names[-1] == "fire"


@pytest.mark.parametrize(("num_near", "chance"), [(0, 0.05), (1, 0.3), (2, 0.5), (3, 0.7), (4, 0.7)])
def test_an_apple_grows_by_the_number_of_apples_near(num_near, chance):
    game = harvest_scene([(0, 0), (7, 7)], ARMS[:num_near], num_envs=8000, **CHANCES)
    act(game, STAY, STAY)
    assert stats.binomtest(grown_on(game, CENTRE), 8000, chance).pvalue > 1e-3


def test_apples_grow_at_once_and_not_from_each_other():
    # From the centre alone: if they grew in turn, later arms would often have two near.
    chances = {**CHANCES, "respawn_probability_0": 0.0}
    game = harvest_scene([(0, 0), (7, 7)], [CENTRE], num_envs=8000, **chances)
    act(game, STAY, STAY)
    for arm in ARMS:
        assert stats.binomtest(grown_on(game, arm), 8000, 0.3).pvalue > 1e-3


@pytest.mark.parametrize(("near", "chance"), [(1, 0.05), (2, 0.3)])
def test_what_is_near_is_a_matter_of_the_squared_distance(near, chance):
    # (2, 1) lies at a squared distance of 2 from (1, 2).
    game = harvest_scene([(0, 0), (7, 7)], [(1, 2)], num_envs=8000, near_squared_distance=near, **CHANCES)
    act(game, STAY, STAY)
    assert stats.binomtest(grown_on(game, (2, 1)), 8000, chance).pvalue > 1e-3


def test_nothing_grows_under_an_agent():
    game = harvest_scene([CENTRE, (7, 7)], ARMS, num_envs=200, apple_respawn_probability=1.0)
    act(game, STAY, STAY)
    assert grown_on(game, CENTRE) == 0


@pytest.mark.parametrize(
    ("preset", "chances"), [("ssdg", (0.005, 0.02, 0.05)), ("meltingpot", (0.0025, 0.005, 0.025))]
)
def test_the_rates_of_the_large_presets_are_as_stated(preset, chances):
    game = mixed_motive.make("harvest", 3000, preset)
    beside, orchard = [(0, -1), (0, 1), (1, 0)], set(game.layout.orchard)
    row, col = centre = next(
        (r, c)
        for r, c in game.layout.orchard
        if all((r + down, c + right) in orchard for down, right in beside)
    )
    for count, chance in enumerate(chances, start=1):
        apples = [(row + down, col + right, APPLE) for down, right in beside[:count]]
        put(game, game.layout.floor[-game.num_agents :], [0] * game.num_agents, apples)
        start, grown = game.get_state(), 0
        for seed in range(5):
            start["seed"][:] = seed
            game.set_state(start)
            game.step(np.full((3000, game.num_agents), STAY))
            grown += grown_on(game, centre)
        assert stats.binomtest(grown, 15000, chance).pvalue > 1e-3


@pytest.mark.parametrize("preset", PRESETS)
def test_a_stock_of_zero_stays_zero(preset):
    game = mixed_motive.make("harvest", 8, preset)
    put(game, game.layout.floor[: game.num_agents], [0] * game.num_agents)
    for actions in random_actions(game, 90):
        game.step(actions)
        assert not apples_of(game).any()


def test_a_patch_that_is_left_alone_comes_back_and_one_that_was_emptied_does_not():
    game = harvest_scene([(0, 0), (7, 7)], [CENTRE, ARMS[0]], num_envs=50)
    for _ in range(99):
        act(game, STAY, STAY)
    assert apples_of(game).mean() > 4.5
    assert apples_of(game).max() == 5


@pytest.mark.parametrize("preset", PRESETS)
def test_an_episode_starts_with_all_apples_and_agents_on_the_floor_between(preset):
    game = mixed_motive.make("harvest", 500, preset)
    game.reset(seed=2)
    assert (apples_of(game) == len(game.layout.orchard)).all()
    cells = {tuple(cell) for row in game.get_state()["positions"].tolist() for cell in row}
    assert cells <= set(game.layout.floor)
    assert len(cells) > 0.9 * len(game.layout.floor)


def test_the_maps_have_their_patches():
    layouts = {preset: mixed_motive.make("harvest", preset=preset).layout for preset in PRESETS}
    sizes = {preset: len(layout.orchard) for preset, layout in layouts.items()}
    assert sizes == {"small": 20, "ssdg": 156, "ssdg_25x18": 156, "meltingpot": 78}
    assert {CENTRE, *ARMS} < set(layouts["small"].orchard)


def test_greed_ends_the_stock_of_the_small_preset_and_restraint_pays():
    diagram = mixed_motive.schelling("harvest", num_episodes=20)
    all_defect, all_cooperate = diagram.everybody.mean[0], diagram.everybody.mean[-1]
    assert all_cooperate > 1.8 * all_defect
    # Hardly more than the 20 / 4 apples for each that lie there at the start.
    assert 5 <= all_defect < 6
