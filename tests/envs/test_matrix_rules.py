import numpy as np
import pytest

import mixed_motive
from tests.envs.scenes import act, random_actions

C, D = 0, 1


@pytest.mark.parametrize(
    ("actions", "rewards", "seen"),
    [
        ((C, C), (1, 1), (0, 0)),
        ((C, D), (-0.2, 1.2), (1, 2)),
        ((D, C), (1.2, -0.2), (2, 1)),
        ((D, D), (0, 0), (3, 3)),
    ],
)
def test_payoffs_and_what_each_agent_sees_from_its_own_side(actions, rewards, seen):
    game = mixed_motive.make("ipd")
    assert game.reset(seed=0).argmax(axis=2).tolist() == [[4, 4]]
    step = act(game, *actions)
    np.testing.assert_array_equal(step.rewards, np.array([rewards], np.float32))
    assert step.obs.argmax(axis=2).tolist() == [list(seen)]
    assert (step.obs.sum(axis=2) == 1).all()
    assert step.counts[..., 0].tolist() == [[int(a == C) for a in actions]]


def test_ipd_is_short_for_a_preset_of_matrix():
    assert mixed_motive.make("ipd").params == mixed_motive.make("matrix", preset="ipd").params


@pytest.mark.parametrize(
    ("preset", "order"), [("ipd", "TRPS"), ("stag_hunt", "RTPS"), ("chicken", "TRSP"), ("harmony", "RTSP")]
)
def test_presets_have_the_order_of_payoffs_that_names_them(preset, order):
    params = mixed_motive.make("matrix", preset=preset).params
    payoffs = [getattr(params, letter) for letter in order]
    assert payoffs == sorted(payoffs, reverse=True)
    assert len(set(payoffs)) == 4 or preset == "harmony"


def test_any_payoffs_are_a_game():
    game = mixed_motive.make("matrix", R=3, S=0, T=5, P=1, horizon=2)
    game.reset(seed=0)
    assert act(game, C, D).rewards.tolist() == [[0, 5]]
    assert game.max_collective_reward == 2 * 6


def test_the_last_joint_action_is_in_the_final_observation_and_start_in_the_next_one():
    game = mixed_motive.make("ipd", horizon=1)
    game.reset(seed=0)
    step = act(game, C, D)
    assert step.done.all()
    assert step.final_obs.argmax(axis=2).tolist() == [[1, 2]]
    assert step.obs.argmax(axis=2).tolist() == [[4, 4]]


def test_random_play_earns_the_mean_payoff():
    game = mixed_motive.make("ipd", 400, horizon=50)
    game.reset(seed=0)
    total = sum(game.step(actions).rewards.sum() for actions in random_actions(game, 200))
    p = game.params
    assert total / 1600 == pytest.approx(50 * 2 * (p.R + p.S + p.T + p.P) / 4, rel=0.01)


def test_a_matrix_game_has_two_players():
    assert mixed_motive.check_params("matrix", num_agents=3)[0].startswith(
        "num_agents=3 (int): expected an integer in [2, 2]"
    )
