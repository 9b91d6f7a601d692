"""`GameCopies`: a batched game of `mixed_motive` as a `JointEnv`: a change of axes, without loops.

Knows nothing of policies, rollouts or learning.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

import mixed_motive
from mixed_motive import BatchedGame
from rllib_lase.rllib.joint_env import JointEnv, JointStep


class GameCopies(JointEnv):
    """B copies of a batched game, agent-major.

    The game fills `(B, N, ...)` buffers; what `step` returns are transposed views of them, made once.

    Args:
        game_id: An id of `mixed_motive.GAMES`.
        num_envs: B.
        first_env_index: Index of the first copy over all runners; part of the key of every random draw.
        **params: Parameters of the game, `preset` and the observations' encoding `obs` among them.

    Attributes:
        game: The batched game; stepping it goes through this class only.

    Raises:
        mixed_motive.GameError: for an unknown game, preset or parameter, or a value out of range.
    """

    game: BatchedGame

    def __init__(
        self,
        game_id: str,
        num_envs: int,
        first_env_index: int = 0,
        **params: Any,
    ) -> None:
        self.game = mixed_motive.make(game_id, num_envs=num_envs, first_env_index=first_env_index, **params)
        self.num_envs = self.game.num_envs
        self.agent_ids = tuple(self.game.agent_ids)
        self.observation_spaces = MappingProxyType(dict.fromkeys(self.agent_ids, self.game.observation_space))
        self.action_spaces = MappingProxyType(dict.fromkeys(self.agent_ids, self.game.action_space))
        self.groups = (tuple(range(len(self.agent_ids))),)
        self.count_names = tuple(self.game.count_names)
        names = self.game.action_names
        self.stay_action = names.index("stay") if "stay" in names else None
        self.max_collective_reward = self.game.max_collective_reward
        self._buffers = self.game.new_buffers()
        self._next_obs = _agent_major(self._buffers.obs)
        self.final_obs = (_agent_major(self._buffers.final_obs),)
        self._outcome = JointStep(
            rewards=_agent_major(self._buffers.rewards),
            terminateds=_agent_major(self._buffers.terminations),
            truncateds=_agent_major(self._buffers.truncations),
            active=_agent_major(self._buffers.active),
            dones=self._buffers.done,
            counts=_agent_major(self._buffers.counts),
        )

    def reset(self, seed: int | None, obs_out: Sequence[NDArray[Any]]) -> None:
        """Starts new episodes; None goes on to the next episode of the present seed."""
        np.copyto(obs_out[0], _agent_major(self.game.reset(seed)))

    def step(self, actions: NDArray[np.int64], obs_out: Sequence[NDArray[Any]]) -> JointStep:
        """Steps all copies; the returned object is the same in every call, its arrays change.

        Raises:
            mixed_motive.GameError: for an action out of range; nothing has changed then.
        """
        self.game.step(actions.T, self._buffers)
        np.copyto(obs_out[0], self._next_obs)
        return self._outcome

    def get_state(self) -> dict[str, NDArray[Any]]:
        """The games' complete state; what follows from it is the same to the bit."""
        return self.game.get_state()

    def set_state(self, state: dict[str, NDArray[Any]], obs_out: Sequence[NDArray[Any]]) -> None:
        """Restores `get_state`, of this or of other copies of the same game.

        Raises:
            mixed_motive.GameError: if the state does not fit this game.
        """
        self.game.set_state(state)
        np.copyto(obs_out[0], _agent_major(self.game.observe()))

    def render(self, env_index: int = 0, gifts: NDArray[np.floating[Any]] | None = None) -> NDArray[np.uint8]:
        """A picture `(H, W, 3)` of one copy, by its position in the batch, with an arrow for each gift."""
        return self.game.render(env_index, gifts)

    def stay_at_ends(self) -> bool:
        """From now on no next episode starts, so that an episode's end can be drawn."""
        self.game.auto_reset = False
        return True

    def close(self) -> None:
        """Nothing to release."""


def _agent_major(array: NDArray[Any]) -> NDArray[Any]:
    """`(B, N, ...)` as a view `(N, B, ...)`."""
    return np.swapaxes(array, 0, 1)
