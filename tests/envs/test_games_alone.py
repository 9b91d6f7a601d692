"""The games where nothing else is installed: a virtual environment with the package, without its extras."""

import os
import subprocess
import venv
from pathlib import Path

import pytest

import mixed_motive

pytestmark = pytest.mark.learning  # for its length: pip installs numba, and every kernel is compiled

CHECKOUT = Path(__file__).parents[2]
PLAY = """
import importlib.util, sys, time
import mixed_motive, rllib_lase

assert mixed_motive.__file__.startswith(sys.prefix), mixed_motive.__file__
start = time.perf_counter()
for game_id, spec in mixed_motive.GAMES.items():
    for preset in spec.presets:
        game = mixed_motive.make(game_id, 2, preset)
        obs = game.reset(seed=0)
        step = game.step([[0] * game.num_agents] * 2)
        assert step.obs.shape == obs.shape == (2, game.num_agents, *game.observation_space.shape)
    env = mixed_motive.parallel_env(game_id, render_mode="rgb_array")
    env.reset(seed=0)
    while env.agents:
        env.step({agent_id: env.action_space(agent_id).sample() for agent_id in env.agents})
    assert env.render().ndim == 3
    print(game_id)
extras = ("ray", "torch", "pandas", "matplotlib", "PIL", "pygame")
print([name for name in extras if importlib.util.find_spec(name) is not None])
"""


def call(*words: str | Path, cwd: Path, **variables: str) -> str:
    # Neither the checkout nor this interpreter's packages are seen.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        words, capture_output=True, text=True, check=False, cwd=cwd, timeout=900, env=inherited | variables
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_game_is_played_with_what_pip_installs_without_extras(tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    pip = ("-m", "pip", "--disable-pip-version-check")
    call(python, *pip, "install", "-c", CHECKOUT / "constraints.txt", CHECKOUT, cwd=tmp_path)
    installed = {line.split("==")[0].lower() for line in call(python, *pip, "freeze", cwd=tmp_path).split()}
    assert {"numba", "numpy", "gymnasium", "pettingzoo"} <= installed
    assert not {"ray", "torch"} & installed

    cache = tmp_path / "cache"
    files = []
    for _ in range(2):  # compiled, then from the cache
        *played, extras = call(python, "-c", PLAY, cwd=tmp_path, NUMBA_CACHE_DIR=str(cache)).splitlines()
        assert played == list(mixed_motive.GAMES)
        assert extras == "[]"
        files.append(sorted(cache.rglob("*.nbc")))
    assert files[0]
    assert files[0] == files[1]
