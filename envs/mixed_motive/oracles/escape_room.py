"""Escape Room in plain Python; the rules stand in `mixed_motive.games.escape_room`."""

import numpy as np
import numpy.typing as npt

from mixed_motive.games.escape_room import DOOR, LEVER, START, EscapeRoomParams
from mixed_motive.kernels.rng import Draws
from mixed_motive.oracles.base import Oracle

__all__ = ["EscapeRoomOracle"]


class EscapeRoomOracle(Oracle):
    """One copy of Escape Room."""

    def __init__(self, params: EscapeRoomParams, seed: int, env_index: int) -> None:
        super().__init__(params, seed, env_index)
        self.params = params
        self.places: list[int] = []

    def start(self, draws: Draws) -> None:
        """All at the start."""
        self.places = [START] * self.params.num_agents

    def play(self, actions: list[int], draws: Draws) -> tuple[list[float], list[list[int]]]:
        """Moves, and the escape of those at an open door."""
        p = self.params
        is_open = actions.count(LEVER) >= p.min_at_lever
        rewards, counts = [], []
        for before, now in zip(self.places, actions, strict=True):
            pulled, escaped = is_open and now == LEVER, is_open and now == DOOR
            stay_or_move = 0.0 if now == before else -p.move_cost
            rewards.append(p.exit_reward if escaped else stay_or_move)
            counts.append([int(pulled), int(escaped)])
        self.places = actions
        if is_open and DOOR in actions:
            self.present = [False] * p.num_agents
        return rewards, counts

    def observe(self) -> npt.NDArray[np.uint8]:
        """Own place, then the co-players'."""
        n = self.params.num_agents
        obs = np.zeros((n, n * 3), np.uint8)
        for i in range(n):
            seen = [self.places[i], *self.places[:i], *self.places[i + 1 :]]
            for k, place in enumerate(seen):
                obs[i, 3 * k + place] = 1
        return obs
