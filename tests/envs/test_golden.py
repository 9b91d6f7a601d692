"""Fixed trajectories: what changes a hash here changes the dynamics; the game then needs a new version.

Every other agent is a scripted cooperator, so that all that a game counts happens, and the rest draw their
actions. A change of the cooperators alone changes hashes, too, without changing the games.
"""

import hashlib

import numpy as np
import pytest

import mixed_motive

GOLDEN = {
    ("cleanup", "lase"): "c099529e9c77beac",
    ("cleanup", "lase_extended"): "f5ef9c5923217cb9",
    ("cleanup", "ssdg"): "e1990983db5e28de",
    ("cleanup", "lio_7x7"): "53c64927daf0b654",
    ("cleanup", "lio_10x10"): "a88dd70f993361db",
    ("cleanup", "meltingpot"): "647d07780ad24c45",
    ("harvest", "small"): "ae60da9edcf209c0",
    ("harvest", "ssdg"): "f7da7119ff77fdd9",
    ("harvest", "ssdg_25x18"): "b9f8042cff13ecaa",
    ("harvest", "meltingpot"): "cc1d25b3bfcf67b4",
    ("coingame", "lase"): "724cf011c42f0609",
    ("coingame", "lola"): "c401e52995f2b521",
    ("stag_hunt", "lase"): "10269626066eead1",
    ("stag_hunt", "lase_repository"): "1d697d02be0c311a",
    ("stag_hunt", "hop"): "0125f5ff1ae4990d",
    ("snowdrift", "lase"): "4db0e0d811fc75ee",
    ("snowdrift", "lase_extended"): "61705670103f705a",
    ("matrix", "ipd"): "d6d560e4ff7ed001",
    ("matrix", "stag_hunt"): "0812045f5fb2f5ff",
    ("matrix", "chicken"): "5072b280e9170b12",
    ("matrix", "harmony"): "4f27b5c1d679dddf",
    ("public_goods", "standard"): "febf42ef48d15ecd",
    ("public_goods", "lab"): "3eaeb57cafd601a5",
    ("escape_room", "lio_2_1"): "f0bf4f1b905aa2bc",
    ("escape_room", "lio_3_2"): "2095dfe50377e79e",
    ("ipd", "lase"): "d6d560e4ff7ed001",
}


#: Long episodes are cut to this, so that ends are within the steps that are played.
LONGEST = 120


def trajectory(game_id, preset):
    """Hash of all that 250 steps give; sums of the counts; how many episodes ended."""
    horizon = min(LONGEST, mixed_motive.GAMES[game_id].presets[preset].horizon)
    game = mixed_motive.make(game_id, 3, preset, first_env_index=2, horizon=horizon)
    found = hashlib.sha256(game.reset(seed=2024).tobytes())
    cooperator, cooperators = mixed_motive.player("cooperator", game), range(0, game.num_agents, 2)
    state = np.arange(3 * game.num_agents, dtype=np.uint64).reshape(3, game.num_agents)
    events, ends = np.zeros(len(game.count_names), int), 0
    for _ in range(250):
        # A generator of our own, so that no library's change of heart moves the actions.
        state = (state * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)) & np.uint64(
            2**64 - 1
        )
        actions = ((state >> np.uint64(33)) % np.uint64(game.action_space.n)).astype(np.int64)
        actions[:, cooperators] = cooperator.act(cooperators)
        step = game.step(actions)
        for array in (
            step.obs,
            step.rewards.astype("<f4"),
            step.terminations,
            step.truncations,
            step.done,
            step.active,
            step.counts.astype("<i4"),
            step.final_obs[step.done],
        ):
            found.update(array.tobytes())
        events += step.counts.sum(axis=(0, 1))
        ends += int(step.done.sum())
    return found.hexdigest()[:16], dict(zip(game.count_names, events.tolist(), strict=True)), ends


def test_every_preset_has_a_golden_trajectory():
    presets = {(game_id, preset) for game_id, spec in mixed_motive.GAMES.items() for preset in spec.presets}
    assert presets == set(GOLDEN)


@pytest.mark.parametrize(("game_id", "preset"), list(GOLDEN))
def test_a_golden_trajectory_repeats(game_id, preset):
    found, events, ends = trajectory(game_id, preset)
    assert all(events.values()), events
    assert ends >= 6
    assert found == GOLDEN[game_id, preset]
