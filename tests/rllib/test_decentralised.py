import numpy as np
import pytest
import ray

from rllib_lase.rllib import agent_nodes
from rllib_lase.rllib.agent_node import AgentNode
from rllib_lase.rllib.agent_nodes import AgentNodes
from rllib_lase.rllib.algorithms import (
    LASE,
    FixedShareConfig,
    GiftingConfig,
    GOConfig,
    LASEConfig,
    LASESharedConfig,
    SIConfig,
)
from rllib_lase.rllib.evaluate import evaluate
from rllib_lase.settings import SettingsError

pytestmark = [
    pytest.mark.usefixtures("local_ray"),
    pytest.mark.filterwarnings("ignore:PYTHONHASHSEED is not fixed"),
]


def small(config_class=LASEConfig, learners=0, game="cleanup", **settings):
    config = config_class().environment(game).debugging(seed=3, log_level="ERROR")
    config.training(hidden_size=16, rounds_per_iteration=2, decentralised_learners=learners, **settings)
    return config.env_runners(num_envs_per_env_runner=4, rollout_fragment_length=30)


def weights_of(algorithm):
    if isinstance(algorithm.learner_group, AgentNodes):
        modules = algorithm.learner_group.learner_state(("rl_module", "social"))["rl_module"]
    else:
        modules = algorithm.learner_group._learner.get_state("rl_module")["rl_module"]
    return {f"{agent}/{name}": value for agent, own in modules.items() for name, value in own.items()}


def largest_difference(first, second):
    assert first.keys() == second.keys()
    return max(float(np.abs(first[name] - second[name]).max()) for name in first)


class InThisProcess:
    """Stands where Ray has the handle of an actor; what passes is copied, and read-only, as with Ray."""

    def __init__(self, config, spaces, home):
        self._node = AgentNode(config, spaces, home)

    def __getattr__(self, name):
        return Method(getattr(self._node, name))


class Method:
    def __init__(self, method, num_returns=None):
        self._method, self._num_returns = method, num_returns

    def options(self, num_returns):
        return Method(self._method, num_returns)

    def remote(self, *arguments):
        resolved = [ray.get(each) if isinstance(each, ray.ObjectRef) else each for each in arguments]
        answer = self._method(*ray.get(ray.put(resolved)))
        return ray.put(answer) if self._num_returns is None else [ray.put(part) for part in answer]


def assert_they_learn_alike(one, divided):
    start = weights_of(one)
    assert largest_difference(start, weights_of(divided)) == 0
    for _ in range(5):
        expected, found = one.train()["social"], divided.train()["social"]
    assert largest_difference(start, weights_of(one)) > 1e-3
    assert largest_difference(weights_of(one), weights_of(divided)) < 1e-5
    assert found == pytest.approx(expected, abs=1e-4)
    ours, theirs = one.report.learner, divided.report.learner
    for name in ("rewards", "rewards_after_gifting", "gift_steps"):
        assert np.allclose(ours[name], theirs[name], atol=1e-4)
    evaluations = [evaluate(algorithm, 4, seed=1) for algorithm in (one, divided)]
    assert np.array_equal(*(each.episodes.returns for each in evaluations))
    assert np.allclose(*(each.returns_after_gifting for each in evaluations), atol=1e-4)
    assert np.allclose(*(each.gift_weights for each in evaluations), atol=1e-5, equal_nan=True)


def test_lase_in_two_actors_learns_what_it_learns_in_one_process_and_goes_on_after_a_restore(tmp_path):
    one, divided = (small(learners=k).build_algo() for k in (0, 2))
    assert_they_learn_alike(one, divided)
    one.stop()
    path = divided.save_to_path(tmp_path / "checkpoint")
    divided.train()
    expected = weights_of(divided)
    divided.restore_from_path(path)
    assert largest_difference(expected, weights_of(divided)) > 0
    divided.train()
    assert largest_difference(expected, weights_of(divided)) == 0
    divided.stop()


@pytest.mark.parametrize(
    ("config_class", "settings"),
    [
        (
            LASEConfig,
            {"use_lstm": True, "lstm_size": 8, "relationship_smoothing": 0.5, "record_fraction": 0.3},
        ),
        (FixedShareConfig, {"optimizer": "a2c"}),
        (GiftingConfig, {"gift_budget": "zero_sum"}),
        (SIConfig, {}),
    ],
)
def test_every_preference_that_needs_no_more_than_actions_and_gifts_can_be_divided(
    monkeypatch, config_class, settings
):
    monkeypatch.setattr(agent_nodes, "start_node", InThisProcess)
    monkeypatch.setattr(ray, "kill", lambda node: None)
    one, divided = (small(config_class, k, **settings).build_algo() for k in (0, 3))
    assert_they_learn_alike(one, divided)
    one.stop()
    divided.stop()


def test_a_restored_run_has_its_recurrent_states_again(monkeypatch, tmp_path):
    monkeypatch.setattr(agent_nodes, "start_node", InThisProcess)
    monkeypatch.setattr(ray, "kill", lambda node: None)
    algorithm = small(learners=2, use_lstm=True, lstm_size=8).build_algo()
    algorithm.train()
    path = algorithm.save_to_path(tmp_path / "checkpoint")
    algorithm.train()
    twin = LASE.from_checkpoint(path)
    twin.train()
    assert largest_difference(weights_of(algorithm), weights_of(twin)) == 0
    algorithm.stop()
    twin.stop()


def test_only_what_may_be_seen_passes_between_actors_and_every_byte_is_counted(monkeypatch):
    monkeypatch.setattr(agent_nodes, "start_node", InThisProcess)
    monkeypatch.setattr(ray, "kill", lambda node: None)
    algorithm = small(learners=2).build_algo()
    transfer = algorithm.train()["transfer"]
    # Each actor has 2 agents and hears of the 2 others: one byte each for what they did and whether they
    # were there; and for each of its own 2 what the others give it, 4 bytes.
    assert transfer["seen_bytes_per_env_step"] == 2 * 2 * 2
    assert transfer["gifts_bytes_per_env_step"] == 2 * 2 * 4
    nodes = algorithm.learner_group
    rollout = algorithm.env_runner.sample_rollout(5, 0.0)
    assert not rollout.vf_preds.any()
    assert not rollout.action_logp.any()
    delivery = nodes._delivery(rollout, nodes.homes[0], judged=False)
    assert set(delivery.seen) == {"actions", "active"}
    assert delivery.own["rewards"].shape[0] == sum(len(obs) for obs in delivery.obs) == 2
    for node, home in zip(nodes._nodes, nodes.homes, strict=True):
        learner = node._node._learner
        assert list(learner.module.keys()) == [f"agent_{agent}" for agent in home]
        replay = learner.hook.get_state()["replay"]
        others = [agent for agent in range(4) if agent not in home]
        assert not replay["arrays"]["rewards"][others].any()
        assert replay["obs"][-1].shape[3:] == (0,), "others' observations have no entries"
    algorithm.stop()


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (small(GOConfig, 2), "go cannot be decentralised: agents see each other's rewards"),
        (small(LASESharedConfig, 2), "all agents have one set of parameters"),
        (small(learners=1), "1 divides nothing"),
        (small(learners=2).env_runners(num_env_runners=1), "leave num_env_runners at 0"),
    ],
)
def test_what_cannot_be_divided_is_refused_by_name(config, words):
    with pytest.raises(SettingsError, match=words):
        config.build_algo()


def test_there_are_no_more_actors_than_agents():
    with pytest.raises(SettingsError, match="5 actors for 4 agents"):
        small(learners=5).build_algo()
