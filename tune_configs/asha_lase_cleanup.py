"""Settings of LASE on Cleanup by random search, where ASHA stops the two thirds that do worst, three times.

    lase tune tune_configs/asha_lase_cleanup.py
    lase tune tune_configs/asha_lase_cleanup.py --num-samples 81 --objective min_reward

ASHA compares trials after a ninth and a third of the budget. Leave `scheduler` out for plain random search.
"""

from ray import tune

from rllib_lase.tuning import Search, asha

SEARCH = Search(
    games=["cleanup"],
    algos=["lase"],
    seeds=[100],
    settings={
        "lr": tune.loguniform(3e-4, 5e-3),
        "entropy_coeff": tune.loguniform(3e-3, 1e-1),
        "sr_policy_rule": tune.choice(["eq5", "soft_q"]),
        "sr_num_updates": tune.choice([1, 2, 4]),
        "delta": tune.choice([0.05, 0.1, 0.3]),
    },
    num_samples=27,
    scheduler=asha,
    smoke={"num_samples": 4, "env_steps": 27_000},
)
