from __future__ import annotations

import itertools

import numpy as np
import pytest
from gymnasium import spaces

from rllib_lase import check_env
from rllib_lase.cli.entry import run as lase
from tests.rllib.crowd_env import AGENTS, Crowd
from tests.rllib.line_env import Line, spoiled

PATH = "tests.rllib.crowd_env:make_crowd"


def test_a_sound_parallel_env_has_no_faults_and_its_story_is_told():
    report = check_env(lambda config: Crowd(leave={"bob": (2, "terminated")}, horizon=5), num_episodes=2)
    assert report.ok, report
    assert report.facts["agents"] == "3"
    assert report.facts["'zoe', 'adam', 'bob'"] == "observes Box(-1.0, 99.0, (2,), float64), acts Discrete(3)"
    assert report.facts["episode lengths"] == "5, 5"
    assert report.facts["left before the others"] == "'bob'"
    assert "the same seed gives the same episodes" in report.passed
    assert any("PettingZoo's contract: api" in check for check in report.passed)


def test_a_sound_multi_agent_env_has_no_faults_and_no_advice():
    report = check_env(Line, {"leave": {"cook": (1, "truncated")}})
    assert report.ok
    assert not report.advice
    assert str(report).startswith("Line: no faults\n  passed  3 episodes")


def test_a_parallel_env_class_gets_its_options_as_keywords():
    report = check_env(Crowd, {"horizon": 4}, num_episodes=2)
    assert report.ok, report
    assert report.facts["episode lengths"] == "4, 4"


def test_an_environment_that_breaks_only_the_second_time_is_a_fault():
    made = itertools.count()

    class Once(Crowd):
        def step(self, actions):
            if self.number > 0:
                raise RuntimeError("the port is taken")
            return super().step(actions)

    def make(config):
        env = Once()
        env.number = next(made)
        return env

    report = check_env(make)
    assert len(report.faults) == 1
    assert "in a second copy: " in report.faults[0]
    assert "the port is taken" in report.faults[0]


def test_what_is_not_installed_is_told_in_its_own_words():
    def make(config):
        raise ImportError("needs walkers. Cure: pip install walkers")

    (fault,) = check_env(make).faults
    assert fault.endswith("needs walkers. Cure: pip install walkers")


def test_an_environment_is_checked_as_it_is_too():
    assert check_env(Crowd()).ok
    assert check_env("snowdrift", {"max_cycles": 10}).facts["episode lengths"] == "10, 10, 10"


def test_an_episode_without_an_end_is_one_clear_fault():
    report = check_env(lambda config: Crowd(horizon=None), max_steps=30)
    assert len(report.faults) == 1
    for words in (
        "episode 0 is not over after 30 steps",
        "expected one horizon for all agents",
        "max_cycles",
    ):
        assert words in report.faults[0]


def test_a_space_that_changes_is_one_clear_fault():
    sizes = itertools.count(2)

    class Growing(Crowd):
        def action_space(self, agent):
            return spaces.Discrete(next(sizes))

    report = check_env(lambda config: Growing())
    assert len(report.faults) == 1
    assert "action_space of agent 'zoe' is now Discrete(" in report.faults[0]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (
            spoiled(0, "cook", np.array([0, -101, 0], np.float32), when=4),
            "step 4 of episode 0: observation of",
        ),
        (spoiled(1, "cook", np.nan, when=4), "reward of agent 'cook': found nan"),
    ],
)
def test_what_shows_only_late_in_an_episode_is_found(spoil, words):
    report = check_env(Line, {"spoil": spoil, "horizon": 6})
    assert len(report.faults) == 1
    assert words in report.faults[0]
    assert "FAULT" in str(report)


def test_an_environment_that_cannot_be_made_is_a_fault():
    (fault,) = check_env(lambda config: Crowd(no_such_option=1)).faults
    assert "the constructor threw TypeError" in fault


def test_a_seed_that_does_not_fix_the_episode_is_advice():
    class Unseeded(Crowd):
        def reset(self, seed=None, options=None):
            return super().reset(seed=None)

    report = check_env(lambda config: Unseeded())
    assert report.ok
    assert "runs will not repeat" in report.advice[0]


def test_what_only_pettingzoo_minds_is_advice():
    def leave_nobody_behind(step, answer):
        return (*answer[:-1], {}) if step else answer  # no infos

    report = check_env(lambda config: Crowd(spoil=leave_nobody_behind))
    assert report.ok
    assert any("[api]" in text for text in report.advice)


@pytest.mark.parametrize(("options", "code"), [(["horizon=3"], 0), (["horizon=none"], 1)])
def test_the_command_prints_the_report_and_tells_by_its_exit_code(options, code, capsys):
    assert lase(["check", PATH, "--game-params", *options, "--max-steps", "20", "--episodes", "1"]) == code
    printed = capsys.readouterr().out
    assert printed.startswith(f"{PATH}: {'1 fault' if code else 'no faults'}")
    assert f"agents: {len(AGENTS)}" in printed


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["no_such:env"], "GAME: environment 'no_such:env': cannot import"),
        ([PATH, "--preset", "lase"], "--preset: only our own games have presets"),
        (["cleanap"], "did you mean 'cleanup'?"),
    ],
)
def test_the_command_refuses_wrong_words(words, problem, capsys):
    assert lase(["check", *words]) == 2
    assert problem in capsys.readouterr().err


def test_lase_trains_evaluates_and_repeats_by_import_path(tmp_path, capsys):
    out = tmp_path / "run"
    small = [
        "--num-envs-per-env-runner",
        "2",
        "--rollout-fragment-length",
        "8",
        "--rounds-per-iteration",
        "1",
    ]
    words = ["train", PATH, "--env-steps", "32", "--game-params", "horizon=4", "--hidden-size", "8"]
    assert lase([*words, *small, "--out", str(out), "--evaluation-episodes", "4"]) == 0
    assert lase(["evaluate", str(out), "--episodes", "4"]) == 0
    assert "zoe" in capsys.readouterr().out
