import contextlib
import functools
import importlib.util
import io
import pickle
import re
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from pettingzoo.test import parallel_api_test, parallel_seed_test

from mixed_motive.testing import (
    CheckFailure,
    Finding,
    Law,
    check_api,
    check_conservation,
    check_env,
    check_horizon,
    check_rate,
    check_symmetry,
    count_events,
)
from tests.envs import broken_envs, broken_rendering_envs
from tests.envs.healthy_env import CHANCE, COINS, HealthyEnv, coin_fell, coins_on

HAS_PYGAME = importlib.util.find_spec("pygame") is not None

# By check: environment, what is said, and what PettingZoo's parallel_api_test and parallel_seed_test do:
# pass without a word ("passes"), pass with warnings ("warns"), or fail ("fails").
BROKEN = {
    "api": [
        ("NewObservationSpaces", "observation_space.. gave a new object", "fails"),
        ("NewActionSpaceAfterReset", "action_space.. gave a new object", "passes"),
        ("SpacesOnlyOfTheLiving", "observation_space.. raised ValueError: not in the game", "passes"),
        ("PossibleAgentsShrink", r"possible_agents changed from .* to \['agent_", "warns"),
        ("TwiceInAgents", "agents has a name twice", "passes"),
        ("ResetWithoutInfos", "step 0, seed 0: reset.. returned a dict", "fails"),
        ("FirstInfosMissing", "infos of reset.. have no entry for", "fails"),
        ("LastInfosMissing", r"infos of step.. have no entry for \['agent_", "warns"),
        ("LastObservationsMissing", r"observations of step.. have no entry for \['agent_", "warns"),
        ("RewardsForTheDeparted", r"rewards of step.. have an entry for \['agent_", "warns"),
        ("AllFlag", r"terminations of step.. have an entry for \['__all__'\]", "warns"),
        ("TerminatedStay", "'agent_.'.*: terminated or truncated, but still in `agents`", "fails"),
        ("LeavesWithoutFlag", "step 7, seed 0: left `agents` without being terminated", "fails"),
        ("ComesBack", "an agent that had left is in `agents` again", "fails"),
        ("StepsBeforeReset", "step.. before the first reset.. was accepted", "passes"),
        ("StepsAfterTheEnd", "step 30, seed 0: step.. after the end of the episode was accepted", "passes"),
        ("NeverEnds", "the episode goes on after 200 steps", "passes"),
        ("RewardIsAnArray", "reward is of type ndarray", "passes"),
        ("FlagsAreNumbers", "termination is of type int: 0", "passes"),
        ("InfoIsNone", "info is of type NoneType", "passes"),
        ("EatsTheActions", r"step.. changed its argument: .*agent_0", "passes"),
        ("RaisesInTheLastStep", "step 30, seed 0: step raised ZeroDivisionError: division by zero", "fails"),
    ],
    "seed": [
        ("IgnoresTheSeed", "episode 0, step 0, .* two environments with the same seed .* differ", "fails"),
        ("UnseededAfterStepTen", "step [12].,.* two environments with the same seed .* differ", "passes"),
        ("SecondEpisodeUnseeded", "the same episode also after reset.. without a seed", "passes"),
        ("SeedsNumpy", "NumPy's global generator .np.random. was used", "passes"),
        ("DrawsFromRandom", "Python's global generator .the random module. was used", "fails"),
        ("SameForEverySeed", "seeds 0 to 4 give the same episode under the same actions", "passes"),
        ("RepeatsTheEpisode", "every reset.. without a seed repeats the first episode", "passes"),
        ("KeepsTheCoins", "reset.seed. after other episodes does not repeat the first one", "passes"),
        ("OneGeneratorForAll", "another environment that is stepped beside this one changes it", "passes"),
    ],
    "observations": [
        ("DoublePrecision", "observation has dtype float64. Expected: dtype float32", "passes"),
        ("SafelyCastDtype", "observation has dtype float16. Expected: dtype float32", "passes"),
        ("ListObservation", "observation is of type list", "passes"),
        ("NothingToSeeAtTheEnd", r"step 30, seed 0: observation has shape \(1,\)", "passes"),
        ("ClockRunsOver", r"step 30, seed 0: observation\[10\] is 1.03.* a value in \[0.0, 1.0\]", "passes"),
        ("NanObservation", r"observation\[0\] is NaN", "fails"),
    ],
    "aliasing": [
        ("OneBuffer", "observations returned at step 0 have changed since", "passes"),
        ("OneDictOfRewards", "rewards returned at step 1 have changed since", "passes"),
        ("ObservesItsState", "writing into observations changed the game", "passes"),
    ],
    "rewards": [("InfiniteReward", "reward is inf. Expected: a finite number", "passes")],
    "horizon": [
        (
            "HorizonIsTermination",
            "whoever reached the horizon was terminated. Expected: truncation",
            "passes",
        ),
        ("HorizonIsBoth", "whoever reached the horizon was terminated and truncated", "passes"),
        ("OneStepTooMany", "step 4, seed 0: goes on after the horizon", "passes"),
        ("OneStepTooFew", "step 3, seed 0: truncated before the horizon", "passes"),
    ],
    "rendering": [
        ("FloatFrames", "render.. gave a float64 array. Expected: a uint8 array", "passes"),
        ("ChannelsFirst", r"render.. gave an array of shape \(3, 16, 64\)", "passes"),
        ("FrozenPicture", "render.. gave the same picture in all 31 states", "passes"),
        ("OneCanvas", "the frame that render.. returned before has changed", "passes"),
        ("BytesForText", "render.. gave a bytes. Expected: a str", "passes"),
        ("FrameForHumans", "render.. gave a ndarray for 'human'. Expected: None", "passes"),
        ("OpensAWindowAtOnce", "a pygame display was opened by construction", "passes"),
        ("RenderingRollsDice", "the same episode went another way with render_mode='rgb_array'", "passes"),
        ("ForgetsItsMode", "render_mode is None after construction with 'rgb_array'", "passes"),
        ("ClosesOnce", "the second close.. raised AttributeError", "passes"),
    ],
    "conservation": [("CoinsMelt", r"coins picked, -\d fallen. Expected: coins.t \+ 1. = coins", "passes")],
    "symmetry": [("FirstComesFirst", r"'agent_.*: mean return .* standard errors apart in 2000", "passes")],
    "rate": [("TwoTries", "coins: .* a rate of 0.5.*about 0.3 .so far off by chance", "passes")],
}
CASES = [(check, *case) for check, cases in BROKEN.items() for case in cases]
NAMES = [name for _, name, _, _ in CASES]
ENVS = {**vars(broken_envs), **vars(broken_rendering_envs)}
NEEDS_PYGAME = {"FrameForHumans", "OpensAWindowAtOnce"}


def find(check, env_class):
    """All that is found in an environment; by the one check where `check_env` does not run it."""
    try:
        if check == "symmetry":
            check_symmetry(env_class)
        elif check == "rate":
            check_rate(*count_events(env_class, coin_fell, read_state=coins_on), CHANCE, what="coins")
        else:
            check_env(env_class, laws=[COINS], max_steps=200)
    except CheckFailure as failure:
        return failure.findings
    return ()


def test_every_broken_environment_is_in_the_table_and_has_a_message_of_its_own():
    defined = {name for name, value in ENVS.items() if isinstance(value, type)}
    assert defined - {"HealthyEnv"} == set(NAMES)
    assert len({says for _, _, says, _ in CASES}) == len(CASES) >= 25
    assert sum(verdict == "passes" for *_, verdict in CASES) >= 25


@pytest.mark.parametrize(("check", "name", "says", "_"), CASES, ids=NAMES)
def test_a_broken_environment_is_caught_once_and_with_its_own_message(check, name, says, _):
    if name in NEEDS_PYGAME and not HAS_PYGAME:
        pytest.skip("pygame is not installed")
    (finding,) = find(check, ENVS[name])
    assert finding.check == check
    fitting = [other for _, other, pattern, _ in CASES if re.search(pattern, str(finding))]
    assert fitting == [name], str(finding)


@pytest.mark.parametrize(("name", "verdict"), [(name, v) for _, name, _, v in CASES], ids=NAMES)
def test_what_the_checks_of_pettingzoo_make_of_it_is_what_the_table_says(name, verdict):
    env_class = ENVS[name]
    with warnings.catch_warnings(record=True) as said, contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("always")
        try:
            parallel_api_test(env_class(), num_cycles=100)
            parallel_seed_test(env_class)
        except Exception:
            found = "fails"
        else:
            found = "warns" if said else "passes"
    assert found == verdict


def test_a_healthy_environment_passes_everything():
    report = check_env(HealthyEnv, symmetric=True, laws=[COINS])
    assert report.ok
    assert len(report.passed) == 10
    assert report.skipped == {}
    check_rate(*count_events(HealthyEnv, coin_fell, read_state=coins_on), CHANCE)


def test_findings_are_raised_together_and_can_be_printed():
    class TwoFaults(broken_envs.ClockRunsOver, broken_envs.InfiniteReward):
        pass

    with pytest.raises(CheckFailure) as caught:
        check_env(TwoFaults)
    assert isinstance(caught.value, AssertionError)
    assert [finding.check for finding in caught.value.findings] == ["observations", "rewards"]
    assert str(caught.value).startswith(
        "2 findings\n  - [observations] 'agent_0', episode 0, step 30, seed 0"
    )
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    page = str(check_env(TwoFaults, raising=False))
    assert page.startswith("coins_v0: 2 findings\n  FAILED  [observations]")
    assert "  passed  seed\n" in page
    assert "  skipped symmetry: not declared: symmetric=True\n" in page


def test_what_an_environment_cannot_do_is_skipped_with_the_reason():
    class NoArguments(HealthyEnv):
        def __init__(self):
            super().__init__()

    report = check_env(NoArguments)
    assert set(report.skipped) == {"horizon", "rendering", "symmetry", "conservation"}
    assert "takes no max_cycles" in report.skipped["horizon"]
    report = check_env(broken_envs.StepsAfterTheEnd, symmetric=True, laws=[COINS], raising=False)
    assert report.skipped == dict.fromkeys(("symmetry", "conservation"), "the contract is broken")


def test_what_is_no_environment_is_said_to_be_none():
    with pytest.raises(CheckFailure, match=r"gave a dict. Expected: a pettingzoo.ParallelEnv"):
        check_api(dict)
    with pytest.raises(CheckFailure, match=r"env_fn\(\) raised ZeroDivisionError"):
        check_env(lambda: 1 / 0)


def test_a_game_of_chance_is_not_deterministic_and_one_without_chance_must_be_declared():
    class NoChance(HealthyEnv):
        def seed_generator(self, seed):
            self.rng = np.random.default_rng(0)

    with pytest.raises(CheckFailure, match=r"\[seed\] seed 0: declared deterministic, but"):
        check_env(HealthyEnv, deterministic=True)
    assert check_env(NoChance, deterministic=True).ok


def test_a_horizon_that_nobody_reaches_is_no_horizon_checked():
    class AllLeave(HealthyEnv):
        def leaves(self, agent):
            return True

    with pytest.raises(CheckFailure, match="in 5 episodes nobody reached the horizon of 9 steps"):
        check_horizon(functools.partial(AllLeave, max_cycles=9), 9)


def test_masked_actions_are_never_taken_and_a_policy_plays_instead_of_random_actions():
    taken = set()

    class Masked(HealthyEnv):
        def results(self, *args):
            obs, rewards, terminations, truncations, infos = super().results(*args)
            for info in infos.values():
                info["action_mask"] = np.array([0, 1, 1], np.int8)
            return obs, rewards, terminations, truncations, infos

        def pick(self, acting):
            taken.update(self.actions.values())
            return super().pick(acting)

        def refuse(self, actions):
            super().refuse(actions)
            self.actions = actions if self.time else {}

    assert check_env(Masked).ok
    assert {int(action) for action in taken} == {1, 2}
    stays = functools.partial(count_events, HealthyEnv, lambda step: set(step.actions.values()) == {1})
    assert stays(num_episodes=2, policy=lambda agent_id, obs, rng: 1) == (60, 60)


def test_the_law_of_another_game_is_broken():
    def broken(step):
        return None if step.after == 2 * step.before else "no"

    doubled = Law("coins double", broken, coins_on)
    with pytest.raises(CheckFailure, match=r"episode 0, step \d+, seed 0: no. Expected: coins double. Cure"):
        check_conservation(HealthyEnv, doubled)


def test_the_example_of_the_page_runs_and_its_numbers_are_those_of_the_table(capsys):
    page = (Path(__file__).parents[2] / "docs" / "testing.md").read_text(encoding="utf-8")
    namespace = {}
    for example in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(compile(example, "docs/testing.md", "exec"), namespace)
    assert capsys.readouterr().out.startswith("snowdrift_v0: no findings\n  passed  construction\n")
    verdicts = [verdict for *_, verdict in CASES]
    words = " ".join(page.split())
    assert f"tests of this package have {len(CASES)} environments with one fault each" in words
    assert f"pass {verdicts.count('passes')} of them without a word" in words
    assert verdicts.count("warns") == 5
    assert "five more pass with a warning" in words


def test_the_checkers_import_neither_ray_nor_torch_and_come_with_the_package():
    code = """
import sys, mixed_motive
assert "pettingzoo" not in sys.modules and "mixed_motive.testing" not in sys.modules
mixed_motive.testing.check_env
import mixed_motive.testing.laws
print(sorted({"ray", "torch", "numba", "pygame", "scipy", "rllib_lase"} & set(sys.modules)))
"""
    paths = f"import sys; sys.path[:] = {[path for path in sys.path if path]!r}\n"
    done = subprocess.run([sys.executable, "-c", paths + code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr


def test_a_finding_names_only_the_places_that_it_has():
    assert str(Finding("rate", "a", "b", "c")) == "[rate] a. Expected: b. Cure: c."
    placed = Finding("api", "a", "b", "c", "x", 0, 1, 2)
    assert str(placed).startswith("[api] 'x', episode 0, step 1, seed 2: a. Expected")


def test_an_environment_in_place_of_what_makes_one_is_named():
    with pytest.raises(CheckFailure, match=r"env_fn is a HealthyEnv.*give the class"):
        check_env(HealthyEnv())
