"""`BatchedGame`: B copies of one game behind one call, NumPy in and NumPy out.

What a game adds stands in `game_parts`; checking, seeding, state and buffers are here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mixed_motive.buffers import StepBuffers, flat_obs
from mixed_motive.checks import (
    action_problems,
    array_problems,
    buffer_problems,
    counter_problems,
    read_gifts,
    read_indices,
    read_seed,
    read_state,
    refusal_problem,
)
from mixed_motive.counters import BEGIN, PLAY, PLAY_ON, Counters
from mixed_motive.encodings import Obs, encode, native_encoding
from mixed_motive.errors import GameError
from mixed_motive.game_parts import GameParts, State
from mixed_motive.params import GameParams

if TYPE_CHECKING:
    from gymnasium import spaces

    from mixed_motive.threads import Crew

__all__ = ["BatchedGame"]


class BatchedGame(GameParts):
    """B copies of one game with N agents, stepped together; `mixed_motive.make` checks the arguments.

    Every random draw is a function of the seed, the copy's env index, its episode, its step and the number of
    the draw, so a copy's trajectory depends neither on B nor on what the other copies do.

    Args:
        game_id: The id under which the game was asked for.
        preset: Name of the preset that `params` started from.
        params: All parameters of the game.
        num_envs: Copies, B.
        first_env_index: Env index of the first copy; the others follow. Workers that share a run take
            disjoint ranges.
        auto_reset: Whether an episode's last step starts the next episode at once. If not, `reset` must be
            called for this copy before the next step.
        obs: Encoding of the observations, one of the game's `encodings`.
        num_threads: Threads that step the batch together, see `threads`.

    Attributes:
        agent_ids: "agent_0", "agent_1", ...: the order of the agents everywhere.
        num_agents: N.
        horizon: Steps of an episode, at most.
        encodings: What `obs` may be.
    """

    def __init__(
        self,
        game_id: str,
        preset: str,
        params: GameParams,
        num_envs: int,
        first_env_index: int,
        auto_reset: bool,
        obs: str,
        num_threads: int,
    ) -> None:
        self._arguments = (game_id, preset, params, num_envs, first_env_index)
        self.game_id = game_id
        self.preset = preset
        self.params: GameParams = params
        self.num_agents = params.num_agents
        self.num_envs = num_envs
        self.first_env_index = first_env_index
        self.auto_reset = auto_reset
        self.obs_encoding = obs
        self._native = native_encoding(obs)
        self._derived = obs in ("float32", "rgb")
        self.num_threads = min(num_threads, num_envs)
        self.horizon = params.horizon
        self.agent_ids = tuple(f"agent_{i}" for i in range(params.num_agents))
        self._observation_space: spaces.Box | None = None
        self._action_space: spaces.Discrete[Any] | None = None

        self._kernel = self._load_kernel()
        from mixed_motive.kernels.shared import refusal

        self._refusal_of = refusal
        self._counters = Counters(num_envs, first_env_index, self._num_extra_registers())
        self._registers = self._counters.registers
        self._arrays = self._new_arrays()
        self._actions: npt.NDArray[np.int64] = np.zeros((num_envs, params.num_agents), np.int64)
        # What the kernel takes before and after the arrays that it fills and the task.
        self._state = (self._actions, self._registers, *self._arrays)
        self._constants = (self._native, *self._kernel_constants())
        self._palette = self._make_palette() if obs == "rgb" else None
        self._buffers = self.new_buffers()
        # What the kernel writes where `obs` is made from it.
        native_shape = (num_envs if self._derived else 0, self.num_agents, *self._native_shape())
        self._native_obs: npt.NDArray[np.uint8] = np.zeros(native_shape, np.uint8)
        self._native_final_obs = np.zeros_like(self._native_obs)
        size = math.prod(native_shape[2:])
        self._flat_native = self._native_obs.reshape(*native_shape[:2], size)
        self._flat_native_final = self._native_final_obs.reshape(*native_shape[:2], size)
        self._crew = self._new_crew() if self.num_threads > 1 else None
        self._started = False

    @property
    def observation_space(self) -> spaces.Box:
        """Space of one agent's observation."""
        if self._observation_space is None:
            from gymnasium import spaces

            high = {"code": len(self.class_names) - 1, "rgb": 255}.get(self.obs_encoding, 1)
            dtype = np.float32 if self.obs_encoding == "float32" else np.uint8
            self._observation_space = spaces.Box(0, high, self._obs_shape(), dtype)
        return self._observation_space

    @property
    def action_space(self) -> spaces.Discrete[Any]:
        """Space of one agent's action."""
        if self._action_space is None:
            from gymnasium import spaces

            self._action_space = spaces.Discrete(len(self.action_names))
        return self._action_space

    def new_buffers(self) -> StepBuffers:
        """Arrays for the results of `step`."""
        b, n = self.num_envs, self.num_agents
        return StepBuffers(
            obs=self._new_obs(),
            rewards=np.zeros((b, n), np.float32),
            terminations=np.zeros((b, n), np.bool_),
            truncations=np.zeros((b, n), np.bool_),
            final_obs=self._new_obs(),
            done=np.zeros(b, np.bool_),
            active=np.ones((b, n), np.bool_),
            counts=np.zeros((b, n, len(self.count_names)), np.int32),
        )

    def reset(
        self,
        seed: int | None = None,
        env_indices: Sequence[int] | npt.NDArray[np.integer[Any]] | None = None,
    ) -> Obs:
        """Start an episode in every copy, or in some.

        Args:
            seed: Integer in [0, 2**64); episodes are counted from 0 again. None: the next episode of the
                present seed, or of a random one where there is none yet.
            env_indices: Distinct positions in the batch, in [0, B); all by default.

        Returns:
            (B, N, *obs) first observations, or those of the given copies, in an array of their own.

        Raises:
            GameError: If the seed is no integer in that range; for a position outside the batch; for part of
                the batch before the first `reset` of all. Nothing has changed then.
        """
        copies: slice | npt.NDArray[np.intp] = slice(None)
        if env_indices is not None:
            self._require_started("reset of part of the batch")
            copies = read_indices(f"{self.game_id}: reset", env_indices, self.num_envs, distinct=True)
        if seed is None and self._started:
            self._counters.to_next_episode(copies)
        else:
            self._counters.to_first_episode(copies, read_seed(self.game_id, seed))
        obs = self._new_obs()
        native = self._flat_native if self._derived else flat_obs(obs)
        # It fills observations alone.
        arrays = (*self._state, native, *self._filled_arrays(self._buffers)[1:])
        for part in [copies] if isinstance(copies, slice) else [slice(b, b + 1) for b in copies]:
            self._kernel.step(*(array[part] for array in arrays), BEGIN, *self._constants)
        if self._derived:
            encode(self._native_obs, self._palette, obs)
        self._started = True
        return obs[copies]

    def step(self, actions: npt.ArrayLike, out: StepBuffers | None = None) -> StepBuffers:
        """Step every copy.

        Args:
            actions: (B, N) of any integer dtype, each in [0, number of actions).
            out: Arrays to fill, as from `new_buffers`. By default the game's own, which the next call
                overwrites.

        Returns:
            `out`, or the game's own arrays.

        Raises:
            GameError: Before `reset`; for actions of a wrong shape, type or value; for unfit arrays; for an
                episode that has ended, without auto-reset. Nothing has changed then.
        """
        if not self._started:
            raise GameError(f"{self.game_id}: step", ["called before reset. Call reset(seed=...) first."])
        if out is None:
            out = self._buffers
        elif getattr(out, "layout", None) != self._buffers.layout:
            self._refuse_unfit(out)
        try:
            given = np.asarray(actions)
        except ValueError as error:  # rows of different lengths
            raise GameError(f"{self.game_id}: step", [f"actions are no array: {error}"]) from error
        if given.shape != self._actions.shape or given.dtype.kind not in "iu":
            raise GameError(f"{self.game_id}: step", action_problems(given, self._actions.shape))
        self._actions[...] = given
        arrays = self._filled_arrays(out)
        if self._crew is None:
            task = PLAY_ON if self.auto_reset else PLAY
            try:
                refused = self._kernel.step(*self._state, *arrays, task, *self._constants)
            except Exception:  # for an array that was made read-only since, numba's page on types
                self._refuse_unfit(out)
                raise
        else:
            if not all(array.flags.writeable for array in arrays):  # threads would write all the same
                self._refuse_unfit(out)
            # The whole batch is checked before any part of it moves.
            refused = self._refusal_of(self._actions, len(self.action_names), self._registers)
            if refused == -1:
                self._crew.step(arrays)
        if refused != -1:
            problem = refusal_problem(refused, given, self.agent_ids, self.action_names)
            raise GameError(f"{self.game_id}: step", [problem])
        if self._derived:
            encode(self._native_obs, self._palette, out.obs)
            if out.done.any():
                encode(self._native_final_obs, self._palette, out.final_obs)
        return out

    def observe(self) -> Obs:
        """(B, N, *obs) observations of the current state, in an array of their own."""
        self._require_started("observe")
        obs = self._new_obs()
        if self._derived:
            self._write_obs(self._flat_native)
            encode(self._native_obs, self._palette, obs)
        else:
            self._write_obs(flat_obs(obs))
        return obs

    def get_state(self, env_indices: Sequence[int] | npt.NDArray[np.integer[Any]] | None = None) -> State:
        """The complete state of some copies; what follows from it is the same to the bit.

        Args:
            env_indices: Positions in the batch, in [0, B); all by default.

        Returns:
            Name to array, copies of the game in the leading axis. `seed`, `env_index` and `episode` say which
            random draws follow, `step` how many steps of the episode were taken, `ended` that it is over and
            `reset` must follow; the rest is the game's own. The arrays are copies.

        Raises:
            GameError: Before `reset`, or for a position outside the batch.
        """
        self._require_started("get_state")
        indices = read_indices(f"{self.game_id}: get_state", env_indices, self.num_envs, distinct=False)
        return {**self._counters.get_state(indices), **self._copy_arrays(indices)}

    def set_state(
        self,
        state: Mapping[str, npt.NDArray[Any]],
        env_indices: Sequence[int] | npt.NDArray[np.integer[Any]] | None = None,
    ) -> None:
        """Put some copies into a state of this or of another game with the same parameters.

        Args:
            state: As from `get_state`, with as many copies as there are `env_indices`.
            env_indices: Distinct positions in the batch; all by default.

        Raises:
            GameError: If names, shapes, dtypes or values do not fit; or for part of the batch before `reset`.
                Nothing has changed then.
        """
        if env_indices is not None:
            self._require_started("set_state of part of the batch")
        indices = read_indices(f"{self.game_id}: set_state", env_indices, self.num_envs, distinct=True)
        state = read_state(f"{self.game_id}: set_state", state)
        empty = np.zeros(0, np.intp)
        expected = {**self._counters.get_state(empty), **self._copy_arrays(empty)}
        problems = array_problems(state, expected, len(indices))
        if not problems:
            problems = counter_problems(state, self.horizon, self.auto_reset) + self._state_problems(state)
        if problems:
            raise GameError(f"{self.game_id}: set_state", problems)
        self._counters.set_state(indices, state)
        self._load_arrays(indices, state)
        self._started = True

    def in_game(self, env_index: int = 0) -> tuple[str, ...]:
        """Agents that act next in one copy, by its position in the batch; none where its episode is over."""
        index = self._read_index("in_game", env_index)
        if self._counters.has_ended(index):
            return ()
        present = self._present()
        if present is None:
            return self.agent_ids
        return tuple(a for a, here in zip(self.agent_ids, present[index].tolist(), strict=True) if here)

    def render(self, env_index: int = 0, gifts: npt.ArrayLike | None = None) -> npt.NDArray[np.uint8]:
        """A picture of one copy.

        Args:
            env_index: The copy's position in the batch.
            gifts: (N, N) amounts of reward that agents gave in the last step, giver in the row, receiver in
                the column, what each kept on the diagonal; drawn as arrows. None: nothing is drawn.

        Returns:
            (H, W, 3) uint8.

        Raises:
            GameError: Before `reset`, for a position outside the batch, or for gifts of a wrong shape.
        """
        index = self._read_index("render", env_index)
        if gifts is None:
            return self._draw(index)
        amounts = read_gifts(f"{self.game_id}: render", gifts, self.num_agents)
        from mixed_motive.rendering.gifts import draw_gifts

        return draw_gifts(self._draw(index), self._spots(index), amounts)

    def ansi(self, env_index: int = 0, gifts: npt.ArrayLike | None = None) -> str:
        """One copy as text, with a line for each gift; arguments and errors are those of `render`."""
        index = self._read_index("ansi", env_index)
        if gifts is None:
            return self._text(index)
        amounts = read_gifts(f"{self.game_id}: ansi", gifts, self.num_agents)
        from mixed_motive.rendering.gifts import gifts_text

        return "\n".join([self._text(index), *gifts_text(self.agent_ids, amounts)])

    def _title(self, env_index: int) -> str:
        """First line of a copy's text."""
        return f"{self.game_id}, step {self._counters.step_of(env_index)} of {self.horizon}"

    def _progress(self, env_index: int) -> float:
        """Share of a copy's episode that is over, in [0, 1]."""
        return self._counters.step_of(env_index) / self.horizon

    def __repr__(self) -> str:
        name = f"{type(self).__name__} {self.game_id!r}"
        return f"<{name}, preset {self.preset!r}: {self.num_envs} copies, {self.params}>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickles and deep copies go on to the bit."""
        arguments = (*self._arguments, self.auto_reset, self.obs_encoding, self.num_threads)
        return _rebuild, (type(self), arguments, self.get_state() if self._started else None)

    # Checks and arrays

    def _new_crew(self) -> Crew:
        from mixed_motive.threads import Crew

        task = PLAY_ON if self.auto_reset else PLAY
        return Crew(self._kernel, self.num_threads, self._state, (task, *self._constants))

    def _filled_arrays(self, out: StepBuffers) -> tuple[npt.NDArray[Any], ...]:
        """What the kernel fills for these results."""
        if self._derived:
            return (self._flat_native, *out.arrays[1:4], self._flat_native_final, *out.arrays[5:])
        return out.arrays

    def _obs_shape(self) -> tuple[int, ...]:
        return (*self._native_shape(), 3) if self._palette is not None else self._native_shape()

    def _new_obs(self) -> Obs:
        shape = (self.num_envs, self.num_agents, *self._obs_shape())
        return np.zeros(shape, np.float32) if self.obs_encoding == "float32" else np.zeros(shape, np.uint8)

    def _read_index(self, call: str, env_index: int) -> int:
        self._require_started(call)
        if type(env_index) is int and 0 <= env_index < self.num_envs:  # soon done
            return env_index
        return int(read_indices(f"{self.game_id}: {call}", [env_index], self.num_envs, distinct=True)[0])

    def _refuse_unfit(self, out: StepBuffers) -> None:
        problems = buffer_problems(out, self._buffers)
        if problems:
            raise GameError(f"{self.game_id}: step", problems) from None

    def _require_started(self, call: str) -> None:
        if not self._started:
            raise GameError(f"{self.game_id}: {call}", ["called before reset. Call reset(seed=...) first."])


def _rebuild(game_class: Any, arguments: tuple[Any, ...], state: State | None) -> BatchedGame:
    game: BatchedGame = game_class(*arguments)
    if state is not None:
        game.set_state(state)
    return game
