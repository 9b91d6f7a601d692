"""RLlib's own PPO learns from rewards after gifts; what comes out stands in `docs/rllib_ppo.md`.

Run: PYTHONHASHSEED=0 OMP_NUM_THREADS=1 python examples/ppo_with_gifts.py --seed 100
"""

import argparse

from ray.rllib.algorithms.ppo import PPOConfig

import rllib_lase

parser = argparse.ArgumentParser()
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--iterations", type=int, default=50)
parser.add_argument("--selfish", action="store_true", help="the same PPO without gifts")
options = parser.parse_args()
config = PPOConfig().environment("ipd").debugging(seed=options.seed, log_level="ERROR")
config.multi_agent(policies=["agent_0", "agent_1"], policy_mapping_fn=lambda agent_id, *_, **__: agent_id)
config.env_runners(num_env_runners=0, num_envs_per_env_runner=32, rollout_fragment_length=50)
config.training(train_batch_size_per_learner=1600, minibatch_size=400, num_epochs=3, lr=1e-3, grad_clip=0.5)
config.training(entropy_coeff=0.01, vf_loss_coeff=0.5, vf_clip_param=1e4, use_kl_loss=False)
if not options.selfish:
    rllib_lase.with_gifts(config)
algorithm = config.build_algo()
for iteration in range(1, options.iterations + 1):
    result = algorithm.train()
    reward = result["env_runners"].get("episode_return_mean", float("nan"))  # NaN where no episode ended
    given = result["learners"]["__all_modules__"].get("share_given", 0.0)
    print(f"{iteration:4} collective reward {reward:7.1f}, share given {given:.2f}")
algorithm.stop()
