"""Players of seats: scripted, frozen and changing ones, and seats that are shuffled."""

import numpy as np
import pytest
import torch

import mixed_motive
from mixed_motive.games.coingame import CoinGameParams
from rllib_lase.networks import PolicyNet
from rllib_lase.registry.seating import Partner, Seating, Switch
from rllib_lase.rllib.env_runner import BatchedEnvRunner
from rllib_lase.rllib.game_copies import GameCopies
from rllib_lase.rllib.population import PopulationConfig
from rllib_lase.rllib.seats import population_policies
from rllib_lase.rllib.shuffled_seats import ShuffledSeats

STAY = 4


def runner_of(seats, game="cleanup", copies=3, seed=0, worker_index=0, env_config=None, **population):
    config = PopulationConfig().environment(game, env_config=env_config or {}).debugging(seed=seed)
    config.population(seats, **population).training(hidden_size=16)
    config.env_runners(num_envs_per_env_runner=copies, rollout_fragment_length=10)
    return BatchedEnvRunner(config=config, worker_index=worker_index, num_workers=worker_index)


def recurrent_net(env, seed, lstm_size):
    torch.manual_seed(seed)
    shape = env.observation_spaces["agent_0"].shape
    return PolicyNet(shape, int(env.action_spaces["agent_0"].n), 8, lstm_size)


def seated(env, names, learners=(), nets=None, switches=(), by_episode=False):
    seating = Seating.read(names).then([Switch.read(text) for text in switches])
    frozen = {(seat, Partner.read(name)): net for (seat, name), net in (nets or {}).items()}
    policies = population_policies(env, dict(learners), seating, frozen, 0, by_episode=by_episode)
    policies.start_fragment(50, 0.0)
    return policies


def play(env, policies, steps, seed=0):
    """Actions `(T, N, B)`."""
    rng = np.random.default_rng(seed)
    obs = [np.zeros_like(env.final_obs[0])]
    env.reset(seed, obs)
    policies.begin_episodes(np.arange(env.num_envs))
    state, taken = policies.initial_state(), []
    for t in range(steps):
        actions = np.zeros((len(env.agent_ids), env.num_envs), np.int64)
        uniform = rng.random(actions.shape, np.float32)
        state = policies.act(t, obs, state, uniform, actions)
        env.step(actions, obs)
        taken.append(actions)
    return np.stack(taken)


def test_scripted_players_do_what_their_scripts_say_of_the_games_state():
    runner = runner_of(["lase", "cooperator", "random", "defector"])
    rollout = runner.sample_rollout(30, 0.0)
    seats = runner.sampler.policy._players
    twin = mixed_motive.make("cleanup", num_envs=3)
    twin.reset(0)
    players = {}
    for seat, name in ((1, "cooperator"), (2, "random"), (3, "defector")):
        seed = int(next(iter(seats[seat]._players.values()))._player.seed)
        players[seat] = mixed_motive.player(name, twin, seed)
    for t in range(30):
        for seat, each in players.items():
            assert np.array_equal(each.act([seat])[:, 0], rollout.actions[seat, t])
        twin.step(rollout.actions[:, t].T)
    assert (rollout.vf_preds[1:] == 0).all(), "nothing is estimated for who does not learn"
    assert (rollout.vf_preds[0] != 0).any()


def test_random_partners_repeat_with_the_seed_and_differ_between_seeds_copies_and_runners():
    seats = ["random", "lase", "random", "random"]
    first, same, other, remote = (
        runner_of(seats, **changes).sample_rollout(40, 0.0).actions
        for changes in ({}, {}, {"seed": 1}, {"worker_index": 2})
    )
    assert np.array_equal(first, same)
    scripted = [0, 2, 3]
    assert not np.array_equal(first[scripted], other[scripted])
    assert not np.array_equal(first[scripted], remote[scripted]), "another env runner, other copies"
    assert not np.array_equal(first[0], first[2]), "each seat decides for itself"
    assert not np.array_equal(first[0, :, 0], first[0, :, 1])


def test_a_restored_runner_goes_on_exactly_with_scripted_partners_and_shuffled_seats():
    seats, options = ["lase", "random", "cooperator", "defector"], {"shuffle_seats": True}
    runner = runner_of(seats, **options)
    runner.sample_rollout(130, 0.1)  # beyond the end of an episode
    twin = runner_of(seats, seed=9, **options)
    twin.config.seed = 0
    twin.use_module(runner.module)
    twin.set_sampling_state(runner.get_sampling_state())
    expected, found = runner.sample_rollout(90, 0.1), twin.sample_rollout(90, 0.1)
    for name in ("actions", "rewards", "vf_preds", "dones", "counts"):
        assert np.array_equal(getattr(expected, name), getattr(found, name)), name


def test_partners_change_with_the_env_steps_of_the_training():
    runner = runner_of(["lase", "random", "random", "random"], switches=["300:2=defector", "600:2=random"])
    actions = [runner.sample_rollout(10, 0.0, steps).actions[2] for steps in (0, 299, 300, 599, 600)]
    steady = runner_of(["lase", "random", "random", "random"], switches=[])
    same = [steady.sample_rollout(10, 0.0, steps).actions[2] for steps in (0, 299, 300)]
    assert np.array_equal(actions[:2], same[:2])
    assert not np.array_equal(actions[2], same[2])


def test_who_is_away_stays_is_not_active_and_returns():
    switches = ["100:1=leave", "200:1=return"]
    runner = runner_of(["lase", "defector", "random", "random"], switches=switches)
    there, away, back = (runner.sample_rollout(10, 0.0, steps) for steps in (0, 100, 200))
    assert there.active.all()
    assert back.active.all()
    assert not away.active[1].any()
    assert away.active[[0, 2, 3]].all()
    assert (away.actions[1] == 0).all(), "as of every agent that is not in the game"
    env = GameCopies("cleanup", 2)
    policies = seated(env, ["random"] * 4, switches=["0:1=leave"])
    taken = play(env, policies, 5)
    assert (taken[:, 1] == STAY).all()
    assert env.game.action_names[STAY] == "stay"


def test_in_an_evaluation_changes_are_by_the_steps_of_each_copys_episode():
    env = GameCopies("stag_hunt", 6, horizon=12)
    agents = len(env.agent_ids)
    policies = seated(env, ["cooperator"] * agents, switches=["3:1=leave", "5:1=return"], by_episode=True)
    clock, ends = np.zeros(6, int), set()
    obs = [np.zeros_like(env.final_obs[0])]
    env.reset(0, obs)
    policies.begin_episodes(np.arange(6))
    for t in range(40):
        actions = np.zeros((agents, 6), np.int64)
        policies.act(t, obs, None, np.zeros((agents, 6), np.float32), actions)
        gone = np.zeros((agents, 6), bool) if policies.away is None else policies.away
        assert np.array_equal(gone[1], (clock >= 3) & (clock < 5))
        assert not gone[[0, *range(2, agents)]].any()
        dones = env.step(actions, obs).dones
        if dones.any():
            policies.begin_episodes(np.flatnonzero(dones))
        ends |= set(clock[dones].tolist())
        clock = np.where(dones, 0, clock + 1)
    assert len(ends) > 1, "episodes of different lengths"


def test_frozen_players_draw_from_their_own_networks_and_keep_their_own_memory():
    env = GameCopies("snowdrift", 3)
    small, large = recurrent_net(env, 1, 4), recurrent_net(env, 2, 6)
    with torch.no_grad():
        for net in (small, large):
            net.pi.weight.mul_(300)
    nets = {(0, "run:a"): small, (1, "run:b"): large}
    policies = seated(env, ["run:a", "run:b", "random", "random"], nets=nets)
    assert policies.initial_state().shape == (4, 3, 12)
    assert policies.learners_state(policies.initial_state()) is None
    rng = np.random.default_rng(0)
    obs = [np.zeros_like(env.final_obs[0])]
    env.reset(0, obs)
    state = policies.initial_state()
    own = [torch.zeros(3, 8), torch.zeros(3, 12)]
    resets = torch.zeros(1, 3, dtype=torch.bool)
    for t in range(15):
        actions = np.zeros((4, 3), np.int64)
        uniform = rng.random((4, 3), np.float32)
        state = policies.act(t, obs, state, uniform, actions)
        for seat, net in enumerate((small, large)):
            seen = torch.from_numpy(obs[0][seat]).unsqueeze(0)
            output, own[seat] = net.forward_sequence(seen, own[seat], resets)
            bounds = output.action_dist_inputs[0].softmax(-1).cumsum(-1)[:, :-1]
            expected = (bounds <= torch.from_numpy(uniform[seat]).unsqueeze(-1)).sum(-1)
            assert np.array_equal(expected.numpy(), actions[seat])
        assert torch.allclose(state[0, :, :8], own[0], atol=1e-5)
        env.step(actions, obs)


def test_who_sits_down_begins_without_its_predecessors_memory():
    env = GameCopies("snowdrift", 2)
    nets = {(0, "run:a"): recurrent_net(env, 1, 4), (0, "run:b"): recurrent_net(env, 2, 4)}
    policies = seated(env, ["run:a", "random", "random", "random"], nets=nets, switches=["100:0=run:b"])
    obs, uniform = [np.ones_like(env.final_obs[0])], np.full((4, 2), 0.5, np.float32)
    env.reset(0, obs)
    full = torch.full((4, 2, 8), 5.0)
    policies.act(0, obs, full, uniform, np.zeros((4, 2), np.int64))
    policies.set_env_steps(100)
    after = policies.act(1, obs, full, uniform, np.zeros((4, 2), np.int64))
    fresh = seated(env, ["run:b", "random", "random", "random"], nets={(0, "run:b"): nets[0, "run:b"]})
    expected = fresh.act(0, obs, torch.zeros(4, 2, 8), uniform, np.zeros((4, 2), np.int64))
    assert torch.equal(after[0], expected[0])


def test_seats_of_an_environment_without_a_game_take_no_scripted_players():
    env = GameCopies("snowdrift", 2)
    env.game = None
    with pytest.raises(ValueError, match="'random' in seat 1: scripted players play only the games"):
        seated(env, ["run:a", "random", "random", "random"], nets={(0, "run:a"): recurrent_net(env, 1, 4)})


def test_a_seat_is_not_left_where_no_action_does_nothing():
    with pytest.raises(ValueError, match="has none that is known to do nothing"):
        seated(GameCopies("ipd", 2), ["random", "random"], switches=["0:1=leave"])


# --- shuffled seats -------------------------------------------------------------------------------


def step_both(game, steps=30, **params):
    """Shuffled copies beside plain ones that get the same actions in their own places."""
    shuffled, plain = ShuffledSeats(GameCopies(game, 3, **params)), GameCopies(game, 3, **params)
    seen, own = ([np.zeros_like(env.final_obs[0])] for env in (shuffled, plain))
    shuffled.reset(7, seen)
    plain.reset(7, own)
    rng = np.random.default_rng(0)
    agents = len(plain.agent_ids)
    for _ in range(steps):
        places = shuffled.places.copy()
        yield shuffled, places, seen[0], own[0], None, None
        actions = rng.integers(0, plain.action_spaces["agent_0"].n, (agents, 3))
        moved = np.zeros_like(actions)
        for seat in range(agents):
            for copy in range(3):
                moved[places[seat, copy], copy] = actions[seat, copy]
        outcome, expected = shuffled.step(actions, seen), plain.step(moved, own)
        yield shuffled, places, shuffled.final_obs[0], plain.final_obs[0], outcome, expected


@pytest.mark.parametrize("game", ["cleanup", "stag_hunt", "coingame", "ipd", "harvest"])
def test_shuffled_agents_play_and_see_what_the_games_agents_would_in_their_places(game):
    for env, places, seen, own, outcome, expected in step_both(game, horizon=8):
        agents = len(env.agent_ids)
        for seat in range(agents):
            for copy in range(3):
                place = places[seat, copy]
                if outcome is not None:
                    assert outcome.rewards[seat, copy] == expected.rewards[place, copy]
                    assert np.array_equal(outcome.counts[seat, copy], expected.counts[place, copy])
                    assert outcome.active[seat, copy] == expected.active[place, copy]
                    if not expected.dones[copy]:
                        continue  # final observations are those of ended episodes
                found, original = seen[seat, copy], own[place, copy]
                if game == "ipd":
                    assert np.array_equal(found, original)
                    continue
                for other in range(agents):
                    assert np.array_equal(found[other], original[places[other, copy]])
                    if isinstance(env.game.params, CoinGameParams):
                        coin = original[agents + places[other, copy]]
                        assert np.array_equal(found[agents + other], coin)
                rest = 2 * agents if isinstance(env.game.params, CoinGameParams) else agents
                assert np.array_equal(found[rest:], original[rest:])


def test_places_are_drawn_anew_for_every_copy_and_episode_and_each_as_often():
    env = ShuffledSeats(GameCopies("cleanup", 200, horizon=2))
    obs = [np.zeros_like(env.final_obs[0])]
    env.reset(3, obs)
    drawn = []
    for _ in range(20):
        drawn.append(env.places.copy())
        for _ in range(2):
            env.step(np.full((4, 200), STAY), obs)
    places = np.stack(drawn)
    assert (np.sort(places, 1) == np.arange(4)[None, :, None]).all()
    share = np.stack([(places == place).mean((0, 2)) for place in range(4)])
    assert np.allclose(share, 0.25, atol=5 * np.sqrt(0.25 * 0.75 / 4000))
    assert not np.array_equal(places[0], places[1])


def test_scripted_players_play_the_place_that_their_seat_has():
    runner = runner_of(["lase", "defector", "random", "random"], shuffle_seats=True, copies=9)
    runner.start_episodes()
    env = runner.env
    seed = int(next(iter(runner.sampler.policy._players[1]._players.values()))._player.seed)
    defector = mixed_motive.player("defector", env.game, seed)
    everybody = np.concatenate([defector.act([agent]) for agent in range(4)], 1)
    expected = everybody[np.arange(9), env.places[1]]
    assert np.array_equal(runner.sample_rollout(1, 0.0).actions[1, 0], expected)
    assert len(set(env.places[1].tolist())) > 1


def test_pictures_are_taken_with_everybody_in_its_own_place():
    env = ShuffledSeats(GameCopies("cleanup", 1))
    gifts = np.zeros((4, 4))
    gifts[0, 1] = 1.0
    obs = [np.zeros_like(env.final_obs[0])]
    env.reset(3, obs)
    plain = GameCopies("cleanup", 1)
    plain.reset(3, [np.zeros_like(env.final_obs[0])])
    moved = np.zeros((4, 4))
    moved[env.places[0, 0], env.places[1, 0]] = 1.0
    assert np.array_equal(env.render(0, gifts), plain.render(0, moved))
    env = ShuffledSeats(GameCopies("cleanup", 1))
    assert env.stay_at_ends()
    env.reset(3, obs)
    assert env.places[:, 0].tolist() == [0, 1, 2, 3]
