"""Settings of LASE on Cleanup by Optuna's TPE, which learns from finished trials, with ASHA.

    pip install '.[tune]'  # in a checkout of rllib-lase
    lase tune tune_configs/optuna_lase.py --objective collective_reward=1,equality_after_gifting=20

TPE needs about ten trials before it knows better than chance. It suggests the next trial from those that are
finished, so many trials at a time teach it less.
"""

from optuna.samplers import TPESampler
from ray import tune
from ray.tune.search.optuna import OptunaSearch

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
        "delta": tune.uniform(0.0, 0.5),
    },
    num_samples=40,
    scheduler=asha,
    search_alg=lambda: OptunaSearch(sampler=TPESampler(seed=0)),
    smoke={"num_samples": 4, "env_steps": 27_000},
)
