"""What RLlib expects of any env runner: its standard metrics, and a clear word on what ours cannot serve."""

from __future__ import annotations

from ray.rllib.algorithms.algorithm_config import AlgorithmConfig
from ray.rllib.core import DEFAULT_AGENT_ID
from ray.rllib.utils.metrics import (
    EPISODE_LEN_MEAN,
    EPISODE_RETURN_MEAN,
    NUM_AGENT_STEPS_SAMPLED,
    NUM_AGENT_STEPS_SAMPLED_LIFETIME,
    NUM_ENV_STEPS_SAMPLED,
    NUM_ENV_STEPS_SAMPLED_LIFETIME,
    NUM_EPISODES,
    NUM_EPISODES_LIFETIME,
)
from ray.rllib.utils.metrics.metrics_logger import MetricsLogger

from rllib_lase.rllib.episode_account import FinishedEpisodes

_EPISODE_CALLBACKS = ("on_episode_step", "on_episode_start", "on_episode_end", "on_episode_created")


def refuse_unsupported(config: AlgorithmConfig) -> None:
    """Refuses what a runner that steps whole batches cannot serve.

    Raises:
        ValueError: names every such setting, and RLlib's own runner.
    """
    complete = config.batch_mode == "complete_episodes" and not config.in_evaluation  # RLlib's default there
    refused = {
        "env_to_module_connector": config._env_to_module_connector is not None,
        "module_to_env_connector": config._module_to_env_connector is not None,
        "batch_mode='complete_episodes'": complete,
    }
    for hook in _EPISODE_CALLBACKS:
        refused[f"callback {hook}"] = getattr(config, f"callbacks_{hook}", None) is not None
    found = [name for name, present in refused.items() if present]
    if found:
        raise ValueError(
            f"BatchedEnvRunner cannot serve {', '.join(found)}: it steps whole batches, never single "
            "timesteps. Remove the setting, or use RLlib's own runner with one of RLlib's own algorithms: "
            ".env_runners(env_runner_cls=ray.rllib.env.multi_agent_env_runner.MultiAgentEnvRunner)"
        )


def log_sampling(
    metrics: MetricsLogger, env_steps: int, agent_steps: int, finished: FinishedEpisodes, window: int
) -> None:
    """Logs RLlib's standard metrics of sampling.

    Args:
        metrics: The runner's logger.
        env_steps: Steps of single copies since the last call.
        agent_steps: Steps of agents since the last call.
        finished: Episodes that ended since the last call.
        window: Episodes that means are smoothed over.
    """
    metrics.log_value(NUM_ENV_STEPS_SAMPLED, env_steps, reduce="sum")
    metrics.log_value(NUM_ENV_STEPS_SAMPLED_LIFETIME, env_steps, reduce="lifetime_sum", with_throughput=True)
    for key, reduce in (
        (NUM_AGENT_STEPS_SAMPLED, "sum"),
        (NUM_AGENT_STEPS_SAMPLED_LIFETIME, "lifetime_sum"),
    ):
        metrics.log_dict({DEFAULT_AGENT_ID: agent_steps}, key=key, reduce=reduce)
    metrics.log_value(NUM_EPISODES, len(finished), reduce="sum")
    metrics.log_value(NUM_EPISODES_LIFETIME, len(finished), reduce="lifetime_sum")
    for episode_return, length in zip(
        finished.returns.sum(1)[-window:], finished.lengths[-window:], strict=True
    ):
        metrics.log_value(EPISODE_RETURN_MEAN, float(episode_return), window=window)
        metrics.log_value(EPISODE_LEN_MEAN, float(length), window=window)
