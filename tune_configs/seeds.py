"""How far do results depend on the seed? One configuration with twenty seeds that no search has used.

lase tune tune_configs/seeds.py
lase tune tune_configs/seeds.py --config runs/tune/optuna_lase/best-cleanup.json --out runs/tune/best-seeds
"""

from rllib_lase.tuning import Search

SEARCH = Search(
    games=["cleanup"],
    algos=["lase"],
    seeds=range(20),
    smoke={"seeds": [0, 1], "env_steps": 8_000},
)
