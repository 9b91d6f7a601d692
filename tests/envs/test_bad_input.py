"""Bad input is named with its cure, all of it at once, and nothing changes."""

import math
import pickle
import re

import numpy as np
import pytest

import mixed_motive
from mixed_motive import GameError, check_params, make
from tests.envs.scenes import RULE_SETS, assert_unchanged, random_actions


@pytest.mark.parametrize(
    ("game_id", "found"),
    [
        ("cleanp", "unknown game 'cleanp'; did you mean 'cleanup'?"),
        ("Snowdrift", "unknown game 'Snowdrift'; did you mean 'snowdrift'?"),
        ("poker", "unknown game 'poker'. Known games: cleanup, "),
        (None, "unknown game None. Known games"),
    ],
)
def test_an_unknown_game_gets_the_closest_name(game_id, found):
    assert found in check_params(game_id)[0]
    with pytest.raises(GameError, match=re.escape(found)):
        make(game_id)


def test_an_unknown_preset_gets_the_closest_name():
    assert check_params("cleanup", "lase_extnded") == [
        "unknown preset 'lase_extnded'; did you mean 'lase_extended'? "
        "cleanup has: lase, lase_extended, ssdg, lio_7x7, lio_10x10, meltingpot."
    ]


def test_an_unknown_parameter_gets_the_closest_name():
    problem = check_params("cleanup", waste_spawn_prob=0.1)[0]
    assert problem.startswith("unknown parameter 'waste_spawn_prob'; did you mean 'waste_spawn_probability'?")


@pytest.mark.parametrize(
    ("game_id", "params", "expected"),
    [
        ("cleanup", {"waste_spawn_probability": 1.5}, "expected a finite number in [0, 1]"),
        ("cleanup", {"waste_spawn_probability": math.nan}, "expected a finite number in [0, 1]"),
        ("cleanup", {"waste_spawn_probability": "0.1"}, "(str): expected a finite number"),
        ("cleanup", {"horizon": 100.0}, "(float): expected an integer"),
        ("cleanup", {"horizon": True}, "(bool): expected an integer"),
        ("cleanup", {"horizon": 0}, "horizon=0 (int): expected an integer in [1, "),
        ("cleanup", {"num_agents": 65}, "expected an integer in [2, 64]: players"),
        ("cleanup", {"num_agents": None}, "(NoneType): expected an integer in [2, 64]"),
        ("cleanup", {"view_radius": -1}, "expected an integer or None in [0, 255]"),
        ("cleanup", {"view_radius": 8}, "view_radius=8 looks beyond a map of 8x8; expected at most 7"),
        (
            "cleanup",
            {"height": 4},
            "the map is too small: river_rows=2 and orchard_rows=2 leave none of height=4",
        ),
        ("cleanup", {"max_waste": 17}, "max_waste=17 does not fit into the river of 2x8 = 16 cells"),
        ("cleanup", {"initial_waste": 9}, "initial_waste=9 is more than max_waste=8"),
        ("cleanup", {"threshold_restoration": 0.5}, "must lie below threshold_depletion=0.5"),
        ("snowdrift", {"num_piles": 65}, "num_piles=65 do not fit on 8x8 = 64 cells"),
        ("snowdrift", {"num_agents": 64}, "too many agents: num_agents=64 leave no free cell on 8x8 = 64"),
        ("snowdrift", {"agents_block": 1}, "agents_block=1 (int): expected True or False"),
        ("matrix", {"R": math.inf}, "expected a finite number in [-1000000, 1000000]: reward"),
        ("ipd", {"view_radius": 2}, "unknown parameter 'view_radius'"),
        (
            "cleanup",
            {"fire_length": 3},
            "unknown parameter 'fire_length' of preset 'lase'; it is one of ssdg, lio_7x7, lio_10x10",
        ),
    ],
)
def test_a_wrong_parameter_is_named_with_what_was_expected(game_id, params, expected):
    problems = check_params(game_id, **params)
    assert len(problems) == 1
    assert expected in problems[0]


def test_every_problem_of_a_call_is_in_one_message():
    with pytest.raises(GameError) as caught:
        make(
            "cleanup",
            0,
            "lse",
            obs="pixels",
            first_env_index=-1,
            auto_reset=None,
            widht=3,
            horizon="9",
            max_waste=17,
        )
    assert len(caught.value.problems) == 8
    assert str(caught.value).startswith(
        "cannot make 'cleanup': 8 problems\n  - unknown preset 'lse'; did you mean 'lase'?"
    )
    for name in (
        "num_envs=0",
        "obs='pixels'",
        "first_env_index=-1",
        "auto_reset=None",
        "'width'",
        "horizon='9'",
    ):
        assert name in str(caught.value)


def test_errors_survive_the_way_between_processes():
    error = GameError("cannot make 'x'", ["a", "b"])
    assert str(pickle.loads(pickle.dumps(error))) == str(error) == "cannot make 'x': 2 problems\n  - a\n  - b"


def test_values_of_numpy_types_are_welcome():
    params = make("cleanup", np.int64(2), horizon=np.int32(7), waste_spawn_probability=np.float32(0.5)).params
    assert type(params.horizon) is int
    assert type(params.waste_spawn_probability) is float
    assert make("snowdrift", agents_block=np.bool_(False)).params.agents_block is False
    assert make("snowdrift", removal_cost=4).params.removal_cost == 4.0


@pytest.mark.parametrize("game_id", list(mixed_motive.GAMES))
def test_every_preset_passes_its_own_check(game_id):
    for preset in mixed_motive.GAMES[game_id].presets:
        assert check_params(game_id, preset) == []


@pytest.fixture
def game():
    game = make("cleanup", 3)
    game.reset(seed=0)
    for actions in random_actions(game, 10):
        game.step(actions)
    return game


@pytest.mark.parametrize("call", ["step", "observe", "get_state", "render", "ansi"])
def test_nothing_works_before_the_reset(call):
    game = make("cleanup")
    arguments = [np.zeros((1, 4), int)] if call == "step" else []
    with pytest.raises(GameError, match=rf"{call}: called before reset. Call reset\(seed=...\) first"):
        getattr(game, call)(*arguments)


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        (np.zeros((4, 3), int), r"actions have shape \(4, 3\), expected \(num_envs, num_agents\) = \(3, 4\)"),
        (np.zeros(4, int), r"shape \(4,\)"),
        (np.zeros((3, 4)), "dtype float64, expected an integer dtype"),
        (np.zeros((3, 4), bool), "dtype bool"),
        (np.zeros((2, 4)), "(?s)shape .* dtype"),
    ],
)
def test_actions_of_a_wrong_shape_or_type_are_refused(game, actions, message):
    before = game.get_state()
    with pytest.raises(GameError, match=message):
        game.step(actions)
    assert_unchanged(game, before)


@pytest.mark.parametrize(
    ("dtype", "value"),
    [(np.int64, 7), (np.int64, -1), (np.int8, -128), (np.uint64, 2**64 - 1), (np.int64, -(2**63))],
)
def test_an_action_out_of_range_is_named_and_nothing_moves(game, dtype, value):
    before = game.get_state()
    actions = np.zeros((3, 4), dtype)
    actions[1, 2] = value
    with pytest.raises(
        GameError, match=rf"action {value} of agent_2 in copy 1; expected one of: 0 up, .* 6 pick"
    ):
        game.step(actions)
    assert_unchanged(game, before)


def assert_refused(game, actions, message):
    before, obs = game.get_state(), game.observe()
    for _ in range(2):
        with pytest.raises(GameError, match=message):
            game.step(actions)
    np.testing.assert_equal(game.get_state(), before)
    np.testing.assert_array_equal(game.observe(), obs)


@pytest.mark.parametrize(("game_id", "preset"), RULE_SETS)
def test_an_action_out_of_range_in_one_copy_moves_no_copy_of_any_game(game_id, preset):
    game = make(game_id, 3, preset)
    game.reset(seed=0)
    for actions in random_actions(game, 3):
        game.step(actions)
    actions[1, 1] = len(game.action_names)
    assert_refused(game, actions, f"action {len(game.action_names)} of agent_1 in copy 1")


@pytest.mark.parametrize(("game_id", "preset"), RULE_SETS)
def test_one_copy_that_has_ended_stops_all_copies_of_any_game(game_id, preset):
    game = make(game_id, 3, preset, auto_reset=False, horizon=4)
    game.reset(seed=0)
    actions = np.zeros((3, game.num_agents), int)  # with which nobody leaves early
    game.step(actions)
    under_way = game.get_state([0, 2])
    for _ in range(3):
        game.step(actions)
    game.set_state(under_way, [0, 2])
    assert_refused(game, actions, "the episode of copy 1 has ended")


@pytest.mark.parametrize("seed", [-1, 2**64, 1.5, "0", True])
def test_a_seed_that_is_no_seed_is_refused(game, seed):
    before = game.get_state()
    with pytest.raises(GameError, match="expected an integer in"):
        game.reset(seed=seed)
    assert_unchanged(game, before)


def test_buffers_of_another_game_are_refused(game):
    before = game.get_state()
    with pytest.raises(
        GameError, match=r"out.obs is \(\(4, 4, 7, 5, 5\), 'uint8', 'contiguous', 'writeable'\), expected"
    ):
        game.step(np.zeros((3, 4), int), out=make("cleanup", 4).new_buffers())
    assert_unchanged(game, before)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"step": None}, "array 'step' is missing"),
        ({"hats": np.zeros(3)}, "unknown array 'hats'"),
        ({"step": np.zeros(2, np.int64)}, r"'step' is int64 \(2,\), expected int64 \(3,\)"),
        ({"positions": np.zeros((3, 4, 2))}, "'positions' is float64"),
        ({"positions": np.full((3, 4, 2), 8, np.int32)}, "'positions' .* must lie on the map of 8x8"),
        ({"map": np.full((3, 8, 8), 3, np.uint8)}, "'map' must hold only: 0 empty, 1 waste, 2 apple"),
        ({"map": np.full((3, 8, 8), 2, np.uint8)}, "apples in the bottom 2"),
        (
            {"map": np.pad(np.ones((3, 2, 8), np.uint8), ((0, 0), (0, 6), (0, 0)))},
            "more waste than max_waste=8",
        ),
        ({"step": np.full(3, 100)}, r"'step' must lie in \[0, 100\)"),
        ({"episode": np.full(3, -1)}, "'episode' must not be negative"),
    ],
)
def test_a_state_that_cannot_be_is_refused(game, change, message):
    before = game.get_state()
    state = {name: array for name, array in (before | change).items() if array is not None}
    with pytest.raises(GameError, match=message):
        game.set_state(state)
    assert_unchanged(game, before)


def test_states_of_other_games_have_their_own_checks():
    crowd = make("snowdrift")
    crowd.reset(seed=0)
    state = crowd.get_state()
    state["positions"][:] = 1
    with pytest.raises(GameError, match="two agents on one cell, but agents_block is True"):
        crowd.set_state(state)
    dilemma = make("ipd")
    dilemma.reset(seed=0)
    with pytest.raises(GameError, match="'outcome' must hold only: 0 CC, 1 CD, 2 DC, 3 DD, 4 start"):
        dilemma.set_state(dilemma.get_state() | {"outcome": np.array([5], np.uint8)})


@pytest.mark.parametrize(
    ("indices", "message"),
    [([3], r"expected positions in \[0, 3\)"), ([-1], "expected positions"), ([0.5], "sequence of integers"),
     ([[0]], "sequence of integers")],
)  # fmt: skip
def test_copies_outside_the_batch_are_refused(game, indices, message):
    with pytest.raises(GameError, match=message):
        game.get_state(indices)
    with pytest.raises(GameError, match=message):
        game.set_state(game.get_state([0]), indices)


def test_a_copy_cannot_take_two_states(game):
    with pytest.raises(GameError, match="a position twice"):
        game.set_state(game.get_state([0, 1]), [2, 2])


def test_part_of_a_batch_cannot_take_a_state_before_the_reset(game):
    with pytest.raises(GameError, match="set_state of part of the batch: called before reset"):
        make("cleanup", 3).set_state(game.get_state([0]), [0])
