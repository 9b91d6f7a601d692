"""Who plays, in which order, and what they see and do; which agents and spaces are refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from ray.rllib.env.wrappers.pettingzoo_env import PettingZooEnv

from rllib_lase.rllib.joint_env import EnvironmentFault
from rllib_lase.rllib.multi_agent_copies import MultiAgentEnvCopies
from tests.rllib.line_copies import line, new_obs, run, started
from tests.rllib.line_env import AGENTS, Line


def test_agents_keep_the_order_that_the_environment_gives_them() -> None:
    copies = line()
    assert copies.agent_ids == AGENTS
    assert list(copies.observation_spaces) == list(copies.action_spaces) == list(AGENTS)


def test_agents_given_as_a_set_are_sorted_with_their_numbers_as_numbers() -> None:
    assert line(changes={"possible_agents": set(AGENTS)}).agent_ids == ("cook", "walker_2", "walker_10")


def test_agents_that_rllib_inferred_from_a_set_are_sorted_too() -> None:
    assert line(changes={"_agent_ids": set(AGENTS)}).agent_ids == ("cook", "walker_2", "walker_10")


def test_numbers_as_agent_ids_become_text_outside_and_stay_numbers_inside() -> None:
    ids = {"possible_agents": [0, 1], "observation_spaces": None, "action_spaces": None}
    general = {"observation_space": spaces.Discrete(2), "action_space": spaces.Discrete(2)}
    seen = []

    class Numbered(Line):
        def reset(self, *, seed=None, options=None):
            return {0: 0, 1: 1}, {}

        def step(self, action_dict):
            seen.append(action_dict)
            return {0: 0, 1: 1}, {0: 0.5}, {"__all__": False}, {"__all__": False}, {}

    copies = MultiAgentEnvCopies(Numbered, {"changes": {**ids, **general}}, 1)
    obs = new_obs(copies)
    copies.reset(0, obs)
    outcome = copies.step(np.array([[1], [0]]), obs)
    assert copies.agent_ids == ("0", "1")
    assert seen == [{0: 1, 1: 0}]
    assert outcome.rewards.tolist() == [[0.5], [0.0]]


def test_spaces_may_stand_in_one_old_dict_space() -> None:
    old = {
        "observation_space": spaces.Dict(dict.fromkeys(AGENTS, spaces.Box(-100, 100, (3,), np.float32))),
        "action_space": spaces.Dict(dict.fromkeys(AGENTS, spaces.Discrete(5))),
    }
    copies = line(changes={"observation_spaces": None, "action_spaces": None, **old})
    assert copies.action_spaces["cook"] == spaces.Discrete(5)
    assert copies.observation_spaces["cook"].shape == (3,)


def test_actions_start_where_the_environments_space_starts() -> None:
    copies, obs = started(1, changes={"action_spaces": dict.fromkeys(AGENTS, spaces.Discrete(3, start=10))})
    assert copies.action_spaces["cook"] == spaces.Discrete(3)
    np.testing.assert_array_equal(run(copies, obs, 1).rewards, [[11]] * 3)


@pytest.mark.parametrize(
    ("space", "raw", "encoded", "dtype"),
    [
        (
            spaces.Box(0, 255, (2, 2), np.uint8),
            np.full((2, 2), 200, np.uint8),
            [[200, 200], [200, 200]],
            np.uint8,
        ),
        (spaces.Box(0, 9, (2,), np.int64), np.array([3, 4]), [3, 4], np.float32),
        (spaces.Box(-np.inf, np.inf, (2,), np.float64), np.array([0.5, -2]), [0.5, -2], np.float32),
        (spaces.Box(-1, 1, (), np.float32), np.float32(0.5), [0.5], np.float32),
        (spaces.Discrete(3), 2, [0, 0, 1], np.float32),
        (spaces.Discrete(3, start=5), np.int64(6), [0, 1, 0], np.float32),
        (spaces.MultiBinary(2), np.array([1, 0], np.int8), [1, 0], np.float32),
        (spaces.MultiDiscrete([2, 3]), np.array([1, 0]), [0, 1, 1, 0, 0], np.float32),
        (
            spaces.Dict({"b": spaces.Discrete(2), "a": spaces.Box(0, 1, (2,), np.float32)}),
            {"a": np.array([0.25, 0.5], np.float32), "b": 1},
            [0.25, 0.5, 0, 1],
            np.float32,
        ),
        (spaces.Tuple((spaces.Discrete(2), spaces.Discrete(2))), (0, 1), [1, 0, 0, 1], np.float32),
    ],
)
def test_observations_of_every_supported_space_become_arrays(
    space: spaces.Space[Any], raw: Any, encoded: list[float], dtype: type
) -> None:
    copies = line(
        1,
        changes={"observation_spaces": dict.fromkeys(AGENTS, space)},
        spoil=lambda step, answer: (dict.fromkeys(answer[0], raw), *answer[1:]),
    )
    obs = new_obs(copies)
    copies.reset(0, obs)
    box = copies.observation_spaces["cook"]
    assert isinstance(box, spaces.Box)
    assert (box.dtype, obs[0].dtype) == (dtype, dtype)
    np.testing.assert_array_equal(obs[0][1, 0], encoded)
    assert box.contains(obs[0][1, 0])


def test_agents_whose_observations_differ_stand_in_different_groups() -> None:
    mixed = {
        "walker_2": spaces.Box(-100, 100, (3,), np.float32),
        "walker_10": spaces.Discrete(4),
        "cook": spaces.Box(-100, 100, (3,), np.float32),
    }
    copies = line(
        changes={"observation_spaces": mixed},
        spoil=lambda step, answer: ({**answer[0], "walker_10": 3}, *answer[1:]),
    )
    obs = new_obs(copies)
    copies.reset(0, obs)
    run(copies, obs, 1)
    assert copies.groups == ((0, 2), (1,))
    np.testing.assert_array_equal(obs[0][:, :, :2], 1)
    np.testing.assert_array_equal(obs[1], [[[0, 0, 0, 1]] * 2])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"possible_agents": [], "agents": []}, "no agents.*possible_agents"),
        ({"possible_agents": ["1", 1]}, "not distinct"),
        ({"observation_spaces": None}, "observation space of agent 'walker_2': found None"),
        (
            {"action_spaces": {"cook": spaces.Discrete(2)}},
            r"action space of agent 'walker_2'.*keys \['cook'\]",
        ),
        (
            {"action_spaces": dict.fromkeys(AGENTS, spaces.Box(0, 1, (2, 2)))},
            r"action space of agent 'walker_2' is Box.*shape \(2, 2\).*expected Discrete, Multi.*flatten",
        ),
        (
            {"action_spaces": dict.fromkeys(AGENTS, spaces.Box(0, 5, (2,), np.int64))},
            r"is Box.*dtype int64.*Cure: number the actions",
        ),
        (
            {"action_spaces": dict.fromkeys(AGENTS, spaces.Box(-np.inf, 1, (2,)))},
            "without a finite range.*bound the Box",
        ),
        (
            {"action_spaces": {**dict.fromkeys(AGENTS, spaces.Box(0, 1, (2,))), "cook": spaces.Discrete(3)}},
            r"'cook': Discrete\(3\); expected discrete actions for all agents .*a Box.*Cure",
        ),
        (
            {
                "action_spaces": {
                    **dict.fromkeys(AGENTS, spaces.Box(0, 1, (2,))),
                    "cook": spaces.Box(0, 1, (1,)),
                }
            },
            r"'cook': Box.*\(1,\).*Cure: pad the Boxes to one shape",
        ),
        (
            {"action_spaces": dict.fromkeys(AGENTS, spaces.MultiDiscrete([100, 100]))},
            r"is MultiDiscrete\(\[100 100\]\), with 10000 combinations.*Cure.*coarser",
        ),
        (
            {"observation_spaces": dict.fromkeys(AGENTS, spaces.Dict({"said": spaces.Text(5)}))},
            "observation space of agent 'walker_2' is or contains Text.*Cure",
        ),
    ],
)
def test_what_is_not_supported_is_refused_by_name_when_the_copies_are_made(
    changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(EnvironmentFault, match=words):
        line(changes=changes)


def test_copies_that_differ_are_refused() -> None:
    def create(config: Any) -> Line:
        return Line({"changes": {"possible_agents": list(AGENTS[: 3 - config.vector_index])}})

    with pytest.raises(EnvironmentFault, match=r"copy 1.*expected the same in all copies.*vector_index"):
        MultiAgentEnvCopies(create, {}, 2)


def test_other_kinds_of_environments_are_refused_with_the_wrapper_that_helps() -> None:
    import gymnasium

    with pytest.raises(EnvironmentFault, match=r"CartPoleEnv, expected a PettingZoo Paral.*derive the class"):
        MultiAgentEnvCopies(lambda config: gymnasium.make("CartPole-v1").unwrapped, {}, 1)


def test_an_environment_in_turns_is_refused() -> None:
    from mixed_motive import ipd_v0

    with pytest.raises(EnvironmentFault, match=r"agents act in turns.*MultiAgentEnvRunner"):
        MultiAgentEnvCopies(lambda config: PettingZooEnv(ipd_v0.env()), {}, 1)
