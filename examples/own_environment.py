"""An environment of your own, trained with LASE. Run: PYTHONHASHSEED=0 python examples/own_environment.py."""

import numpy as np
from gymnasium import spaces
from ray.rllib.env.multi_agent_env import MultiAgentEnv

import rllib_lase


class Commute(MultiAgentEnv):
    """Two drivers, bus (0) or road (1), see what both chose yesterday; the road is quick for one car only."""

    agents = possible_agents = ("ann", "ben")
    observation_spaces = dict.fromkeys(agents, spaces.MultiBinary(2))
    action_spaces = dict.fromkeys(agents, spaces.Discrete(2))

    def __init__(self, config=None):
        super().__init__()
        self.days = (config or {}).get("days", 20)

    def reset(self, *, seed=None, options=None):
        self.day = 0
        return dict.fromkeys(self.agents, np.zeros(2, np.int8)), {}

    def step(self, actions):
        self.day += 1
        chosen = np.array([actions[agent] for agent in self.agents], np.int8)
        rewards = {agent: (3.0 - 3.0 * chosen.all()) if actions[agent] else 1.0 for agent in self.agents}
        over = {"__all__": self.day == self.days}
        return dict.fromkeys(self.agents, chosen), rewards, {"__all__": False}, over, {}


if __name__ == "__main__":
    print(rllib_lase.check_env(Commute()))
    rllib_lase.register_env("commute", Commute)
    config = rllib_lase.LASEConfig().environment("commute", env_config={"days": 10})
    algorithm = config.training(rounds_per_iteration=1).build_algo()
    for _ in range(3):
        print(algorithm.train()["social"])
    algorithm.stop()
