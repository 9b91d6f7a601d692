"""Parameters at and beyond their limits: each number has a range, all of which a kernel can play."""

import dataclasses
from typing import get_type_hints

import numpy as np
import pytest

import mixed_motive
from mixed_motive import GameError, check_params, make

PRESETS = [(game_id, preset) for game_id, spec in mixed_motive.GAMES.items() for preset in spec.presets]


def fields_with_ranges():
    """Game, preset, and name, type and metadata of each of its numbers."""
    for game_id, preset in PRESETS:
        params = mixed_motive.GAMES[game_id].presets[preset]
        hints = get_type_hints(type(params))
        for field in dataclasses.fields(params):
            if hints[field.name] is not bool:
                yield game_id, preset, field.name, hints[field.name], field.metadata


def test_every_number_has_a_lowest_and_a_highest_value():
    unbounded = [
        (game_id, name)
        for game_id, _, name, _, limits in fields_with_ranges()
        if limits["minimum"] is None or limits["maximum"] is None
    ]
    assert unbounded == []


@pytest.mark.parametrize(("game_id", "preset"), PRESETS)
def test_a_game_plays_with_every_number_at_either_end_of_its_range(game_id, preset):
    played = 0
    for of_game, of_preset, name, _, limits in fields_with_ranges():
        if (of_game, of_preset) != (game_id, preset):
            continue
        for value in {int(limits["minimum"]), int(limits["maximum"])}:
            if check_params(game_id, preset, **{name: value}):
                continue  # a rule between parameters, e.g. more piles than cells
            game = make(game_id, 2, preset, **{name: value})
            game.reset(seed=0)
            for _ in range(3):
                out = game.step(np.ones((2, game.num_agents), int))
                assert np.isfinite(out.rewards).all()
            played += 1
    assert played >= 4


@pytest.mark.parametrize(
    ("game_id", "preset", "params", "found"),
    [
        ("matrix", None, {"R": 1e39}, "R=1e+39 (float): expected a finite number in [-1000000, 1000000]"),
        ("matrix", None, {"P": -1e39}, "P=-1e+39 (float)"),
        ("matrix", None, {"T": 10**400}, "T=an integer of 1329 bits (int)"),
        ("matrix", None, {"horizon": 10**5000}, "horizon=an integer of 16610 bits (int)"),
        ("snowdrift", None, {"removal_benefit": 1e39}, "removal_benefit=1e+39"),
        ("cleanup", "ssdg", {"waste_delay": 2**70}, "expected an integer in [0, 2147483647]"),
        ("cleanup", None, {"max_waste": 10**5000}, "max_waste=an integer of"),
        ("snowdrift", None, {"num_piles": 10**5000}, "num_piles=an integer of"),
        ("cleanup", None, {"height": np.zeros((50, 50))}, "... (ndarray): expected an integer"),
    ],
)
def test_a_value_of_any_size_is_refused_in_one_short_sentence(game_id, preset, params, found):
    with pytest.raises(GameError) as caught:
        make(game_id, preset=preset, **params)
    (problem,) = caught.value.problems
    assert found in problem
    assert len(problem) < 400


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ({"obs": ["planes"]}, "obs=['planes']. Known: planes, code"),
        ({"preset": ["lase"]}, "unknown preset ['lase']. cleanup has: lase"),
        ({"game_id": ["cleanup"]}, "unknown game ['cleanup']. Known games: cleanup"),
        ({"game_id": {}}, "unknown game {}. Known games: cleanup"),
        ({"num_envs": 2**63}, "num_envs=9223372036854775808 (int): expected an integer in [1, 2**63)"),
        ({"num_envs": 10**5000}, "num_envs=an integer of 16610 bits (int)"),
        ({"auto_reset": np.ones(3)}, "auto_reset=array([1., 1., 1.]): expected True or False"),
    ],
)
def test_what_is_no_name_and_no_number_is_refused_as_one_that_is_unknown(arguments, found):
    with pytest.raises(GameError) as caught:
        make(**{"game_id": "cleanup", **arguments})
    (problem,) = caught.value.problems
    assert problem.startswith(found)


def test_the_last_copy_has_an_env_index_too():
    with pytest.raises(GameError, match=r"the last copy's env index would be 9223372036854775810; expected"):
        make("ipd", 4, first_env_index=2**63 - 1)
    game = make("ipd", 4, first_env_index=2**63 - 5)
    game.reset(seed=0)
    assert game.get_state()["env_index"].tolist() == [2**63 - 5 + k for k in range(4)]


@pytest.mark.parametrize("num_envs", [10**12, 2**52, 2**62])
def test_too_many_copies_are_refused_with_the_bytes_that_they_would_take(num_envs):
    game = make("cleanup")
    each = sum(array.nbytes for array in game.new_buffers().arrays)
    with pytest.raises(GameError, match=rf"num_envs={num_envs}: no memory .* {each * num_envs:,} bytes"):
        make("cleanup", num_envs)


def test_a_preset_of_another_game_is_said_to_be_one():
    (problem,) = check_params("cleanup", "lola")
    assert problem.startswith("unknown preset 'lola', which is one of coingame. cleanup has: lase, ")


def test_the_presets_of_a_game_can_be_seen():
    assert repr(mixed_motive.GAMES["coingame"]) == "<GameSpec 'coingame', Coingame, presets: lase, lola>"


def test_what_follows_from_the_parameters_is_said_to_be_none():
    assert check_params("snowdrift", max_collective_reward=120.0) == [
        "max_collective_reward is no parameter: it follows from the others. "
        "Read it from the game: game.max_collective_reward."
    ]


@pytest.mark.parametrize(
    ("game_id", "params", "cure"),
    [
        (
            "harvest",
            {"preset": "small", "patch_rows": 10, "patch_cols": 10},
            "on the 0 free cells of 8x8, walls and cells of waste and apples taken off. "
            "Raise height or width, or lower patch_rows, patch_cols or patch_radius.",
        ),
        (
            "cleanup",
            {"preset": "lio_7x7", "num_agents": 20},
            "or lower river_cells, stream_cells or orchard_cells, or num_agents to 18.",
        ),
    ],
)
def test_the_cure_for_too_small_a_map_is_one_that_helps(game_id, params, cure):
    (problem,) = check_params(game_id, **params)
    assert problem.endswith(cure)


@pytest.mark.parametrize("face", [mixed_motive.cleanup_v0, mixed_motive.continuous_public_goods_v0])
def test_a_horizon_that_was_given_as_max_cycles_is_called_by_both_names(face):
    with pytest.raises(GameError, match=r"max_cycles sets horizon=0 \(int\): expected an integer in \[1, "):
        face.parallel_env(max_cycles=0)
    with pytest.raises(GameError, match=r": horizon=0 \(int\): expected"):
        face.parallel_env(horizon=0)
