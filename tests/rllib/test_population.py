"""Mixed populations as RLlib algorithms: learning, checkpoints, evaluation, bad input."""

import numpy as np
import pytest

from rllib_lase.registry import ALGORITHMS
from rllib_lase.registry.seating import Switch
from rllib_lase.rllib.algorithm import SocialAlgorithm
from rllib_lase.rllib.evaluate import evaluate
from rllib_lase.rllib.population import Population, PopulationConfig
from rllib_lase.settings import SettingsError
from tests.rllib.line_env import Line
from tests.rllib.test_algorithm import assert_same_weights, weights_of

pytestmark = [
    pytest.mark.usefixtures("local_ray"),
    pytest.mark.filterwarnings("ignore:PYTHONHASHSEED is not fixed"),
]

SMALL = {"hidden_size": 16, "rounds_per_iteration": 2}


def small(config, game="snowdrift", seed=0, runners=0, **settings):
    config.environment(game).debugging(seed=seed, log_level="ERROR").training(**SMALL | settings)
    return config.env_runners(num_env_runners=runners, num_envs_per_env_runner=4, rollout_fragment_length=20)


def population(seats, game="snowdrift", runners=0, settings=None, **options):
    return small(PopulationConfig().population(seats, **options), game, runners=runners, **settings or {})


@pytest.mark.parametrize("algo", ["lase", "go"])
def test_an_algorithm_in_every_seat_learns_to_the_bit_what_it_learns_alone(algo):
    alone = small(ALGORITHMS[algo].config_class()(), use_lstm=algo == "lase", lstm_size=8).build_algo()
    lstm = {"use_lstm": algo == "lase", "lstm_size": 8}
    mixed = population([algo] * 4, settings=lstm).build_algo()
    results = [each.train() for each in (alone, mixed)]
    assert_same_weights(weights_of(alone), weights_of(mixed))
    assert results[0]["social"] == results[1]["social"]
    assert results[0]["learners"] == results[1]["learners"]
    for each in (alone, mixed):
        each.stop()


# With remote runners half a minute of processes that start.
@pytest.mark.parametrize("runners", [0, pytest.param(2, marks=pytest.mark.learning)])
def test_a_restored_population_goes_on_exactly(tmp_path, runners):
    seats = {"agent_0": "lase", "agent_2": "random", "agent_1": "a2c", "agent_3": "cooperator"}
    options = {"switches": ["200:2=defector", "360:3=leave"], "shuffle_seats": runners == 0}
    algorithm = population(seats, runners=runners, **options).build_algo()
    algorithm.train()
    path = algorithm.save_to_path(tmp_path / "checkpoint")
    expected = [algorithm.train()["social"] for _ in range(2)]
    weights = weights_of(algorithm)
    played = evaluate(algorithm, 4, 1)
    algorithm.stop()
    twin = Population.from_checkpoint(path)
    assert twin.config.seating().names == ["lase", "a2c", "random", "cooperator"]
    found = [twin.train()["social"] for _ in range(2)]
    assert found == expected
    assert_same_weights(weights, weights_of(twin))
    assert np.array_equal(evaluate(twin, 4, 1).episodes.returns, played.episodes.returns)
    twin.stop()


def test_an_evaluation_has_the_partners_of_its_time_and_changes_of_its_own():
    algorithm = population(
        ["lase", "cooperator", "random", "random"], "cleanup", switches=["160:1=defector", "160:2=leave"]
    ).build_algo()
    assert algorithm.present_seating.names == ["lase", "cooperator", "random", "random"]
    cleans = evaluate(algorithm, 4, 1).episodes.counts.sum(0)[1]
    algorithm.train()
    assert algorithm.agent_labels == [
        "agent_0 (lase)", "agent_1 (defector)", "agent_2 (away)", "agent_3 (random)",
    ]  # fmt: skip
    later = evaluate(algorithm, 4, 1)
    waste = later.count_names.index("waste_cleaned")
    assert cleans[waste] > 20
    assert later.episodes.counts.sum(0)[1, waste] == 0
    assert later.episodes.counts.sum(0)[2].sum() == 0, "who is away does nothing"
    assert np.isnan(later.gift_weights[2]).all(), "and is not there to give"
    assert (later.gift_weights[0, 2], later.gift_weights[1, 0]) == (0, 0)
    algorithm.evaluation_switches = [Switch.read("50:1=cooperator")]
    changed = evaluate(algorithm, 4, 1).episodes.counts.sum(0)[1]
    assert 0 < changed[waste] < cleans[waste]
    algorithm.stop()


def test_partners_may_play_in_an_environment_of_others_if_they_learn():
    config = PopulationConfig().environment(Line, env_config={"horizon": 8})
    config.population({"walker_10": "fixed_share", "walker_2": "independent", "cook": "go"})
    config.training(**SMALL).env_runners(num_envs_per_env_runner=4, rollout_fragment_length=20)
    algorithm = config.debugging(seed=0, log_level="ERROR").build_algo()
    algorithm.train()
    weights = algorithm.report.learner["gift_weights"]
    assert np.allclose(np.diagonal(weights), [1, 0.5, 1])
    algorithm.stop()


@pytest.mark.parametrize(
    ("seats", "options", "message"),
    [
        (["lase", "random"], {}, "2 players for the 4 agents of cleanup"),
        (["a2c", "ppo", "random", "random"], {}, "a2c and ppo: all learners have one optimiser"),
        (["random"] * 4, {}, "nobody of random, random, random, random learns"),
        (["lio", "lase", "lase", "lase"], {}, "lio cannot be mixed with others: it differentiates"),
        (["rllib:PPO", "lase", "lase", "lase"], {}, "bring runner and learner of their own"),
        (["lase"] * 4, {"switches": ["5:1=leave"]}, "only seats whose players do not learn can change"),
        (["lase", "random", "lase", "lase"], {"switches": ["5:1=a2c"]}, "a2c would begin to learn"),
        (["lase", "run:/nowhere", "lase", "lase"], {}, "run:/nowhere in seat 1: /nowhere: holds no run"),
        ({"agent_0": "lase", "agent_7": "a2c"}, {}, "players of agent_0, agent_7; the agents are agent_0,"),
    ],
)
def test_populations_that_cannot_be_trained_are_refused_with_a_reason(seats, options, message):
    with pytest.raises(SettingsError, match=message):
        population(seats, "cleanup", **options).build_algo()


@pytest.mark.parametrize(
    ("seats", "switches", "message"),
    [
        (["lase", "coperator"], [], "unknown partner 'coperator'; did you mean 'cooperator'"),
        (["lase", "run:"], [], "names no folder"),
        (["lase", "random"], ["x"], "'x' is no switch: expected STEPS:SEAT=TO"),
        (["lase", "random"], ["5:1=random-"], "quote it, as a shell takes > for itself"),
        (["lase", "random"], ["5:1=rando"], "unknown partner 'rando'; did you mean 'random'"),
    ],
)
def test_words_that_mean_nothing_are_refused_at_once(seats, switches, message):
    with pytest.raises(SettingsError, match=message):
        PopulationConfig().population(seats, switches=switches)


def test_an_optimiser_that_contradicts_a_players_name_is_refused_and_else_follows_from_it():
    config = population(["a2c", "lase", "random", "random"])
    assert config.optimizer == "a2c"
    with pytest.raises(SettingsError, match="a player named a2c learns with it, and so do all; found 'ppo'"):
        config.training(optimizer="ppo").settings()


def test_scripted_players_are_refused_in_environments_of_others():
    config = PopulationConfig().environment(Line).population(["lase", "random", "lase"])
    with pytest.raises(SettingsError, match=r"random: scripted players play only cleanup, .* not Line"):
        config.build_algo()


def test_settings_are_those_of_all_learners_and_the_first_ones_tuned_values():
    config = PopulationConfig().environment("coingame").population(["lase", "ia"])
    assert (config.entropy_coeff_end, config.ia_alpha, config.sr_policy_rule) == (0.01, 0.0, "soft_q")
    config = PopulationConfig().environment("coingame").population(["ia", "lase"])
    assert (config.entropy_coeff_end, config.sr_policy_rule) == (0.03, "soft_q")
    with pytest.raises(SettingsError, match="refuse_gifts: it adds actions"):
        config.training(refuse_gifts=True).settings()
    with pytest.raises(SettingsError, match="svo_degrees: unknown setting"):
        config.training(svo_degrees=3.0)


def test_a_checkpoint_of_another_population_is_refused(tmp_path):
    algorithm = population(["lase", "random", "random", "random"]).build_algo()
    path = algorithm.save_to_path(tmp_path / "checkpoint")
    algorithm.stop()
    other = population(["lase", "random", "random", "defector"]).build_algo()
    with pytest.raises(RuntimeError, match=r"population: .*random.* there, .*defector.* here"):
        other.restore_from_path(path)
    other.stop()
    assert isinstance(SocialAlgorithm.from_checkpoint(path), Population)
