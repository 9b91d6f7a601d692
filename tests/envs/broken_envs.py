"""`HealthyEnv` with one fault at a time; what our checkers say to each stands in `test_testing.py`."""

import random

import numpy as np
from gymnasium import spaces

from tests.envs.healthy_env import CHANCE, ENOUGH, NUM_CELLS, HealthyEnv

# The contract of ParallelEnv


class NewObservationSpaces(HealthyEnv):
    def observation_space(self, agent):
        return spaces.Box(0, 1, (NUM_CELLS + 3,), np.float32)


class NewActionSpaceAfterReset(HealthyEnv):
    def reset(self, seed=None, options=None):
        self.action_spaces = {a: spaces.Discrete(3) for a in self.possible_agents}
        return super().reset(seed, options)


class SpacesOnlyOfTheLiving(HealthyEnv):
    def observation_space(self, agent):
        if agent not in (self.agents or self.possible_agents):
            raise ValueError("not in the game")
        return super().observation_space(agent)


class PossibleAgentsShrink(HealthyEnv):
    def survivors(self, acting, terminations, truncations):
        self.possible_agents = super().survivors(acting, terminations, truncations)
        return list(self.possible_agents)

    def clear(self):
        self.possible_agents = sorted(self.observation_spaces)
        self.agents = list(self.possible_agents)
        super().clear()


class ResetWithoutInfos(HealthyEnv):
    def reset(self, seed=None, options=None):
        return super().reset(seed, options)[0]


class FirstInfosMissing(HealthyEnv):
    def first_infos(self):
        return {}


class LastInfosMissing(HealthyEnv):
    def results(self, *args):
        *rest, infos = super().results(*args)
        return (*rest, {a: infos[a] for a in self.agents})


class LastObservationsMissing(HealthyEnv):
    def results(self, *args):
        obs, *rest = super().results(*args)
        return ({a: obs[a] for a in self.agents}, *rest)


class RewardsForTheDeparted(HealthyEnv):
    def results(self, *args):
        obs, rewards, *rest = super().results(*args)
        return (obs, {a: rewards.get(a, 0.0) for a in self.possible_agents}, *rest)


class AllFlag(HealthyEnv):
    def results(self, *args):
        obs, rewards, terminations, truncations, infos = super().results(*args)
        return obs, rewards, {**terminations, "__all__": not self.agents}, truncations, infos


class TerminatedStay(HealthyEnv):
    def survivors(self, acting, terminations, truncations):
        return [a for a in acting if not truncations[a]]

    def leaves(self, agent):
        enough = super().leaves(agent)
        self.purses[agent] %= ENOUGH
        return enough


class LeavesWithoutFlag(HealthyEnv):
    def survivors(self, acting, terminations, truncations):
        stay = super().survivors(acting, terminations, truncations)
        return stay[1:] if self.time == 7 else stay


class ComesBack(HealthyEnv):
    def survivors(self, acting, terminations, truncations):
        stay = super().survivors(acting, terminations, truncations)
        return stay and [*stay, *(a for a in self.possible_agents if a not in acting)]

    def leaves(self, agent):
        enough = super().leaves(agent)
        self.purses[agent] %= ENOUGH
        return enough


class TwiceInAgents(HealthyEnv):
    def survivors(self, acting, terminations, truncations):
        stay = super().survivors(dict.fromkeys(acting), terminations, truncations)
        return [*stay, *stay[:1]] if self.time == 2 else stay


class StepsBeforeReset(HealthyEnv):
    def refuse(self, actions):
        if self.rng is None:
            self.reset()
        super().refuse(actions)


class StepsAfterTheEnd(HealthyEnv):
    def refuse(self, actions):
        if self.rng is not None and not self.agents:
            self.reset()
        super().refuse(actions)


class NeverEnds(HealthyEnv):
    def __init__(self, render_mode=None):
        super().__init__(render_mode=render_mode)

    def leaves(self, agent):
        self.purses[agent] %= ENOUGH
        return False

    def refuse(self, actions):
        super().refuse(actions)
        self.time %= self.horizon - 1


class RewardIsAnArray(HealthyEnv):
    def reward(self, agent, picked):
        return np.array([picked], np.float32)


class FlagsAreNumbers(HealthyEnv):
    def leaves(self, agent):
        return int(super().leaves(agent))


class InfoIsNone(HealthyEnv):
    def results(self, *args):
        *rest, infos = super().results(*args)
        return (*rest, {a: infos[a] if infos[a]["picked"] else None for a in infos})


class EatsTheActions(HealthyEnv):
    def pick(self, acting):
        self.actions.clear()
        return super().pick(acting)

    def refuse(self, actions):
        super().refuse(actions)
        self.actions = actions


class RaisesInTheLastStep(HealthyEnv):
    def reward(self, agent, picked):
        return picked / (self.horizon - self.time)


# Seeds


class IgnoresTheSeed(HealthyEnv):
    made = 0

    def seed_generator(self, seed):
        if self.rng is None:
            IgnoresTheSeed.made += 1
            self.rng = np.random.default_rng(IgnoresTheSeed.made % 2)


class SecondEpisodeUnseeded(HealthyEnv):
    def seed_generator(self, seed):
        self.rng = np.random.default_rng(seed)


class UnseededAfterStepTen(HealthyEnv):
    def random(self):
        return float(np.random.default_rng().random()) if self.time > 10 else super().random()


class SeedsNumpy(HealthyEnv):
    def seed_generator(self, seed):
        super().seed_generator(seed)
        if seed is not None:
            np.random.seed(seed)  # noqa: NPY002  # the fault

    def random(self):
        return float(np.random.random())  # noqa: NPY002  # the fault


class DrawsFromRandom(HealthyEnv):
    def seed_generator(self, seed):
        super().seed_generator(seed)
        if seed is not None:
            random.seed(seed)

    def random(self):
        return random.random()


class SameForEverySeed(HealthyEnv):
    def seed_generator(self, seed):
        if seed is not None or self.rng is None:
            self.rng = np.random.default_rng(0)


class RepeatsTheEpisode(HealthyEnv):
    def seed_generator(self, seed):
        self.last_seed = seed if seed is not None else getattr(self, "last_seed", None)
        self.rng = np.random.default_rng(self.last_seed)


class KeepsTheCoins(HealthyEnv):
    def clear(self):
        kept = getattr(self, "coins", None)
        super().clear()
        self.coins = self.coins if kept is None else kept


class OneGeneratorForAll(HealthyEnv):
    generator = None

    def seed_generator(self, seed):
        if seed is not None or OneGeneratorForAll.generator is None:
            OneGeneratorForAll.generator = np.random.default_rng(seed)
        self.rng = OneGeneratorForAll.generator

    def random_below(self, bound):
        return int(OneGeneratorForAll.generator.integers(bound))

    def random(self):
        return float(OneGeneratorForAll.generator.random())


# Observations and rewards


class DoublePrecision(HealthyEnv):
    def observe(self, agent):
        return super().observe(agent).astype(np.float64)


class SafelyCastDtype(HealthyEnv):
    def observe(self, agent):
        return super().observe(agent).astype(np.float16)


class ListObservation(HealthyEnv):
    def observe(self, agent):
        return super().observe(agent).tolist()


class NothingToSeeAtTheEnd(HealthyEnv):
    def observe(self, agent):
        return super().observe(agent) if self.time < self.horizon else np.zeros(1, np.float32)


class ClockRunsOver(HealthyEnv):
    def observe(self, agent):
        obs = super().observe(agent)
        obs[-1] = self.time / (self.horizon - 1)
        return obs


class NanObservation(HealthyEnv):
    def observe(self, agent):
        obs = super().observe(agent)
        with np.errstate(invalid="ignore"):
            obs[:NUM_CELLS] = obs[:NUM_CELLS] / np.float32(obs[:NUM_CELLS].sum())
        return obs


class OneBuffer(HealthyEnv):
    def observe(self, agent):
        buffers = self.__dict__.setdefault("buffers", {})
        buffer = buffers.setdefault(agent, np.zeros(NUM_CELLS + 3, np.float32))
        buffer[:] = super().observe(agent)
        return buffer


class OneDictOfRewards(HealthyEnv):
    def results(self, *args):
        obs, rewards, *rest = super().results(*args)
        self.__dict__.setdefault("kept", {}).clear()
        self.kept.update(rewards)
        return (obs, self.kept, *rest)


class ObservesItsState(HealthyEnv):
    def observe(self, agent):
        self.latest = super().observe(agent)
        return self.latest

    def pick(self, acting):
        self.coins = self.latest[:NUM_CELLS] > 0.5
        return super().pick(acting)


class InfiniteReward(HealthyEnv):
    def reward(self, agent, picked):
        crowd = sum(cell == self.cells[agent] for cell in self.cells.values()) - 1
        return picked / crowd if crowd else picked and float("inf")


# The horizon


class HorizonIsTermination(HealthyEnv):
    def results(self, acting, picked, terminations, truncations):
        ended = {a: terminations[a] or truncations[a] for a in acting}
        return super().results(acting, picked, ended, dict.fromkeys(acting, False))


class HorizonIsBoth(HealthyEnv):
    def results(self, acting, picked, terminations, truncations):
        ended = {a: terminations[a] or truncations[a] for a in acting}
        return super().results(acting, picked, ended, truncations)


class OneStepTooMany(HealthyEnv):
    def __init__(self, max_cycles=30, render_mode=None):
        super().__init__(max_cycles + 1, render_mode)


class OneStepTooFew(HealthyEnv):
    def __init__(self, max_cycles=30, render_mode=None):
        super().__init__(max_cycles - 1, render_mode)


# Rules: symmetry, rates, conservation


class FirstComesFirst(HealthyEnv):
    def winner(self, here):
        return here[0]


class TwoTries(HealthyEnv):
    def random(self):
        return min(super().random(), super().random())


class CoinsMelt(HealthyEnv):
    def drop_coin(self):
        super().drop_coin()
        if self.random() < CHANCE:
            self.coins[:4] = False
