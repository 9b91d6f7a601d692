"""What a search says: its trials, and everything that is wrong with it before anything starts."""

import itertools
from types import SimpleNamespace

import pytest
from ray import tune
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search.variant_generator import generate_variants

from rllib_lase.defaults import default_settings
from rllib_lase.registry import ALGORITHMS
from rllib_lase.rllib import agent_nodes
from rllib_lase.tuning import Search, asha
from rllib_lase.tuning.trial import resources, schedule_ends, train_spec, whole_settings

OBJECTIVE = {"collective_reward": 1.0}


def trials(search: Search) -> list[dict]:
    """The configurations that Tune makes of a search."""
    found = []
    for _ in range(search.num_samples):
        found += [spec["config"] for _, spec in generate_variants({"config": search.param_space(OBJECTIVE)})]
    return found


def test_every_algorithm_plays_every_game_that_it_can_with_every_seed_and_value():
    search = Search(
        games=["ipd", "cleanup"],
        algos=["lase", "lola"],
        seeds=[1, 2],
        settings={"lr": tune.grid_search([1e-3, 2e-3]), "gamma": 0.9},
    )
    found = trials(search)
    played = [(t["run"]["game"], t["run"]["algo"], t["seed"], t["settings"]["lr"]) for t in found]
    pairs = [("ipd", "lase"), ("ipd", "lola"), ("cleanup", "lase")]
    expected = itertools.product(pairs, (1, 2), (1e-3, 2e-3))
    assert sorted(played) == sorted((*pair, seed, lr) for pair, seed, lr in expected)
    assert all(t["settings"]["gamma"] == 0.9 for t in found)
    assert search.num_trials == len(found) == 12
    assert search.searched == ["settings/lr"]
    assert search.problems() == []


def scheduler_that_asserts(env_steps):
    return ASHAScheduler(max_t=env_steps, grace_period=0)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"games": ["clenup"]}, "unknown game 'clenup'; did you mean 'cleanup'?"),
        ({"algos": ["lsae"]}, "unknown algorithm 'lsae'"),
        ({"algos": ["lola"]}, "lola cannot play cleanup"),
        ({"seeds": []}, "seeds: empty; name at least one"),
        ({"seeds": [-1]}, "seeds: -1: expected a whole number from 0"),
        ({"settings": {"dleta": 0.1}}, "settings: lase: dleta: unknown setting; did you mean 'delta'?"),
        ({"settings": {"delta": tune.grid_search([0.1, 1.5])}}, "delta: 1.5 is out of range"),
        ({"settings": {"delta": tune.uniform(0.0, 2.0)}}, "settings: lase: delta: 2.0 is out of range"),
        ({"algos": ["lase", "go"], "settings": {"delta": 0.1}}, "settings: go: delta: unknown setting"),
        ({"game_params": {"num_agent": 3}}, "unknown parameter 'num_agent'; did you mean 'num_agents'?"),
        ({"game_params": {"num_agents": tune.grid_search([4, 99])}}, "num_agents=99"),
        ({"scheduler": asha, "env_steps": 8}, "scheduler: 8 env steps of a trial do not suit it: ASHA"),
        ({"scheduler": scheduler_that_asserts}, "do not suit it: grace_period must be positive"),
        ({"search_alg": object, "seeds": [1, 2]}, "seeds: a searcher suggests one trial after the other"),
        (
            {"search_alg": object, "settings": {"delta": tune.grid_search([0.1])}},
            "settings/delta: a searcher takes no grid_search; use tune.choice",
        ),
        (
            {"algos": ["rllib:PPO"], "settings": {"gama": 0.9}},
            "gama: rllib:PPO has no such setting",
        ),
    ],
)
def test_what_is_wrong_is_said_before_anything_starts(fields, message):
    problems = Search(**{"games": ["cleanup"], **fields}).problems()
    assert any(message in problem for problem in problems), problems


@pytest.mark.parametrize("value", [0.1, tune.grid_search([0.1, 0.2]), tune.uniform(0.1, 0.5)])
def test_a_misspelt_setting_is_named_once_whatever_its_values(value):
    search = Search(games=["ipd", "cleanup"], settings={"detla": value})
    assert search.problems() == ["settings: lase: detla: unknown setting; did you mean 'delta'?"]


def test_a_trial_is_the_run_that_was_drawn(tmp_path):
    search = Search(
        games=["cleanup"], seeds=[7], settings={"lr": 4e-3}, game_params={"num_agents": 3}, env_steps=500
    )
    spec = train_spec(trials(search)[0], tmp_path)
    assert (spec.game, spec.algo, spec.seed, spec.total_env_steps) == ("cleanup", "lase", 7, 500)
    assert spec.takes_folder, "an earlier attempt may be there, and wait for its end"
    config = spec.description(spec.job())
    assert config["settings"]["lr"] == 4e-3
    assert config["game_params"] == {"num_agents": 3}


def test_the_end_of_a_schedule_moves_with_its_start_unless_it_is_named():
    defaults = default_settings("cleanup", ALGORITHMS["lase"])
    ratio = defaults.lr_end / defaults.lr
    assert schedule_ends({"lr": 1e-2, "delta": 0.2}, defaults) == {"lr_end": pytest.approx(ratio * 1e-2)}
    named = Search(games=["cleanup"], settings={"lr": 1e-2, "lr_end": 5e-3})
    assert whole_settings(trials(named)[0]) == {"lr": 1e-2, "lr_end": 5e-3}


@pytest.mark.parametrize(
    ("settings", "cores"), [({}, 1), ({"num_env_runners": 2}, 3), ({"decentralised_learners": 2}, 3)]
)
def test_a_trial_asks_for_its_cores_on_one_node(settings, cores):
    asked = resources(trials(Search(games=["cleanup"], settings=settings))[0])
    assert asked.bundles == [{"CPU": 1}] * cores
    assert asked.strategy == "STRICT_PACK"


@pytest.mark.parametrize(
    ("algo", "settings", "bundles"),
    [
        ("lase", {"num_gpus_per_learner": 0.5}, [{"CPU": 1, "GPU": 0.5}]),
        ("lase", {"num_learners": 1, "num_gpus_per_learner": 1}, [{"CPU": 1}, {"CPU": 1, "GPU": 1}]),
        (
            "lase",
            {"num_env_runners": 2, "num_learners": 2, "num_gpus_per_learner": 1},
            [{"CPU": 1}] * 3 + [{"CPU": 1, "GPU": 1}] * 2,
        ),
        ("lase", {"num_gpus_per_env_runner": 0.5, "num_gpus_per_learner": 1}, [{"CPU": 1, "GPU": 1}]),
        (
            "lase",
            {"num_env_runners": 2, "num_gpus_per_env_runner": 0.5, "num_learners": 1},
            [{"CPU": 1}] + [{"CPU": 1, "GPU": 0.5}] * 2 + [{"CPU": 1}],
        ),
        ("rllib:PPO", {"num_learners": 1}, [{"CPU": 1}, {"CPU": 1}]),
    ],
)
def test_a_trial_asks_for_gpus_where_it_acts_and_learns(algo, settings, bundles):
    search = Search(games=["cleanup"], algos=[algo], settings=settings)
    assert resources(trials(search)[0]).bundles == bundles


@pytest.mark.parametrize(("group", "strategy"), [(None, "SPREAD"), ("the trial's", None)])
def test_agents_in_processes_of_their_own_stay_within_their_trial(monkeypatch, group, strategy):
    asked = {}
    actor = SimpleNamespace(remote=lambda *_: None)
    monkeypatch.setattr(agent_nodes, "get_current_placement_group", lambda: group)
    monkeypatch.setattr(agent_nodes.ray, "remote", lambda **words: asked.update(words) or (lambda _: actor))
    agent_nodes.start_node(None, None, (0,))
    assert asked == {"num_cpus": 1, "scheduling_strategy": strategy}
