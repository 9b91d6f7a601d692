"""Which delta (Eq. 4) and which share of random actions suit LASE? A grid, each point with three seeds.

lase tune tune_configs/grid_delta_epsilon.py
"""

from ray import tune

from rllib_lase.tuning import Search

SEARCH = Search(
    games=["cleanup"],
    algos=["lase"],
    seeds=[100, 101, 102],
    settings={
        "delta": tune.grid_search([0.0, 0.1, 0.3, 1.0]),
        "epsilon_start": tune.grid_search([0.0, 0.1, 0.3]),
        "epsilon_end": 0.0,
    },
    smoke={"seeds": [100], "env_steps": 8_000},
)
