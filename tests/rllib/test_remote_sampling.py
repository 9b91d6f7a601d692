import time

import numpy as np
import pytest
import ray

from rllib_lase.rllib.algorithms import IndependentConfig
from rllib_lase.rllib.evaluate import evaluate
from rllib_lase.rllib.sampling import open_calls
from rllib_lase.settings import Settings, SettingsError

pytestmark = [
    pytest.mark.usefixtures("local_ray"),
    pytest.mark.filterwarnings("ignore:PYTHONHASHSEED is not fixed"),
]


def small(runners=2, **settings):
    config = IndependentConfig().environment("snowdrift").debugging(seed=0, log_level="ERROR")
    config.training(hidden_size=8, rounds_per_iteration=4, **settings)
    return config.env_runners(num_env_runners=runners, num_envs_per_env_runner=4, rollout_fragment_length=10)


@pytest.mark.parametrize(
    ("staleness", "fragments", "calls"), [(0, 1, 1), (1, 1, 2), (3, 4, 1), (6, 4, 1), (7, 4, 2), (5, 2, 3)]
)
def test_so_many_calls_are_open_that_no_round_is_too_stale(staleness, fragments, calls):
    settings = Settings(num_env_runners=1, max_staleness=staleness, fragments_per_call=fragments)
    assert open_calls(settings) == calls
    assert (calls - 1) * fragments + fragments - 1 <= staleness < calls * fragments + fragments - 1


@pytest.mark.parametrize(
    ("runners", "settings", "words"),
    [
        (0, {"max_staleness": 1}, "in one process everything takes turns"),
        (1, {"fragments_per_call": 4, "max_staleness": 2}, "2 is too low for fragments_per_call=4"),
        (1, {"fragments_per_call": 3, "max_staleness": 2}, "does not divide rounds_per_iteration=4"),
    ],
)
def test_what_cannot_be_stale_is_refused(runners, settings, words):
    with pytest.raises(SettingsError, match=words):
        small(runners, **settings).build_algo()


def one_round(config):
    """Weights of all learners after one round, and what they report."""
    config.training(rounds_per_iteration=1, optimizer="a2c", normalize_advantages=False)
    algorithm = config.env_runners(num_cpus_per_env_runner=0).build_algo()
    algorithm.train()
    states = algorithm.learner_group.foreach_learner(lambda learner: learner.get_state("rl_module"))
    weights = [state.get()["rl_module"] for state in states]
    algorithm.evaluation_runner(2, seed=1).stop()
    report = algorithm.report.learner
    algorithm.stop()
    return weights, report


def test_runners_get_the_weights_once_per_round_and_those_are_the_present_ones():
    algorithm = small(runners=1).env_runners(num_cpus_per_env_runner=0).build_algo()
    put, pushed = algorithm._put_weights, []
    algorithm._put_weights = lambda: pushed.append(algorithm._rounds) or put()
    algorithm.train()
    algorithm.train()
    assert pushed == list(range(8))
    assert algorithm.report.staleness == (0,) * 4
    algorithm.stop()


@pytest.mark.learning  # for its length: five processes start one after the other
def test_two_learners_share_the_copies_stay_equal_and_take_the_step_of_one():
    (alone,), expected = one_round(small())
    (first, second), found = one_round(small(num_learners=2))
    assert np.array_equal(found["rewards"], expected["rewards"])
    norm = "policy_grad_norm"
    assert np.allclose(found["learner"][norm], expected["learner"][norm], rtol=1e-4)
    assert alone.keys() == first.keys()
    for agent_id, own in first.items():
        for name, values in own.items():
            assert np.array_equal(values, second[agent_id][name])


def test_learners_without_runners_of_their_own_are_refused():
    with pytest.raises(SettingsError, match="found num_env_runners=3; choose a multiple of 2"):
        small(3, num_learners=2).build_algo()


def test_staleness_is_bounded_and_reported_and_a_killed_runner_is_replaced():
    algorithm = small(max_staleness=3, fragments_per_call=2).build_algo()
    first, second = algorithm.train(), algorithm.train()
    # Two rounds a call, and the next call already open: 2 or 3 rounds old, but for the first call.
    assert first["sampling"]["staleness_max"] == second["sampling"]["staleness_max"] == 3
    assert second["sampling"]["staleness_mean"] == 2.5
    assert algorithm.env_steps == 2 * 4 * 2 * 4 * 10
    group = algorithm.env_runner_group
    ray.kill(group._worker_manager.actors()[1], no_restart=False)
    steps: list[int] = []
    end = time.monotonic() + 120  # an actor's process takes seconds to start, on a busy machine many
    while time.monotonic() < end:
        before = algorithm.env_steps
        result = algorithm.train()
        steps.append(algorithm.env_steps - before)
        assert result["sampling"]["staleness_max"] <= 3
        if steps[-1] == 320 and min(steps) < 320:
            break
    assert min(steps) < 320, "one runner alone brings half"
    assert steps[-1] == 320, "it is back"
    assert np.isfinite(result["social"]["collective_reward"])
    assert len(evaluate(algorithm, 2, seed=1).episodes) >= 2, "evaluations play in one process"
    algorithm.stop()
