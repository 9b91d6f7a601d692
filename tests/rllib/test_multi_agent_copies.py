"""Copies of an environment stepped as one: seeds, episodes, who has left, pictures, closing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from ray.rllib.env.env_context import EnvContext
from ray.rllib.env.multi_agent_env import MultiAgentEnv
from ray.rllib.env.wrappers.pettingzoo_env import ParallelPettingZooEnv

from rllib_lase.rllib.joint_env import EnvironmentFault
from rllib_lase.rllib.multi_agent_copies import MultiAgentEnvCopies, copy_seed
from tests.rllib.line_copies import ONES, line, new_obs, run, started
from tests.rllib.line_env import AGENTS, Line


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
