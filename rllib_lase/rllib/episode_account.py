"""Returns, lengths and event counts of episodes, summed once per fragment instead of once per step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rllib_lase.rollout import JointRollout


@dataclass(frozen=True)
class FinishedEpisodes:
    """Episodes that ended, in order of time and copy.

    Attributes:
        returns: `(E, N)` float64, extrinsic reward per agent.
        lengths: `(E,)` int64, env steps.
        counts: `(E, N, C)` int64, events.
        copies: `(E,)` int64, the copy that played each episode.
    """

    returns: NDArray[np.float64]
    lengths: NDArray[np.int64]
    counts: NDArray[np.int64]
    copies: NDArray[np.int64]

    def __len__(self) -> int:
        """E."""
        return len(self.lengths)

    @staticmethod
    def join(parts: Sequence[FinishedEpisodes]) -> FinishedEpisodes:
        """All episodes of `parts`, in order; none if there are no parts."""
        if not parts:
            return FinishedEpisodes.none(0, 0)
        return FinishedEpisodes(
            *(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(parts[0]))
        )

    @staticmethod
    def none(num_agents: int, num_counts: int) -> FinishedEpisodes:
        """No episode."""
        return FinishedEpisodes(
            np.empty((0, num_agents)),
            np.empty(0, np.int64),
            np.empty((0, num_agents, num_counts), np.int64),
            np.empty(0, np.int64),
        )

    def first_of_each_copy(self, quota: int) -> FinishedEpisodes:
        """The first `quota` episodes of every copy, so that short episodes are not over-represented."""
        rank = np.array([(self.copies[:e] == copy).sum() for e, copy in enumerate(self.copies)], np.int64)
        kept = rank < quota
        return FinishedEpisodes(*(getattr(self, f.name)[kept] for f in fields(self)))


class EpisodeAccount:
    """Running sums of the unfinished episodes of B copies."""

    def __init__(self, num_agents: int, num_envs: int, num_counts: int) -> None:
        self._returns = np.zeros((num_agents, num_envs))
        self._lengths = np.zeros(num_envs, np.int64)
        self._counts = np.zeros((num_agents, num_envs, num_counts), np.int64)

    def reset(self) -> None:
        """Forgets unfinished episodes."""
        for array in (self._returns, self._lengths, self._counts):
            array[:] = 0

    def add(self, rollout: JointRollout) -> FinishedEpisodes:
        """Adds a fragment; returns the episodes that ended in it."""
        finished = []
        start = 0
        for t in np.flatnonzero(rollout.dones.any(1)).tolist():
            self._add_steps(rollout, start, t + 1)
            ended = np.flatnonzero(rollout.dones[t])
            finished.append(
                FinishedEpisodes(
                    self._returns[:, ended].T.copy(),
                    self._lengths[ended].copy(),
                    self._counts[:, ended].swapaxes(0, 1).copy(),
                    ended,
                )
            )
            self._returns[:, ended] = 0
            self._lengths[ended] = 0
            self._counts[:, ended] = 0
            start = t + 1
        self._add_steps(rollout, start, rollout.num_steps)
        agents, _, counts = self._counts.shape
        return FinishedEpisodes.join([FinishedEpisodes.none(agents, counts), *finished])

    def _add_steps(self, rollout: JointRollout, start: int, stop: int) -> None:
        self._returns += rollout.rewards[:, start:stop].sum(1, dtype=np.float64)
        self._lengths += stop - start
        self._counts += rollout.counts[:, start:stop].sum(1)

    def get_state(self) -> dict[str, Any]:
        """The running sums."""
        return {"returns": self._returns, "lengths": self._lengths, "counts": self._counts}

    def set_state(self, state: dict[str, Any]) -> None:
        """Restores `get_state`."""
        self._returns = np.array(state["returns"])
        self._lengths = np.array(state["lengths"])
        self._counts = np.array(state["counts"])
