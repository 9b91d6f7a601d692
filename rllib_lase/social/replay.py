"""A ring of the most recent joint steps, from which the networks of social preferences learn."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rllib_lase.rollout import JointRollout

#: What is kept of each step and agent beside its observation.
_KEPT = ("actions", "rewards", "terminateds", "truncateds", "active")


class JointReplay:
    """The last `capacity` env steps of all copies, in time order per copy.

    A slot holds one step of all B copies. Successors are found by each copy's own step counter, so that a
    gap (a restarted runner) never joins two steps that did not follow each other.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._arrays: dict[str, NDArray[Any]] = {}
        self._obs: tuple[NDArray[Any], ...] = ()
        self._next_slot = 0
        self._filled = 0

    def __len__(self) -> int:
        """Number of env steps stored."""
        return self._filled * (self._arrays["lane_step"].shape[1] if self._arrays else 0)

    def add(self, rollout: JointRollout) -> None:
        """Appends a fragment; the oldest steps make room. A changed number of copies starts afresh."""
        if not self._arrays or self._arrays["lane_step"].shape[1] != rollout.num_envs:
            self._allocate(rollout)
        steps, slots = rollout.num_steps, len(self._arrays["lane_step"])
        first = max(0, steps - slots)
        kept = np.arange(first, steps)
        target = (self._next_slot + kept - first) % slots
        for ring, group in zip(self._obs, rollout.groups, strict=True):
            ring[:, target] = group.obs[:, first:steps]
        for name in _KEPT:
            self._arrays[name][:, target] = getattr(rollout, name)[:, first:]
        self._arrays["lane_step"][target] = rollout.lane_steps + kept[:, None]
        self._arrays["lane"][target] = rollout.lanes
        self._mark_successors((self._next_slot - 1 + np.arange(len(kept) + 1)) % slots)
        self._next_slot = int((self._next_slot + len(kept)) % slots)
        self._filled = min(slots, self._filled + len(kept))

    def _mark_successors(self, slots: NDArray[np.int64]) -> None:
        """Notes for the steps in some slots whether the next slot holds the same copy's next step."""
        lane_step, lane = self._arrays["lane_step"], self._arrays["lane"]
        after = (slots + 1) % len(lane_step)
        same_copy = (lane[after] == lane[slots]) & (lane_step[slots] >= 0)
        self._arrays["followed"][slots] = same_copy & (lane_step[after] == lane_step[slots] + 1)

    def _allocate(self, rollout: JointRollout) -> None:
        copies = rollout.num_envs
        slots = max(2, self.capacity // copies)
        self._obs = tuple(
            np.zeros((len(group.indices), slots, copies, *group.obs.shape[3:]), group.obs.dtype)
            for group in rollout.groups
        )
        self._rows = [(g, r) for g, group in enumerate(rollout.groups) for r in range(len(group.indices))]
        order = [agent for group in rollout.groups for agent in group.indices]
        self._rows = [self._rows[order.index(agent)] for agent in range(rollout.num_agents)]
        rollout_arrays = {name: getattr(rollout, name) for name in _KEPT}
        self._arrays = {
            name: np.zeros((len(values), slots, copies, *values.shape[3:]), values.dtype)
            for name, values in rollout_arrays.items()
        }
        self._arrays["lane_step"] = np.full((slots, copies), -1, np.int64)
        self._arrays["lane"] = np.full((slots, copies), -1, np.int64)
        self._arrays["followed"] = np.zeros((slots, copies), np.bool_)
        self._next_slot = self._filled = 0

    def acted(self, agent: int) -> NDArray[np.bool_]:
        """`(slots * B,)`, stored steps in which the agent was in the game."""
        flat: NDArray[np.bool_] = self._arrays["active"][agent].reshape(-1)
        return flat

    def transitions(self, agent: int) -> NDArray[np.int64]:
        """Flat indices of steps from which the agent can learn Eq. 5.

        The step's successor is stored, or the agent's episode terminated in it; truncated steps are left out,
        since no next joint action exists.
        """
        followed = self._arrays["followed"] | self._arrays["terminateds"][agent]
        usable = self._arrays["active"][agent] & ~self._arrays["truncateds"][agent] & followed
        return np.flatnonzero(usable)

    def obs(self, agent: int, flat: NDArray[np.int64]) -> NDArray[Any]:
        """The agent's own observations `(len(flat), *obs)`."""
        group, row = self._rows[agent]
        ring = self._obs[group][row]
        taken: NDArray[Any] = ring.reshape(-1, *ring.shape[2:])[flat]
        return taken

    def joint_actions(self, flat: NDArray[np.int64]) -> NDArray[Any]:
        """Joint actions `(len(flat), N)` or `(len(flat), N, D)`, as in the rollouts."""
        actions = self._arrays["actions"]
        by_step = actions.reshape(len(actions), -1, *actions.shape[3:])[:, flat].swapaxes(0, 1)
        return np.ascontiguousarray(by_step)

    def own(self, name: str, agent: int, flat: NDArray[np.int64]) -> NDArray[Any]:
        """One agent's own `rewards`, `terminateds` or `active`, `(len(flat),)`."""
        taken: NDArray[Any] = self._arrays[name][agent].reshape(-1)[flat]
        return taken

    def successors(self, flat: NDArray[np.int64]) -> NDArray[np.int64]:
        """Flat indices of the next steps of the same copies."""
        slots, copies = self._arrays["lane_step"].shape
        following: NDArray[np.int64] = (flat + copies) % (slots * copies)
        return following

    def get_state(self) -> dict[str, Any]:
        """All of the ring, exactly."""
        return {
            "arrays": dict(self._arrays),
            "obs": list(self._obs),
            "rows": [list(row) for row in self._rows] if self._arrays else [],
            "next_slot": self._next_slot,
            "filled": self._filled,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Restores `get_state`."""
        self._arrays = {name: np.array(array) for name, array in state["arrays"].items()}
        self._obs = tuple(np.array(ring) for ring in state["obs"])
        self._rows = [(int(group), int(row)) for group, row in state["rows"]]
        self._next_slot, self._filled = int(state["next_slot"]), int(state["filled"])
