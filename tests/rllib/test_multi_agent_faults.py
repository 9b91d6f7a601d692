"""What an environment gets wrong is named: agent, copy, step, likely cause and cure."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from rllib_lase.rllib.joint_env import EnvironmentFault
from rllib_lase.rllib.multi_agent_copies import MultiAgentEnvCopies
from tests.rllib.line_copies import line, new_obs, run, started
from tests.rllib.line_env import AGENTS, Line, spoiled


class Boom(Exception):
    pass


def throw(step: int, answer: Any) -> Any:
    if step == 3:
        raise Boom("no fuel")
    return answer


FAULTS = {
    "nan reward": (spoiled(1, "cook", np.nan), ["reward of agent 'cook'", "found nan", "finite"]),
    "inf reward": (spoiled(1, "cook", -np.inf), ["reward of agent 'cook'", "found -inf", "finite"]),
    "reward too large for float32": (spoiled(1, "cook", 1e39), ["reward of agent 'cook'", "found 1e+39"]),
    "text as reward": (
        spoiled(1, "cook", "1.0"),
        ["reward of agent 'cook'", "'1.0' (str)", "one real number"],
    ),
    "array as reward": (
        spoiled(1, "cook", np.ones(2)),
        ["reward of agent 'cook'", "shape (2,)", "one real number"],
    ),
    "None as reward": (spoiled(1, "cook", None), ["reward of agent 'cook'", "None (NoneType)"]),
    "wrong shape": (
        spoiled(0, "cook", np.zeros(4)),
        ["observation of agent 'cook'", "shape (4,)", "shape (3,)"],
    ),
    "wrong dtype": (
        spoiled(0, "cook", np.array(["a"] * 3)),
        ["observation of agent 'cook'", "dtype", "float32"],
    ),
    "nan observation": (
        spoiled(0, "cook", np.full(3, np.nan)),
        ["observation of agent 'cook'", "nan at [0]"],
    ),
    "missing observation": (
        spoiled(0, "cook", ...),
        ["observation of agent 'cook'", "turns", "MultiAgentEnvRunner"],
    ),
    "unknown agent": (
        spoiled(1, "guest", 0.0),
        ["rewards of step()", "unknown agents 'guest'", "possible_agents"],
    ),
    "list for a dict": (
        lambda step, answer: (*answer[:1], [1.0], *answer[2:]) if step == 3 else answer,
        ["rewards of step()", "found a list", "a dict"],
    ),
    "four parts": (lambda step, answer: answer[:4] if step == 3 else answer, ["a tuple of 4", "terminateds"]),
    "exception": (throw, ["step()", "Boom: no fuel"]),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_with_agent_copy_and_step(fault: str) -> None:
    spoil, words = FAULTS[fault]
    copies = MultiAgentEnvCopies(
        lambda config: Line({"spoil": spoil, "horizon": 9} if config.vector_index == 1 else {}),
        {},
        2,
        10,
        "Line",
    )
    obs = new_obs(copies)
    copies.reset(0, obs)
    run(copies, obs, 2)
    with pytest.raises(EnvironmentFault) as caught:
        run(copies, obs, 1)
    message = str(caught.value)
    for word in [
        "Line, copy 1 (env index 11)",
        "step 3 of episode 0",
        "xpected",
        "Likely cause",
        "Cure",
        *words,
    ]:
        assert word in message, message
    assert isinstance(caught.value.__cause__, Boom) == (fault == "exception")


@pytest.mark.parametrize(
    ("part", "value", "words"),
    [
        (1, np.nan, "last step of episode 0: reward of agent 'cook'"),
        (0, np.full(3, np.inf), "step 4 of episode 0: observation of agent 'cook': found inf at [0]"),
    ],
)
def test_a_fault_in_the_last_step_of_an_episode_is_not_lost_in_the_reset(
    part: int, value: Any, words: str
) -> None:
    copies, obs = started(horizon=4, spoil=spoiled(part, "cook", value, when=4))
    run(copies, obs, 3)
    with pytest.raises(EnvironmentFault, match=re.escape(words)):
        run(copies, obs, 1)


def test_values_outside_the_space_are_found_in_the_first_steps() -> None:
    copies, obs = started(spoil=spoiled(0, "cook", np.array([0, -101, 0], np.float32), when=2))
    run(copies, obs, 1)
    with pytest.raises(
        EnvironmentFault, match=r"found -101.0 at \[1\]; expected a value in \[-100.0, 100.0\]"
    ):
        run(copies, obs, 1)


def test_an_observation_outside_a_discrete_space_is_found_at_any_time() -> None:
    copies, obs = started(
        changes={"observation_spaces": dict.fromkeys(AGENTS, spaces.Discrete(2))},
        horizon=9,
        spoil=lambda step, answer: (dict.fromkeys(answer[0], 2 if step == 7 else 1), *answer[1:]),
    )
    run(copies, obs, 6)
    with pytest.raises(EnvironmentFault, match=r"found 2 \(int\); expected Discrete\(2\)"):
        run(copies, obs, 1)


def test_a_missing_key_of_a_dict_observation_is_named() -> None:
    space = spaces.Dict({"near": spaces.Discrete(2), "far": spaces.Tuple((spaces.Box(0, 1, (1,)),))})
    good = {"near": 1, "far": (np.zeros(1),)}
    for bad, words in (
        ({"near": 1}, r"found \['near'\]; expected a dict with the keys \['far', 'near'\]"),
        ({**good, "far": (np.zeros(2),)}, r"found \['far'\]\[0\]: shape \(2,\); expected shape \(1,\)"),
    ):
        copies, obs = started(
            changes={"observation_spaces": dict.fromkeys(AGENTS, space)},
            spoil=lambda step, answer, bad=bad: (
                dict.fromkeys(answer[0], bad if step else good),
                *answer[1:],
            ),
        )
        with pytest.raises(EnvironmentFault, match=words):
            run(copies, obs, 1)


def test_a_fault_of_the_reset_is_named() -> None:
    copies = line(spoil=lambda step, answer: answer[0])
    with pytest.raises(EnvironmentFault, match=r"first observation of episode 0: reset\(\): found a dict"):
        copies.reset(0, new_obs(copies))


def test_an_exception_of_the_constructor_is_chained() -> None:
    def create(config: Any) -> Line:
        raise Boom("no licence")

    with pytest.raises(
        EnvironmentFault, match=r"copy 0 \(env index 3\): the constructor threw Boom: no licence"
    ) as e:
        MultiAgentEnvCopies(create, {}, 1, 3, "Line")
    assert isinstance(e.value.__cause__, Boom)


def test_an_agent_that_is_missing_at_the_start_is_refused_with_the_way_out() -> None:
    copies = line(spoil=spoiled(0, "cook", ..., when=0))
    with pytest.raises(EnvironmentFault, match=r"none of 'cook'.*turns or enter later.*MultiAgentEnvRunner"):
        copies.reset(0, new_obs(copies))


def test_an_agent_that_enters_again_is_refused() -> None:
    copies, obs = started(
        leave={"cook": (1, "terminated")}, spoil=spoiled(0, "cook", np.zeros(3, np.float32), when=2)
    )
    run(copies, obs, 1)
    with pytest.raises(EnvironmentFault, match=r"'cook'.*although the agent had left"):
        run(copies, obs, 1)


def test_a_reward_after_leaving_is_refused_unless_it_is_zero() -> None:
    leave = {"cook": (1, "terminated")}
    copies, obs = started(leave=leave, spoil=spoiled(1, "cook", 0.0, when=2))
    assert run(copies, obs, 2).rewards[2].tolist() == [0, 0]
    copies, obs = started(leave=leave, spoil=spoiled(1, "cook", 1.5, when=2))
    with pytest.raises(
        EnvironmentFault, match=r"reward of agent 'cook': found 1.5, although the agent had left"
    ):
        run(copies, obs, 2)


def test_a_truncation_without_the_last_observation_is_refused() -> None:
    copies, obs = started(leave={"cook": (1, "truncated")}, spoil=spoiled(0, "cook", ..., when=1))
    with pytest.raises(EnvironmentFault, match="'cook': found none in the step in which it was truncated"):
        run(copies, obs, 1)
