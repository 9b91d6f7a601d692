"""The games, and what `register_env` was given, in Tune's registry as soon as that exists.

`import rllib_lase` must stay quick, and Ray takes seconds: it is not imported here. So a finder waits for the
import of `ray.tune.registry`, by whomever, registers the games right after it and removes itself.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ray.rllib.env.multi_agent_env import MultiAgentEnv

    from rllib_lase.rllib.game_env import GameEnv

_REGISTRY = "ray.tune.registry"

#: What `register_env` was given, by id.
ENVIRONMENTS: dict[str, Callable[..., Any]] = {}


def register_games() -> None:
    """Registers every game of `mixed_motive`, and what `register_env` was given, with Tune, under its id.

    Happens by itself; imports Ray.
    """
    from ray.tune.registry import register_env

    import mixed_motive

    for game_id in mixed_motive.GAMES:
        register_env(game_id, functools.partial(create_game_env, game_id))
    for env_id in ENVIRONMENTS:
        publish(env_id)


def publish(env_id: str) -> None:
    """Puts an entry of `ENVIRONMENTS` into Tune's registry, if that has been imported."""
    if _REGISTRY in sys.modules:
        sys.modules[_REGISTRY].register_env(env_id, functools.partial(create_env, ENVIRONMENTS[env_id]))


def create_game_env(game_id: str, env_config: Mapping[str, Any]) -> GameEnv:
    """The creator that Tune's registry has for a game; pickled by name, so every process imports it anew."""
    from rllib_lase.rllib.game_env import GameEnv

    return GameEnv({"game": game_id, **env_config})


def create_env(env_fn: Callable[..., Any], env_config: Mapping[str, Any]) -> MultiAgentEnv:
    """The creator that Tune's registry has for what `register_env` was given."""
    from rllib_lase.rllib.parallel_env import make_multi_agent_env

    return make_multi_agent_env(env_fn, env_config)


def install() -> None:
    """Registers the games now if Tune's registry is there already, else right after its import."""
    if _REGISTRY in sys.modules:
        _register_in_every_session()
    elif not any(isinstance(finder, _RegistryFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _RegistryFinder())


def _register_in_every_session() -> None:
    import ray

    register_games()
    # Tune forgets its environments in ray.shutdown(); the games are there again after the next ray.init().
    hooks: list[Any] = ray._private.worker._post_init_hooks
    if register_games not in hooks:
        hooks.append(register_games)


class _RegistryFinder(MetaPathFinder):
    """Finds `ray.tune.registry` as the other finders do, and has its loader register the games."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != _REGISTRY:
            return None
        found = (finder.find_spec(fullname, path, target) for finder in sys.meta_path if finder is not self)
        spec = next((spec for spec in found if spec is not None), None)
        if spec is not None and spec.loader is not None:
            spec.loader = _RegisteringLoader(spec.loader, self)
        return spec


class _RegisteringLoader(Loader):
    """Loads the module as its own loader does, to which it then makes room, and registers the games."""

    def __init__(self, loader: Loader, finder: _RegistryFinder) -> None:
        self._loader = loader
        self._finder = finder

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        sys.meta_path.remove(self._finder)
        _register_in_every_session()
