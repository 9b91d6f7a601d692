"""`Roster`: the agents of a `MultiAgentEnv` in a fixed order, and what they see and do.

Agent ids never come in the order of a set, which differs from process to process.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gymnasium import Space
from ray.rllib.env.multi_agent_env import MultiAgentEnv

from rllib_lase.action_spaces import MAX_COMBINATIONS
from rllib_lase.rllib.action_encoding import ActionEncoder, make_action_encoder
from rllib_lase.rllib.joint_env import EnvironmentFault
from rllib_lase.rllib.obs_encoding import ObsEncoder, make_encoder
from rllib_lase.rllib.parallel_env import takes_turns

#: Where environments that the batched runner cannot serve are served.
USE_RLLIB_RUNNER = (
    "use one of RLlib's own algorithms with RLlib's own MultiAgentEnvRunner for this environment"
)


@dataclass(frozen=True)
class Roster:
    """Who plays.

    Attributes:
        keys: The environment's own agent ids, in the fixed order.
        agent_ids: The same as strings.
        encoders: Per agent, how its observations become arrays.
        actions: Per agent, how its actions become the environment's; all discrete, or all continuous and
            of one size.
    """

    keys: tuple[Any, ...]
    agent_ids: tuple[str, ...]
    encoders: tuple[ObsEncoder, ...]
    actions: tuple[ActionEncoder, ...]


def read_roster(env: Any, name: str) -> Roster:
    """Reads agents and spaces of an environment, refusing what the batched runner cannot serve.

    Args:
        env: What the environment's creator returned.
        name: The environment's name, for messages.

    Raises:
        EnvironmentFault: if it is no `MultiAgentEnv`, plays in turns, names no agents, lacks a space, or has
            one that is not supported.
    """
    _require_simultaneous_env(env, name)
    keys = _ordered_keys(env)
    if not keys:
        raise EnvironmentFault(
            f"{name}: no agents; expected the ids of all agents in `possible_agents`. Likely cause: the "
            "constructor does not set it. Cure: `self.possible_agents = [...]` (a list, in a fixed order)."
        )
    agent_ids = tuple(map(str, keys))
    if len(set(agent_ids)) < len(agent_ids):
        raise EnvironmentFault(
            f"{name}: agent ids {list(keys)} are not distinct as strings; expected distinct ids."
        )
    observation_spaces = [_space(env, name, key, "observation") for key in keys]
    actions = tuple(_action_encoder(_space(env, name, key, "action"), name, key) for key in keys)
    _require_one_kind(actions, keys, name)
    return Roster(
        keys=keys,
        agent_ids=agent_ids,
        encoders=tuple(
            _encoder(space, name, key) for space, key in zip(observation_spaces, keys, strict=True)
        ),
        actions=actions,
    )


def _require_simultaneous_env(env: Any, name: str) -> None:
    if takes_turns(env):
        raise EnvironmentFault(
            f"{name}: agents act in turns (a PettingZoo AEC environment); expected that all agents act in "
            f"every step. Cure: give its parallel form (most have a `parallel_env`), or {USE_RLLIB_RUNNER}."
        )
    if not isinstance(env, MultiAgentEnv):
        raise EnvironmentFault(
            f"{name}: found a {type(env).__module__}.{type(env).__qualname__}, expected a PettingZoo "
            "ParallelEnv or an RLlib MultiAgentEnv. Cure: derive the class from one of them; "
            "ray.rllib.env.multi_agent_env.make_multi_agent makes one of a single-agent environment."
        )


def _ordered_keys(env: MultiAgentEnv) -> tuple[Any, ...]:
    """Agent ids in an order that is the same in every process."""
    old_set = getattr(env, "_agent_ids", None)
    found: Any = env.possible_agents or env.agents or old_set or ()
    if isinstance(found, list | tuple) and not old_set:
        return tuple(found)
    # A set, or a list that `MultiAgentEnv.__init__` may have made from the set `_agent_ids`: sort it.
    return tuple(sorted(found, key=_natural_order))


def _natural_order(key: Any) -> tuple[Any, ...]:
    """agent_2 before agent_10."""
    return tuple(
        (0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", str(key))
    )


def _space(env: MultiAgentEnv, name: str, key: Any, kind: str) -> Space[Any]:
    of_all: Mapping[Any, Space[Any]] | None = getattr(env, f"{kind}_spaces")
    if of_all is not None and key not in of_all:
        found: Any = f"`{kind}_spaces` with keys {sorted(map(str, of_all))}"
    else:
        space = env.get_observation_space(key) if kind == "observation" else env.get_action_space(key)
        if isinstance(space, Space):
            return space
        found = repr(space)
    raise EnvironmentFault(
        f"{name}: {kind} space of agent {key!r}: found {found}, expected a gymnasium space. Likely cause: "
        f"the constructor does not set it. Cure: `self.{kind}_spaces = {{agent_id: space, ...}}`."
    )


def _action_encoder(space: Space[Any], name: str, key: Any) -> ActionEncoder:
    try:
        return make_action_encoder(space)
    except ValueError as error:
        raise EnvironmentFault(
            f"{name}: action space of agent {key!r} is {error}; expected Discrete, MultiDiscrete or "
            f"MultiBinary of at most {MAX_COMBINATIONS} combinations, or a Box of floats of shape (D,) with "
            "finite bounds. Cure: number the actions, make the choices coarser, or flatten and bound the "
            f"Box, in a wrapper of the environment, or {USE_RLLIB_RUNNER}."
        ) from error


def _require_one_kind(actions: tuple[ActionEncoder, ...], keys: tuple[Any, ...], name: str) -> None:
    """Refuses agents some of whom have discrete and others continuous actions, or such of different D."""
    if len({encoder.encoded.shape for encoder in actions}) > 1:
        found = ", ".join(f"{key!r}: {encoder.space}" for key, encoder in zip(keys, actions, strict=True))
        raise EnvironmentFault(
            f"{name}: action spaces {found}; expected discrete actions for all agents (they may differ), or "
            "for all a Box of one shape (D,). Cure: pad the Boxes to one shape, or turn each into a "
            "MultiDiscrete of a grid of its values, in a wrapper of the environment."
        )


def _encoder(space: Space[Any], name: str, key: Any) -> ObsEncoder:
    try:
        return make_encoder(space)
    except ValueError as error:
        raise EnvironmentFault(
            f"{name}: observation space of agent {key!r} is or contains {error}. "
            "Cure: encode it as arrays of a fixed shape in a wrapper of the environment."
        ) from error
