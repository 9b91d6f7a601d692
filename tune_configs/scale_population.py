"""Does LASE still help when there are more players? Cleanup on its large map with 2 to 16 agents.

lase tune tune_configs/scale_population.py
"""

from ray import tune

from rllib_lase.tuning import Search

SEARCH = Search(
    games=["cleanup"],
    algos=["lase", "go", "independent"],
    seeds=range(3),
    game_params={"preset": "lase_extended", "num_agents": tune.grid_search([2, 4, 8, 16])},
    smoke={
        "algos": ["lase", "independent"],
        "seeds": [0],
        "env_steps": 8_000,
        "game_params": {"preset": "lase_extended", "num_agents": tune.grid_search([2, 4])},
    },
)
