"""What training would tell and leave, with made-up curves, for tests that need no training."""

import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rllib_lase.evaluation import equality
from rllib_lase.run_lock import WriterLock
from rllib_lase.runs import RunFolder

AGENTS = ("agent_0", "agent_1", "agent_2", "agent_3")
_FINAL_REWARDS = {
    "lase": (20.0, 18.0, 0.5, 16.0),
    "go": (22.0, 20.0, 0.5, 0.5),
    "independent": (0.5, 0.1, 0.2, 0.1),
    "rllib:PPO": (0.3, 0.2, 0.1, 0.2),
    "rllib:DQN": (0.4, 0.1, 0.1, 0.1),
}
_GIVING = np.array(
    [[0.74, 0.06, 0.15, 0.05], [0.05, 0.78, 0.13, 0.04], [0.02, 0.03, 0.93, 0.02], [0.03, 0.04, 0.12, 0.81]]
)


def run_config(
    algo: str = "lase", optimizer: str | None = "ppo", seed: int = 0, **changes: Any
) -> dict[str, Any]:
    """A complete config.json but for the keys that the folder fills in."""
    config = {
        "game": "cleanup",
        "game_params": {"num_agents": 4, "view_radius": 2},
        "preset": "lase",
        "algo": algo,
        "optimizer": optimizer,
        "seed": seed,
        "env_steps": 100_000,
        "settings": {"lr": 0.001, "gamma": 0.98, "num_envs_per_env_runner": 32},
    }
    return {**config, **changes}


def progress_row(iteration: int, env_steps: int, share: float = 0.0, **changes: float) -> dict[str, float]:
    """One row of progress with four agents."""
    row: dict[str, float] = {
        "iteration": iteration,
        "env_steps": env_steps,
        "num_episodes": env_steps // 100,
        "collective_reward": 10.0,
        "equality": 0.5,
        "equality_after_gifting": 0.6,
        "share_given": share,
        "env_steps_per_second": 6_000.0,
        "train_seconds": 1.0,
    }
    for agent in AGENTS:
        row |= {f"reward/{agent}": 2.5, f"reward_after_gifting/{agent}": 2.5, f"counts/apples/{agent}": 2.5}
    return {**row, **changes}


def progress(env_steps: int, total: int = 1000) -> Any:
    """What training tells of an iteration."""
    row = progress_row(1, env_steps, collective_reward=12.5, equality=float("nan"))
    return types.SimpleNamespace(
        row=row,
        env_steps=env_steps,
        total_env_steps=total,
        iteration_env_steps=600,
        env_steps_per_second=512.3,
        seconds_left=67.0,
    )


def evaluation_episodes(
    rewards: np.ndarray, giving: np.ndarray, seed: int, num_episodes: int = 128
) -> pd.DataFrame:
    """Episodes with noise around the mean rewards, shared by `giving`, giver in the row."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(1, 0.15, (num_episodes, 1))
    apples = np.maximum(0, np.rint(rewards * noise))
    return pd.DataFrame(
        {
            "episode": np.repeat(np.arange(num_episodes), len(AGENTS)),
            "agent_id": list(AGENTS) * num_episodes,
            "length": 100,
            "reward": apples.ravel(),
            "reward_after_gifting": (apples @ giving).ravel(),
            "apples": apples.ravel().astype(int),
            "waste_cleaned": np.tile([2, 1, 40, 5], num_episodes),
        }
    )


def run_summary(
    run: RunFolder, episodes: pd.DataFrame, giving: np.ndarray, wall_seconds: float
) -> dict[str, Any]:
    """The summary that belongs to the episodes."""
    means = episodes.drop(columns="episode").groupby("agent_id", sort=False).mean()
    env_steps = int(run.progress()["env_steps"].iloc[-1])
    return {
        **{key: run.config[key] for key in ("game", "preset", "algo", "optimizer", "seed")},
        "status": "finished",
        "env_steps": env_steps,
        "num_episodes": env_steps // 100,
        "num_evaluation_episodes": episodes["episode"].nunique(),
        "wall_seconds": wall_seconds,
        "env_steps_per_second": env_steps / wall_seconds,
        "collective_reward": means["reward"].sum(),
        "reward_per_agent": means["reward"].to_numpy(),
        "reward_after_gifting_per_agent": means["reward_after_gifting"].to_numpy(),
        "equality": float(equality(means["reward"])),
        "equality_after_gifting": float(equality(means["reward_after_gifting"])),
        "gift_weights": giving,
        "counts_per_agent": {name: means[name].to_numpy() for name in ("apples", "waste_cleaned")},
    }


def rewrite_summary(run: RunFolder, summary: Mapping[str, Any]) -> None:
    """Writes another summary into a run that is closed."""
    again = RunFolder.open(run.path)
    again._lock = WriterLock(run.path)
    with again:
        again.write_summary(summary)


def write_run(
    path: Path,
    algo: str = "lase",
    optimizer: str | None = "ppo",
    seed: int = 0,
    iterations: int = 60,
    finished: bool = True,
    **config: Any,
) -> RunFolder:
    """A whole run folder; reward rises to a level typical for the algorithm."""
    rng = np.random.default_rng([seed, len(algo)])
    final = rng.permutation(np.array(_FINAL_REWARDS[algo]) * rng.normal(1, 0.08, 4))
    giving = _GIVING if algo == "lase" else np.eye(4)
    steps_per_iteration = 100_000 // iterations
    with RunFolder.create(path, run_config(algo, optimizer, seed, **config)) as run:
        for i in range(1, iterations + 1):
            level = 1 / (1 + np.exp(-10 * (i / iterations - 0.45)))
            rewards = np.maximum(0, final * level * rng.normal(1, 0.1, 4) + 0.05)
            weights = np.eye(4) + (giving - np.eye(4)) * (0.4 + 0.6 * level)
            after = rewards @ weights
            row = progress_row(i, i * steps_per_iteration, float(np.mean(1 - np.diag(weights))))
            row["collective_reward"] = rewards.sum()
            for a, agent in enumerate(AGENTS):
                row |= {f"reward/{agent}": rewards[a], f"reward_after_gifting/{agent}": after[a]}
                row |= {
                    f"counts/apples/{agent}": rewards[a],
                    f"counts/waste_cleaned/{agent}": 8.0 * a * level,
                }
            row |= {"equality": float(equality(rewards)), "equality_after_gifting": float(equality(after))}
            run.append_progress(row)
            run.append_gifts(i, i * steps_per_iteration, AGENTS, weights, np.full(4, 200))
        if finished:
            episodes = evaluation_episodes(final, giving, seed)
            run.write_episodes(episodes)
            run.write_summary(run_summary(run, episodes, giving, 16.5 + seed))
    return run
