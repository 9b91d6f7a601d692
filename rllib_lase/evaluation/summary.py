"""From evaluated episodes to summary.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from rllib_lase.evaluation.metrics import collective_reward, equality
from rllib_lase.run_schema import EPISODE_COLUMNS, Status


def summarise(
    config: Mapping[str, Any],
    episodes: pd.DataFrame,
    gift_weights: npt.ArrayLike,
    *,
    env_steps: int,
    num_episodes: int,
    wall_seconds: float,
    status: Status = "finished",
) -> dict[str, Any]:
    """The content of summary.json.

    Args:
        config: The run's config, for its identity.
        episodes: One row per evaluation episode and agent, as in episodes.parquet; agents in the order of the
            matrices' axes. Columns beyond the fixed ones are counts of events.
        gift_weights: (N, N) mean over all active steps of the evaluation, giver in the row.
        env_steps: Training env steps done.
        num_episodes: Training episodes finished.
        wall_seconds: Time of the whole run.
        status: "interrupted" for a run that was stopped early.

    Returns:
        All keys of `run_schema.SUMMARY_KEYS` and `counts_per_agent`, means per episode.
    """
    means = episodes.drop(columns=["episode"]).groupby("agent_id", sort=False).mean()
    rewards = means["reward"].to_numpy(dtype=np.float64)
    after = means["reward_after_gifting"].to_numpy(dtype=np.float64)
    counts = [name for name in episodes.columns if name not in EPISODE_COLUMNS]
    return {
        **{key: config[key] for key in ("game", "preset", "algo", "optimizer", "seed")},
        "status": status,
        "env_steps": env_steps,
        "num_episodes": num_episodes,
        "num_evaluation_episodes": int(episodes["episode"].nunique()),
        "wall_seconds": wall_seconds,
        "env_steps_per_second": env_steps / wall_seconds if wall_seconds > 0 else np.nan,
        "collective_reward": float(collective_reward(rewards)),
        "reward_per_agent": rewards,
        "reward_after_gifting_per_agent": after,
        "equality": float(equality(rewards)),
        "equality_after_gifting": float(equality(after)),
        "gift_weights": np.asarray(gift_weights, dtype=np.float64),
        "counts_per_agent": {name: means[name].to_numpy(dtype=np.float64) for name in counts},
    }
