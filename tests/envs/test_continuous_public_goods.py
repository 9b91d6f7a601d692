import numpy as np
import pytest
from pettingzoo.test import parallel_api_test, parallel_seed_test

import mixed_motive
from mixed_motive import GameError
from mixed_motive.continuous_public_goods_v0 import parallel_env
from mixed_motive.testing import check_env


def shares(*given):
    return {f"agent_{i}": np.array([share], np.float32) for i, share in enumerate(given)}


def test_the_checks_of_pettingzoo_and_our_own_pass():
    parallel_api_test(parallel_env(), num_cycles=300)
    parallel_seed_test(parallel_env)
    assert check_env(parallel_env, deterministic=True).ok


def test_rewards_and_observations_are_those_of_the_rules():
    env = parallel_env(num_agents=3, endowment=10.0, multiplier=1.5, max_cycles=2)
    obs, _ = env.reset()
    assert obs["agent_2"].tolist() == [0, 0, 0, 1]
    obs, rewards, _, truncations, infos = env.step(shares(0.25, 0.5, 1))
    pot = 1.5 * 17.5 / 3
    assert rewards == pytest.approx({"agent_0": 7.5 + pot, "agent_1": 5 + pot, "agent_2": pot})
    assert obs["agent_1"].tolist() == [0.5, 0.25, 1, 0], "own first, then the others in their order"
    assert infos["agent_0"] == {"given": 2.5}
    assert not any(truncations.values())
    _, _, _, truncations, _ = env.step(shares(0, 0, 0))
    assert all(truncations.values())
    assert env.agents == []


def test_whole_shares_pay_as_in_the_batched_game():
    game = mixed_motive.make("public_goods", 1, num_agents=4)
    env = parallel_env(num_agents=4)
    game.reset(0), env.reset()
    for levels in ([0, 1, 1, 0], [1, 1, 1, 1], [0, 0, 0, 1]):
        expected = game.step([levels]).rewards[0]
        found = env.step(shares(*levels))[1]
        assert np.allclose(list(found.values()), expected)


@pytest.mark.parametrize(
    ("actions", "words"),
    [
        (shares(0.5, 0.5, 0.5), "expected one of each agent"),
        (shares(0.5, 0.5, 0.5, 1.2), r"action of 'agent_3' is .*expected a share .* in \[0, 1\]"),
        (shares(0.5, 0.5, 0.5, np.nan), "action of 'agent_3'"),
    ],
)
def test_wrong_actions_are_refused_and_change_nothing(actions, words):
    env = parallel_env(max_cycles=1)
    with pytest.raises(GameError, match="no episode"):
        env.step(actions)
    env.reset()
    with pytest.raises(GameError, match=words):
        env.step(actions)
    assert all(env.step(shares(0, 0, 0, 0))[3].values()), "the episode's only step was not yet taken"


def test_wrong_parameters_are_all_named():
    with pytest.raises(GameError, match=r"num_agents=1 .*\n.*multiplier=-1"):
        parallel_env(num_agents=1, multiplier=-1)
