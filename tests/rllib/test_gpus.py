"""Acting on a GPU, where there is none: a device that is pretended records all that passes to and from it.

torch's "meta" device stands in. It keeps shapes and types but no numbers, and refuses what is on the CPU, as
a GPU does; copies of it to the CPU are made up of zeros here.
"""

import logging
from collections import Counter

import numpy as np
import pytest
import ray
import torch
from ray.rllib.algorithms.ppo import PPOConfig
from torch.overrides import TorchFunctionMode

from rllib_lase.rllib import gpus
from rllib_lase.rllib.algorithms import IndependentConfig, LASEConfig
from rllib_lase.rllib.env_runner import BatchedEnvRunner
from rllib_lase.rllib.gpus import acting_device, refuse_missing_gpus
from rllib_lase.settings import SettingsError

META = torch.device("meta")
COPIES, STEPS, AGENTS = 3, 5, 4


class Traffic(TorchFunctionMode):
    """Counts what passes between CPU and "meta", by direction, shape and type."""

    def __init__(self):
        super().__init__()
        self.there, self.back = Counter(), Counter()

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func is torch.Tensor.cpu and args[0].is_meta:
            self.back[tuple(args[0].shape), args[0].dtype] += 1
            return torch.zeros(args[0].shape, dtype=args[0].dtype)
        result = func(*args, **(kwargs or {}))
        if func is torch.Tensor.to and result.is_meta and not args[0].is_meta:
            self.there[tuple(result.shape), result.dtype] += 1
        return result


@pytest.fixture
def pretended_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(gpus, "get_device", lambda config, asked: META)


def make_runner(config, *, gpus=1.0, worker_index=0, num_workers=0):
    config.debugging(seed=0).env_runners(
        num_envs_per_env_runner=COPIES, rollout_fragment_length=STEPS, num_gpus_per_env_runner=gpus
    )
    return BatchedEnvRunner(config=config, worker_index=worker_index, num_workers=num_workers)


def independent(**settings):
    return IndependentConfig().environment("cleanup").training(hidden_size=16, **settings)


@pytest.mark.usefixtures("pretended_gpu")
@pytest.mark.parametrize("use_lstm", [False, True])
def test_each_step_sends_the_batchs_observations_and_draws_once_and_gets_actions_back(use_lstm):
    runner = make_runner(independent(use_lstm=use_lstm, lstm_size=8, num_minibatches=1))
    with Traffic():
        runner.sample_rollout(STEPS, 0.1)  # index tables go there with the first refresh
    obs = (AGENTS, COPIES, *runner.env.observation_spaces["agent_0"].shape)
    with Traffic() as traffic:
        rollout = runner.sample_rollout(STEPS, 0.1)
    obs_dtype = torch.from_numpy(rollout.groups[0].obs).dtype
    assert traffic.there == {
        (obs, obs_dtype): STEPS + 1,  # the last for its values
        ((AGENTS, COPIES), torch.float32): STEPS,
        ((AGENTS, STEPS, COPIES), torch.int64): 1,
    }
    state = {((AGENTS, COPIES, 16), torch.float32): 1} if use_lstm else {}
    assert traffic.back == {
        ((AGENTS, COPIES), torch.int64): STEPS,
        ((AGENTS, STEPS + 1, COPIES), torch.float32): 1,
        ((AGENTS, STEPS, COPIES), torch.float32): 1,
        **state,
    }
    assert rollout.action_logp.shape == (AGENTS, STEPS, COPIES)


@pytest.mark.usefixtures("pretended_gpu")
def test_new_weights_and_a_restored_memory_arrive_on_the_device():
    source = make_runner(independent(use_lstm=True, lstm_size=8, num_minibatches=1), gpus=0)
    source.sample_rollout(STEPS, 0.0)
    runner = make_runner(independent(use_lstm=True, lstm_size=8, num_minibatches=1))
    runner.set_state(source.get_state())
    runner.set_sampling_state(source.get_sampling_state())
    parameters = [each for key in runner.module.keys() for each in runner.module[key].parameters()]  # noqa: SIM118
    assert parameters
    assert {each.device for each in parameters} == {META}
    with Traffic() as traffic:
        rollout = runner.sample_rollout(STEPS, 0.0)
        assert runner.get_sampling_state()["recurrent"].shape == (AGENTS, COPIES, 16)
    assert rollout.groups[0].state_in.shape == (AGENTS, COPIES, 16)
    assert traffic.back[(AGENTS, COPIES, 16), torch.float32] == 2  # the learner's, and the checkpoint's


@pytest.mark.usefixtures("pretended_gpu")
def test_rllibs_own_modules_act_on_the_device_too():
    config = PPOConfig().environment("ipd")
    config.multi_agent(policies={"agent_0", "agent_1"}, policy_mapping_fn=lambda agent, *_: agent)
    config.env_runners(env_runner_cls=BatchedEnvRunner)
    runner = make_runner(config)
    with Traffic() as traffic:
        runner.sample_rollout(STEPS, 0.0)
        runner.sampler.policy.extra_model_outputs()
    assert traffic.there[(2, COPIES), torch.float32] == STEPS  # draws
    assert traffic.there[(2, COPIES, 5), torch.float32] == STEPS  # observations
    assert traffic.back[(COPIES,), torch.int64] == STEPS * 2
    assert traffic.back[(2, STEPS, COPIES, 2), torch.float32] == 1  # logits, once per fragment


@pytest.mark.usefixtures("pretended_gpu")
@pytest.mark.parametrize(
    ("asked", "worker_index", "num_workers", "in_evaluation", "device"),
    [
        (0.0, 0, 0, False, "cpu"),
        (0.5, 0, 0, False, "meta"),
        (0.5, 1, 2, False, "meta"),
        (0.5, 0, 2, False, "cpu"),
        (0.5, 0, 0, True, "cpu"),
        (0.5, 1, 2, True, "meta"),
    ],
)
def test_who_samples_for_training_or_is_remote_acts_on_the_gpu(
    asked, worker_index, num_workers, in_evaluation, device
):
    config = IndependentConfig().env_runners(num_gpus_per_env_runner=asked)
    config.in_evaluation = in_evaluation
    assert acting_device(config, worker_index, num_workers).type == device


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
@pytest.mark.parametrize("worker_index", [0, 1])
def test_a_runner_refuses_a_gpu_that_torch_does_not_see(worker_index):
    with pytest.raises(SettingsError, match="num_gpus_per_env_runner: 1 asked for, but torch sees no GPU"):
        make_runner(independent(), worker_index=worker_index, num_workers=worker_index)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"num_gpus_per_env_runner": 1}, "num_gpus_per_env_runner: 1 asked for, but torch sees no GPU"),
        ({"num_gpus_per_learner": 1}, "num_gpus_per_learner: 1 asked for, but torch sees no GPU"),
        (
            {"num_env_runners": 2, "num_gpus_per_env_runner": 0.5},
            "Ray has 0 GPUs here.*env_runner asks for 1",
        ),
        ({"num_learners": 1, "num_gpus_per_learner": 1}, "Ray has 0 GPUs here.*per_learner asks for 1"),
    ],
)
def test_gpus_that_are_not_there_are_refused_at_once(monkeypatch, asked, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(ray, "cluster_resources", lambda: {"CPU": 4})
    monkeypatch.setattr(gpus, "_is_own_ray", lambda: True)
    with pytest.raises(SettingsError, match=expected):
        refuse_missing_gpus(LASEConfig().environment("cleanup").training(**asked).settings())


def test_a_cluster_may_still_grow_to_the_gpus_that_are_asked_for(monkeypatch, caplog):
    monkeypatch.setattr(ray, "cluster_resources", lambda: {"CPU": 4, "GPU": 1})
    monkeypatch.setattr(gpus, "_is_own_ray", lambda: False)
    asked = {"num_env_runners": 2, "num_gpus_per_env_runner": 1}
    with caplog.at_level(logging.WARNING):
        refuse_missing_gpus(LASEConfig().environment("cleanup").training(**asked).settings())
    assert "has 1 GPUs, and num_gpus_per_env_runner asks for 2" in caplog.text


@pytest.mark.usefixtures("local_ray")
@pytest.mark.filterwarnings("ignore:PYTHONHASHSEED")
def test_remote_runners_on_gpus_are_refused_before_they_are_waited_for():
    config = independent().env_runners(num_env_runners=1, num_gpus_per_env_runner=1)
    with pytest.raises(SettingsError, match="Ray has 0 GPUs here"):
        config.build_algo()


def test_acting_is_on_the_cpu_unless_a_gpu_is_asked_for():
    runner = make_runner(independent(), gpus=0)
    assert runner.device == torch.device("cpu")
    assert np.isfinite(runner.sample_rollout(STEPS, 0.0).action_logp).all()
