"""What the checkers say to arguments that are not what they need, and to environments at their limits."""

import subprocess
import sys

import pytest
from pettingzoo.test.example_envs import generated_agents_parallel_v0

from mixed_motive.testing import (
    CheckFailure,
    Law,
    check_conservation,
    check_env,
    check_horizon,
    check_seed,
)
from tests.envs import broken_envs
from tests.envs.healthy_env import HealthyEnv


def keeps(step):
    return None


@pytest.mark.parametrize("verdict", [True, False, "", 0])
def test_a_law_that_says_yes_or_no_is_refused(verdict):
    law = Law("coins stay", lambda step: verdict)
    with pytest.raises(TypeError, match=rf"'coins stay': broken\(step\) returned {verdict!r}; expected None"):
        check_conservation(HealthyEnv, law)


def test_a_function_in_place_of_a_law_is_refused_before_anything_is_played():
    with pytest.raises(TypeError, match=r"keeps is a function, .* Law\('what holds, in words', keeps\)"):
        check_env(lambda: 1 / 0, laws=[keeps])
    with pytest.raises(TypeError, match="keeps is a function, expected a Law"):
        check_conservation(HealthyEnv, keeps)
    with pytest.raises(TypeError, match=r"expected the law in words, then a function"):
        Law(keeps, "coins stay")


def test_one_finding_is_one_finding():
    page = str(check_env(broken_envs.InfiniteReward, raising=False))
    assert page.startswith("coins_v0: 1 finding\n")


@pytest.mark.parametrize("check", [check_env, check_seed, lambda env_fn: check_horizon(env_fn, 4)])
def test_agents_that_are_made_up_on_the_way_are_outside_what_is_checked(check):
    with pytest.raises(CheckFailure, match=r"possible_agents is None.* outside what is checked") as caught:
        check(generated_agents_parallel_v0.parallel_env)
    assert len(caught.value.findings) == 1


def test_a_game_without_chance_is_told_how_to_be_declared():
    class NoChance(HealthyEnv):
        def seed_generator(self, seed):
            super().seed_generator(0)

    with pytest.raises(CheckFailure, match="declare it with deterministic=True if nothing"):
        check_seed(NoChance)


def test_what_builds_up_over_a_few_episodes_is_found():
    class Tires(HealthyEnv):
        episodes = 0

        def clear(self):
            super().clear()
            self.episodes += 1
            self.coins[0] = self.episodes > 6

    with pytest.raises(CheckFailure, match="after other episodes does not repeat the first one"):
        check_seed(Tires)


def test_the_laws_need_no_import_of_their_own():
    code = "import mixed_motive.testing; print(mixed_motive.testing.laws.laws_of.__name__)"
    paths = f"import sys; sys.path[:] = {[path for path in sys.path if path]!r}\n"
    done = subprocess.run([sys.executable, "-c", paths + code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "laws_of", done.stderr
