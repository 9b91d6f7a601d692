"""What all scripted players share: the agents they play, the state they see, their own random numbers."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from mixed_motive.base import BatchedGame
from mixed_motive.checks import read_array
from mixed_motive.errors import GameError, shown
from mixed_motive.game_parts import State
from mixed_motive.params import GameParams
from mixed_motive.players.walking import player_keys, random_below

__all__ = ["Ints", "Keys", "Player", "RandomPlayer", "State"]

Ints = npt.NDArray[np.int64]
Keys = npt.NDArray[np.uint64]


class Player(abc.ABC):
    """Plays some agents of a batched game by a fixed rule, in all copies at once.

    A player sees the game's full present state and remembers nothing. The agents of one call are a team:
    where a rule lets them share something out, each gets another piece of it. Random decisions are a
    function of the copy's seed, env index, episode and step, the agent and the player's seed, so they
    depend neither on the batch size nor on the order of calls.

    Args:
        game: The game that is played; its state is read when `act` is called.
        seed: Players with different seeds break ties differently.

    Attributes:
        kind: "cooperator", "defector" or "random".
    """

    kind: ClassVar[str]

    def __init__(self, game: BatchedGame, seed: int) -> None:
        self.game = game
        self.params: GameParams = game.params
        self.seed = np.uint64(seed)
        self._everybody = np.arange(game.num_agents)

    def act(self, agents: Sequence[int] | npt.NDArray[np.integer[Any]] | None = None) -> Ints:
        """Decide for some agents.

        Args:
            agents: Distinct indices of n agents; all by default.

        Returns:
            (B, n) actions, in the order of `agents`. Agents that have left have one too; the game ignores it.

        Raises:
            GameError: For indices that are not agents of the game, or before the game's first reset.
        """
        team = self._everybody if agents is None else self._read_agents(agents)
        state = self.game.get_state()
        keys = player_keys(state["seed"], state["env_index"], state["episode"], state["step"], self.seed)
        return self._decide(state, team, keys)

    @abc.abstractmethod
    def _decide(self, state: State, team: Ints, keys: Keys) -> Ints:
        """(B, n) actions of the team, from the game's state and the copies' keys."""

    def _read_agents(self, agents: Sequence[int] | npt.NDArray[np.integer[Any]]) -> Ints:
        given = read_array(f"{self.game.game_id}: {self.kind}", "agents", agents)
        n = self.game.num_agents
        if (
            given.ndim != 1
            or (given.dtype.kind not in "iu" and given.size > 0)
            or ((given < 0) | (given >= n)).any()
            or len(set(given.tolist())) != len(given)
        ):
            raise GameError(
                f"{self.game.game_id}: {self.kind}",
                [f"agents={shown(agents)}: expected distinct indices of agents in [0, {n})"],
            )
        return given.astype(np.int64)

    def __repr__(self) -> str:
        return f"<{self.kind} for {self.game.game_id!r}, seed {self.seed}>"


class RandomPlayer(Player):
    """Takes every action with the same chance."""

    kind = "random"

    def _decide(self, state: State, team: Ints, keys: Keys) -> Ints:
        num_actions = np.full((len(keys), len(team)), len(self.game.action_names))
        return random_below(keys, team, num_actions)
