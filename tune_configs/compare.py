"""Every algorithm on every game with five seeds: the paper's main experiment as one job.

    lase tune tune_configs/compare.py            # 5 seeds, each game's full budget
    lase tune tune_configs/compare.py --smoke    # 4 algorithms on 3 games for a look, minutes on two cores

Algorithms play only games that they can: LOLA the matrix games, LIO and the like those with discrete actions.
"""

from rllib_lase.tuning import Search

GAMES = ["ipd", "coingame", "cleanup", "snowdrift", "stag_hunt", "harvest", "public_goods", "escape_room"]
ALGOS = [
    "lase",
    "lase_uniform",
    "lase_oracle",
    "lase_shared",
    "independent",
    "go",
    "ia",
    "svo",
    "fixed_share",
]
ALGOS += ["gifting", "si", "lio", "lola", "rllib:PPO"]

SEARCH = Search(
    games=GAMES,
    algos=ALGOS,
    seeds=range(5),
    smoke={
        "games": ["ipd", "cleanup", "snowdrift"],
        "algos": ["lase", "go", "ia", "independent"],
        "seeds": [0],
        "env_steps": 60_000,
    },
)
