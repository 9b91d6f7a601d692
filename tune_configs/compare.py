"""All our algorithms and RLlib's PPO on every game with five seeds: the paper's main experiment as one job.

    lase tune tune_configs/compare.py            # 5 seeds, each game's full budget
    lase tune tune_configs/compare.py --smoke    # 4 algorithms on 3 games for a look, minutes on two cores

Algorithms play only games that they can: LOLA the matrix games, LIO and the like those with discrete actions.
What is left out stands in `LEFT_OUT`.
"""

import mixed_motive
from rllib_lase.registry import ALGORITHMS, STOCK
from rllib_lase.tuning import Search

#: Game or algorithm -> why it is not compared.
LEFT_OUT = {
    "matrix": "the general form of ipd",
    "rllib:APPO": "RLlib's defaults, not tuned for these games; rllib:PPO stands for them",
    "rllib:IMPALA": "RLlib's defaults, not tuned for these games; rllib:PPO stands for them",
    "rllib:DQN": "RLlib's defaults, not tuned for these games; rllib:PPO stands for them",
    "rllib:SAC": "RLlib's defaults, not tuned for these games; rllib:PPO stands for them",
}
GAMES = [game for game in mixed_motive.GAMES if game not in LEFT_OUT]
ALGOS = [algo for algo in (*ALGORITHMS, *STOCK) if algo not in LEFT_OUT]

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
