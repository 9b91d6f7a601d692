import numpy as np
import pytest

import mixed_motive
from mixed_motive.games.public_goods import NONE_YET
from tests.envs.scenes import act, random_actions

KEEP, GIVE = 0, 1
START_FLAG = -1


def played(*actions, **params):
    """A game with one step behind it, and that step."""
    game = mixed_motive.make("public_goods", num_agents=len(actions), **params)
    game.reset(seed=0)
    return game, act(game, *actions)


@pytest.mark.parametrize(
    ("actions", "rewards"),
    [
        ((KEEP, KEEP, KEEP, KEEP), (1, 1, 1, 1)),
        ((GIVE, GIVE, GIVE, GIVE), (1.6, 1.6, 1.6, 1.6)),
        ((GIVE, KEEP, KEEP, KEEP), (0.4, 1.4, 1.4, 1.4)),
        ((KEEP, GIVE, GIVE, GIVE), (2.2, 1.2, 1.2, 1.2)),
    ],
)
def test_what_is_given_comes_back_multiplied_and_in_equal_shares(actions, rewards):
    _, step = played(*actions)
    np.testing.assert_allclose(step.rewards, [rewards], rtol=1e-6)
    assert step.counts[..., 0].tolist() == [list(actions)]


def test_levels_are_shares_of_the_endowment():
    _, step = played(0, 1, 2, endowment=10, multiplier=1.5, num_levels=3)
    np.testing.assert_allclose(step.rewards, [[10 - 0 + 7.5, 10 - 5 + 7.5, 10 - 10 + 7.5]])
    assert step.counts[..., 0].tolist() == [[0, 1, 2]]


@pytest.mark.parametrize("num_agents", [2, 4, 64])
@pytest.mark.parametrize("preset", ["standard", "lab"])
def test_with_a_multiplier_between_one_and_the_number_of_agents_it_is_a_dilemma(preset, num_agents):
    game = mixed_motive.make("public_goods", preset=preset, num_agents=num_agents)
    game.reset(seed=0)
    everything = len(game.action_names) - 1
    all_give = act(game, *[everything] * num_agents).rewards.copy()
    all_keep = act(game, *[0] * num_agents).rewards.copy()
    one_keeps = act(game, 0, *[everything] * (num_agents - 1)).rewards.copy()
    one_gives = act(game, everything, *[0] * (num_agents - 1)).rewards.copy()
    assert (all_give > all_keep).all()
    assert one_keeps[0, 0] > all_give[0, 0]
    assert one_gives[0, 0] < all_keep[0, 0]


def test_a_multiplier_above_the_number_of_agents_makes_giving_best_for_each():
    game, step = played(GIVE, KEEP, KEEP, multiplier=3.5)
    assert step.rewards[0, 0] > act(game, KEEP, KEEP, KEEP).rewards[0, 0]


def test_an_agent_sees_its_own_level_first_and_then_its_co_players_in_order():
    _, step = played(2, 0, 1, num_levels=3)
    first, second, third = step.obs[0, :, :START_FLAG].reshape(3, 3, 3).argmax(axis=2).tolist()
    assert (first, second, third) == ([2, 0, 1], [0, 2, 1], [1, 2, 0])
    assert (step.obs.sum(axis=2) == 3).all()
    assert not step.obs[..., START_FLAG].any()


def test_at_the_start_nothing_is_seen_but_that_it_is_the_start():
    game = mixed_motive.make("public_goods", 2)
    obs = game.reset(seed=0)
    assert obs.shape == (2, 4, 4 * 2 + 1)
    assert (obs[..., START_FLAG] == 1).all()
    assert obs.sum() == 2 * 4


def test_the_last_gifts_are_in_the_final_observation_and_the_start_in_the_next_one():
    _, step = played(GIVE, KEEP, horizon=1)
    assert step.done.all()
    assert step.truncations.all()
    assert not step.terminations.any()
    assert step.final_obs[0].tolist() == [[0, 1, 1, 0, 0], [1, 0, 0, 1, 0]]
    assert step.obs[0].tolist() == [[0, 0, 0, 0, 1]] * 2


def test_float32_observations_have_the_same_values():
    games = [mixed_motive.make("public_goods", obs=obs, preset="lab") for obs in ("planes", "float32")]
    seen = [game.reset(seed=0) for game in games]
    for actions in random_actions(games[0], 5):
        assert seen[1].dtype == np.float32
        np.testing.assert_array_equal(*seen)
        seen = [game.step(actions).obs.copy() for game in games]


def test_actions_are_named_by_what_they_give():
    assert mixed_motive.make("public_goods").action_names == ("give_0", "give_1")
    lab = mixed_motive.make("public_goods", preset="lab").action_names
    assert (lab[0], lab[1], lab[20]) == ("give_0", "give_1", "give_20")
    assert mixed_motive.make("public_goods", num_levels=3).action_names == ("give_0", "give_0.5", "give_1")


@pytest.mark.parametrize(
    ("params", "best"),
    [({}, 100 * 4 * 1.6), ({"multiplier": 0.5}, 100 * 4), ({"endowment": 3, "horizon": 2}, 2 * 4 * 3 * 1.6)],
)
def test_the_most_that_the_group_can_get(params, best):
    game = mixed_motive.make("public_goods", **params)
    game.reset(seed=0)
    assert game.max_collective_reward == pytest.approx(best)
    totals = []
    for level in (KEEP, GIVE):
        totals.append(sum(act(game, *[level] * 4).rewards.sum() for _ in range(game.horizon)))
    assert max(totals) == pytest.approx(best, rel=1e-5)


def test_random_play_earns_what_its_mean_gift_brings():
    game = mixed_motive.make("public_goods", 400, horizon=50)
    game.reset(seed=0)
    total = sum(game.step(actions).rewards.sum() for actions in random_actions(game, 200))
    assert total / 1600 == pytest.approx(50 * 4 * (1 + 0.6 * 0.5), rel=0.01)


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"num_levels": 1}, "num_levels=1 (int): expected an integer in [2, 255]"),
        ({"multiplier": -1}, "multiplier=-1 (int): expected a finite number in [0, "),
        ({"num_agents": 1}, "num_agents=1 (int): expected an integer in [2, 64]"),
    ],
)
def test_a_wrong_parameter_is_named(params, expected):
    problems = mixed_motive.check_params("public_goods", **params)
    assert len(problems) == 1
    assert problems[0].startswith(expected)


@pytest.mark.parametrize("levels", [[0, 1, 2, 0], [0, NONE_YET, 1, 1]])
def test_a_state_with_impossible_levels_is_refused(levels):
    game = mixed_motive.make("public_goods")
    game.reset(seed=0)
    with pytest.raises(mixed_motive.GameError, match=r"'levels' must hold levels in \[0, 2\), or 255"):
        game.set_state(game.get_state() | {"levels": np.array([levels], np.uint8)})


def test_the_picture_shows_who_gave_and_the_pot_in_the_colours_of_the_givers():
    game, _ = played(GIVE, KEEP, KEEP, KEEP)
    pot = game.render()[255:262, 10:198].reshape(-1, 3)
    given = (pot == (240, 165, 0)).all(axis=1).mean()  # agent 0's colour
    assert given == pytest.approx(0.25, abs=0.01)
    glasses = (game.render()[:240] == (236, 176, 32)).all(axis=2)
    assert glasses[:120, :144].any()
    assert not glasses[120:].any()
    assert not glasses[:, 144:].any()


def test_the_text_says_what_each_gave():
    game, _ = played(20, 5, 0, endowment=20, num_levels=21, multiplier=1.5)
    assert game.ansi().splitlines() == [
        "public_goods, step 1 of 100",
        "agent 0 [##########] gave 20 of 20",
        "agent 1 [##........] gave 5 of 20",
        "agent 2 [..........] gave 0 of 20",
        "pot 25, each got 12.5 back",
    ]
    game.reset()
    assert game.ansi().splitlines()[1:] == [f"agent {i} has not acted yet" for i in range(3)]
