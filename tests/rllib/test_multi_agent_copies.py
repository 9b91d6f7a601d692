from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from ray.rllib.env.env_context import EnvContext
from ray.rllib.env.multi_agent_env import MultiAgentEnv
from ray.rllib.env.wrappers.pettingzoo_env import ParallelPettingZooEnv, PettingZooEnv

from rllib_lase.rllib.joint_env import EnvironmentFault, JointStep
from rllib_lase.rllib.multi_agent_copies import MultiAgentEnvCopies, copy_seed
from tests.rllib.line_env import AGENTS, Line

ONES = np.ones((3, 3), np.int64)


def line(num_envs: int = 2, first: int = 0, **config: Any) -> MultiAgentEnvCopies:
    return MultiAgentEnvCopies(Line, config, num_envs, first, "Line")


def new_obs(copies: MultiAgentEnvCopies) -> list[np.ndarray]:
    return [np.full_like(final, 7) for final in copies.final_obs]


def started(num_envs: int = 2, **config: Any) -> tuple[MultiAgentEnvCopies, list[np.ndarray]]:
    copies = line(num_envs, **config)
    obs = new_obs(copies)
    copies.reset(0, obs)
    return copies, obs


def run(copies: MultiAgentEnvCopies, obs: list[np.ndarray], steps: int) -> JointStep:
    for _ in range(steps):
        outcome = copies.step(ONES[:, : copies.num_envs], obs)
    return outcome


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


def test_each_copy_gets_its_own_seed_from_its_index_over_all_runners() -> None:
    made: list[Line] = []

    def create(config: Any) -> Line:
        made.append(Line(config))
        return made[-1]

    copies = MultiAgentEnvCopies(create, {"horizon": 1}, 3, 4)
    obs = new_obs(copies)
    copies.reset(11, obs)
    run(copies, obs, 2)
    expected = [copy_seed(11, index) for index in (4, 5, 6)]
    assert [env.seeds for env in made] == [[seed, None, None] for seed in expected]
    assert len(set(expected)) == 3
    assert all(0 <= seed < 2**31 for seed in expected)


def test_a_copy_sees_the_same_in_any_batch() -> None:
    together, apart = line(4), line(2, first=2)
    all_obs, some_obs = new_obs(together), new_obs(apart)
    together.reset(5, all_obs)
    apart.reset(5, some_obs)
    for _ in range(6):
        together.step(np.ones((3, 4), np.int64), all_obs)
        apart.step(ONES[:, :2], some_obs)
        np.testing.assert_array_equal(all_obs[0][:, 2:], some_obs[0])


def test_the_creator_gets_the_worker_index_and_the_copy_as_vector_index() -> None:
    contexts = []

    def create(config: Any) -> Line:
        contexts.append((config.worker_index, config.num_workers, config.vector_index, dict(config)))
        config.pop("horizon")
        return Line(config)

    MultiAgentEnvCopies(create, {"horizon": 2}, 2)
    MultiAgentEnvCopies(create, EnvContext({"horizon": 2}, 3, num_workers=4), 2)
    expected = [(0, None), (0, None), (3, 4), (3, 4)]
    assert contexts == [(*worker, copy % 2, {"horizon": 2}) for copy, worker in enumerate(expected)]


def test_an_ended_episode_starts_again_in_the_same_step_and_keeps_its_last_observation() -> None:
    copies, obs = started(horizon=2)
    outcome = run(copies, obs, 1)
    assert not outcome.dones.any()
    assert (obs[0][:, :, 0] == 1).all()
    outcome = run(copies, obs, 1)
    assert outcome.dones.all()
    assert outcome.truncateds.all()
    assert not outcome.terminateds.any()
    np.testing.assert_array_equal(obs[0][:, :, 0], 0)
    np.testing.assert_array_equal(copies.final_obs[0][:, :, :2], 2)
    assert not run(copies, obs, 1).dones.any()


def test_an_agent_that_terminates_early_is_inactive_and_sees_zeros_afterwards() -> None:
    copies, obs = started(horizon=4, leave={"walker_10": (2, "terminated")})
    run(copies, obs, 1)
    outcome = run(copies, obs, 1)
    assert outcome.active.all()
    np.testing.assert_array_equal(outcome.terminateds, [[False] * 2, [True] * 2, [False] * 2])
    assert not outcome.dones.any()
    np.testing.assert_array_equal(obs[0][1], 0)
    outcome = run(copies, obs, 1)
    np.testing.assert_array_equal(outcome.active, [[True] * 2, [False] * 2, [True] * 2])
    np.testing.assert_array_equal(outcome.rewards, [[1] * 2, [0] * 2, [1] * 2])
    assert not outcome.terminateds.any()
    np.testing.assert_array_equal(obs[0][1], 0)
    outcome = run(copies, obs, 1)
    assert outcome.dones.all()
    np.testing.assert_array_equal(outcome.truncateds, [[True] * 2, [False] * 2, [True] * 2])
    assert run(copies, obs, 1).active.all()


def test_an_agent_that_is_truncated_early_shows_its_last_observation_once() -> None:
    copies, obs = started(horizon=4, leave={"cook": (2, "truncated")})
    outcome = run(copies, obs, 2)
    assert outcome.truncateds[2].all()
    np.testing.assert_array_equal(obs[0][2, :, :2], 2)
    run(copies, obs, 1)
    np.testing.assert_array_equal(obs[0][2], 0)


def test_an_end_in_which_some_terminate_and_the_others_are_truncated_needs_no_all() -> None:
    leave = dict.fromkeys(AGENTS[:2], (3, "terminated"))
    copies, obs = started(horizon=3, ending="each", leave={**leave, "cook": (3, "truncated")})
    outcome = run(copies, obs, 3)
    assert outcome.dones.all()
    np.testing.assert_array_equal(outcome.terminateds, [[True] * 2, [True] * 2, [False] * 2])
    np.testing.assert_array_equal(outcome.truncateds, [[False] * 2, [False] * 2, [True] * 2])
    assert (obs[0][:, :, 0] == 0).all()


def test_all_terminated_ends_everybody_for_good() -> None:
    def end(step: int, answer: Any) -> Any:
        return (*answer[:2], {"__all__": True}, {}, {}) if step == 1 else answer

    copies, obs = started(spoil=end)
    outcome = run(copies, obs, 1)
    assert outcome.terminateds.all()
    assert not outcome.truncateds.any()


def test_an_agent_that_is_both_terminated_and_truncated_is_terminated() -> None:
    copies, obs = started(
        horizon=2,
        ending="each",
        spoil=lambda step, answer: (*answer[:2], {"cook": True}, answer[3], {}) if step == 2 else answer,
    )
    outcome = run(copies, obs, 2)
    np.testing.assert_array_equal(outcome.terminateds[:, 0], [False, False, True])
    np.testing.assert_array_equal(outcome.truncateds[:, 0], [True, True, False])


def test_an_agent_may_terminate_without_an_observation() -> None:
    def hide(step: int, answer: Any) -> Any:
        if step == 2:
            answer[0].pop("cook")
        return answer

    copies, obs = started(leave={"cook": (2, "terminated")}, spoil=hide)
    assert run(copies, obs, 2).terminateds[2].all()


def test_copies_end_their_episodes_independently() -> None:
    horizons = iter([2, 3])

    def create(config: Any) -> Line:
        return Line({**config, "horizon": next(horizons)})

    copies = MultiAgentEnvCopies(create, {}, 2)
    obs = new_obs(copies)
    copies.reset(0, obs)
    dones = [run(copies, obs, 1).dones.tolist() for _ in range(6)]
    assert [t for t, (first, _) in enumerate(dones, 1) if first] == [2, 4, 6]
    assert [t for t, (_, second) in enumerate(dones, 1) if second] == [3, 6]


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


class Boom(Exception):
    pass


def spoiled(part: int, agent: str, value: Any, when: int = 3) -> Any:
    """Puts `value` into part 0 (observations) to 3 of what step `when` returns; Ellipsis: takes it out."""

    def spoil(step: int, answer: Any) -> Any:
        if step == when:
            answer[part].pop(agent, None) if value is ... else answer[part].update({agent: value})
        return answer

    return spoil


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


def test_a_wrapped_pettingzoo_game_keeps_its_order_and_can_be_drawn() -> None:
    import mixed_motive

    copies = MultiAgentEnvCopies(
        lambda config: ParallelPettingZooEnv(mixed_motive.parallel_env("snowdrift", render_mode="rgb_array")),
        {},
        2,
    )
    obs = new_obs(copies)
    copies.reset(0, obs)
    assert copies.agent_ids == ("agent_0", "agent_1", "agent_2", "agent_3")
    actions = np.zeros((4, 2), np.int64)
    assert [bool(copies.step(actions, obs).dones.all()) for _ in range(50)] == [False] * 49 + [True]
    picture = copies.render(1)
    assert picture is not None
    assert picture.shape[2] == 3


def test_a_picture_is_handed_on_only_if_it_is_one() -> None:
    class Painter(Line):
        def render(self):
            return self.config["picture"]

    picture = np.zeros((2, 2, 3), np.uint8)
    assert MultiAgentEnvCopies(Painter, {"picture": picture}, 1).render() is picture
    assert MultiAgentEnvCopies(Painter, {"picture": "text"}, 1).render() is None


def test_there_is_no_state_to_save_and_none_is_restored() -> None:
    copies, obs = started()
    assert copies.get_state() is None
    with pytest.raises(EnvironmentFault, match="no state to restore"):
        copies.set_state({}, obs)


def test_closing_twice_closes_every_copy_once() -> None:
    made: list[MultiAgentEnv] = []

    def create(config: Any) -> Line:
        env = Line(config)
        made.append(env)
        return env

    copies = MultiAgentEnvCopies(create, {}, 3)
    copies.close()
    copies.close()
    assert [env.closed for env in made] == [1, 1, 1]
