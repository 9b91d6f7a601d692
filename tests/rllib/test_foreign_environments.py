"""LASE trains on environments that nobody here wrote, as they are: 20 rounds each, without Ray."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest
from ray.rllib.core.learner.training_data import TrainingData

from rllib_lase.rllib.algorithms import LASEConfig
from rllib_lase.rllib.env_runner import BatchedEnvRunner
from rllib_lase.rllib.learner import SocialLearner

os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")

RLLIB = "ray.rllib.examples.envs.classes.multi_agent"
#: Name -> its import path, options, number of agents, and what a policy sees and does.
ENVIRONMENTS: dict[str, tuple[str, dict[str, Any], int, set[tuple[int, ...]], set[str]]] = {
    "spread": ("mpe2.simple_spread_v3:parallel_env", {}, 3, {(18,)}, {"Discrete(5)"}),
    "speaker and listener": (
        "mpe2.simple_speaker_listener_v4:parallel_env",
        {},
        2,
        {(3,), (11,)},
        {"Discrete(3)", "Discrete(5)"},
    ),
    "world with communication": (
        "mpe2.simple_world_comm_v3:parallel_env",
        {},
        6,
        {(28,), (34,)},
        {"Discrete(5)", "Discrete(20)"},
    ),
    "pursuit": (
        "pettingzoo.sisl.pursuit_v5:parallel_env",
        {"n_pursuers": 3, "n_evaders": 4, "max_cycles": 20},
        3,
        {(3, 7, 7)},
        {"Discrete(5)"},
    ),
    "multiwalker": (
        "pettingzoo.sisl.multiwalker_v9:parallel_env",
        {"n_walkers": 2, "max_cycles": 20},
        2,
        {(31,)},
        {"Box(-1.0, 1.0, (4,), float32)"},
    ),
    "knights, archers, zombies": (
        "pettingzoo.butterfly.knights_archers_zombies_v11:parallel_env",
        {"max_cycles": 20},
        4,
        {(27, 5)},
        {"Discrete(6)"},
    ),
    "pistonball": (
        "pettingzoo.butterfly.pistonball_v6:parallel_env",
        {"n_pistons": 2, "max_cycles": 20, "continuous": False},
        2,
        {(3, 16, 16)},
        {"Discrete(3)"},
    ),
    "rock, paper, scissors": (
        f"{RLLIB}.rock_paper_scissors:RockPaperScissors",
        {},
        2,
        {(3,)},
        {"Discrete(3)"},
    ),
    "corridor": (
        f"{RLLIB}.double_row_corridor_env:DoubleRowCorridorEnv",
        {"length": 5},
        2,
        {(2,)},
        {"Discrete(4)"},
    ),
    "two steps": (f"{RLLIB}.two_step_game:TwoStepGame", {}, 2, {(6,)}, {"Discrete(2)"}),
    "cart poles with dicts": (
        f"{RLLIB}:MultiAgentCartPoleWithDictObservationSpace",
        {"num_agents": 2},
        2,
        {(7,)},
        {"Discrete(2)"},
    ),
    "pendulums": (
        f"{RLLIB}:MultiAgentPendulum",
        {"num_agents": 2},
        2,
        {(3,)},
        {"Box(-1.0, 1.0, (1,), float32)"},
    ),
}


def make(path: str, options: dict[str, Any]) -> tuple[BatchedEnvRunner, SocialLearner]:
    config = LASEConfig().environment(path, env_config=options).debugging(seed=0)
    config.env_runners(num_envs_per_env_runner=2, rollout_fragment_length=12)
    config.training(hidden_size=8, num_minibatches=2, num_epochs=1, record_fraction=1.0, replay_capacity=200)
    config.training(sr_batch_size=16, conversion_batch_size=16)
    runner = BatchedEnvRunner(config=config, worker_index=0, num_workers=0)
    learner = SocialLearner(
        config=config, module_spec=config.get_multi_rl_module_spec(spaces=runner.get_spaces())
    )
    learner.build()
    runner.use_module(learner.module)
    return runner, learner


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_lase_trains_on_it_as_it_is(name: str) -> None:
    path, options, num_agents, seen, done = ENVIRONMENTS[name]
    runner, learner = make(path, options)
    env = runner.env
    assert env is not None
    agents = env.agent_ids
    assert len(agents) == num_agents
    assert {env.observation_spaces[agent].shape for agent in agents} == seen
    assert {str(env.action_spaces[agent]) for agent in agents} == done
    before = {agent: learner.module[agent].get_state() for agent in agents}
    before = {agent: {key: np.array(value) for key, value in own.items()} for agent, own in before.items()}
    weights = []
    for iteration in range(20):
        rollout = runner.sample_rollout(12, 0.0)
        learner.update(training_data=TrainingData(batch=rollout), timesteps={"env_steps": 24 * iteration})
        report = learner.collect_report()
        assert all(np.isfinite(values).all() for values in report["learner"].values())
        weights.append(report["gift_weights"])
    runner.stop()
    given = 1 - np.diagonal(np.nanmean(weights, 0))
    assert (given >= 0).all()
    assert (given > 0).any(), "nobody gave anything"
    for agent in agents:
        after = learner.module[agent].get_state()
        moved = [key for key, value in before[agent].items() if not np.array_equal(value, after[key])]
        assert any(key.startswith("policy") for key in moved)
        assert any(key.startswith("social") for key in moved)
