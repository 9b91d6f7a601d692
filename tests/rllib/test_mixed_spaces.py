"""Agents that see and do different things, from the environment to the learner; without Ray."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from ray.rllib.core.learner.training_data import TrainingData
from ray.rllib.env.multi_agent_env import MultiAgentEnv

from rllib_lase.action_spaces import Combinations
from rllib_lase.registry import ALGORITHMS
from rllib_lase.rllib.action_encoding import make_action_encoder
from rllib_lase.rllib.env_runner import BatchedEnvRunner
from rllib_lase.rllib.joint_env import EnvironmentFault
from rllib_lase.rllib.learner import SocialLearner
from rllib_lase.settings import SettingsError

OBSERVED = {
    "pilot": spaces.Box(0, 255, (40, 36, 3), np.uint8),
    "cook": spaces.Dict({"heat": spaces.Box(-5, 5, (2,), np.float32), "dish": spaces.Discrete(3)}),
    "clerk": spaces.MultiDiscrete([2, 3]),
    "guard": spaces.Discrete(3),
}
DONE = {
    "pilot": spaces.MultiDiscrete([3, 5]),
    "cook": spaces.MultiBinary(2),
    "clerk": spaces.Discrete(4, start=7),
    "guard": spaces.Discrete(4),
}


class Ship(MultiAgentEnv):
    """Everybody sees noise and gets the number of zeros in its action; the cook leaves after 3 of 6 steps."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        self.possible_agents = self.agents = list(OBSERVED)
        self.observation_spaces = {agent: type(s)(**_copied(s)) for agent, s in OBSERVED.items()}
        self.action_spaces = dict(DONE) | config.get("actions", {})
        self.seen: list[dict[str, Any]] = []

    def reset(self, *, seed=None, options=None):
        if seed is not None:
            for space in self.observation_spaces.values():
                space.seed(seed)
        self.time, self.agents = 0, list(OBSERVED)
        return self._look(), {}

    def _look(self) -> dict[str, Any]:
        return {agent: self.observation_spaces[agent].sample() for agent in self.agents}

    def step(self, action_dict):
        self.time += 1
        self.seen.append(action_dict)
        for agent, action in action_dict.items():
            assert self.action_spaces[agent].contains(action), (agent, action)
        rewards = {agent: float((np.asarray(action) == 0).sum()) for agent, action in action_dict.items()}
        obs = self._look()
        left = {"cook": True} if self.time == 3 else {}
        self.agents = [agent for agent in self.agents if agent not in left]
        return obs, rewards, left, {"__all__": self.time == 6}, {}


def _copied(space: spaces.Space[Any]) -> dict[str, Any]:
    if isinstance(space, spaces.Box):
        return {"low": space.low, "high": space.high, "dtype": space.dtype}
    if isinstance(space, spaces.Dict):
        return {"spaces": dict(space.spaces)}
    return {"nvec": space.nvec} if isinstance(space, spaces.MultiDiscrete) else {"n": space.n}


def make(algo: str = "lase", env_config: dict[str, Any] | None = None, **settings: Any):
    config = ALGORITHMS[algo].config_class()().environment(Ship, env_config=env_config or {})
    config.env_runners(num_envs_per_env_runner=2, rollout_fragment_length=9).debugging(seed=0)
    config.training(**{"hidden_size": 8, "num_minibatches": 2, "num_epochs": 1} | settings)
    runner = BatchedEnvRunner(config=config, worker_index=0, num_workers=0)
    spec = config.get_multi_rl_module_spec(spaces=runner.get_spaces())
    learner = SocialLearner(config=config, module_spec=spec)
    learner.build()
    runner.use_module(learner.module)
    return runner, learner


def train(runner: BatchedEnvRunner, learner: SocialLearner, rounds: int = 3) -> None:
    for number in range(rounds):
        rollout = runner.sample_rollout(9, 0.0)
        learner.update(training_data=TrainingData(batch=rollout), timesteps={"env_steps": 18 * number})


@pytest.mark.parametrize(
    ("algo", "settings"),
    [
        ("lase", {"sr_policy_rule": "eq5"}),
        ("lase", {"sr_policy_rule": "soft_q", "relationship_smoothing": 0.5, "num_counterfactuals": 4}),
        ("lase", {"use_lstm": True, "lstm_size": 8}),
        ("lase", {"optimizer": "a2c"}),
        ("lase_uniform", {"num_counterfactuals": 4}),
        ("independent", {}),
        ("go", {}),
        ("ia", {}),
        ("si", {}),
    ],
)
def test_agents_with_different_spaces_learn_together(algo, settings):
    runner, learner = make(algo, **settings)
    before = {agent: learner.module[agent].get_state() for agent in OBSERVED}
    before = {agent: {name: np.array(value) for name, value in own.items()} for agent, own in before.items()}
    train(runner, learner)
    report = learner.collect_report()
    for name, values in report["learner"].items():
        assert np.isfinite(values).all(), name
    for agent, own in before.items():
        after = learner.module[agent].get_state()
        assert any(not np.array_equal(value, after[name]) for name, value in own.items())


def test_everybody_sees_its_own_shape_and_acts_in_its_own_space():
    runner, _ = make()
    env = runner.env
    shapes = {agent: env.observation_spaces[agent].shape for agent in env.agent_ids}
    assert shapes == {"pilot": (3, 16, 16), "cook": (5,), "clerk": (5,), "guard": (3,)}
    assert env.action_spaces["pilot"] == Combinations([3, 5])
    assert env.action_spaces["cook"] == Combinations([2, 2])
    assert env.action_spaces["clerk"] == env.action_spaces["guard"] == spaces.Discrete(4)
    rollout = runner.sample_rollout(12, 0.0)
    assert rollout.actions.max(axis=(1, 2)).tolist() == [14, 3, 3, 3]
    heads = {agent: learner_head_sizes(runner, agent) for agent in env.agent_ids}
    assert heads == {"pilot": 8, "cook": 4, "clerk": 4, "guard": 4}, "one logit for each choice of each part"


def learner_head_sizes(runner: BatchedEnvRunner, agent: str) -> int:
    return runner.module[agent].policy.pi.out_features


def test_a_restored_learner_goes_on_exactly():
    (runner, first), (_, second) = make(num_counterfactuals=4), make(num_counterfactuals=4)
    train(runner, first)
    second.set_state(first.get_state())
    rollout = runner.sample_rollout(9, 0.0)
    for learner in (first, second):
        learner.update(training_data=TrainingData(batch=rollout), timesteps={"env_steps": 90})
    for agent in OBSERVED:
        for name, value in first.module[agent].get_state().items():
            assert np.array_equal(value, second.module[agent].get_state()[name]), (agent, name)


def test_the_policy_acts_as_its_modules_distribution_says():
    runner, learner = make()
    rollout = runner.sample_rollout(9, 0.0)
    for i, agent in enumerate(rollout.agent_ids):
        obs = torch.from_numpy(rollout.obs_of(i)[:-1]).flatten(0, 1)
        with torch.no_grad():
            logp = learner.module[agent].policy(obs).action_dist_inputs.log_softmax(-1)
        taken = logp.gather(-1, torch.from_numpy(rollout.actions[i]).flatten().unsqueeze(-1)).squeeze(-1)
        active = rollout.active[i].flatten()
        assert np.allclose(rollout.action_logp[i].flatten()[active], taken.numpy()[active], atol=1e-5)


def test_actions_of_parts_are_numbered_the_last_part_fastest():
    encoder = make_action_encoder(spaces.MultiDiscrete([3, 5], start=[0, 10]))
    assert encoder.encoded == Combinations([3, 5])
    assert encoder.encoded != spaces.Discrete(15)
    for number, expected in ((0, [0, 10]), (4, [0, 14]), (5, [1, 10]), (14, [2, 14])):
        found = encoder.decode(np.int64(number))
        assert found.tolist() == expected
        assert encoder.space.contains(found)
    binary = make_action_encoder(spaces.MultiBinary((2, 2)))
    assert binary.decode(np.int64(6)).tolist() == [[0, 1], [1, 0]]
    assert binary.space.contains(binary.decode(np.int64(6)))


def test_what_adds_actions_refuses_those_with_parts():
    with pytest.raises(SettingsError, match=r"pilot, cook have several parts.*adds no actions"):
        make("lase", refuse_gifts=True)


def test_continuous_agents_among_discrete_ones_are_refused_with_the_way_out():
    box = {"guard": spaces.Box(-1, 1, (2,))}
    with pytest.raises(
        EnvironmentFault, match=r"'guard': Box.*expected discrete actions for all.*MultiDiscrete"
    ):
        make(env_config={"actions": box})


def test_one_set_of_parameters_needs_the_same_spaces():
    with pytest.raises(ValueError, match="lase_shared has one set of parameters"):
        make("lase_shared")
