from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest
from ray.rllib.env.multi_agent_episode import MultiAgentEpisode
from ray.tune import register_env

import mixed_motive
from rllib_lase.rllib.game_copies import GameCopies
from rllib_lase.rllib.game_env import GameEnv, make_joint_env
from rllib_lase.rllib.multi_agent_copies import MultiAgentEnvCopies
from tests.envs.scenes import CROWDED_HUNT
from tests.rllib.line_env import AGENTS, Line


@pytest.mark.parametrize(
    ("game_id", "params"),
    [*((game_id, {}) for game_id in mixed_motive.GAMES), ("stag_hunt", {**CROWDED_HUNT, "num_agents": 6})],
)
@pytest.mark.parametrize("obs", ["planes", "float32"])
def test_the_same_seed_and_actions_give_the_batched_games_trajectory(
    game_id: str, params: dict[str, Any], obs: str
) -> None:
    env = GameEnv({"game": game_id, "horizon": 5, "obs": obs, **params})
    game = mixed_motive.make(game_id, num_envs=1, horizon=5, **params)
    leaving = mixed_ends = 0
    seen, _ = env.reset(seed=9)
    batched = game.reset(9)
    rng = np.random.default_rng(1)
    for _ in range(40):
        here = [game.agent_ids.index(agent_id) for agent_id in seen]
        np.testing.assert_array_equal(np.stack(list(seen.values())), batched[0, here])
        for agent_id, one in seen.items():
            assert env.observation_spaces[agent_id].contains(one)
        joint = rng.integers(0, game.action_space.n, game.num_agents)
        step = game.step(joint[None])
        seen, rewards, terminateds, truncateds, infos = env.step(
            {a: joint[i] for i, a in zip(here, env.agents, strict=True)}
        )
        assert list(rewards) == [game.agent_ids[i] for i in here]
        np.testing.assert_array_equal(list(rewards.values()), step.rewards[0, here])
        cut = bool(step.truncations.any())
        leaving += bool(step.terminations.any())
        mixed_ends += cut and bool(step.terminations.any())
        assert terminateds.pop("__all__") == (step.done[0] and not cut)
        assert truncateds == {"__all__": cut}
        np.testing.assert_array_equal(list(terminateds.values()), step.terminations[0, here])
        counts = [list(infos[game.agent_ids[i]].values()) for i in here]
        np.testing.assert_array_equal(counts, step.counts[0, here])
        batched = step.obs.copy()
        if step.done[0]:
            np.testing.assert_array_equal(np.stack(list(seen.values())), step.final_obs[0, here])
            assert env.agents == []
            seen, _ = env.reset()
        seen = {agent_id: seen[agent_id] for agent_id in env.agents}
    assert not params or (leaving > 10 and mixed_ends > 0)


def test_agents_and_spaces_stand_in_the_games_order() -> None:
    env = GameEnv({"game": "cleanup", "num_agents": 3})
    assert env.possible_agents == env.agents == ["agent_0", "agent_1", "agent_2"]
    assert list(env.observation_spaces) == list(env.action_spaces) == env.possible_agents
    assert env.observation_spaces["agent_0"].dtype == np.float32


class Leaving:
    """A game of two steps that agent_0 leaves in the first and, where `both`, agent_1 in the second."""

    def __init__(self, both: bool) -> None:
        self.both, self.time = both, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(mixed_motive.make("ipd", num_envs=1), name)

    def reset(self, seed: int | None) -> np.ndarray:
        self.time = 0
        return np.zeros((1, 2, 5), np.uint8)

    def step(self, actions: list[list[int]]) -> mixed_motive.StepBuffers:
        self.time += 1
        out = mixed_motive.make("ipd", num_envs=1).new_buffers()
        out.terminations[0] = [self.time == 1, self.time == 2 and self.both]
        out.truncations[0, 1] = self.time == 2 and not self.both
        out.done[0] = self.time == 2
        return out


@pytest.mark.parametrize("both", [True, False])
def test_the_end_is_told_with_all_when_agents_leave_one_by_one(both: bool) -> None:
    env = GameEnv({"game": "ipd"})
    env.game = Leaving(both)  # type: ignore[assignment]
    env.reset(seed=0)
    obs, rewards, terminateds, truncateds, _ = env.step({"agent_0": 0, "agent_1": 0})
    assert terminateds == {"agent_0": True, "agent_1": False, "__all__": False}
    assert env.agents == ["agent_1"]
    obs, rewards, terminateds, truncateds, _ = env.step({"agent_1": 0})
    assert list(obs) == list(rewards) == ["agent_1"]
    assert terminateds == {"agent_1": both, "__all__": both}
    assert truncateds == {"__all__": not both}


def test_rllibs_episodes_take_what_the_game_returns() -> None:
    env = GameEnv({"game": "snowdrift", "horizon": 3})
    episode = MultiAgentEpisode(observation_space=env.observation_spaces, action_space=env.action_spaces)
    obs, infos = env.reset(seed=0)
    episode.add_env_reset(observations=obs, infos=infos)
    while not episode.is_done:
        actions = dict.fromkeys(env.agents, 4)
        obs, rewards, terminateds, truncateds, infos = env.step(actions)
        episode.add_env_step(obs, actions, rewards, infos, terminateds=terminateds, truncateds=truncateds)
    assert len(episode) == 3
    assert episode.is_truncated
    assert not episode.is_terminated
    assert not any(agent_episode.is_terminated for agent_episode in episode.agent_episodes.values())


def test_a_missing_agent_is_named() -> None:
    env = GameEnv({"game": "ipd"})
    env.reset(seed=0)
    with pytest.raises(mixed_motive.GameError, match=r"actions of \['agent_0'\], expected one of each agent"):
        env.step({"agent_0": 0})


@pytest.mark.parametrize(
    ("game_id", "preset"),
    [("ipd", "lase"), ("cleanup", "lase"), ("harvest", "ssdg"), ("stag_hunt", "lase"), ("matrix", "chicken")],
)
@pytest.mark.parametrize(
    ("action", "says"),
    [
        (0.7, "dtype float64, expected an integer dtype"),
        (math.nan, "dtype float64, expected an integer dtype"),
        ("1", "dtype <U21, expected an integer dtype"),
        (None, "dtype object, expected an integer dtype"),
        (2**64, "expected an integer dtype"),
        (True, "action True of agent_1 is a bool, expected an integer"),
        (np.True_, "action True of agent_1 is a bool, expected an integer"),
        ([0, 0], "actions are no array"),
        (-1, "action -1 of agent_1 in copy 0; expected one of: 0 "),
        (99, "action 99 of agent_1 in copy 0; expected one of: 0 "),
    ],
)
def test_an_action_that_is_none_is_refused_and_nothing_moves(
    game_id: str, preset: str, action: Any, says: str
) -> None:
    env = GameEnv({"game": game_id, "preset": preset})
    env.reset(seed=0)
    env.step(dict.fromkeys(env.agents, 0))
    before, agents = env.game.get_state(), list(env.agents)
    with pytest.raises(mixed_motive.GameError, match=re.escape(says)):
        env.step({**dict.fromkeys(env.agents, 0), "agent_1": action})
    assert env.agents == agents
    np.testing.assert_equal(env.game.get_state(), before)


@pytest.mark.parametrize("game_id", list(mixed_motive.GAMES))
def test_a_step_before_the_first_episode_or_after_the_end_says_what_to_call(game_id: str) -> None:
    env = GameEnv({"game": game_id, "horizon": 1})
    actions: dict[str, Any] = dict.fromkeys(env.possible_agents, 0)
    with pytest.raises(mixed_motive.GameError, match=r"called before reset. Call reset\("):
        env.step(actions)
    env.reset(seed=0)
    env.step(actions)
    for late, says in ((actions, "no episode is under way"), ({}, "the episode of copy 0 has ended")):
        with pytest.raises(mixed_motive.GameError, match=rf"{says}.*reset\(\)"):
            env.step(late)


def test_a_game_id_means_the_batched_game_with_its_parameters() -> None:
    copies = make_joint_env("cleanup", {"num_agents": 3, "preset": "lase", "obs": "float32"}, 5, 2)
    assert isinstance(copies, GameCopies)
    assert (copies.num_envs, copies.game.first_env_index, len(copies.agent_ids)) == (5, 2, 3)
    assert copies.observation_spaces["agent_0"].dtype == np.float32


def test_every_other_environment_is_stepped_copy_by_copy() -> None:
    register_env("line", lambda config: Line({**config, "horizon": 7}))
    for env in ("line", Line, lambda config: Line({**config})):
        copies = make_joint_env(env, {}, 2, 6)
        assert isinstance(copies, MultiAgentEnvCopies)
        assert (copies.num_envs, copies.agent_ids) == (2, AGENTS)


def test_an_unknown_name_is_refused_with_the_closest_known_one() -> None:
    register_env("my_own_harbour", Line)
    with pytest.raises(
        ValueError, match=r"unknown environment 'cleanap': did you mean 'cleanup'\?.*register_env"
    ):
        make_joint_env("cleanap", {}, 1)
    with pytest.raises(ValueError, match="did you mean 'my_own_harbour'"):
        make_joint_env("my_own_harbor", {}, 1)


def test_no_environment_is_refused() -> None:
    with pytest.raises(
        ValueError, match="environment None: expected a name, a MultiAgentEnv class or a function"
    ):
        make_joint_env(None, {}, 1)  # type: ignore[arg-type]


def test_the_number_of_copies_in_env_config_is_refused_with_the_setting_to_use() -> None:
    with pytest.raises(
        mixed_motive.GameError, match=r"num_envs, which the env runner.*num_envs_per_env_runner"
    ):
        make_joint_env("cleanup", {"num_envs": 64}, 1)


def test_a_wrong_parameter_of_a_game_is_named() -> None:
    with pytest.raises(mixed_motive.GameError, match="num_agent"):
        make_joint_env("cleanup", {"num_agent": 3}, 1)


def test_one_copy_may_have_any_index_but_is_one_copy() -> None:
    env = GameEnv({"game": "snowdrift", "first_env_index": 2})
    game = mixed_motive.make("snowdrift", num_envs=3)
    np.testing.assert_array_equal(np.stack(list(env.reset(seed=4)[0].values())), game.reset(4)[2])
    with pytest.raises(
        mixed_motive.GameError, match="it has num_envs, auto_reset, which the env runner sets"
    ):
        GameEnv({"game": "snowdrift", "num_envs": 2, "auto_reset": True})
