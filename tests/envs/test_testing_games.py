import functools
import re

import numpy as np
import pytest

import mixed_motive
from mixed_motive.pettingzoo_env import MixedMotiveParallelEnv
from mixed_motive.testing import (
    CheckFailure,
    Law,
    check_aliasing,
    check_api,
    check_conservation,
    check_env,
    check_observations,
    check_rate,
    check_symmetry,
)
from mixed_motive.testing.laws import LAWS, laws_of
from tests.envs.scenes import RULE_SETS

PRESETS = [(game_id, preset) for game_id, spec in mixed_motive.GAMES.items() for preset in spec.presets]
# Whose rules say that nothing is random, nor where anybody starts.
DETERMINISTIC = {"matrix", "ipd", "public_goods", "escape_room"}
# Long episodes on large maps are checked over their first steps.
LONGEST = 30


def params_of(game_id, preset):
    return mixed_motive.GAMES[game_id].presets[preset]


@pytest.mark.parametrize(("game_id", "preset"), PRESETS)
def test_every_game_and_preset_passes_all_checks(game_id, preset, monkeypatch):
    monkeypatch.setitem(MixedMotiveParallelEnv.metadata, "render_fps", 10_000)
    params = params_of(game_id, preset)
    horizon = min(params.horizon, LONGEST)

    def make(max_cycles=horizon, render_mode=None):
        return mixed_motive.parallel_env(game_id, preset, max_cycles=max_cycles, render_mode=render_mode)

    report = check_env(make, deterministic=game_id in DETERMINISTIC, laws=laws_of(params))
    assert set(report.skipped) == {"symmetry"}


@pytest.mark.parametrize(("game_id", "preset"), PRESETS)
def test_laws_hold_while_scripted_players_clean_eat_and_hunt(game_id, preset):
    horizon = min(params_of(game_id, preset).horizon, 120)
    envs = []

    def make():
        envs.append(mixed_motive.parallel_env(game_id, preset, max_cycles=horizon))
        return envs[-1]

    def policy(agent_id, obs, rng):
        game = envs[-1].game
        if rng.random() < 0.2:
            return int(rng.integers(len(game.action_names)))
        i = game.agent_ids.index(agent_id)
        return int(mixed_motive.player(("cooperator", "defector")[i % 2], game).act([i])[0, 0])

    for law in laws_of(params_of(game_id, preset)):
        check_conservation(make, law, num_episodes=2, policy=policy)


@pytest.mark.parametrize("obs", ["code", "float32", "rgb"])
def test_every_encoding_passes_the_checks_of_what_agents_see(obs):
    make = functools.partial(mixed_motive.parallel_env, "stag_hunt", obs=obs)
    for check in (check_api, check_observations, check_aliasing):
        check(make)


@pytest.mark.parametrize(("game_id", "preset"), PRESETS)
def test_agents_that_play_at_random_earn_alike(game_id, preset):
    # On the large maps over the first steps of an episode.
    horizon = min(params_of(game_id, preset).horizon, 100)
    check_symmetry(lambda: mixed_motive.make(game_id, 500, preset, horizon=horizon))


@pytest.mark.parametrize("game_id", ["cleanup", "coingame"])
def test_agents_that_play_at_random_earn_alike_through_pettingzoo(game_id):
    check_symmetry(lambda: mixed_motive.parallel_env(game_id, max_cycles=15), num_episodes=500)


def test_every_rule_set_has_laws():
    played = {kind for spec in mixed_motive.GAMES.values() for kind in spec.classes}
    assert set(LAWS) == played


# Crowded, so that random players who act every other step get something done.
CROWDED = {
    "cleanup": {"num_agents": 16},
    "snowdrift": {"height": 6, "width": 6},
    "stag_hunt": {"height": 4, "width": 4},
}


@pytest.mark.parametrize("game_id", list(CROWDED))
def test_laws_hold_where_much_happens(game_id):
    game = mixed_motive.make(game_id, **CROWDED[game_id])
    acts = range(5, len(game.action_names))
    events = []

    def counted(law, step):
        events.append(any(any(info.values()) for info in step.infos.values()))
        return law.broken(step)

    def policy(agent_id, obs, rng):
        return int(rng.choice(acts if rng.random() < 0.5 else range(5)))

    for law in laws_of(game.params):
        watched = Law(law.statement, functools.partial(counted, law), law.read_state)
        make = functools.partial(mixed_motive.parallel_env, game_id, **CROWDED[game_id])
        check_conservation(make, watched, policy=policy)
    assert sum(events) > 50


BENT = {
    "cleanup": ("waste_cleaned", "2 waste cleaned, 6 left, 2 spawned"),
    "harvest": ("apples", "[2-9] apples eaten, [0-9] gone"),
    "coingame": ("own_coins", "[23] coins picked, 1 on the map"),
    "stag_hunt": ("hares", "0 hares less, and 2 agents that caught one"),
    "snowdrift": ("piles_removed", "0 piles less, and 2 agents that removed one"),
    "public_goods": (None, "given, and rewards that sum to"),
    "escape_room": ("escaped", "escaped from places"),
    "matrix": (None, "reward of 'agent_0' is .*, not "),
}


@pytest.mark.parametrize("game_id", list(BENT))
def test_a_game_that_miscounts_or_pays_wrongly_breaks_a_law(game_id):
    count, says = BENT[game_id]

    class Bent(MixedMotiveParallelEnv):
        def step(self, actions):
            obs, rewards, *flags, infos = super().step(actions)
            if self.game.get_state()["step"][0] == 3:
                if count is None:
                    rewards["agent_0"] += 0.01
                else:
                    infos["agent_0"][count] += 2
            return (obs, rewards, *flags, infos)

    law = laws_of(mixed_motive.make(game_id).params)[0]
    with pytest.raises(CheckFailure, match=r"\[conservation\] episode \d, step 3, ") as caught:
        check_conservation(functools.partial(Bent, game_id), law)
    assert re.search(says, str(caught.value))


EVERY_LAW = [
    (game_id, preset, k)
    for game_id, preset in RULE_SETS
    for k in range(len(laws_of(params_of(game_id, preset))))
]


@pytest.mark.parametrize(("game_id", "preset", "number"), EVERY_LAW)
def test_every_law_is_broken_by_a_wrong_count_or_a_wrong_reward(game_id, preset, number):
    class Bent(MixedMotiveParallelEnv):
        def step(self, actions):
            obs, rewards, *flags, infos = super().step(actions)
            if self.game.get_state()["step"][0] == 3:
                if bent == "reward":
                    rewards["agent_0"] += 0.01
                else:
                    infos["agent_0"][bent] += 2
            return (obs, rewards, *flags, infos)

    law = laws_of(params_of(game_id, preset))[number]
    noticed = []
    for bent in ("reward", *mixed_motive.make(game_id, 1, preset).count_names):
        try:
            check_conservation(functools.partial(Bent, game_id, preset, max_cycles=4), law)
        except CheckFailure:
            noticed.append(bent)
    assert noticed, law.statement


def test_the_stated_chances_of_waste_and_apples_are_those_that_are_measured():
    chance = 0.1
    game = mixed_motive.make("cleanup", 500, initial_waste=0, apple_respawn_probability=0.3)
    assert game.params.waste_spawn_probability == chance
    game.reset(seed=0)
    # Nobody cleans or picks: all stay. With few steps neither river nor orchard fills.
    waste = np.zeros((6, 500), int)
    for t in range(1, 6):
        game.step(np.full((500, 4), 4))
        waste[t] = (game.get_state()["map"] == 1).sum(axis=(1, 2))
    check_rate(int(np.diff(waste, axis=0).sum()), 5 * 500, chance, what="waste")
    with pytest.raises(CheckFailure, match=r"waste: .* about 0\.2"):
        check_rate(int(np.diff(waste, axis=0).sum()), 5 * 500, 2 * chance, what="waste")
