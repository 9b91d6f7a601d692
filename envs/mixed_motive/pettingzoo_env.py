"""PettingZoo's face: one copy of a batched game as a `ParallelEnv`, and what the versioned modules hold."""

from __future__ import annotations

import dataclasses
import importlib.util
import inspect
import warnings
from collections.abc import Mapping
from typing import Any, Literal, Protocol, TypeVar, get_args, get_type_hints

import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from pettingzoo import AECEnv, ParallelEnv
from pettingzoo.utils.conversions import parallel_to_aec
from pettingzoo.utils.wrappers import AssertOutOfBoundsWrapper

from mixed_motive.checks import BOOLS
from mixed_motive.errors import GameError, shown
from mixed_motive.params import expected_values, max_cycles_problems, under_its_name
from mixed_motive.registry import GAMES, check_make, make

__all__ = ["Face", "MixedMotiveParallelEnv", "RenderMode", "faces", "parallel_env"]

RenderMode = Literal["rgb_array", "ansi", "human"]

_RENDER_MODES = get_args(RenderMode)
_EnvT_co = TypeVar("_EnvT_co", covariant=True)
# What `make` takes and one copy that ends does not.
_NOT_HERE = ("num_envs", "num_threads", "auto_reset")


class MixedMotiveParallelEnv(ParallelEnv):  # type: ignore[misc]  # PettingZoo ships no types
    """One copy of a game. The same seed and actions give the same trajectory as copy 0 of the batched game.

    Args:
        game_id: One of `mixed_motive.GAMES`.
        preset: One of the game's presets; by default its first.
        render_mode: "rgb_array", "ansi", "human" (a window, needs pygame) or None.
        obs: Encoding of observations, as in `mixed_motive.make`.
        first_env_index: The copy's env index: copies with the same seed and other indices draw other random
            numbers.
        max_cycles: PettingZoo's name for the parameter `horizon`.
        params: Parameters to change in the preset.

    Attributes:
        game: The batched game, of one copy. Step it and set its state through this class alone.

    Raises:
        GameError: With everything that is wrong with the arguments.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012  # PettingZoo's own form; each instance gets its copy
        "name": "mixed_motive",
        "render_modes": list(_RENDER_MODES),
        "render_fps": 8,
        "is_parallelizable": True,
    }

    def __init__(
        self,
        game_id: str,
        preset: str | None = None,
        *,
        render_mode: RenderMode | None = None,
        obs: str = "planes",
        first_env_index: int = 0,
        max_cycles: int | None = None,
        **params: Any,
    ) -> None:
        problems = [
            f"{name}={params.pop(name)!r}: a ParallelEnv is one copy that ends; "
            "mixed_motive.make(...) gives a batch"
            for name in _NOT_HERE
            if name in params
        ]
        problems += max_cycles_problems(max_cycles, params)
        found = check_make(game_id, preset, obs=obs, first_env_index=first_env_index, **params)
        problems += under_its_name(max_cycles, found)
        problems += one_of("render_mode", render_mode, (*_RENDER_MODES, None))
        human = isinstance(render_mode, str) and render_mode == "human"
        if human and importlib.util.find_spec("pygame") is None:
            problems.append(
                "render_mode='human' needs pygame, which is not installed. "
                "Cure, in a checkout of rllib-lase: pip install '.[human]'. Or use render_mode='rgb_array'."
            )
        if problems:
            raise GameError(f"cannot make a ParallelEnv of {game_id!r}", problems)

        self.game = make(
            game_id, 1, preset, obs=obs, first_env_index=first_env_index, auto_reset=False, **params
        )
        self.render_mode = render_mode
        self.metadata = {**type(self).metadata, "name": f"{game_id}_v0"}
        self.possible_agents = list(self.game.agent_ids)
        self.agents: list[str] = []
        self._in_game: set[str] = set()
        box = self.game.observation_space
        self.observation_spaces = {
            agent_id: spaces.Box(box.low, box.high, dtype=box.low.dtype.type)
            for agent_id in self.possible_agents
        }
        self.action_spaces: dict[str, spaces.Discrete[Any]] = {
            agent_id: spaces.Discrete(len(self.game.action_names)) for agent_id in self.possible_agents
        }
        self._window: Any = None
        self._is_shown = False  # whether the window shows the present state

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        """Space of one agent's observations: always the same object."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Space[Any]:
        """Space of one agent's actions: always the same object."""
        return self.action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[dict[str, npt.NDArray[Any]], dict[str, dict[str, Any]]]:
        """Start an episode.

        Args:
            seed: Integer in [0, 2**64). None: the next episode of the present seed, or of a random one where
                there is none.
            options: Ignored, there are none.

        Returns:
            Observations and empty infos, by agent.

        Raises:
            GameError: If the seed is no integer in that range.
        """
        obs = self.game.reset(seed)
        self._read_agents()
        if self.render_mode == "human":
            self._show()
        return dict(zip(self.agents, obs[0])), {agent_id: {} for agent_id in self.agents}

    def step(
        self, actions: Mapping[str, int]
    ) -> tuple[
        dict[str, npt.NDArray[Any]],
        dict[str, float],
        dict[str, bool],
        dict[str, bool],
        dict[str, dict[str, Any]],
    ]:
        """Step once.

        Args:
            actions: One action for each agent in `agents`.

        Returns:
            Observations, rewards, terminations, truncations and infos, by agent. An agent's info has its
            counts of this step, named as in the batched game's `count_names`.

        Raises:
            GameError: When no episode is under way, for a missing or unknown agent, or for an action out of
                range.
        """
        agents = self.agents
        given: Any = actions.keys() if hasattr(actions, "keys") else None
        if not agents or given != self._in_game:
            raise GameError(f"{self.metadata['name']}: step", self._call_problems(actions))
        everybody = len(agents) == len(self.possible_agents)
        # Those who have left do nothing.
        joint = (
            [actions[a] for a in agents] if everybody else [actions.get(a, 0) for a in self.possible_agents]
        )
        if not BOOLS.isdisjoint(map(type, joint)):
            raise GameError(f"{self.metadata['name']}: step", self._call_problems(actions))
        step = self.game.step([joint])
        obs: npt.NDArray[Any] = step.obs[0].copy()  # the game writes into the same arrays again
        rewards, terminations = step.rewards.tolist()[0], step.terminations.tolist()[0]
        truncations, counts = step.truncations.tolist()[0], step.counts.tolist()[0]
        if not everybody:
            acted = [i for i, agent_id in enumerate(self.possible_agents) if agent_id in actions]
            obs = obs[acted]
            rewards, terminations, truncations, counts = (
                [values[i] for i in acted] for values in (rewards, terminations, truncations, counts)
            )
        if True in terminations or True in truncations:
            self._read_agents()
        if self.render_mode == "human":
            self._show()
        names = self.game.count_names
        return (
            dict(zip(agents, obs)),
            dict(zip(agents, rewards)),
            dict(zip(agents, terminations)),
            dict(zip(agents, truncations)),
            {a: dict(zip(names, values)) for a, values in zip(agents, counts)},
        )

    def _read_agents(self) -> None:
        self.agents = list(self.game.in_game())
        self._in_game = set(self.agents)

    def _call_problems(self, actions: Mapping[str, int]) -> list[str]:
        if not self.agents:
            return ["no episode is under way. Call reset() first."]
        if not hasattr(actions, "keys"):
            return [f"actions are a {type(actions).__name__}, expected a dict with an action for each agent"]
        missing = [f"no action for {agent_id!r}" for agent_id in self.agents if agent_id not in actions]
        return (
            missing
            + [
                f"action for {agent_id!r}, who is not in the game"
                for agent_id in actions
                if agent_id not in self.agents
            ]
            + [
                f"action {action} of {agent_id!r} is a bool, expected an integer"
                for agent_id, action in actions.items()
                if type(action) in BOOLS
            ]
        )

    def get_state(self) -> dict[str, npt.NDArray[Any]]:
        """The complete state, as `BatchedGame.get_state` tells it of one copy."""
        return self.game.get_state()

    def set_state(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go on from a state; `agents` are those who are in the game then.

        Args:
            state: As from `get_state`, of this or of another game with the same parameters.

        Raises:
            GameError: If it does not fit the game. Nothing has changed then.
        """
        self.game.set_state(state)
        self._read_agents()
        self._is_shown = False

    def render(self) -> npt.NDArray[np.uint8] | str | None:
        """A picture (H, W, 3) uint8, a text, or None with the picture shown in a window, by `render_mode`.

        With "human", `reset` and `step` have shown theirs already. Its user may close the window: the
        environment goes on without one.
        """
        if self.render_mode is None:
            warnings.warn(
                "render() does nothing without a render_mode; give one to parallel_env(...)", stacklevel=2
            )
            return None
        if self.render_mode == "ansi":
            return self.game.ansi()
        if self.render_mode == "rgb_array":
            return self.game.render()
        if self._is_shown:
            self._window.read_events()
        else:
            self._show()
        return None

    def _show(self) -> None:
        """Show the present state in the window, which opens with the first one."""
        if self._window is None:
            from mixed_motive.rendering.window import Window

            self._window = Window(self.metadata["name"], self.metadata["render_fps"])
        if not self._window.was_closed:
            self._window.show(self.game.render())
        self._is_shown = True

    def close(self) -> None:
        """Close the window, if there is one."""
        if self._window is not None:
            self._window.close()
            self._window = None
            self._is_shown = False


def parallel_env(
    game_id: str,
    preset: str | None = None,
    *,
    render_mode: RenderMode | None = None,
    obs: str = "planes",
    first_env_index: int = 0,
    max_cycles: int | None = None,
    **params: Any,
) -> MixedMotiveParallelEnv:
    """A PettingZoo `ParallelEnv` of one game; arguments and errors are those of `MixedMotiveParallelEnv`."""
    return MixedMotiveParallelEnv(
        game_id,
        preset,
        render_mode=render_mode,
        obs=obs,
        first_env_index=first_env_index,
        max_cycles=max_cycles,
        **params,
    )


class Face(Protocol[_EnvT_co]):
    """How the functions of a versioned module are called; their docstrings tell the arguments."""

    def __call__(
        self,
        preset: str | None = None,
        *,
        render_mode: RenderMode | None = None,
        obs: str = "planes",
        first_env_index: int = 0,
        max_cycles: int | None = None,
        **params: Any,
    ) -> _EnvT_co:
        """Make the environment."""


def faces(game_id: str) -> tuple[Face[MixedMotiveParallelEnv], Face[AECEnv], Face[AECEnv]]:
    """The `parallel_env`, `env` and `raw_env` of a versioned module."""
    module = f"mixed_motive.{game_id}_v0"

    def parallel_env(preset: str | None = None, **arguments: Any) -> MixedMotiveParallelEnv:
        return MixedMotiveParallelEnv(game_id, preset, **arguments)

    def env(preset: str | None = None, **arguments: Any) -> AECEnv:
        return AssertOutOfBoundsWrapper(raw_env(preset, **arguments))

    def raw_env(preset: str | None = None, **arguments: Any) -> AECEnv:
        return parallel_to_aec(parallel_env(preset, **arguments))

    title = GAMES[game_id].title
    for face, about, made in (
        (parallel_env, f"{title} as a PettingZoo `ParallelEnv`.", MixedMotiveParallelEnv),
        (env, f"{title} with agents that act in turns, a PettingZoo `AECEnv`; actions are checked.", AECEnv),
        (raw_env, f"{title} with agents that act in turns, a PettingZoo `AECEnv`, without checks.", AECEnv),
    ):
        # Found under its module's name, it can be pickled.
        face.__module__, face.__qualname__ = module, face.__name__
        face.__doc__ = f"{about}\n\n{_arguments_doc(game_id)}"
        vars(face)["__signature__"] = _signature(game_id, made)  # what help() shows
    return parallel_env, env, raw_env


def _signature(game_id: str, made: type) -> inspect.Signature:
    """The arguments of `MixedMotiveParallelEnv` with the game's parameters by name."""
    given = inspect.signature(parallel_env, eval_str=True).parameters
    common = [argument for name, argument in given.items() if name not in ("game_id", "params")]
    # As in stubs: what is not given has the preset's value.
    own = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=..., annotation=hint)
        for name, (hint, _) in _parameters(game_id).items()
    ]
    return inspect.Signature([*common, *own], return_annotation=made)


def _arguments_doc(game_id: str) -> str:
    """The section `Args` of a face, and what it raises."""
    common = inspect.getdoc(MixedMotiveParallelEnv) or ""
    args = common[common.index("    preset:") : common.index("    params:")]
    own = "".join(
        f"    {name}: {field.metadata['doc']}; {expected_values(hint, field.metadata)}.\n"
        for name, (hint, field) in _parameters(game_id).items()
    )
    presets = ", ".join(GAMES[game_id].presets)
    return (
        f"Presets: {presets}. What is not given has the preset's value.\n"
        f"The rules and all values stand in docs/games/{game_id}.md.\n\nArgs:\n{args}{own}\n"
        "Raises:\n    GameError: With everything that is wrong with the arguments."
    )


def _parameters(game_id: str) -> dict[str, tuple[Any, dataclasses.Field[Any]]]:
    """Type and field of each parameter that one of the game's presets has."""
    return {
        field.name: (get_type_hints(params_class)[field.name], field)
        for params_class in GAMES[game_id].classes
        for field in dataclasses.fields(params_class)
    }


def one_of(name: str, value: object, known: tuple[str | None, ...]) -> list[str]:
    """What is wrong with an argument that must be one of some texts or None."""
    if (value is None or isinstance(value, str)) and value in known:
        return []
    return [f"{name}={shown(value)}: expected one of {', '.join(map(repr, known))}"]
