import numpy as np
import pytest
from scipy import stats

import mixed_motive
from mixed_motive import GameError
from mixed_motive.games.stag_hunt import HARE, HUNT_HARE, HUNT_STAG, STAG
from mixed_motive.kernels.shared import GONE
from tests.envs.scenes import DOWN, LEFT, RIGHT, STAY, UP, act, cells_of, random_actions, scene

LEFT_THE_GAME = (GONE, GONE)


def flags(array):
    return array[0].astype(int).tolist()


def test_a_hare_pays_its_hunter_who_leaves_with_it():
    game = scene("stag_hunt", [(2, 2), (0, 0)], [(2, 2, HARE)])
    step = act(game, HUNT_HARE, STAY)
    assert step.rewards.tolist() == [[1, 0]]
    assert step.counts.tolist() == [[[1, 0], [0, 0]]]
    assert flags(step.terminations) == [1, 0]
    assert flags(step.active) == [1, 1]
    assert not step.truncations.any()
    assert not step.done.any()
    assert cells_of(game) == [LEFT_THE_GAME, (0, 0)]
    assert not game.get_state()["map"].any()


def test_hunters_of_one_hare_share_it_and_all_leave():
    game = scene("stag_hunt", [(2, 2), (2, 2), (2, 2), (2, 2)], [(2, 2, HARE)])
    step = act(game, HUNT_HARE, STAY, HUNT_HARE, HUNT_STAG)
    assert step.rewards.tolist() == [[0.5, 0, 0.5, 0]]
    assert step.counts[..., 0].tolist() == [[1, 0, 1, 0]]
    assert flags(step.terminations) == [1, 0, 1, 0]


@pytest.mark.parametrize("hunters", [2, 3, 4])
def test_two_or_more_hunters_share_a_stag_and_leave(hunters):
    game = scene("stag_hunt", [(2, 2)] * 4 + [(0, 0)], [(2, 2, STAG)])
    actions = [HUNT_STAG] * hunters + [HUNT_HARE] * (4 - hunters) + [STAY]
    step = act(game, *actions)
    np.testing.assert_allclose(step.rewards, [[10 / hunters] * hunters + [0] * (5 - hunters)], rtol=1e-6)
    assert step.counts[0, :, 1].tolist() == [1] * hunters + [0] * (5 - hunters)
    assert not step.counts[..., 0].any()
    assert flags(step.terminations) == [1] * hunters + [0] * (5 - hunters)
    assert not game.get_state()["map"].any()


def test_a_lone_hunter_of_a_stag_gets_nothing_and_stays():
    game = scene("stag_hunt", [(2, 2), (2, 2), (2, 3)], [(2, 2, STAG)])
    step = act(game, HUNT_STAG, STAY, HUNT_STAG)
    assert not step.rewards.any()
    assert not step.counts.any()
    assert not step.terminations.any()
    assert cells_of(game) == [(2, 2), (2, 2), (2, 3)]
    assert (game.get_state()["map"] == STAG).sum() == 1


def test_hunters_that_come_one_after_the_other_do_not_catch_a_stag():
    game = scene("stag_hunt", [(2, 2), (2, 2)], [(2, 2, STAG)])
    act(game, HUNT_STAG, STAY)
    assert not act(game, STAY, HUNT_STAG).rewards.any()
    assert act(game, HUNT_STAG, HUNT_STAG).rewards.tolist() == [[5, 5]]


def test_how_many_hunters_a_stag_needs_is_a_parameter():
    game = scene("stag_hunt", [(2, 2)] * 3, [(2, 2, STAG)], hunters_needed=3)
    assert not act(game, HUNT_STAG, HUNT_STAG, STAY).rewards.any()
    step = act(game, HUNT_STAG, HUNT_STAG, HUNT_STAG)
    np.testing.assert_allclose(step.rewards, [[10 / 3] * 3], rtol=1e-6)
    alone = scene("stag_hunt", [(2, 2), (0, 0)], [(2, 2, STAG)], hunters_needed=1)
    assert act(alone, HUNT_STAG, STAY).rewards.tolist() == [[10, 0]]


def test_hunters_of_two_stags_on_two_cells_do_not_help_each_other():
    game = scene("stag_hunt", [(2, 2), (2, 3)], [(2, 2, STAG), (2, 3, STAG)])
    assert not act(game, HUNT_STAG, HUNT_STAG).rewards.any()


def test_hunting_what_is_not_there_is_a_stay():
    game = scene("stag_hunt", [(2, 2), (3, 3), (4, 4)], [(2, 2, HARE), (3, 3, STAG)], hunters_needed=1)
    step = act(game, HUNT_STAG, HUNT_HARE, HUNT_HARE)
    assert not step.rewards.any()
    assert not step.terminations.any()
    assert cells_of(game) == [(2, 2), (3, 3), (4, 4)]
    assert np.count_nonzero(game.get_state()["map"]) == 2


def test_staying_on_a_stag_hunts_it_where_there_is_no_action_for_it():
    game = scene(
        "stag_hunt", [(2, 2), (2, 2), (2, 2), (2, 3)], [(2, 2, STAG), (2, 3, HARE)], stag_action=False
    )
    assert game.action_names == ("up", "down", "left", "right", "stay", "hunt_hare")
    step = act(game, STAY, STAY, HUNT_HARE, STAY)
    assert step.rewards.tolist() == [[5, 5, 0, 0]]
    assert flags(step.terminations) == [1, 1, 0, 0]
    with pytest.raises(
        GameError, match=r"action 6 of agent_0 in copy 0; expected one of: 0 up, .* 5 hunt_hare"
    ):
        act(game, HUNT_STAG, STAY, STAY, STAY)


def test_staying_on_a_stag_is_a_stay_where_hunting_it_is_an_action():
    game = scene("stag_hunt", [(2, 2), (2, 2)], [(2, 2, STAG)])
    assert game.action_names[HUNT_STAG] == "hunt_stag"
    assert not act(game, STAY, STAY).rewards.any()


def test_agents_share_cells_and_moves_end_at_the_edge():
    game = scene("stag_hunt", [(0, 0), (7, 7), (1, 0)], [])
    act(game, UP, DOWN, UP)
    act(game, LEFT, RIGHT, LEFT)
    assert cells_of(game) == [(0, 0), (7, 7), (0, 0)]


def test_who_moves_onto_prey_hunts_it_in_the_next_step_only():
    game = scene("stag_hunt", [(2, 2), (0, 0)], [(2, 3, HARE)])
    assert not act(game, RIGHT, STAY).rewards.any()
    assert act(game, HUNT_HARE, STAY).rewards.tolist() == [[1, 0]]


def test_prey_neither_moves_nor_comes_back():
    game = mixed_motive.make("stag_hunt", 64)
    game.reset(seed=3)
    before = game.get_state()["map"]
    for actions in random_actions(game, 29):
        step = game.step(actions)
        going_on = ~step.done
        after = game.get_state()["map"]
        assert ((after == before) | (after == 0))[going_on].all()
        before = after


def test_rewards_are_those_of_the_prey_that_is_gone():
    game = mixed_motive.make("stag_hunt", 1000, num_agents=6, height=2, width=3, view_radius=1)
    game.reset(seed=3)
    before, caught = game.get_state()["map"], 0
    for actions in random_actions(game, 29):
        step = game.step(actions)
        after = game.get_state()["map"]
        gone = [
            ((before == code).sum(axis=(1, 2)) - (after == code).sum(axis=(1, 2))) for code in (HARE, STAG)
        ]
        going_on = ~step.done
        np.testing.assert_allclose(
            step.rewards.sum(axis=1)[going_on], (gone[0] + 10 * gone[1])[going_on], rtol=1e-5
        )
        assert (step.terminations == step.counts.any(axis=2)).all()
        before, caught = after, caught + gone[1][going_on].sum()
    assert caught > 50


def test_an_agent_that_has_left_acts_no_more_sees_zeros_and_is_seen_by_nobody():
    game = scene("stag_hunt", [(2, 2), (2, 3), (2, 3)], [(2, 2, HARE), (0, 0, STAG)])
    step = act(game, HUNT_HARE, STAY, STAY)
    assert not step.obs[0, 0].any()
    assert not step.obs[:, :, 0].any()
    assert step.obs[0, 1, 1, 2, 2] == 1
    for action in (UP, HUNT_HARE, HUNT_STAG):
        step = act(game, action, STAY, LEFT)
        assert flags(step.active) == [0, 1, 1]
        assert not step.terminations.any()
        assert not step.rewards.any()
        assert not step.counts.any()
        assert not step.obs[0, 0].any()
        assert not step.obs[:, :, 0].any()
        assert cells_of(game)[0] == LEFT_THE_GAME
    with pytest.raises(GameError, match="action 7 of agent_0"):
        act(game, 7, STAY, STAY)


def test_an_agent_that_has_left_is_in_no_class_map():
    game = scene("stag_hunt", [(2, 2), (2, 3)], [(2, 2, HARE)], obs="code")
    assert game.observe()[0, 1, 2, 1] == 4
    step = act(game, HUNT_HARE, STAY)
    assert not step.obs.any()


def test_an_agent_that_has_left_does_not_help_to_hunt_a_stag():
    game = scene("stag_hunt", [(2, 2), (2, 2), (2, 2)], [(2, 2, STAG)])
    game.set_state({**game.get_state(), "positions": np.array([[LEFT_THE_GAME, (2, 2), (2, 2)]], np.int32)})
    assert not act(game, HUNT_STAG, HUNT_STAG, STAY).rewards.any()
    assert act(game, HUNT_STAG, HUNT_STAG, HUNT_STAG).rewards.tolist() == [[0, 5, 5]]


def test_when_all_have_left_the_episode_is_done_without_truncation_and_the_next_one_starts():
    game = scene("stag_hunt", [(2, 2), (3, 3)], [(2, 2, HARE), (3, 3, HARE)])
    assert not act(game, HUNT_HARE, STAY).done.any()
    step = act(game, STAY, HUNT_HARE)
    assert step.done.all()
    assert not step.truncations.any()
    assert flags(step.terminations) == [0, 1]
    assert flags(step.active) == [0, 1]
    assert not step.final_obs.any()
    state = game.get_state()
    assert state["episode"].tolist() == [1]
    assert state["step"].tolist() == [0]
    assert (state["positions"] >= 0).all()
    np.testing.assert_array_equal(step.obs, game.observe())
    assert (step.obs[0, [0, 1], [0, 1], 2, 2] == 1).all()
    assert flags(act(game, STAY, STAY).active) == [1, 1]


def test_without_auto_reset_an_episode_that_all_have_left_must_be_reset():
    game = mixed_motive.make("stag_hunt", 2, num_agents=2, auto_reset=False)
    game.reset(seed=0)
    state = game.get_state()
    state["map"][:], state["positions"][:] = 0, 2
    state["map"][1, 2, 2] = HARE
    game.set_state(state)
    step = act(game, HUNT_HARE, HUNT_HARE)
    assert step.done.tolist() == [False, True]
    np.testing.assert_array_equal(step.obs, game.observe())
    ended = game.get_state()
    assert ended["ended"].tolist() == [False, True]
    with pytest.raises(GameError, match=r"copy 1 has ended.*reset\(env_indices=\[1\]\)"):
        act(game, STAY, STAY)
    game.reset()
    act(game, STAY, STAY)
    game.set_state(ended)
    with pytest.raises(GameError, match="copy 1 has ended"):
        act(game, STAY, STAY)


def test_who_leaves_in_the_last_step_terminates_and_the_others_are_truncated():
    game = scene("stag_hunt", [(2, 2), (3, 3), (5, 5)], [(2, 2, HARE), (3, 3, HARE)], step=28)
    assert not act(game, HUNT_HARE, STAY, STAY).done.any()
    step = act(game, STAY, HUNT_HARE, RIGHT)
    assert step.done.all()
    assert flags(step.active) == [0, 1, 1]
    assert flags(step.terminations) == [0, 1, 0]
    assert flags(step.truncations) == [0, 0, 1]
    assert step.rewards.tolist() == [[0, 1, 0]]
    assert not step.final_obs[0, :2].any()
    assert np.argwhere(step.final_obs[0, 2, 2]).tolist() == [[2, 2]]
    assert step.obs[0].any(axis=(1, 2, 3)).all()
    assert game.get_state()["episode"].tolist() == [1]


def test_when_all_leave_in_the_last_step_nobody_is_truncated():
    game = scene("stag_hunt", [(2, 2), (2, 2)], [(2, 2, STAG)], step=29)
    step = act(game, HUNT_STAG, HUNT_STAG)
    assert step.done.all()
    assert flags(step.terminations) == [1, 1]
    assert not step.truncations.any()


def test_copies_end_each_at_its_own_time():
    game = mixed_motive.make(
        "stag_hunt", 300, num_agents=2, height=2, width=2, num_stags=1, num_hares=3, view_radius=1
    )
    game.reset(seed=0)
    lengths, length = [], np.zeros(300, int)
    for actions in random_actions(game, 100):
        step = game.step(actions)
        length += 1
        present = step.active & ~step.terminations
        assert (step.done == (~present.any(axis=1) | (length == 30))).all()
        assert (step.truncations == (present & (length == 30)[:, None])).all()
        assert step.active[length == 1].all()
        lengths += length[step.done].tolist()
        length[step.done] = 0
    assert {1, 30} < set(lengths)


@pytest.mark.parametrize("preset", ["lase", "lase_repository", "hop"])
def test_an_episode_starts_with_its_prey_and_agents_on_distinct_cells_evenly(preset):
    game = mixed_motive.make("stag_hunt", 4000, preset)
    game.reset(seed=4)
    p, state = game.params, game.get_state()
    for code, number in ((HARE, p.num_hares), (STAG, p.num_stags)):
        here = state["map"] == code
        assert (here.sum(axis=(1, 2)) == number).all()
        assert stats.chisquare(here.sum(axis=0).ravel().astype(float)).pvalue > 1e-3
    cells = state["positions"] @ [p.width, 1]
    assert all(len(set(row)) == p.num_agents for row in cells.tolist())
    for i in range(p.num_agents):
        assert stats.chisquare(np.bincount(cells[:, i], minlength=p.width * p.height)).pvalue > 1e-4


def test_the_ceiling_of_four_agents_is_two_stags():
    game = scene("stag_hunt", [(0, 0), (0, 0), (7, 7), (7, 7)], [(0, 0, STAG), (7, 7, STAG), (4, 4, HARE)])
    assert act(game, *[HUNT_STAG] * 4).rewards.sum() == game.max_collective_reward == 20


def best_by_trying(agents, stags, hares, stag_reward, hare_reward, hunters_needed):
    """The best over all numbers of agents at each stag and each hare, one prey after the other."""
    prey = [(stag_reward, hunters_needed)] * stags + [(hare_reward, 1)] * hares
    best = {agents: 0.0}
    for worth, needed in prey:
        for free, total in list(best.items()):
            for hunters in range(needed, free + 1):
                best[free - hunters] = max(best.get(free - hunters, 0.0), total + worth)
    return max(best.values())


@pytest.mark.parametrize("agents", [2, 3, 5, 8])
@pytest.mark.parametrize(("stag_reward", "hare_reward"), [(10, 1), (3, 2), (1, 5)])
@pytest.mark.parametrize(
    ("stags", "hares", "needed"), [(2, 4, 2), (1, 0, 2), (0, 9, 2), (4, 1, 2), (3, 2, 1)]
)
def test_the_ceiling_is_the_best_split_of_the_agents(agents, stags, hares, needed, stag_reward, hare_reward):
    game = mixed_motive.make(
        "stag_hunt",
        num_agents=agents,
        num_stags=stags,
        num_hares=hares,
        hunters_needed=needed,
        stag_reward=stag_reward,
        hare_reward=hare_reward,
    )
    expected = best_by_trying(agents, stags, hares, stag_reward, hare_reward, needed)
    assert game.max_collective_reward == expected


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"positions": np.full((1, 4, 2), GONE, np.int32)},
            "all agents of a copy have left .* 'ended' is False",
        ),
        ({"positions": np.full((1, 4, 2), -1, np.int32)}, "'positions' .* must lie on the map of 8x8"),
        ({"positions": np.array([[(GONE, 0)] * 4], np.int32)}, "'positions' .* must lie on the map of 8x8"),
        ({"map": np.full((1, 8, 8), HARE, np.uint8)}, "there is more prey than num_hares=4"),
        ({"map": np.full((1, 8, 8), STAG, np.uint8)}, "there is more prey than num_stags=2"),
    ],
)
def test_a_state_that_cannot_be_is_refused(change, message):
    game = mixed_motive.make("stag_hunt")
    game.reset(seed=0)
    with pytest.raises(GameError, match=message):
        game.set_state({**game.get_state(), **change})


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"num_hares": 63}, "num_stags=2 and num_hares=63 do not fit on 8x8 = 64 cells"),
        ({"hunters_needed": 5}, "hunters_needed=5 are more than num_agents=4: nobody could catch a stag"),
    ],
)
def test_prey_that_does_not_fit_or_cannot_be_caught_is_refused(params, message):
    (problem,) = mixed_motive.check_params("stag_hunt", **params)
    assert message in problem
    assert not mixed_motive.check_params("stag_hunt", hunters_needed=5, num_stags=0)


def test_random_play_catches_little():
    game = mixed_motive.make("stag_hunt", 2000)
    game.reset(seed=0)
    total = sum(game.step(actions).rewards.sum() for actions in random_actions(game, 30))
    assert 0.2 < total / 2000 < 2
