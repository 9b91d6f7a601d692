import numpy as np
import pytest
from pettingzoo.test import (
    api_test,
    max_cycles_test,
    parallel_api_test,
    parallel_seed_test,
    seed_test,
)

import mixed_motive
from mixed_motive import GameError, continuous_public_goods_v0
from mixed_motive.continuous_public_goods_v0 import (
    PRESETS,
    env,
    parallel_env,
)
from mixed_motive.testing import check_env


def shares(*given):
    return {f"agent_{i}": np.array([share], np.float32) for i, share in enumerate(given)}


def test_the_checks_of_pettingzoo_and_our_own_pass():
    parallel_api_test(parallel_env(), num_cycles=300)
    parallel_seed_test(parallel_env)
    max_cycles_test(continuous_public_goods_v0)
    api_test(env(), num_cycles=300)
    seed_test(env, num_cycles=100)
    report = check_env(parallel_env, deterministic=True)
    assert {"horizon", "rendering"} <= set(report.passed)


def test_without_a_render_mode_there_is_no_picture():
    with pytest.warns(UserWarning, match="does nothing without a render_mode"):
        assert parallel_env().render() is None


def test_the_presets_are_those_of_the_batched_game():
    batched = mixed_motive.GAMES["public_goods"].presets
    assert list(PRESETS) == list(batched)
    lab = parallel_env("lab", num_agents=3).params
    assert (lab.horizon, lab.num_agents, lab.endowment) == (10, 3, 20.0)


def test_picture_and_text_show_what_was_given():
    text, picture = parallel_env(render_mode="ansi"), parallel_env(render_mode="rgb_array")
    with pytest.raises(GameError, match="render: called before reset"):
        text.render()
    text.reset(), picture.reset()
    assert "agent 0 has not acted yet" in text.render()
    before = picture.render()
    text.step(shares(0.25, 0, 0, 1)), picture.step(shares(0.25, 0, 0, 1))
    assert text.render().splitlines()[:2] == [
        "continuous_public_goods_v0, step 1 of 100",
        "agent 0 [##........] gave 0.25 of 1",
    ]
    assert picture.render().dtype == np.uint8
    assert (picture.render() != before).any()


def test_turns_clip_what_the_parallel_face_refuses():
    turns = env(num_agents=2, max_cycles=1)
    turns.reset()
    for share in (1.5, 0.0):
        turns.step(np.array([share], np.float32))
    assert turns.rewards == pytest.approx({"agent_0": 0.8, "agent_1": 1.8})


def test_rewards_and_observations_are_those_of_the_rules():
    played = parallel_env(num_agents=3, endowment=10.0, multiplier=1.5, max_cycles=2)
    obs, _ = played.reset()
    assert obs["agent_2"].tolist() == [0, 0, 0, 1]
    obs, rewards, _, truncations, infos = played.step(shares(0.25, 0.5, 1))
    pot = 1.5 * 17.5 / 3
    assert rewards == pytest.approx({"agent_0": 7.5 + pot, "agent_1": 5 + pot, "agent_2": pot})
    assert obs["agent_1"].tolist() == [0.5, 0.25, 1, 0], "own first, then the others in their order"
    assert infos["agent_0"] == {"given": 2.5}
    assert not any(truncations.values())
    _, _, _, truncations, _ = played.step(shares(0, 0, 0))
    assert all(truncations.values())
    assert played.agents == []


def test_whole_shares_pay_as_in_the_batched_game():
    game = mixed_motive.make("public_goods", 1, num_agents=4)
    played = parallel_env(num_agents=4)
    game.reset(0), played.reset()
    for levels in ([0, 1, 1, 0], [1, 1, 1, 1], [0, 0, 0, 1]):
        expected = game.step([levels]).rewards[0]
        found = played.step(shares(*levels))[1]
        assert np.allclose(list(found.values()), expected)


@pytest.mark.parametrize(
    ("actions", "words"),
    [
        (shares(0.5, 0.5, 0.5), "expected one of each agent"),
        (shares(0.5, 0.5, 0.5, 1.2), r"action of 'agent_3' is .*expected a share .* in \[0, 1\]"),
        (shares(0.5, 0.5, 0.5, np.nan), "action of 'agent_3'"),
        (shares(0.5, 0.5, 0.5) | {"agent_3": "x"}, "action of 'agent_3' is 'x'; expected a share"),
        (shares(0.5, 0.5, 0.5) | {"agent_3": None}, "action of 'agent_3' is None; expected a share"),
        (None, "actions None, expected one of each agent"),
        ([0.5] * 4, r"actions \[0.5, .*, expected one of each agent"),
    ],
)
def test_wrong_actions_are_refused_and_change_nothing(actions, words):
    played = parallel_env(max_cycles=1)
    with pytest.raises(GameError, match="no episode"):
        played.step(actions)
    played.reset()
    with pytest.raises(GameError, match=words):
        played.step(actions)
    assert all(played.step(shares(0, 0, 0, 0))[3].values()), "the episode's only step was not yet taken"


def test_wrong_parameters_are_all_named():
    with pytest.raises(GameError) as caught:
        parallel_env(
            "lb", num_agents=2.5, multiplier="x", endowment=-1, levels=2, max_cycles=1.5, render_mode="rgb"
        )
    starts = [problem.partition(":")[0].partition(";")[0] for problem in caught.value.problems]
    assert starts == [
        "unknown preset 'lb'",
        "num_agents=2.5 (float)",
        "multiplier='x' (str)",
        "endowment=-1 (int)",
        "unknown parameter 'levels'. Known here",
        "max_cycles sets horizon=1.5 (float)",
        "render_mode='rgb'",
    ]
    with pytest.raises(GameError, match="two names for one number"):
        parallel_env(max_cycles=3, horizon=3)
