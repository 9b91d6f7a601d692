"""Environments of others by name: ids of `register_env`, and import paths such as "my_package.my_env:make".

Imports neither Ray nor torch.
"""

from __future__ import annotations

import importlib
import operator
from collections.abc import Callable
from typing import Any

import mixed_motive
from rllib_lase import _registration

EnvFn = Callable[..., Any]
"""Makes a fresh PettingZoo `ParallelEnv` or RLlib `MultiAgentEnv`; called with the environment's options as
keywords, but a `MultiAgentEnv` class with one dict of them, as RLlib calls it."""


def register_env(env_id: str, env_fn: EnvFn) -> None:
    """Makes an environment known by an id, to our algorithms and to RLlib's own.

    Nothing is called, and neither Ray nor torch is imported. The id is in Tune's registry as soon as that
    exists, and again after every `ray.init`. A second registration of an id replaces the first.

    Args:
        env_id: The id, as for `LASEConfig().environment(env_id)`.
        env_fn: A function that makes a fresh `ParallelEnv` or `MultiAgentEnv` from the `env_config` as
            keywords, such as PettingZoo's `parallel_env` functions; or a `MultiAgentEnv` class, which is
            called with the `env_config` itself, as RLlib does.

    Raises:
        ValueError: for an id of our own games, or one that reads as an import path.
        TypeError: if `env_fn` cannot be called, as an environment instead of a function that makes one.
    """
    if env_id in mixed_motive.GAMES:
        raise ValueError(
            f"register_env: {env_id!r} is a game of mixed_motive; choose an id beside "
            f"{', '.join(mixed_motive.GAMES)}"
        )
    if is_import_path(env_id):
        raise ValueError(
            f"register_env: {env_id!r} has a colon, which marks an import path (module:function); "
            "choose an id without one"
        )
    if not callable(env_fn):
        raise TypeError(
            f"register_env: found a {type(env_fn).__name__}, expected what makes a fresh environment; "
            "give the class, or a function: register_env(id, lambda **options: MyEnv(**options))"
        )
    _registration.ENVIRONMENTS[env_id] = env_fn
    _registration.publish(env_id)


def is_import_path(name: str) -> bool:
    """Whether an environment's name says where it is imported from: "module:function"."""
    return ":" in name


def load_env_fn(path: str) -> EnvFn:
    """What an import path names.

    Args:
        path: "module:function" or "module:Class", as in "pettingzoo.sisl.pursuit_v5:parallel_env".

    Raises:
        ValueError: if the module cannot be imported, or has nothing of that name that can be called.
    """
    module_name, _, name = path.partition(":")
    try:
        module = importlib.import_module(module_name)
    except (ImportError, ValueError) as error:
        raise ValueError(
            f"environment {path!r}: cannot import {module_name!r}: {error}. Expected module:function. "
            "Cure: check the spelling, install what is missing, or start in the folder that holds the module"
        ) from error
    try:
        env_fn = operator.attrgetter(name)(module)
    except AttributeError:
        makers = [key for key in vars(module) if key.endswith("env") and callable(getattr(module, key))]
        hint = f", such as {', '.join(makers)}" if makers else ""
        raise ValueError(
            f"environment {path!r}: {module_name} has no {name!r}; expected a function or class that makes "
            f"an environment{hint}"
        ) from None
    if not callable(env_fn):
        raise ValueError(
            f"environment {path!r}: found a {type(env_fn).__name__}, expected a function or class that makes "
            "an environment"
        )
    loaded: EnvFn = env_fn
    return loaded


def find_env_fn(name: str) -> EnvFn | None:
    """What a registered id or an import path names; None for any other name.

    Raises:
        ValueError: as `load_env_fn`.
    """
    return load_env_fn(name) if is_import_path(name) else _registration.ENVIRONMENTS.get(name)
