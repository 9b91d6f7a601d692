import numpy as np
import pytest
from scipy import stats

import mixed_motive
from mixed_motive.games.cleanup import APPLE, CLEAN, PICK, WASTE
from mixed_motive.games.escape_room import DOOR, LEVER
from mixed_motive.games.snowdrift import PILE, REMOVE
from mixed_motive.games.stag_hunt import HARE, HUNT_HARE, HUNT_STAG, STAG
from mixed_motive.players.registry import SCRIPTS
from tests.envs.scenes import DOWN, LEFT, STAY, UP, scene

RULES = [(game_id, preset) for game_id, spec in mixed_motive.GAMES.items() for preset in spec.presets]


def play(game, teams, num_steps=None):
    """Play until all first episodes have ended; rewards (B, N) and counts (B, N, K) of those episodes.

    Args:
        game: A game that was reset.
        teams: Kind of player to the agents that it plays.
        num_steps: Stop after so many steps.
    """
    players = {kind: mixed_motive.player(kind, game) for kind in teams}
    running = np.ones(game.num_envs, bool)
    rewards = np.zeros((game.num_envs, game.num_agents))
    counts = np.zeros((*rewards.shape, len(game.count_names)), int)
    steps = 0
    while running.any() and steps != num_steps:
        actions = np.full(rewards.shape, -1)
        for kind, team in teams.items():
            actions[:, team] = players[kind].act(team)
        step = game.step(actions)
        rewards[running] += step.rewards[running]
        counts[running] += step.counts[running]
        running &= ~step.done
        steps += 1
    return rewards, counts


def count(game, counts, name):
    """(B, N) of one of the counts."""
    return counts[..., game.count_names.index(name)]


# Of all games


@pytest.mark.parametrize(("game_id", "preset"), RULES)
@pytest.mark.parametrize("kind", mixed_motive.PLAYERS)
def test_every_game_has_every_player_and_they_act_by_its_rules(game_id, preset, kind):
    game = mixed_motive.make(game_id, 3, preset)
    game.reset(seed=0)
    player = mixed_motive.player(kind, game)
    assert player.kind == kind
    for _ in range(20):
        actions = player.act()
        assert actions.shape == (3, game.num_agents)
        assert actions.dtype == np.int64
        game.step(actions)


@pytest.mark.parametrize(("game_id", "preset"), RULES)
@pytest.mark.parametrize("kind", mixed_motive.PLAYERS)
def test_decisions_do_not_depend_on_the_batch_size_and_leave_no_trace(game_id, preset, kind):
    batch = mixed_motive.make(game_id, 5, preset)
    single = mixed_motive.make(game_id, 1, preset, first_env_index=3)
    batch.reset(seed=7)
    single.reset(seed=7)
    in_batch, alone = mixed_motive.player(kind, batch, seed=2), mixed_motive.player(kind, single, seed=2)
    for _ in range(25):
        actions = in_batch.act()
        np.testing.assert_array_equal(in_batch.act(), actions)
        np.testing.assert_array_equal(alone.act(), actions[3:4])
        batch.step(actions)
        single.step(actions[3:4])


def test_all_rules_have_their_players():
    rules = {params_class for spec in mixed_motive.GAMES.values() for params_class in spec.classes}
    assert rules == set(SCRIPTS)
    for kinds in SCRIPTS.values():
        assert [player_class.kind for player_class in kinds] == ["cooperator", "defector"]


def test_the_random_player_takes_every_action_with_the_same_chance():
    game = mixed_motive.make("cleanup", 3000)
    game.reset(seed=0)
    player = mixed_motive.player("random", game)
    for _ in range(3):
        actions = player.act()
        game.step(actions)
        for i in range(4):
            assert stats.chisquare(np.bincount(actions[:, i], minlength=7)).pvalue > 1e-4
        pairs = np.bincount(actions[:, 0] * 7 + actions[:, 1], minlength=49)
        assert stats.chisquare(pairs).pvalue > 1e-4


def test_random_players_differ_by_seed_and_from_one_step_and_one_episode_to_the_next():
    game = mixed_motive.make("ipd", 200)
    game.reset(seed=0)
    player, other = mixed_motive.player("random", game), mixed_motive.player("random", game, seed=1)
    first = player.act()
    assert 0.3 < (other.act() != first).mean() < 0.7
    game.step(first)
    assert 0.3 < (player.act() != first).mean() < 0.7
    game.reset()
    assert 0.3 < (player.act() != first).mean() < 0.7


def test_actions_come_in_the_order_of_the_agents():
    game = mixed_motive.make("cleanup", 20)
    game.reset(seed=0)
    player = mixed_motive.player("random", game)
    np.testing.assert_array_equal(player.act([2, 0]), player.act()[:, [2, 0]])
    assert player.act([]).shape == (20, 0)


@pytest.mark.parametrize("agents", [[0, 0], [4], [-1], [0.0], [[0]]])
def test_agents_that_are_none_are_refused(agents):
    game = mixed_motive.make("cleanup")
    game.reset(seed=0)
    with pytest.raises(mixed_motive.GameError, match=r"expected distinct indices of agents in \[0, 4\)"):
        mixed_motive.player("cooperator", game).act(agents)


def test_mistakes_in_asking_for_a_player_are_named_together():
    with pytest.raises(mixed_motive.GameError) as caught:
        mixed_motive.player("coperator", mixed_motive.make("cleanup"), seed=-1)
    assert "did you mean 'cooperator'?" in str(caught.value)
    assert "seed=-1" in str(caught.value)


def test_a_player_cannot_act_before_the_first_reset():
    with pytest.raises(mixed_motive.GameError, match="Call reset"):
        mixed_motive.player("defector", mixed_motive.make("cleanup")).act()


# Matrix games, public goods, Escape Room


@pytest.mark.parametrize(("kind", "share"), [("cooperator", 1.0), ("defector", 0.0)])
def test_in_matrix_games_the_kind_is_the_action(kind, share):
    game = mixed_motive.make("ipd", 4)
    game.reset(seed=0)
    rewards, counts = play(game, {kind: [0, 1]})
    assert (counts == 100 * share).all()
    assert (rewards == 100 * share).all()


def test_public_goods_cooperators_give_all_and_defectors_nothing():
    game = mixed_motive.make("public_goods", 2, "lab")
    game.reset(seed=0)
    _, counts = play(game, {"cooperator": [0, 2], "defector": [1, 3]})
    assert (count(game, counts, "contributed") == [200, 0, 200, 0]).all()


def test_escape_room_cooperators_hold_the_lever_with_as_many_as_it_takes():
    game = mixed_motive.make("escape_room", 300, "lio_3_2")
    game.reset(seed=0)
    player = mixed_motive.player("cooperator", game)
    actions = player.act()
    assert ((actions == LEVER).sum(axis=1) == 2).all()
    assert stats.chisquare((actions == DOOR).sum(axis=0)).pvalue > 1e-3
    assert game.step(actions).rewards.sum() == 300 * 8
    assert (player.act([1]) == LEVER).all()


def test_who_holds_the_lever_goes_on_holding_it():
    game = mixed_motive.make("escape_room", 50, num_agents=4, min_at_lever=2)
    game.reset(seed=0)
    game.step(np.tile([LEVER, DOOR, DOOR, DOOR], (50, 1)))
    assert (mixed_motive.player("cooperator", game).act([3, 1, 0])[:, 2] == LEVER).all()


def test_escape_room_defectors_wait_at_the_door():
    game = mixed_motive.make("escape_room", 2, "lio_3_2")
    game.reset(seed=0)
    rewards, counts = play(game, {"defector": [0, 1, 2]})
    assert (rewards == -1).all()
    assert not counts.any()


# Snowdrift


@pytest.mark.parametrize("preset", ["lase", "lase_extended"])
def test_a_lone_cooperator_clears_all_piles_between_defectors(preset):
    game = mixed_motive.make("snowdrift", 100, preset, horizon=400)
    n = game.num_agents
    game.reset(seed=0)
    _, counts = play(game, {"cooperator": [0], "defector": range(1, n)})
    assert not counts[:, 1:].any()
    assert (counts[:, 0, 0] == game.params.num_piles).mean() > 0.98  # all that nobody hems in


def test_cooperators_share_out_the_piles_and_remove_all_in_time():
    game = mixed_motive.make("snowdrift", 200)
    game.reset(seed=0)
    rewards, counts = play(game, {"cooperator": range(4)})
    assert (rewards.sum(axis=1) == 120).all()
    assert (counts.sum(axis=(1, 2)) == 6).all()


def test_a_cooperator_walks_around_who_stands_in_the_way():
    game = scene("snowdrift", [(0, 0), (0, 1)], [(0, 2, PILE)])
    cooperator = mixed_motive.player("cooperator", game)
    game.step([[cooperator.act([0])[0, 0], STAY]])
    assert game.get_state()["positions"][0, 0].tolist() == [1, 0]


def test_a_cooperator_without_a_way_to_a_pile_stays():
    game = scene("snowdrift", [(0, 0), (0, 1), (1, 0)], [(5, 5, PILE)], num_envs=20)
    assert (mixed_motive.player("cooperator", game).act([0]) == STAY).all()
    game = scene("snowdrift", [(0, 0), (5, 5)], num_envs=20)
    assert (mixed_motive.player("cooperator", game).act() == STAY).all()


def test_defectors_stay_but_step_off_a_pile():
    game = scene("snowdrift", [(0, 0), (4, 4)], [(0, 0, PILE), (0, 1, PILE), (1, 1, PILE)], num_envs=20)
    actions = mixed_motive.player("defector", game).act()
    assert (actions == [DOWN, STAY]).all()


def test_a_cooperator_on_a_pile_removes_it():
    game = scene("snowdrift", [(3, 3), (3, 4)], [(3, 3, PILE), (3, 4, PILE)])
    assert mixed_motive.player("cooperator", game).act().tolist() == [[REMOVE, REMOVE]]


# Cleanup


def test_defectors_never_clean_and_alone_they_get_nothing():
    game = mixed_motive.make("cleanup", 50)
    game.reset(seed=0)
    rewards, counts = play(game, {"defector": range(4)})
    assert not rewards.any()
    assert not counts.any()


def test_one_cooperator_feeds_three_defectors():
    game = mixed_motive.make("cleanup", 50)
    game.reset(seed=0)
    rewards, counts = play(game, {"cooperator": [2], "defector": [0, 1, 3]})
    cleaned = count(game, counts, "waste_cleaned")
    assert (cleaned[:, 2] >= 8).all()
    assert not cleaned[:, [0, 1, 3]].any()
    assert rewards[:, [0, 1, 3]].mean() > 15


def test_cooperators_clean_first_then_eat_and_each_has_a_waste_of_its_own():
    waste = [(0, c, WASTE) for c in range(8)]
    game = scene("cleanup", [(0, 3), (0, 4), (7, 7)], [*waste, (7, 0, APPLE)], num_envs=20)
    actions = mixed_motive.player("cooperator", game).act()
    assert (actions == [CLEAN, CLEAN, UP]).all()
    game = scene("cleanup", [(7, 7), (6, 0)], [(7, 0, APPLE), (7, 7, APPLE)], num_envs=20)
    assert (mixed_motive.player("cooperator", game).act() == [PICK, DOWN]).all()


def test_cooperators_in_the_orchard_leave_little_waste_to_those_at_the_river():
    game = scene("cleanup", [(2, 0), (7, 7)], [(0, 0, WASTE), (7, 6, APPLE)], num_envs=20)
    assert (mixed_motive.player("cooperator", game).act() == [UP, LEFT]).all()


def test_who_has_nothing_to_pick_waits_in_the_orchard():
    game = scene("cleanup", [(3, 2), (6, 5)], [(0, 0, WASTE)], num_envs=20)
    assert (mixed_motive.player("defector", game).act() == [DOWN, STAY]).all()


# Sequential Stag Hunt


@pytest.mark.parametrize("preset", ["lase", "lase_repository"])
def test_four_cooperators_get_the_full_twenty(preset):
    game = mixed_motive.make("stag_hunt", 300, preset)
    game.reset(seed=0)
    rewards, _ = play(game, {"cooperator": range(4)})
    assert (rewards == 5).all()


def test_defectors_hunt_hares_only():
    game = mixed_motive.make("stag_hunt", 300)
    game.reset(seed=0)
    rewards, counts = play(game, {"defector": range(4)})
    assert (rewards == 1).all()
    assert not count(game, counts, "stags").any()


def test_a_lone_cooperator_waits_at_the_first_stag_in_vain():
    game = mixed_motive.make("stag_hunt", 100)
    game.reset(seed=0)
    rewards, counts = play(game, {"cooperator": [1], "defector": [0, 2, 3]}, num_steps=29)
    assert (rewards == [1, 0, 1, 1]).all()
    assert not counts[:, 1].any()
    state = game.get_state()
    for cells, cell in zip(state["map"], state["positions"][:, 1], strict=True):
        assert cell.tolist() == np.argwhere(cells == STAG)[0].tolist()


def test_cooperators_that_are_played_apart_still_meet():
    game = mixed_motive.make("stag_hunt", 100)
    game.reset(seed=0)
    player = mixed_motive.player("cooperator", game)
    rewards = 0
    for _ in range(29):
        actions = np.full((100, 4), STAY)
        actions[:, 0], actions[:, 3] = player.act([0])[:, 0], player.act([3])[:, 0]
        rewards = rewards + game.step(actions).rewards
    assert (rewards == [5, 0, 0, 5]).all()


def test_parties_hunt_as_soon_as_they_are_complete():
    game = scene(
        "stag_hunt",
        [(0, 0), (0, 0), (7, 7), (5, 7)],
        [(0, 0, STAG), (7, 7, STAG), (3, 3, HARE)],
        num_envs=20,
    )
    actions = mixed_motive.player("cooperator", game).act()
    assert (actions == [HUNT_STAG, HUNT_STAG, HUNT_STAG, DOWN]).all()


def test_without_hares_defectors_keep_off_stags():
    positions, stags = [(0, 0), (4, 4)], [(0, 0, STAG), (0, 1, STAG)]
    game = scene("stag_hunt", positions, stags, num_envs=20, stag_action=False)
    assert (mixed_motive.player("defector", game).act() == [DOWN, STAY]).all()
    game = scene("stag_hunt", positions, [*stags, (4, 4, HARE)], num_envs=20)
    assert (mixed_motive.player("defector", game).act([1]) == HUNT_HARE).all()


# Coingame


@pytest.mark.parametrize("preset", ["lase", "lola"])
def test_cooperators_take_only_their_own_coins_and_defectors_any(preset):
    game = mixed_motive.make("coingame", 100, preset)
    game.reset(seed=0)
    rewards, counts = play(game, {"cooperator": [0, 1]})
    assert not count(game, counts, "other_coins").any()
    assert rewards.sum() == counts.sum() > 100 * 20
    game.reset(seed=0)
    _, counts = play(game, {"cooperator": [0], "defector": [1]})
    own, other = count(game, counts, "own_coins"), count(game, counts, "other_coins")
    assert not other[:, 0].any()
    assert own[:, 0].mean() > 3
    assert own[:, 1].mean() > other[:, 1].mean() > 5


@pytest.mark.parametrize(("torus", "steps"), [(False, 8), (True, 2)])
def test_a_defector_takes_a_shortest_walk_to_the_coin(torus, steps):
    game = scene("coingame", [(0, 0), (2, 2)], [(4, 4, 1)], num_envs=50, torus=torus)
    player = mixed_motive.player("defector", game)
    for k in range(steps):
        actions = np.stack([player.act([0])[:, 0], np.tile([UP, DOWN], 25)], axis=1)
        step = game.step(actions)
        assert (step.counts[:, 0] == ([1, 0] if k == steps - 1 else [0, 0])).all()


def test_a_coin_underfoot_is_taken_by_pressing_against_the_edge():
    game = scene("coingame", [(0, 2), (2, 2)], [(0, 2, 2)], num_envs=20)
    assert (mixed_motive.player("defector", game).act([0]) == UP).all()
    assert (mixed_motive.player("cooperator", game).act([0]) != UP).all()


def test_a_cooperator_never_steps_on_the_coin_of_another():
    game = scene("coingame", [(1, 0), (4, 4)], [(1, 1, 2)], num_envs=3000)
    actions = mixed_motive.player("cooperator", game).act([0])[:, 0]
    assert set(actions.tolist()) == {UP, DOWN, LEFT}
    assert stats.chisquare(np.bincount(actions, minlength=4)[[UP, DOWN, LEFT]]).pvalue > 1e-3
