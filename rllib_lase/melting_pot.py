"""Substrates of Melting Pot as PettingZoo `ParallelEnv`s; Melting Pot is imported when one is made.

By name: `lase train rllib_lase.melting_pot:parallel_env --game-params substrate=commons_harvest__open`.
"""

from __future__ import annotations

import importlib
import random
from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from pettingzoo import ParallelEnv

_RGB, _WORLD = "RGB", "WORLD.RGB"


def parallel_env(
    substrate: str,
    roles: Sequence[str] | None = None,
    max_cycles: int | None = None,
    pool: int = 8,
    render_mode: str | None = None,
) -> MeltingPotEnv:
    """A substrate by its name; arguments as of `MeltingPotEnv`."""
    return MeltingPotEnv(substrate, roles, max_cycles, pool, render_mode)


class MeltingPotEnv(ParallelEnv):  # type: ignore[misc] # PettingZoo ships no types
    """A substrate whose players see their own observations only.

    An observation is `(C, H, W)` float32: the player's picture, averaged over blocks of `pool` pixels, which
    is a sprite's size, with colours in [0, 1]; then a plane for each further number that the substrate shows
    the player itself, such as READY_TO_SHOOT. What it says of all, the picture of the world and
    COLLECTIVE_REWARD, no player sees.

    A substrate takes its seed where it is built: `reset(seed=...)` builds it anew, with Python's generator,
    which Melting Pot draws the seed from, seeded for that moment. `reset()` goes on with the next seed.

    Args:
        substrate: Name, such as "commons_harvest__open".
        roles: One role per player; None takes the substrate's default. Their number is that of the players.
        max_cycles: Steps after which everybody is truncated; None leaves the end to the substrate.
        pool: Pixels of a block's side; it divides the picture's sides.
        render_mode: "rgb_array", the picture of the world, or None.

    Raises:
        ImportError: without Melting Pot; the message says what it takes.
        ValueError: for an unknown substrate, a role that it does not have, or a `pool` that does not fit.
    """

    def __init__(
        self,
        substrate: str,
        roles: Sequence[str] | None = None,
        max_cycles: int | None = None,
        pool: int = 8,
        render_mode: str | None = None,
    ) -> None:
        self._factory = _import_substrates()
        known = getattr(self._factory, "SUBSTRATES", None)
        if known is not None and substrate not in known:
            raise ValueError(f"unknown substrate {substrate!r}; choose one of {', '.join(sorted(known))}")
        config = self._factory.get_config(substrate)
        self._substrate, self._pool = substrate, pool
        self._roles = tuple(config.default_player_roles if roles is None else roles)
        wrong = [role for role in self._roles if role not in config.valid_roles]
        if wrong:
            raise ValueError(
                f"{substrate} has no role {wrong[0]!r}; choose from {', '.join(sorted(config.valid_roles))}"
            )
        self.metadata = {"name": f"melting_pot_{substrate}", "render_modes": ["rgb_array"]}
        self.render_mode, self.max_cycles = render_mode, max_cycles
        self.possible_agents = [f"player_{player}" for player in range(len(self._roles))]
        self.agents: list[str] = []
        self._env, self._is_closed = self._build(None), False
        own = frozenset(config.individual_observation_names)
        self._extras = tuple(sorted(name for name in self._env.observation_spec()[0] if name in own - {_RGB}))
        self._observation_spaces = {
            agent: self._space_of(spec)
            for agent, spec in zip(self.possible_agents, self._env.observation_spec(), strict=True)
        }
        self._action_spaces: dict[str, spaces.Discrete[Any]] = {
            agent: spaces.Discrete(int(spec.num_values))
            for agent, spec in zip(self.possible_agents, self._env.action_spec(), strict=True)
        }
        self._world: NDArray[np.uint8] | None = None
        self._time = 0

    def observation_space(self, agent: str) -> spaces.Box:
        """The same for all players of a substrate, as far as it shows them the same numbers."""
        return self._observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Discrete[Any]:
        """The substrate's discrete actions."""
        return self._action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, NDArray[np.float32]], dict[str, dict[str, Any]]]:
        """Starts an episode.

        Args:
            seed: Builds the substrate anew, which takes a moment; None goes on with its next seed.
            options: Not used.
        """
        del options
        if seed is not None:
            self.close()
            self._env, self._is_closed = self._build(seed), False
        self.agents, self._time = list(self.possible_agents), 0
        return self._observe(self._env.reset()), {agent: {} for agent in self.agents}

    def step(self, actions: dict[str, int]) -> tuple[dict[str, Any], ...]:
        """Steps the substrate; nobody leaves before the others.

        Args:
            actions: One of each player.

        Raises:
            RuntimeError: before the first reset and after the end.
        """
        if not self.agents:
            raise RuntimeError("step() before reset() or after the end of the episode; call reset() first")
        timestep = self._env.step([int(actions[agent]) for agent in self.possible_agents])
        self._time += 1
        terminated = bool(timestep.last()) and float(np.min(timestep.discount)) == 0
        cut = bool(timestep.last()) or (self.max_cycles is not None and self._time >= self.max_cycles)
        acted, over = self.agents, terminated or cut
        self.agents = [] if over else acted
        rewards = {agent: float(timestep.reward[player]) for player, agent in enumerate(acted)}
        terminations = dict.fromkeys(acted, terminated)
        truncations = dict.fromkeys(acted, cut and not terminated)
        return self._observe(timestep), rewards, terminations, truncations, {agent: {} for agent in acted}

    def render(self) -> NDArray[np.uint8] | None:
        """The picture of the world, `(H, W, 3)`; None without a render mode or before the first reset."""
        return None if self.render_mode is None else self._world

    def close(self) -> None:
        """Closes the substrate; once it is closed, again does nothing."""
        if not self._is_closed:
            self._env.close()
        self._is_closed = True

    def _build(self, seed: int | None) -> Any:
        """The substrate with a seed, or one by chance; Python's generator is left as it was."""
        before = random.getstate()
        random.seed(seed)
        try:
            return self._factory.build(self._substrate, roles=self._roles)
        finally:
            random.setstate(before)

    def _observe(self, timestep: Any) -> dict[str, NDArray[np.float32]]:
        shown = timestep.observation
        self._world = np.array(shown[0][_WORLD], np.uint8) if _WORLD in shown[0] else None
        return {agent: self._planes(shown[player]) for player, agent in enumerate(self.possible_agents)}

    def _planes(self, shown: Any) -> NDArray[np.float32]:
        picture = np.asarray(shown[_RGB], np.float32) / 255
        rows, columns = picture.shape[0] // self._pool, picture.shape[1] // self._pool
        blocks = picture.reshape(rows, self._pool, columns, self._pool, 3).mean((1, 3)).transpose(2, 0, 1)
        numbers = [np.asarray(shown[name], np.float32).reshape(-1) for name in self._extras]
        planes = [np.broadcast_to(n[:, None, None], (len(n), rows, columns)) for n in numbers]
        return np.concatenate([blocks, *planes]).astype(np.float32)

    def _space_of(self, spec: Any) -> spaces.Box:
        height, width, _ = spec[_RGB].shape
        if height % self._pool or width % self._pool:
            raise ValueError(
                f"pool={self._pool} does not divide the picture of {self._substrate}, which has {height} x "
                f"{width} pixels; 8 is the size of a sprite"
            )
        shape = (height // self._pool, width // self._pool)
        low, high = [np.zeros((3, *shape))], [np.ones((3, *shape))]
        for name in self._extras:
            part = spec[name]
            for bounds, bound, unknown in ((low, "minimum", -np.inf), (high, "maximum", np.inf)):
                values = np.broadcast_to(getattr(part, bound, unknown), part.shape).reshape(-1)
                bounds.append(np.broadcast_to(values[:, None, None], (len(values), *shape)))
        return spaces.Box(
            np.concatenate(low).astype(np.float32), np.concatenate(high).astype(np.float32), dtype=np.float32
        )


def _import_substrates() -> Any:
    """Melting Pot's module `substrate`.

    Raises:
        ImportError: if it, or something that it needs, is missing.
    """
    try:
        return importlib.import_module("meltingpot.substrate")
    except ImportError as error:
        raise ImportError(
            f"rllib_lase.melting_pot needs Melting Pot: {error}. Cure: pip install dm-meltingpot (Python "
            "3.11 or newer, Linux or macOS), which downloads assets from the web and brings TensorFlow; "
            "docs/environments.md says what it takes without a network"
        ) from error
