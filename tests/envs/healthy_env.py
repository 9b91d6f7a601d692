"""A small `ParallelEnv` that is right in every respect, written so that single methods can be made wrong.

Three agents walk on a ring of eight cells and pick coins. A coin falls with a chance of 0.3 in each step on a
random empty cell. Of several agents on one coin a random one gets it. Who has three coins leaves.
"""

from types import MappingProxyType

import numpy as np
from gymnasium import spaces
from pettingzoo import ParallelEnv

from mixed_motive.testing import Law

NUM_AGENTS, NUM_CELLS, ENOUGH, CHANCE = 3, 8, 3, 0.3


class HealthyEnv(ParallelEnv):
    metadata = MappingProxyType({"name": "coins_v0", "render_modes": ["rgb_array", "ansi", "human"]})

    def __init__(self, max_cycles=30, render_mode=None):
        self.horizon, self.render_mode = max_cycles, render_mode
        self.possible_agents = [f"agent_{i}" for i in range(NUM_AGENTS)]
        self.agents = []
        low, high = np.zeros(NUM_CELLS + 3, np.float32), np.ones(NUM_CELLS + 3, np.float32)
        self.observation_spaces = {a: spaces.Box(low, high, dtype=np.float32) for a in self.possible_agents}
        # Seeded, so that checkers that sample from them play the same every time.
        self.action_spaces = {a: spaces.Discrete(3, seed=k) for k, a in enumerate(self.possible_agents)}
        self.rng = None
        self.window = None

    def observation_space(self, agent):
        return self.observation_spaces[agent]

    def action_space(self, agent):
        return self.action_spaces[agent]

    def reset(self, seed=None, options=None):
        self.seed_generator(seed)
        self.agents = list(self.possible_agents)
        self.time = 0
        self.clear()
        return self.observations(self.agents), self.first_infos()

    def seed_generator(self, seed):
        if seed is not None or self.rng is None:
            self.rng = np.random.default_rng(seed)

    def clear(self):
        self.coins = np.zeros(NUM_CELLS, bool)
        self.cells = {a: self.random_below(NUM_CELLS) for a in self.agents}
        self.purses = dict.fromkeys(self.agents, 0)

    def first_infos(self):
        return {a: {} for a in self.agents}

    def step(self, actions):
        self.refuse(actions)
        self.time += 1
        acting = list(self.agents)
        for a in acting:
            self.cells[a] = (self.cells[a] + int(actions[a]) - 1) % NUM_CELLS
        picked = self.pick(acting)
        self.drop_coin()
        for a in acting:
            self.purses[a] += picked[a]
        terminations = {a: self.leaves(a) for a in acting}
        truncations = {a: self.time >= self.horizon and not terminations[a] for a in acting}
        self.agents = self.survivors(acting, terminations, truncations)
        return self.results(acting, picked, terminations, truncations)

    def results(self, acting, picked, terminations, truncations):
        rewards = {a: self.reward(a, picked[a]) for a in acting}
        infos = {a: {"picked": picked[a]} for a in acting}
        return self.observations(acting), rewards, terminations, truncations, infos

    def refuse(self, actions):
        if not self.agents:
            raise RuntimeError("no episode is under way; call reset()")
        if set(actions) != set(self.agents):
            raise ValueError(f"actions for {list(actions)}, expected for {self.agents}")

    def random_below(self, bound):
        return int(self.rng.integers(bound))

    def random(self):
        return float(self.rng.random())

    def pick(self, acting):
        picked = dict.fromkeys(acting, 0)
        for cell in range(NUM_CELLS):
            here = [a for a in acting if self.cells[a] == cell]
            if self.coins[cell] and here:
                self.coins[cell] = False
                picked[self.winner(here)] = 1
        return picked

    def winner(self, here):
        return here[self.random_below(len(here))]

    def drop_coin(self):
        empty = np.flatnonzero(~self.coins)
        if len(empty) and self.random() < CHANCE:
            self.coins[empty[self.random_below(len(empty))]] = True

    def leaves(self, agent):
        return self.purses[agent] >= ENOUGH

    def reward(self, agent, picked):
        return float(picked)

    def survivors(self, acting, terminations, truncations):
        return [a for a in acting if not (terminations[a] or truncations[a])]

    def observations(self, agents):
        return {a: self.observe(a) for a in agents}

    def observe(self, agent):
        own = self.cells[agent] / NUM_CELLS, self.purses[agent] / ENOUGH, self.time / self.horizon
        return np.array([*self.coins, *own], np.float32)

    def render(self):
        if self.render_mode == "ansi":
            return "".join("o" if coin else "." for coin in self.coins) + str(sorted(self.cells.items()))
        frame = np.zeros((16, 8 * NUM_CELLS, 3), np.uint8)
        frame[:8] = np.repeat(self.coins, 8)[:, None] * np.uint8(200)
        for k, a in enumerate(self.possible_agents):
            frame[8:, 8 * self.cells[a] + k] = 255
        if self.render_mode == "rgb_array":
            return frame
        self.show(frame)
        return None

    def show(self, frame):
        import pygame

        if self.window is None:
            pygame.display.init()
            self.window = pygame.display.set_mode((frame.shape[1], frame.shape[0]))
        self.window.blit(pygame.surfarray.make_surface(frame.swapaxes(0, 1)), (0, 0))
        pygame.display.flip()

    def close(self):
        if self.window is not None:
            import pygame

            pygame.display.quit()
            self.window = None


def coins_on(env):
    return int(env.coins.sum())


def _coins_broken(step):
    picked = sum(info["picked"] for info in step.infos.values())
    fallen = step.after - step.before + picked
    return None if fallen in (0, 1) else f"{picked} coins picked, {fallen} fallen"


COINS = Law("coins(t + 1) = coins(t) - picked + 0 or 1", _coins_broken, coins_on)


def coin_fell(step):
    """Whether a coin fell in this step; None where all cells had one."""
    picked = sum(info["picked"] for info in step.infos.values())
    return None if step.before - picked == NUM_CELLS else step.after - step.before + picked == 1
