"""Population based training of LASE on Cleanup: bad trials take over good ones' weights, settings change.

    lase tune tune_configs/pbt_lase.py

A warning: in a game of several learners, agents are each other's problem. When a trial's settings change in
the middle, all co-players change how they learn at once, and what an agent had learnt about them is out of
date. What comes out is a schedule, not a configuration: repeat the best one from the start
(tune_configs/seeds.py with --config) before believing it.
"""

from ray import tune
from ray.tune.schedulers import PopulationBasedTraining

from rllib_lase.tuning import Search

#: Env steps of an iteration. Changes are counted in iterations: an iteration overshoots any other number of
#: env steps, and where that adds up to an interval, trials of Tune 2.60 wait for each other for ever.
ITERATION = 8_000


def pbt(env_steps: int) -> PopulationBasedTraining:
    """Makes the scheduler for trials of so many env steps; they wait for each other about ten times."""
    return PopulationBasedTraining(
        time_attr="training_iteration",
        perturbation_interval=max(1, env_steps // ITERATION // 10),
        synch=True,
        hyperparam_mutations={
            "settings": {
                "lr": tune.loguniform(3e-4, 5e-3),
                "entropy_coeff": tune.loguniform(3e-3, 1e-1),
                "delta": [0.03, 0.1, 0.3],
            }
        },
    )


SEARCH = Search(
    games=["cleanup"],
    algos=["lase"],
    seeds=[100],
    settings={
        "lr": tune.loguniform(3e-4, 5e-3),
        "entropy_coeff": tune.loguniform(3e-3, 1e-1),
        "delta": tune.choice([0.03, 0.1, 0.3]),
    },
    num_samples=8,
    scheduler=pbt,
    checkpoint_interval=1,  # after every iteration, since trials go on from their latest checkpoint
    warning=(
        "population based training changes settings, and with them every co-player's problem, in the middle "
        "of a run; repeat the best configuration from the start before believing it."
    ),
    smoke={"num_samples": 4, "env_steps": 40_000},
)
