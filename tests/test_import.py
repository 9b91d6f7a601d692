from __future__ import annotations

import subprocess
import sys

import pytest


def run(code: str) -> str:
    """Output of the code in a fresh interpreter."""
    paths = f"import sys; sys.path[:] = {[path for path in sys.path if path]!r}\n"
    done = subprocess.run(
        [sys.executable, "-c", paths + code], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_the_package_or_its_settings_imports_neither_ray_nor_torch() -> None:
    heavy = "sorted({'ray', 'torch', 'numba', 'pandas'} & set(sys.modules))"
    modules = "rllib_lase, rllib_lase.settings, rllib_lase.registry, rllib_lase.defaults"
    assert run(f"import {modules}; print({heavy})") == "[]"


CHECK = """
from ray.tune import registry
import mixed_motive
known = [registry._global_registry.contains("env_creator", game_id) for game_id in mixed_motive.GAMES]
leftovers = [finder for finder in sys.meta_path if type(finder).__module__.startswith("rllib_lase")]
print(all(known), leftovers, type(registry.__loader__).__name__, type(registry.__spec__.loader).__name__)
"""


@pytest.mark.parametrize("order", ["rllib_lase, ray.tune", "ray.tune, rllib_lase"])
def test_the_games_are_in_tunes_registry_whichever_is_imported_first(order: str) -> None:
    assert run(f"import {order}{CHECK}").splitlines()[-1] == "True [] SourceFileLoader SourceFileLoader"


def test_the_registered_creator_makes_the_game_with_its_parameters() -> None:
    from ray.tune.registry import ENV_CREATOR, _global_registry

    import rllib_lase
    from rllib_lase.rllib.game_env import GameEnv

    rllib_lase.register_games()
    env = _global_registry.get(ENV_CREATOR, "cleanup")({"num_agents": 3})
    assert isinstance(env, GameEnv)
    assert env.possible_agents == ["agent_0", "agent_1", "agent_2"]


def test_the_games_are_registered_again_after_every_start_of_ray() -> None:
    import ray

    import rllib_lase

    assert ray._private.worker._post_init_hooks.count(rllib_lase.register_games) == 1


def test_every_public_name_can_be_loaded() -> None:
    import rllib_lase

    for name in rllib_lase.__all__:
        assert getattr(rllib_lase, name) is not None
    assert dir(rllib_lase) == sorted(rllib_lase.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    import rllib_lase

    with pytest.raises(AttributeError, match="module 'rllib_lase' has no attribute 'LASEConfg'"):
        _ = rllib_lase.LASEConfg


def test_without_ray_the_error_says_what_to_install() -> None:
    code = """
sys.modules["ray"] = None
import rllib_lase
try:
    rllib_lase.LASEConfig
except ImportError as error:
    print(error)
"""
    assert run(code).endswith(
        "needs ray, which is missing. Cure, in a checkout of rllib-lase: pip install '.[rllib]'"
    )
