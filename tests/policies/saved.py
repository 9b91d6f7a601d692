"""Runs with untrained policies, made without a Ray process: an env runner's own, saved as a run's."""

from pathlib import Path

from ray.rllib.env.wrappers.pettingzoo_env import ParallelPettingZooEnv
from ray.tune import register_env

import mixed_motive
from rllib_lase.registry import ALGORITHMS
from rllib_lase.rllib.agent_descriptions import describe_agents
from rllib_lase.rllib.checkpoints import ALGORITHM_KIND, save_tree
from rllib_lase.rllib.env_runner import BatchedEnvRunner
from rllib_lase.runs import RunFolder
from tests.synthetic_runs import run_config

BOXES = "continuous_public_goods"


def make_runner(algo="independent", game="cleanup", env_config=None, num_envs=10, **settings):
    """A runner that plays as in evaluations, with random weights."""
    if game == BOXES:
        register_env(
            BOXES,
            lambda options: ParallelPettingZooEnv(
                mixed_motive.continuous_public_goods_v0.parallel_env(**options)
            ),
        )
    config = ALGORITHMS[algo].config_class()().environment(game, env_config=env_config or {})
    config.training(**settings).debugging(seed=3)
    config.env_runners(num_envs_per_env_runner=num_envs, rollout_fragment_length=8)
    return BatchedEnvRunner(config=config)


def save_run(folder: Path, runner, env_steps=8000):
    """A run's folder with a checkpoint of the runner's policies."""
    config = runner.config
    params = {key: value for key, value in config.env_config.items() if isinstance(value, int | str)}
    run = RunFolder.create(
        folder, run_config(config.algo_id, game=config.env, game_params=params, settings={})
    )
    add_checkpoint(folder, runner, env_steps)
    return run


def add_checkpoint(folder: Path, runner, env_steps):
    """One more checkpoint of a run."""
    weights = runner.module.get_state()
    state = {
        "env_steps": env_steps,
        "agents": describe_agents(runner.env, runner.module),
        "learner": {"rl_module": weights},
    }
    save_tree(folder / "checkpoints" / f"env_steps_{env_steps:09d}", state, kind=ALGORITHM_KIND)
