"""The compiled games against their plain-Python twins, to the bit."""

import numpy as np
import pytest

import mixed_motive
from mixed_motive.oracles import ORACLES
from tests.envs.scenes import CROWDED_HUNT

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

    rng = np.random.default_rng(num_envs)
    # Random actions alone hardly ever clean, eat or hunt together: mostly players do, who know how.
    players = [mixed_motive.player(kind, game, seed=3) for kind in ("cooperator", "defector")]
    halves = [list(range(first, game.num_agents, 2)) for first in (0, 1)]
    seen_end = False
    events = np.zeros(len(game.count_names), int)
    for t in range(NUM_STEPS):
        actions = rng.integers(0, len(game.action_names), (num_envs, game.num_agents))
        if t % 100 < 75:
            for player, agents in zip(players, halves, strict=True):
                knows = rng.random((num_envs, len(agents))) < 0.7
                actions[:, agents] = np.where(knows, player.act(agents), actions[:, agents])
        step = game.step(actions)
        events += step.counts.sum(axis=(0, 1))
        for b, oracle in oracles.items():
            expected = oracle.step(actions[b].tolist())
            where = f"step {t}, copy {b}"
            assert np.array_equal(step.obs[b], expected.obs), where
            assert np.array_equal(step.rewards[b], np.array(expected.rewards, np.float32)), where
            assert np.array_equal(step.counts[b], expected.counts), where
            assert step.done[b] == expected.done, where
            assert np.array_equal(step.truncations[b], expected.truncations), where
            assert np.array_equal(step.terminations[b], expected.terminations), where
            assert np.array_equal(step.active[b], expected.active), where
            if expected.final_obs is not None:
                seen_end = True
                assert np.array_equal(step.final_obs[b], expected.final_obs), where
    assert seen_end
    if num_envs == 64:
        assert (events > 0).all(), dict(zip(game.count_names, events, strict=True))
