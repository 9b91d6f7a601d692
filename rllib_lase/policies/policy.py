"""`TrainedPolicy`: one agent that acts, on observations and with actions of the environment's own spaces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from gymnasium import Space, spaces
from torch import Tensor

from rllib_lase.core.distributions import behaviour_probs, gaussian_draws, sample_actions
from rllib_lase.networks import PolicyNet
from rllib_lase.policies.spaces import read_space
from rllib_lase.rllib.acting import GroupActor
from rllib_lase.rllib.action_encoding import make_action_encoder
from rllib_lase.rllib.obs_encoding import make_encoder
from rllib_lase.rllib.obs_view import ObsView


class PolicyError(ValueError):
    """A policy cannot be loaded, or cannot act on what it was given; the message says why, and the cure."""


class TrainedPolicy:
    """One agent's policy; it samples its actions, as in training without exploration, and as evaluations do.

    Made by `load_policy`.

    Attributes:
        agent_id: Whose it is.
        observation_space: The environment's own.
        action_space: The environment's own.
        choices: What it chose in the latest `act`: for continuous actions the draw, in units in which [-1, 1]
            is the environment's range; else the number of the action, counted from 0 and beyond those of the
            environment, if the algorithm adds some: with `refuse_gifts` a + A plays a and refuses gifts,
            with `gifting` A gives and plays the action that does nothing. None before the first.
    """

    def __init__(
        self, agent_id: str, description: Mapping[str, Any], weights: Mapping[str, Tensor], seed: int
    ) -> None:
        """Builds the network and gives it its weights.

        Args:
            agent_id: Whose it is.
            description: As from `describe_agents`.
            weights: Its network's state.
            seed: Seed of the actions' draws.
        """
        self.agent_id = agent_id
        self.observation_space: Space[Any] = read_space(description["observation_space"])
        self.action_space: Space[Any] = read_space(description["action_space"])
        self.choices: Any = None
        self._encoder = make_encoder(self.observation_space)
        self._actions = make_action_encoder(self.action_space)
        table = description["action_table"]
        self._table = None if table is None else np.asarray(table)
        net = PolicyNet.from_description(description["policy"])
        net.load_state_dict(dict(weights))
        self._view = ObsView(self._encoder.encoded) if description["normalised"] else None
        shape = self._encoder.encoded.shape if self._view is None else self._view.space.shape
        self._actor = GroupActor([net], shape)
        self._lstm_size: int | None = description["policy"]["lstm_size"]
        self._state: Tensor | None = None
        self._generator = np.random.default_rng(seed)

    @property
    def is_recurrent(self) -> bool:
        """Whether it remembers, so that `reset` must be called when an episode begins."""
        return self._lstm_size is not None

    def reset(self, where: npt.ArrayLike | None = None) -> None:
        """Begins new episodes: forgets what was seen. Policies without memory need no reset.

        Args:
            where: `(B,)` bool, the observations of a batch whose episodes begin; None for all.

        Raises:
            PolicyError: if `where` does not fit the batch.
        """
        if where is None or self._state is None:
            self._state = None
            return
        begun = np.asarray(where)
        count = self._state.shape[1]
        if begun.dtype != np.bool_ or begun.shape != (count,):
            raise PolicyError(
                f"reset: `where` is {begun.dtype} {begun.shape}; expected bool ({count},), one for each "
                "observation of the batch"
            )
        self._state[:, torch.from_numpy(begun)] = 0

    def act(self, obs: Any, uniform: npt.ArrayLike | None = None) -> Any:
        """The action, or a batch of them.

        Args:
            obs: One observation of `observation_space`; or B of them, of a Box as an array `(B, ...)`, of any
                other space as a list. A policy with memory goes on where it was with each of them.
            uniform: Numbers in [0, 1) to draw with, in place of the policy's own: one for each observation,
                of continuous actions one for each entry. The same numbers and observations give the same
                actions as in training.

        Returns:
            An action of `action_space`: an int, or an array `(D,)`. For a batch an array, `(B,)` or `(B, D)`.
            An action of several parts is an array of its space's shape.

        Raises:
            PolicyError: if observations or numbers do not fit; nothing has changed then.
        """
        batch, is_single = self._read_obs(obs)
        draws = self._read_uniform(uniform, len(batch), is_single)
        if self._lstm_size is not None:
            if self._state is None:
                self._state = torch.zeros(1, len(batch), 2 * self._lstm_size)
            if self._state.shape[1] != len(batch):
                raise PolicyError(
                    f"act: {len(batch)} observations, but {self._state.shape[1]} before; this policy "
                    "remembers each. Call reset() first"
                )
        heads, self._state = self._actor(torch.from_numpy(batch).unsqueeze(0), self._state)
        inputs = heads[0, :, :-1]
        if isinstance(self.action_space, spaces.Box):
            chosen = gaussian_draws(inputs, draws).numpy()
        else:
            chosen = sample_actions(behaviour_probs(inputs, 0.0), draws).numpy()
        played = chosen if self._table is None else self._table[chosen]
        actions = np.stack([self._actions.decode(each) for each in played])
        self.choices = chosen[0] if is_single else chosen
        if not is_single:
            return actions
        return int(actions[0]) if isinstance(self.action_space, spaces.Discrete) else actions[0]

    def _read_obs(self, obs: Any) -> tuple[npt.NDArray[Any], bool]:
        """Observations as the network reads them, `(B, *obs)`, and whether it is a single one."""
        space, encoded = self.observation_space, self._encoder.encoded
        items: Sequence[Any]
        if isinstance(space, spaces.Box):
            array = np.asarray(obs)
            is_single = array.ndim <= len(space.shape)
            items = [array] if is_single else list(array)
        else:
            is_single = not isinstance(obs, list)
            items = [obs] if is_single else obs
        if len(items) == 0:
            raise PolicyError("act: a batch without observations; expected at least one")
        found = items[:1] if isinstance(space, spaces.Box) else items  # an array's rows are all alike
        for item in found:
            problem = self._encoder.problem(item, thorough=False)
            if problem is not None:
                raise PolicyError(
                    f"act: found an observation of {problem[0]}; expected {problem[1]}, or a batch of those. "
                    f"{self.agent_id} sees {space}"
                )
        batch = np.empty((len(items), *encoded.shape), encoded.dtype)
        for row, item in zip(batch, items, strict=True):
            self._encoder.write(item, row)
        return batch if self._view is None else self._view(batch), is_single

    def _read_uniform(self, uniform: npt.ArrayLike | None, count: int, is_single: bool) -> Tensor:
        """Numbers `(B,)` or `(B, D)` to draw with."""
        per_action = (self.action_space.shape or ()) if isinstance(self.action_space, spaces.Box) else ()
        if uniform is None:
            return torch.from_numpy(self._generator.random((count, *per_action), np.float32))
        numbers = np.asarray(uniform, np.float32)
        expected = per_action if is_single else (count, *per_action)
        if numbers.shape != expected or not ((numbers >= 0) & (numbers < 1)).all():
            raise PolicyError(
                f"act: `uniform` has shape {numbers.shape}; expected {expected}, numbers in [0, 1)"
            )
        return torch.from_numpy(numbers.reshape(count, *per_action).copy())
