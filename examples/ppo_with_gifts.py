"""RLlib's own PPO, with its own runners and networks, learns from rewards after gifts.

Run:

    PYTHONHASHSEED=0 OMP_NUM_THREADS=1 python examples/ppo_with_gifts.py --seed 100

Two players of the iterated prisoner's dilemma; an episode of cooperation is worth 200. What came out stands
in `docs/rllib_ppo.md`.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence

from ray.rllib.algorithms.ppo import PPOConfig

import rllib_lase


def main(arguments: Sequence[str] | None = None) -> float:
    """Trains, prints an iteration a line, and returns the last collective reward of an episode."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--iterations", type=int, default=50)
    parser.add_argument("--selfish", action="store_true", help="the same PPO without gifts")
    options = parser.parse_args(arguments)
    config = (
        PPOConfig()
        .environment("ipd")
        .multi_agent(
            policies=["agent_0", "agent_1"],
            policy_mapping_fn=lambda agent_id, *_, **__: agent_id,
        )
        .env_runners(num_env_runners=0, num_envs_per_env_runner=32, rollout_fragment_length=50)
        .training(train_batch_size_per_learner=1600, minibatch_size=400, num_epochs=3, lr=1e-3, grad_clip=0.5)
        .training(entropy_coeff=0.01, vf_loss_coeff=0.5, vf_clip_param=1e4, use_kl_loss=False)
        .debugging(seed=options.seed, log_level="ERROR")
    )
    if not options.selfish:
        rllib_lase.with_gifts(config)
    algorithm, collective_reward = config.build_algo(), math.nan
    for iteration in range(1, options.iterations + 1):
        result = algorithm.train()
        latest = result["env_runners"].get("episode_return_mean", math.nan)
        collective_reward = collective_reward if math.isnan(latest) else latest  # no episode ended
        given = result["learners"]["__all_modules__"].get("share_given", 0.0)
        print(f"{iteration:4} collective reward {collective_reward:7.1f}, share given {given:.2f}")
    algorithm.stop()
    return float(collective_reward)


if __name__ == "__main__":
    main()
