import shutil
import subprocess
import sys
from pathlib import Path

import numba
import pytest

import mixed_motive
from mixed_motive.kernels import jit


def test_importing_the_games_loads_no_heavy_library():
    heavy = ("numba", "gymnasium", "pettingzoo", "torch", "ray", "pygame")
    code = (
        "import sys, mixed_motive; assert not mixed_motive.check_params('cleanup', view_radius=3); "
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    assert run_python(code, Path(mixed_motive.__file__).parents[1]) == "[]"


def test_every_game_and_module_works_where_only_the_games_needs_are_installed():
    code = """
import importlib, pkgutil, sys
for name in ("ray", "torch", "pandas", "matplotlib", "PIL", "pygame", "rllib_lase"):
    sys.modules[name] = None  # importing it fails
import mixed_motive
for module in pkgutil.walk_packages(mixed_motive.__path__, "mixed_motive."):
    if not module.name.endswith((".window", ".__main__")):  # the window is pygame's; the other is a command
        importlib.import_module(module.name)
for game_id in mixed_motive.GAMES:
    env = mixed_motive.parallel_env(game_id, render_mode="rgb_array")
    env.reset(seed=0)
    env.step(dict.fromkeys(env.agents, 0))
    assert env.render().ndim == 3
print(len(mixed_motive.GAMES), "played")
"""
    played = run_python(code, Path(mixed_motive.__file__).parents[1])
    assert played == f"{len(mixed_motive.GAMES)} played"


def test_compiled_code_follows_a_change_in_any_file_that_it_is_made_from(tmp_path):
    package = Path(mixed_motive.__file__).parent
    shutil.copytree(package, tmp_path / "mixed_motive", ignore=shutil.ignore_patterns("__pycache__"))
    code = (
        "import mixed_motive; game = mixed_motive.make('ipd'); game.reset(seed=0); "
        "print(game.step([[0, 1]]).rewards.argmax(), end=' '); from mixed_motive.kernels import matrix; "
        "print(sum(matrix.step.stats.cache_hits.values()))"
    )
    assert run_python(code, tmp_path) == "1 0"
    assert run_python(code, tmp_path) == "1 1"
    rules = tmp_path / "mixed_motive" / "games" / "matrix.py"
    rules.write_text(rules.read_text().replace("COOPERATE, DEFECT = 0, 1", "DEFECT, COOPERATE = 0, 1"))
    assert run_python(code, tmp_path) == "0 0"


def test_without_a_folder_for_the_cache_games_are_compiled_with_a_warning(monkeypatch):
    def njit(cache=False, **options):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return original(**options)

    original = numba.njit
    monkeypatch.setattr(jit.numba, "njit", njit)
    with pytest.warns(RuntimeWarning, match="Set NUMBA_CACHE_DIR to a writeable folder"):
        double = jit.compiled(lambda x: 2 * x)
    assert double(4) == 8


def run_python(code, path):
    found = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(path)},
    )
    assert found.returncode == 0, found.stderr
    return found.stdout.strip()
