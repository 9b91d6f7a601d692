"""The compiled games against their plain-Python twins, to the bit.

Every preset, and crowds beside them, with B = 1, 7 and 64: alone by random actions, in the larger batches
mostly by scripted players, who clean, eat and hunt together; then parameters that are drawn.
"""

import dataclasses
from typing import get_type_hints

import numpy as np
import pytest

import mixed_motive
from mixed_motive.oracles import ORACLES
from mixed_motive.params import GridParams
from tests.envs.scenes import CROWDED_HUNT, RULE_SETS

NUM_STEPS = 500


def encodings(game_id, preset):
    return mixed_motive.GAMES[game_id].game_class(preset).encodings


TINY_CLEANUP = {
    "height": 3,
    "width": 2,
    "river_rows": 1,
    "orchard_rows": 1,
    "max_waste": 1,
    "initial_waste": 0,
}
CROWDED_BEAMS = {"num_agents": 40, "height": 12, "width": 12, "horizon": 90, "hit_freeze": 2}
CROWDED_RIVER = {"river_cells": 20, "orchard_cells": 30, "initial_waste": 20, "max_waste": 20}
CASES = [
    *[
        # Shorter than the test, so that it sees an end.
        (game_id, preset, {"horizon": 150} if params.horizon > NUM_STEPS else {})
        for game_id, spec in mixed_motive.GAMES.items()
        for preset, params in spec.presets.items()
    ],
    # Crowds, so that ties and blocked moves are the rule.
    ("cleanup", "lase", {**TINY_CLEANUP, "num_agents": 12, "view_radius": 0, "horizon": 37}),
    ("cleanup", "lase", {"view_radius": None, "waste_spawn_probability": 1, "threshold_restoration": 0.25}),
    ("snowdrift", "lase", {"num_agents": 11, "height": 3, "width": 4, "num_piles": 12, "horizon": 9}),
    ("snowdrift", "lase", {"agents_block": False, "num_agents": 9, "height": 2, "width": 3, "horizon": 7}),
    ("snowdrift", "lase", {"height": 3, "width": 5, "view_radius": None, "horizon": 20}),
    ("coingame", "lase", {"num_agents": 5, "view_radius": None, "coin_avoids_agents": True, "horizon": 30}),
    # More agents than cells; windows larger than the torus.
    ("coingame", "lola", {"num_agents": 9, "view_radius": 2, "alternate_colours": False, "horizon": 30}),
    ("coingame", "lola", {"num_agents": 20, "height": 2, "view_radius": None, "horizon": 30}),
    ("coingame", "lola", {"num_agents": 3, "height": 4, "width": 7, "view_radius": 6, "horizon": 30}),
    # Agents leave all the time: all of them early, and some in the last step.
    ("stag_hunt", "lase", {**CROWDED_HUNT, "horizon": 9, "num_agents": 12, "hunters_needed": 3}),
    ("stag_hunt", "lase_repository", {**CROWDED_HUNT, "horizon": 9, "num_agents": 3, "view_radius": None}),
    ("cleanup", "ssdg", {**CROWDED_BEAMS, **CROWDED_RIVER, "apple_respawn_probability": 0.7}),
    (
        "cleanup",
        "ssdg",
        {"view_radius": 0, "walled": False, "horizon": 33, "fire_cost": 0.3, "hit_cost": 0.7},
    ),
    ("cleanup", "ssdg", {"turning": False, "view_radius": None, "num_agents": 12, "horizon": 77}),
    ("cleanup", "lio_10x10", {"turning": True, "view_radius": None, "num_agents": 9}),
    ("harvest", "small", {**CROWDED_BEAMS, "fire_length": 3, "near_squared_distance": 5}),
    ("harvest", "small", {"apple_respawn_probability": 1, "respawn_probability_0": 0.5, "view_radius": 0}),
    (
        "public_goods",
        "lab",
        {"num_agents": 64, "num_levels": 255, "horizon": 7, "endowment": 3.7, "multiplier": 2.3},
    ),
    ("public_goods", "standard", {"num_agents": 2, "multiplier": 0, "endowment": 0, "horizon": 3}),
    ("escape_room", "lio_2_1", {"num_agents": 64, "min_at_lever": 22, "move_cost": 0.3, "exit_reward": 7.1}),
    ("escape_room", "lio_3_2", {"num_agents": 9, "min_at_lever": 5, "horizon": 40}),
    ("matrix", "ipd", {"R": -1, "S": -3, "T": 0, "P": -2, "horizon": 5}),
]


ENCODED = [
    (case, num_envs, obs)
    for case in CASES
    for num_envs in (1, 7, 64)
    for obs in ("planes", "code")
    # One batch size for the classes: what differs is the view alone.
    if obs == "planes" or (num_envs == 7 and obs in encodings(*case[:2]))
]


def assert_equal_step(step, b, expected, where):
    assert np.array_equal(step.obs[b], expected.obs), where
    assert np.array_equal(step.rewards[b], np.array(expected.rewards, np.float32)), where
    assert np.array_equal(step.counts[b], expected.counts), where
    assert step.done[b] == expected.done, where
    assert np.array_equal(step.truncations[b], expected.truncations), where
    assert np.array_equal(step.terminations[b], expected.terminations), where
    assert np.array_equal(step.active[b], expected.active), where
    if expected.done:
        assert np.array_equal(step.final_obs[b], expected.final_obs), where


class Crowd:
    """Cooperators, defectors and, in a share of all decisions, chance."""

    def __init__(self, game, rng):
        self.rng, self.game = rng, game
        self.players = [mixed_motive.player(kind, game, seed=3) for kind in ("cooperator", "defector")]
        self.halves = [list(range(first, game.num_agents, 2)) for first in (0, 1)]

    def act(self, share_of_scripts):
        game, rng = self.game, self.rng
        actions = rng.integers(0, len(game.action_names), (game.num_envs, game.num_agents))
        if share_of_scripts > 0:
            for player, agents in zip(self.players, self.halves, strict=True):
                knows = rng.random((game.num_envs, len(agents))) < share_of_scripts
                actions[:, agents] = np.where(knows, player.act(agents), actions[:, agents])
        return actions


@pytest.mark.parametrize(("case", "num_envs", "obs"), ENCODED)
def test_kernel_equals_oracle_to_the_bit(case, num_envs, obs):
    game_id, preset, params = case
    game = mixed_motive.make(game_id, num_envs, preset, obs=obs, first_env_index=5, **params)
    # Oracles are slow; the first and the last copy stand for the batch.
    watched = sorted({0, num_envs - 1})
    oracles = {b: ORACLES[type(game.params)](game.params, 11, 5 + b) for b in watched}
    first_obs = game.reset(seed=11)
    for b, oracle in oracles.items():
        oracle.code = obs == "code"
        np.testing.assert_array_equal(first_obs[b], oracle.reset())

    # Random actions alone hardly ever clean, eat or hunt together; players know how.
    crowd = Crowd(game, np.random.default_rng(num_envs))
    seen_end = False
    events = np.zeros(len(game.count_names), int)
    for t in range(NUM_STEPS):
        actions = crowd.act(0.7 if num_envs > 1 and t % 100 < 75 else 0.0)
        step = game.step(actions)
        events += step.counts.sum(axis=(0, 1))
        for b, oracle in oracles.items():
            expected = oracle.step(actions[b].tolist())
            assert_equal_step(step, b, expected, f"step {t}, copy {b}")
            seen_end |= expected.done
    assert seen_end
    if num_envs == 64:
        assert (events > 0).all(), dict(zip(game.count_names, events, strict=True))


#: The largest value that is drawn for a whole number; 8 where nothing is said.
AT_MOST = {
    "horizon": 30,
    "height": 16,
    "width": 16,
    "river_cells": 30,
    "orchard_cells": 30,
    "max_waste": 20,
    "num_levels": 255,
    "min_at_lever": 63,
    "patch_radius": 3,
}
LARGE_MAPS = ({"height": 16, "width": 38, "num_agents": 64}, {"height": 25, "width": 18, "num_agents": 64})
NUM_DRAWN = 20
MOST_EXPENSIVE = 250_000


def drawn_value(rng, field, hint):
    minimum, maximum = (field.metadata[limit] for limit in ("minimum", "maximum"))
    if field.name == "view_radius":
        return [None, 0, 1, 3][rng.integers(4)]
    if field.name == "num_agents":
        return min(int(rng.choice([2, 3, 4, 6, 11, 64])), maximum)
    if hint is bool:
        return bool(rng.integers(2))
    if hint is int:
        low, high = minimum or 0, AT_MOST.get(field.name, 8)
        return int(rng.integers(low, (high if maximum is None else min(high, maximum)) + 1))
    low, high = -5.0 if minimum is None else minimum, 1.0 if maximum == 1 else 5.0
    return float([low, high, rng.uniform(low, high)][min(rng.integers(4), 2)])


def draw(game_id, preset, number):
    """Generator, parameters with which the game can be made, encoding, batch size and number of steps."""
    rng = np.random.default_rng([number, *map(ord, game_id + preset)])
    defaults = mixed_motive.GAMES[game_id].presets[preset]
    hints = get_type_hints(type(defaults))
    on_a_map = isinstance(defaults, GridParams)
    fixed = LARGE_MAPS[number] if on_a_map and number < len(LARGE_MAPS) else {}
    while True:
        params = {f.name: drawn_value(rng, f, hints[f.name]) for f in dataclasses.fields(defaults)} | fixed
        if mixed_motive.check_params(game_id, preset, **params):
            continue
        cost = params["num_agents"]  # roughly, of an oracle's views of one step
        if on_a_map:
            radius = params["view_radius"]
            reach = max(params["height"], params["width"]) - 1 if radius is None else radius
            cost *= (2 * reach + 1) ** 2 * (params["num_agents"] + 5)
        if cost <= MOST_EXPENSIVE:
            break
    obs = "code" if "code" in encodings(game_id, preset) and rng.integers(2) else "planes"
    num_envs = int(rng.integers(1, 4))
    return rng, params, obs, num_envs, min(max(8 * MOST_EXPENSIVE // (cost * num_envs), 8), 60)


DRAWN = [(*rules, number) for rules in RULE_SETS for number in range(NUM_DRAWN)]


@pytest.mark.parametrize(("game_id", "preset"), RULE_SETS)
def test_drawn_parameters_reach_the_corners(game_id, preset):
    draws = [draw(game_id, preset, number)[1:] for number in range(NUM_DRAWN)]
    assert {num_envs for _, _, num_envs, _ in draws} == {1, 2, 3}
    assert {obs for _, obs, _, _ in draws} >= {"planes", "code"} & set(encodings(game_id, preset))
    drawn = [params for params, *_ in draws]
    assert sum(params["horizon"] < num_steps for params, *_, num_steps in draws) > NUM_DRAWN // 2
    assert max(params["num_agents"] for params in drawn) == (2 if "R" in drawn[0] else 64)
    if "view_radius" in drawn[0]:
        assert {params["view_radius"] for params in drawn} == {None, 0, 1, 3}
        assert max(params["height"] for params in drawn) == 25
    for name, value in drawn[0].items():
        if isinstance(value, bool):
            assert {params[name] for params in drawn} == {False, True}, name


@pytest.mark.parametrize(("game_id", "preset", "number"), DRAWN)
def test_kernel_equals_oracle_with_drawn_parameters_also_after_a_change_of_the_game_object(
    game_id, preset, number
):
    rng, params, obs, num_envs, num_steps = draw(game_id, preset, number)
    game, other = (
        mixed_motive.make(game_id, num_envs, preset, obs=obs, first_env_index=first, **params)
        for first in (7, 100)
    )
    oracles = [ORACLES[type(game.params)](game.params, number, 7 + b) for b in range(num_envs)]
    for copy, oracle in zip(game.reset(seed=number), oracles, strict=True):
        oracle.code = obs == "code"
        np.testing.assert_array_equal(copy, oracle.reset(), err_msg=str(params))

    other.reset(seed=number + 1)  # what a state must wipe out
    crowd = Crowd(game, rng)
    for t in range(num_steps):
        if t == num_steps // 2:
            for b in reversed(range(num_envs)):
                other.set_state(game.get_state([b]), [b])
            game, crowd = other, Crowd(other, rng)
        actions = crowd.act(0.5)
        step = game.step(actions)
        for b, oracle in enumerate(oracles):
            expected = oracle.step(actions[b].tolist())
            assert_equal_step(step, b, expected, f"step {t}, copy {b}, obs={obs!r}, {params}")


@pytest.mark.parametrize(("game_id", "preset"), [("cleanup", "ssdg"), ("harvest", "meltingpot")])
def test_kernel_equals_oracle_over_an_episode_of_1000_steps(game_id, preset):
    game = mixed_motive.make(game_id, 1, preset, view_radius=0)
    assert game.horizon == 1000
    oracle = ORACLES[type(game.params)](game.params, 4, 0)
    np.testing.assert_array_equal(game.reset(seed=4)[0], oracle.reset())
    crowd = Crowd(game, np.random.default_rng(0))
    for t in range(1002):
        actions = crowd.act(0.5)
        expected = oracle.step(actions[0].tolist())
        assert_equal_step(game.step(actions), 0, expected, f"step {t}")
        assert expected.done == (t == 999)
