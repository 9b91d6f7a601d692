"""`ShuffledSeats`: copies in which the agents change places with every episode.

Knows nothing of policies or learning.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixed_motive import BatchedGame
from mixed_motive.games.coingame import CoinGameParams
from mixed_motive.games.grid import GridGame
from rllib_lase.rllib.game_copies import GameCopies
from rllib_lase.rllib.joint_env import JointEnv, JointStep

#: Keeps the permutations apart from all other random numbers of a run.
_STREAM = 12


class ShuffledSeats(JointEnv):
    """A game whose agents play each other's places, drawn anew for every copy and episode.

    Agent i here is the same learner in every episode, whichever of the game's agents it plays (`places`). In
    planes of a game on a map, agents (and, in Coingame, coins) keep the order of the agents here: the plane
    of agent j shows where agent j is, whatever place it has. Who plays where is a function of the seed, the
    copy and the number of its episode.

    Args:
        env: The copies; all of a game's agents have the same spaces.
    """

    places: NDArray[np.int64]

    def __init__(self, env: GameCopies) -> None:
        self._env, self._first = env, env.game.first_env_index
        self.game = env.game
        self.num_envs = env.num_envs
        self.agent_ids = env.agent_ids
        self.observation_spaces = env.observation_spaces
        self.action_spaces = env.action_spaces
        self.groups = env.groups
        self.count_names = env.count_names
        self.stay_action = env.stay_action
        self.max_collective_reward = env.max_collective_reward
        agents, copies = len(self.agent_ids), self.num_envs
        self._seed = 0
        self._episodes = np.zeros(copies, np.int64)
        self._shuffles = True
        self._copies = np.arange(copies)
        self._actions = np.zeros((agents, copies), np.int64)
        self.final_obs = (np.zeros_like(env.final_obs[0]),)
        self._seen = np.zeros_like(env.final_obs[0])
        self._blocks = _agents_planes(env.game)
        self.places = np.tile(np.arange(agents)[:, None], copies)

    def reset(self, seed: int | None, obs_out: Sequence[NDArray[Any]]) -> None:
        """Starts new episodes, with everybody in a new place."""
        if seed is None:
            self._episodes += 1
        else:
            self._seed = seed
            self._episodes[:] = 0
        self._draw_places(self._copies)
        self._env.reset(seed, [self._seen])
        obs_out[0][...] = self._from_seats(self._seen)

    def step(self, actions: NDArray[np.int64], obs_out: Sequence[NDArray[Any]]) -> JointStep:
        """Steps the game with everybody in its place; where an episode ends, places change."""
        np.put_along_axis(self._actions, self.places, actions, 0)
        step = self._env.step(self._actions, [self._seen])
        outcome = JointStep(
            rewards=np.take_along_axis(step.rewards, self.places, 0),
            terminateds=np.take_along_axis(step.terminateds, self.places, 0),
            truncateds=np.take_along_axis(step.truncateds, self.places, 0),
            active=np.take_along_axis(step.active, self.places, 0),
            dones=step.dones,
            counts=step.counts[self.places, self._copies],
        )
        if step.dones.any():
            self.final_obs[0][...] = self._from_seats(self._env.final_obs[0])
            ended = np.flatnonzero(step.dones)
            self._episodes[ended] += 1
            self._draw_places(ended)
        obs_out[0][...] = self._from_seats(self._seen)
        return outcome

    def _draw_places(self, copies: NDArray[np.int64]) -> None:
        for copy in copies.tolist() if self._shuffles else ():
            key = (_STREAM, self._first + copy, int(self._episodes[copy]))
            generator = np.random.default_rng(np.random.SeedSequence(self._seed, spawn_key=key))
            self.places[:, copy] = generator.permutation(len(self.agent_ids))

    def _from_seats(self, obs: NDArray[Any]) -> NDArray[Any]:
        """The game's observations `(N, B, *obs)` in the order of the agents here, and so their planes."""
        if not self._blocks:
            return obs[self.places, self._copies]
        planes = np.tile(np.arange(obs.shape[2]), (self.num_envs, 1))
        for first in self._blocks:
            planes[:, first : first + len(self.agent_ids)] = first + self.places.T
        return obs[self.places[..., None], self._copies[None, :, None], planes[None]]

    def get_state(self) -> dict[str, NDArray[Any]]:
        """The game's state, and which episodes are played."""
        own = {"seats_seed": np.array(self._seed), "seats_episodes": self._episodes.copy()}
        return {**self._env.get_state(), **own}

    def set_state(self, state: dict[str, NDArray[Any]], obs_out: Sequence[NDArray[Any]]) -> None:
        """Restores `get_state` exactly."""
        game = {name: array for name, array in state.items() if not name.startswith("seats_")}
        self._seed, self._episodes = int(state["seats_seed"]), np.array(state["seats_episodes"])
        self._draw_places(self._copies)
        self._env.set_state(game, [self._seen])
        obs_out[0][...] = self._from_seats(self._seen)

    def render(self, env_index: int = 0, gifts: NDArray[np.floating[Any]] | None = None) -> NDArray[np.uint8]:
        """A picture of one copy, each agent where the game has it."""
        if gifts is None:
            return self._env.render(env_index)
        places = self.places[:, env_index]
        moved = np.empty_like(gifts)
        moved[np.ix_(places, places)] = gifts
        return self._env.render(env_index, moved)

    def stay_at_ends(self) -> bool:
        """No next episode starts; and everybody plays its own place, so that pictures name agents right."""
        self._shuffles = False
        return self._env.stay_at_ends()

    def close(self) -> None:
        """As the game."""
        self._env.close()


def _agents_planes(game: BatchedGame) -> list[int]:
    """Where planes begin of which there is one for each agent, in order; none in games without a map."""
    if not isinstance(game, GridGame):
        return []
    agents = [0]
    return [*agents, game.num_agents] if isinstance(game.params, CoinGameParams) else agents
