import itertools

import numpy as np
import pytest

import mixed_motive
from tests.envs.scenes import act, random_actions

LEVER, START, DOOR = 0, 1, 2


def room(*places, num_envs=1, step=0, **params):
    """A game whose agents are at these places, the same in every copy."""
    params = {"num_agents": len(places), **params}
    game = mixed_motive.make("escape_room", num_envs, **params)
    game.reset(seed=0)
    state = game.get_state()
    state["places"][:] = places
    state["step"][:] = step
    game.set_state(state)
    return game


def places_of(game):
    return game.get_state()["places"][0].tolist()


def test_one_at_the_lever_lets_the_other_out():
    step = act(room(START, START), LEVER, DOOR)
    assert step.rewards.tolist() == [[-1, 10]]
    assert step.counts.tolist() == [[[1, 0], [0, 1]]]
    assert step.done.all()
    assert step.terminations.all()
    assert not step.truncations.any()


def test_who_waited_at_the_door_escapes_as_well():
    step = act(room(START, DOOR), LEVER, DOOR)
    assert step.rewards.tolist() == [[-1, 10]]
    assert step.terminations.all()


def test_who_comes_to_a_closed_door_pays_and_stays_there():
    game = room(START, START)
    step = act(game, START, DOOR)
    assert step.rewards.tolist() == [[0, -1]]
    assert not step.done.any()
    assert places_of(game) == [START, DOOR]


@pytest.mark.parametrize("place", [LEVER, START])
def test_staying_costs_nothing(place):
    step = act(room(place, place), place, place)
    assert step.rewards.tolist() == [[0, 0]]


@pytest.mark.parametrize(
    ("before", "after"), [(b, a) for b, a in itertools.permutations((LEVER, START, DOOR), 2)]
)
def test_every_change_of_place_without_an_escape_costs(before, after):
    game = room(before, START, START, min_at_lever=2)
    assert act(game, after, START, START).rewards.tolist() == [[-1, 0, 0]]
    assert places_of(game) == [after, START, START]


def test_an_open_door_without_anybody_at_it_ends_nothing():
    step = act(room(START, START), LEVER, START)
    assert step.counts.tolist() == [[[1, 0], [0, 0]]]
    assert not step.done.any()


def test_the_door_closes_when_the_lever_is_let_go():
    game = room(LEVER, START)
    step = act(game, START, DOOR)
    assert step.rewards.tolist() == [[-1, -1]]
    assert not step.counts.any()


def test_too_few_at_the_lever_open_nothing():
    game = room(START, START, START, min_at_lever=2)
    step = act(game, LEVER, DOOR, START)
    assert step.rewards.tolist() == [[-1, -1, 0]]
    assert not step.done.any()
    step = act(game, LEVER, DOOR, LEVER)
    assert step.rewards.tolist() == [[0, 10, -1]]
    assert step.counts.tolist() == [[[1, 0], [0, 1], [1, 0]]]
    assert step.done.all()


def test_all_at_the_open_door_escape_and_the_episode_ends_for_those_inside_too():
    step = act(room(*[START] * 5), LEVER, DOOR, DOOR, START, DOOR)
    assert step.rewards.tolist() == [[-1, 10, 10, 0, 10]]
    assert step.terminations.all()
    assert step.active.all()


def test_without_an_escape_the_episode_is_truncated_after_five_steps():
    game = mixed_motive.make("escape_room")
    game.reset(seed=0)
    for t in range(5):
        step = act(game, START, START)
        assert step.done.all() == (t == 4)
    assert step.truncations.all()
    assert not step.terminations.any()


def test_an_escape_in_the_last_step_is_a_termination():
    step = act(room(START, START, step=4), LEVER, DOOR)
    assert step.terminations.all()
    assert not step.truncations.any()


def test_the_last_places_are_in_the_final_observation_and_the_start_in_the_next_one():
    game = mixed_motive.make("escape_room", preset="lio_3_2")
    game.reset(seed=0)
    step = act(game, LEVER, DOOR, LEVER)
    assert step.final_obs[0].reshape(3, 3, 3).argmax(axis=2).tolist() == [[0, 2, 0], [2, 0, 0], [0, 0, 2]]
    assert step.obs[0].reshape(3, 3, 3).argmax(axis=2).tolist() == [[1, 1, 1]] * 3


def test_an_agent_sees_its_own_place_first_and_then_its_co_players_in_order():
    game = room(LEVER, START, DOOR, DOOR, min_at_lever=2)
    seen = game.observe()[0].reshape(4, 4, 3)
    assert (seen.sum(axis=2) == 1).all()
    assert seen.argmax(axis=2).tolist() == [
        [LEVER, START, DOOR, DOOR],
        [START, LEVER, DOOR, DOOR],
        [DOOR, LEVER, START, DOOR],
        [DOOR, LEVER, START, DOOR],
    ]


def test_float32_observations_have_the_same_values():
    games = [mixed_motive.make("escape_room", obs=obs) for obs in ("planes", "float32")]
    seen = [game.reset(seed=0) for game in games]
    for actions in random_actions(games[0], 9):
        assert seen[1].dtype == np.float32
        np.testing.assert_array_equal(*seen)
        seen = [game.step(actions).obs.copy() for game in games]


def test_after_an_escape_nothing_goes_on_without_a_reset():
    game = mixed_motive.make("escape_room", auto_reset=False)
    game.reset(seed=0)
    step = act(game, LEVER, DOOR)
    assert step.terminations.all()
    assert places_of(game) == [LEVER, DOOR]
    with pytest.raises(mixed_motive.GameError, match=r"the episode of copy 0 has ended.*Call reset"):
        act(game, START, START)
    game.reset()
    assert act(game, START, START).rewards.tolist() == [[0, 0]]


@pytest.mark.parametrize(
    ("preset", "params", "best"),
    [
        ("lio_2_1", {}, 9),
        ("lio_3_2", {}, 8),
        ("lio_2_1", {"num_agents": 4}, 3 * 10 - 1),
        ("lio_2_1", {"move_cost": 11, "horizon": 3}, 0),
    ],
)
def test_no_sequence_of_actions_brings_the_group_more_than_the_stated_most(preset, params, best):
    game = mixed_motive.make("escape_room", preset=preset, auto_reset=False, **params)
    assert game.max_collective_reward == best
    joint_actions = list(itertools.product(range(3), repeat=game.num_agents))
    game.reset(seed=0)
    # The game remembers nothing but its places: the best total that leads to each, step by step.
    best_to = {tuple(places_of(game)): 0.0}
    best_found = -np.inf
    for _ in range(3):
        reached = {}
        for places, total in best_to.items():
            for actions in joint_actions:
                game.reset()
                game.set_state(game.get_state() | {"places": np.array([places], np.uint8)})
                step = act(game, *actions)
                now = total + step.rewards.sum()
                if step.done[0]:
                    best_found = max(best_found, now)
                else:
                    reached[actions] = max(reached.get(actions, -np.inf), now)
        best_to = reached
    assert max(best_found, *best_to.values()) == best


def test_at_least_one_agent_must_be_able_to_leave():
    assert mixed_motive.check_params("escape_room", min_at_lever=2) == [
        "min_at_lever=2 leaves nobody who could escape: expected fewer than num_agents=2"
    ]
    assert mixed_motive.check_params("escape_room", num_agents=64, min_at_lever=63) == []


def test_a_state_with_an_unknown_place_is_refused():
    game = mixed_motive.make("escape_room")
    game.reset(seed=0)
    with pytest.raises(mixed_motive.GameError, match="'places' must hold only: 0 lever, 1 start, 2 door"):
        game.set_state(game.get_state() | {"places": np.array([[0, 3]], np.uint8)})


def test_the_picture_shows_an_open_door_and_who_is_where():
    daylight, wood = (255, 232, 128), (122, 80, 46)
    shares = []
    for places in ((START, DOOR, START), (LEVER, DOOR, START)):
        picture = room(*places).render()
        door = picture[20:118, 218:262].reshape(-1, 3)
        shares.append([(door == colour).all(axis=1).mean() for colour in (daylight, wood)])
        for agent, colour in enumerate(((240, 165, 0), (122, 60, 160), (105, 205, 245))):
            cols = np.nonzero((picture[132:] == colour).all(axis=2))[1]
            assert places[agent] == cols.mean() // 96
    (closed_light, closed_wood), (open_light, open_wood) = shares
    assert closed_light < 0.05
    assert closed_wood > 0.3
    assert open_light > 0.9
    assert open_wood == 0


def test_the_text_says_who_is_where_and_whether_the_door_is_open():
    assert room(LEVER, DOOR, DOOR, step=2).ansi().splitlines() == [
        "escape_room, step 2 of 5",
        "lever  0  (1 of 1 needed)",
        "start  -",
        "door   1 2  (open)",
    ]
