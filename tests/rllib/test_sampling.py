"""Orders to env runners that are lost, with runners that are none: no Ray is started."""

from types import SimpleNamespace

import pytest
from ray.rllib.algorithms.algorithm import Algorithm

from rllib_lase.rllib import sampling
from rllib_lase.rllib.algorithm import SocialAlgorithm
from rllib_lase.rllib.sampling import RemoteSampling, Sampled
from rllib_lase.settings import Settings


class FakeGroup:
    """Runners that answer an order at each look, the oldest first, as RLlib's group hands it on.

    Attributes:
        healthy: Ids of the runners that live.
        requests: Open requests, with the runner of each.
    """

    def __init__(self, runners):
        self.healthy = set(range(1, runners + 1))
        self.requests = []
        self.looks = 0

    def healthy_worker_ids(self):
        return sorted(self.healthy)

    def num_healthy_remote_workers(self):
        return len(self.healthy)

    def foreach_env_runner(self, method, *, kwargs, local_env_runner):
        return [self.answer(kwargs["order"]) for _ in self.healthy]

    def foreach_env_runner_async(self, method, tag, *, kwargs):
        self.requests += [(runner, kwargs["order"]) for runner in self.healthy]

    def fetch_ready_async_reqs(self, *, tags, timeout_seconds):
        self.looks += 1
        assert self.looks < 100, "waits for what will never come"
        oldest = min(order.number for _, order in self.requests) if self.requests else None
        ready = [request for request in self.requests if request[1].number == oldest]
        self.requests = [request for request in self.requests if request[1].number != oldest]
        return [(runner, self.answer(order)) for runner, order in ready]

    def answer(self, order):
        return Sampled(order.number, order.version, [], 10, 0.0)

    def lose(self, runner):
        """The runner dies: its requests are dropped."""
        self.healthy.discard(runner)
        self.requests = [(other, order) for other, order in self.requests if other != runner]


def sampling_of(group, **settings):
    return RemoteSampling(group, Settings(**settings), lambda env_steps: 0.0)


def collect(sampler, version=0):
    return sampler.collect(lambda: "weights", version, 0)


def test_a_runner_that_died_and_came_back_between_two_calls_is_not_waited_for():
    group = FakeGroup(2)
    sampler = sampling_of(group, num_env_runners=2, max_staleness=1)
    assert len(collect(sampler)) == 2
    assert len(group.requests) == 2, "one call ahead"
    group.lose(1)
    group.healthy.add(1)
    sampler.forget_runners([1])
    assert len(collect(sampler, 1)) == 1, "what the other runner answers"
    assert len(collect(sampler, 2)) == 2


def test_too_few_runners_for_the_learners_are_an_error_after_some_calls_and_a_while(monkeypatch):
    monkeypatch.setattr(sampling, "_EMPTY_SECONDS", 0.0)
    group = FakeGroup(2)
    sampler = sampling_of(group, num_env_runners=2, num_learners=2)
    assert len(collect(sampler)) == 2
    group.lose(2)
    assert collect(sampler) == []
    group.healthy.add(2)
    assert len(collect(sampler)) == 2, "a runner may come back, and the count starts again"
    group.lose(2)
    assert [collect(sampler), collect(sampler)] == [[], []]
    words = r"in 3 calls .* 1 of num_env_runners=2 answer, and num_learners=2 .*Cure: .fault_tolerance"
    with pytest.raises(RuntimeError, match=words):
        collect(sampler)


def test_too_few_runners_are_waited_for_while_they_may_come_back():
    group = FakeGroup(1)
    sampler = sampling_of(group, num_env_runners=2, num_learners=2)
    assert [collect(sampler) for _ in range(20)] == [[]] * 20


def test_learners_get_equal_shares_of_the_answers():
    sampler = sampling_of(FakeGroup(3), num_env_runners=4, num_learners=2)
    assert len(collect(sampler)) == 2


def test_the_algorithm_forgets_what_restored_runners_were_asked_but_for_those_of_evaluations(monkeypatch):
    monkeypatch.setattr(Algorithm, "restore_env_runners", lambda self, group: [2])
    algorithm, forgotten = SocialAlgorithm.__new__(SocialAlgorithm), []
    algorithm.env_runner_group = FakeGroup(2)
    algorithm._remote_sampling = SimpleNamespace(forget_runners=forgotten.append)
    assert algorithm.restore_env_runners(FakeGroup(2)) == [2]
    assert forgotten == []
    assert algorithm.restore_env_runners(algorithm.env_runner_group) == [2]
    assert forgotten == [[2]]
