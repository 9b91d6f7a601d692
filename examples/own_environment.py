"""An environment of your own, trained with LASE. Run: PYTHONHASHSEED=0 python examples/own_environment.py."""

import numpy as np
from gymnasium import spaces
from pettingzoo import ParallelEnv

import rllib_lase


class Commute(ParallelEnv):
    """Two drivers, bus (0) or road (1), see what both chose yesterday; the road is quick for one car only."""

    metadata, possible_agents = {"name": "commute_v0"}, ("ann", "ben")

    def __init__(self, days=20):
        self.days, self.seen, self.choices = days, spaces.MultiBinary(2), spaces.Discrete(2)

    def observation_space(self, agent):
        return self.seen

    def action_space(self, agent):
        return self.choices

    def reset(self, seed=None, options=None):
        self.agents, self.day = list(self.possible_agents), 0
        return {agent: np.zeros(2, np.int8) for agent in self.agents}, {agent: {} for agent in self.agents}

    def step(self, actions):
        self.day += 1
        chosen = np.array([actions[agent] for agent in self.agents], np.int8)
        rewards = {agent: (0.0 if chosen.all() else 3.0) if actions[agent] else 1.0 for agent in self.agents}
        observations, infos = {a: chosen.copy() for a in self.agents}, {a: {} for a in self.agents}
        terminations = dict.fromkeys(self.agents, False)
        truncations = dict.fromkeys(self.agents, self.day == self.days)
        self.agents = [] if self.day == self.days else self.agents
        return observations, rewards, terminations, truncations, infos


if __name__ == "__main__":
    print(rllib_lase.check_env(Commute()))
    rllib_lase.register_env("commute", Commute)
    config = rllib_lase.LASEConfig().environment("commute", env_config={"days": 10}).debugging(seed=0)
    algorithm = config.training(rounds_per_iteration=1).build_algo()
    for _ in range(3):
        print(algorithm.train()["social"])
    algorithm.stop()
