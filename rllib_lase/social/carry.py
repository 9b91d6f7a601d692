"""What a preference carries from one fragment to the next, per copy of the game."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rllib_lase.rollout import JointRollout


class LaneCarry:
    """Rows of a carry tensor by lane; a lane whose steps do not go on where they stopped starts afresh."""

    def __init__(self) -> None:
        self._rows: Tensor | None = None
        self._lanes: NDArray[np.int64] = np.empty(0, np.int64)
        self._next_steps: NDArray[np.int64] = np.empty(0, np.int64)

    def take(self, rollout: JointRollout, initial: Tensor | None) -> Tensor | None:
        """The carry of each copy before the fragment's first step.

        Args:
            rollout: Says which lanes, and at which of their steps the fragment begins.
            initial: `(B, ...)`, the carry at an episode's start, or None for a preference that carries
                nothing.
        """
        if initial is None or self._rows is None:
            return initial
        carry = initial.clone()
        place = {lane: row for row, lane in enumerate(self._lanes.tolist())}
        for copy, (lane, step) in enumerate(
            zip(rollout.lanes.tolist(), rollout.lane_steps.tolist(), strict=True)
        ):
            row = place.get(lane)
            if row is not None and self._next_steps[row] == step:
                carry[copy] = self._rows[row]
        return carry

    def keep(self, rollout: JointRollout, carry: Tensor | None) -> None:
        """Remembers the carry after a fragment's last step."""
        self.keep_all([rollout], [carry])

    def keep_all(self, rollouts: Sequence[JointRollout], carries: Sequence[Tensor | None]) -> None:
        """Remembers the carries after the last steps of fragments that are of different lanes."""
        present = [carry.detach() for carry in carries if carry is not None]
        self._rows = torch.cat(present) if present else None
        self._lanes = np.concatenate([rollout.lanes for rollout in rollouts])
        self._next_steps = np.concatenate([rollout.lane_steps + rollout.num_steps for rollout in rollouts])

    def get_state(self) -> dict[str, Any]:
        """All of it, as arrays."""
        rows = None if self._rows is None else self._rows.cpu().numpy()
        return {"rows": rows, "lanes": self._lanes, "next_steps": self._next_steps}

    def set_state(self, state: dict[str, Any], device: torch.device | str = "cpu") -> None:
        """Restores `get_state`."""
        rows = state["rows"]
        self._rows = None if rows is None else torch.as_tensor(np.array(rows)).to(device)
        self._lanes, self._next_steps = np.array(state["lanes"]), np.array(state["next_steps"])
