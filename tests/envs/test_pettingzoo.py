import functools
import importlib.util
from types import SimpleNamespace

import numpy as np
import pytest
from pettingzoo.test import (
    api_test,
    max_cycles_test,
    parallel_api_test,
    parallel_seed_test,
    render_test,
    seed_test,
)

import mixed_motive
from mixed_motive import GameError
from mixed_motive.pettingzoo_env import MixedMotiveParallelEnv
from tests.envs.scenes import CROWDED_HUNT, random_actions

PRESETS = [(game_id, preset) for game_id, spec in mixed_motive.GAMES.items() for preset in spec.presets]
HAS_PYGAME = importlib.util.find_spec("pygame") is not None


def faces(game_id, preset, **params):
    """The faces of the versioned module, for one preset."""
    module = getattr(mixed_motive, f"{game_id}_v0")
    return SimpleNamespace(
        **{
            name: functools.partial(getattr(module, name), preset=preset, **params)
            for name in ("parallel_env", "env", "raw_env")
        }
    )


# What makes a game end at its horizon, as PettingZoo expects of random play.
WITHOUT_EARLY_ENDS = {
    "escape_room": {"num_agents": 64, "min_at_lever": 63},
    "stag_hunt": {"num_hares": 0, "num_stags": 0},
}


@pytest.mark.parametrize(("game_id", "preset"), PRESETS)
def test_the_checks_of_pettingzoo_pass(game_id, preset):
    made = faces(game_id, preset)
    parallel_api_test(made.parallel_env(), num_cycles=300)
    parallel_seed_test(made.parallel_env)
    max_cycles_test(faces(game_id, preset, **WITHOUT_EARLY_ENDS.get(game_id, {})))
    api_test(made.env(), num_cycles=300)
    seed_test(made.env, num_cycles=100)


@pytest.mark.parametrize(("game_id", "preset"), PRESETS)
@pytest.mark.skipif(not HAS_PYGAME, reason="pygame is not installed")
def test_the_render_check_of_pettingzoo_passes(game_id, preset, monkeypatch):
    monkeypatch.setitem(MixedMotiveParallelEnv.metadata, "render_fps", 10_000)
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    render_test(faces(game_id, preset).env)
    render_test(faces(game_id, preset).raw_env)


@pytest.mark.parametrize(
    ("game_id", "params"),
    [*((game_id, {}) for game_id in mixed_motive.GAMES), ("stag_hunt", {**CROWDED_HUNT, "num_agents": 6})],
)
def test_the_trajectory_is_that_of_the_batched_game(game_id, params):
    game = mixed_motive.make(game_id, 3, horizon=11, **params)
    env = mixed_motive.parallel_env(game_id, max_cycles=11, first_env_index=2, **params)
    obs, (env_obs, infos) = game.reset(seed=5), env.reset(seed=5)
    assert infos == {agent_id: {} for agent_id in game.agent_ids}
    ended, steps_after_a_leave = False, 0
    for actions in random_actions(game, 40):
        for agent_id in env.agents:
            np.testing.assert_array_equal(env_obs[agent_id], obs[2, game.agent_ids.index(agent_id)])
        step = game.step(actions)
        acting = {a: i for i, a in enumerate(game.agent_ids) if step.active[2, i]}
        assert env.agents == list(acting)
        steps_after_a_leave += len(acting) < game.num_agents
        env_obs, rewards, terminations, truncations, infos = env.step(
            {agent_id: actions[2, i] for agent_id, i in acting.items()}
        )
        assert rewards == {agent_id: step.rewards[2, i] for agent_id, i in acting.items()}
        assert terminations == {agent_id: step.terminations[2, i] for agent_id, i in acting.items()}
        assert truncations == {agent_id: step.truncations[2, i] for agent_id, i in acting.items()}
        for agent_id, i in acting.items():
            assert [infos[agent_id][name] for name in game.count_names] == step.counts[2, i].tolist()
        obs = step.obs
        if step.done[2]:
            ended = True
            for agent_id, i in acting.items():
                np.testing.assert_array_equal(env_obs[agent_id], step.final_obs[2, i])
            assert env.agents == []
            env_obs, _ = env.reset()
    assert ended
    assert not params or steps_after_a_leave > 10


@pytest.mark.parametrize("game_id", list(mixed_motive.GAMES))
def test_whole_episodes_repeat_with_their_seed(game_id):
    # PettingZoo's own seed test looks at one step.
    runs = []
    for _ in range(2):
        env, run = mixed_motive.parallel_env(game_id), []
        for seed in (7, None):
            run.append(env.reset(seed=seed)[0])
            k = 0
            while env.agents:
                k += 1
                actions = {
                    agent_id: (k * k + i) % env.action_space(agent_id).n
                    for i, agent_id in enumerate(env.agents)
                }
                obs, rewards, *_ = env.step(actions)
                run.append({agent_id: (obs[agent_id], rewards[agent_id]) for agent_id in obs})
        runs.append(run)
    np.testing.assert_equal(runs[0], runs[1])


@pytest.mark.parametrize("obs", ["planes", "code", "float32", "rgb"])
def test_observations_lie_in_their_space(obs):
    env = mixed_motive.parallel_env("cleanup", obs=obs)
    obs, _ = env.reset(seed=0)
    for agent_id in env.agents:
        assert env.observation_space(agent_id).contains(obs[agent_id])
        assert env.observation_space(agent_id) is env.observation_space(agent_id)


def test_observations_stay_what_they_were_when_the_game_goes_on():
    env = mixed_motive.parallel_env("cleanup")
    env.reset(seed=0)
    obs = env.step(dict.fromkeys(env.agents, 0))[0]
    kept = {agent_id: array.copy() for agent_id, array in obs.items()}
    env.step(dict.fromkeys(env.agents, 3))
    np.testing.assert_equal(obs, kept)


def test_the_last_frame_shows_the_end_of_the_episode():
    env = mixed_motive.parallel_env("snowdrift", render_mode="rgb_array", max_cycles=2)
    env.reset(seed=0)
    for _ in range(2):
        env.step(dict.fromkeys(env.agents, 4))
    bar = env.render()[-1]
    assert (bar == bar[0]).all()


def test_agents_are_asked_for_by_name():
    env = mixed_motive.parallel_env("ipd")
    with pytest.raises(GameError, match="ipd_v0: step: no episode is under way"):
        env.step({"agent_0": 0, "agent_1": 0})
    env.reset(seed=0)
    with pytest.raises(GameError) as caught:
        env.step({"agent_0": 0, "agent_2": 0})
    assert caught.value.problems == (
        "no action for 'agent_1'",
        "action for 'agent_2', who is not in the game",
    )
    with pytest.raises(GameError, match="action 2 of agent_1 in copy 0"):
        env.step({"agent_0": 0, "agent_1": 2})


def test_every_problem_of_a_call_is_in_one_message():
    with pytest.raises(GameError) as caught:
        mixed_motive.parallel_env(
            "cleanup", render_mode="gif", obs="int8", horizon=3, max_cycles=4, num_agnts=2, num_envs=3
        )
    assert len(caught.value.problems) == 5


def test_text_is_rendered_and_no_mode_renders_nothing():
    env = mixed_motive.parallel_env("cleanup", render_mode="ansi")
    env.reset(seed=0)
    assert env.render().startswith("cleanup, step 0 of 100\n")
    env = mixed_motive.parallel_env("cleanup")
    env.reset(seed=0)
    with pytest.warns(UserWarning, match="does nothing without a render_mode"):
        assert env.render() is None


def test_closing_twice_is_harmless():
    env = mixed_motive.parallel_env("cleanup", render_mode="rgb_array")
    env.close()
    env.close()


def test_a_window_without_pygame_is_refused_with_its_cure(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        GameError, match=r"not installed. Cure, in a checkout of rllib-lase: pip install '\.\[human\]'"
    ):
        mixed_motive.parallel_env("cleanup", render_mode="human")


@pytest.mark.skipif(not HAS_PYGAME, reason="pygame is not installed")
def test_a_window_opens_with_the_first_frame_and_closes_twice(monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    import pygame

    env = mixed_motive.parallel_env("cleanup", render_mode="human")
    assert not pygame.display.get_init()
    env.reset(seed=0)
    assert pygame.display.get_surface().get_size() == (576, 592)
    env.close()
    env.close()
    assert not pygame.display.get_init()


def test_a_state_says_who_is_in_the_game():
    env = mixed_motive.parallel_env("stag_hunt", num_agents=2, num_hares=64, num_stags=0)
    env.reset(seed=0)
    start = env.get_state()
    hunt = env.game.action_names.index("hunt_hare")
    env.step({"agent_0": hunt, "agent_1": 4})
    assert env.agents == ["agent_1"]
    one_left = env.get_state()
    env.step({"agent_1": hunt})
    assert env.agents == []
    env.set_state(one_left)
    assert env.agents == ["agent_1"]
    env.set_state(start)
    assert env.agents == env.possible_agents
    env.step({"agent_0": 4, "agent_1": 4})


def test_actions_that_are_no_dict_and_rows_that_are_no_array_are_refused():
    env = mixed_motive.parallel_env("ipd")
    env.reset(seed=0)
    with pytest.raises(GameError, match="actions are a list, expected a dict"):
        env.step([0, 0])
    with pytest.raises(GameError, match="actions are no array"):
        env.game.step([[0], [0, 0]])


@pytest.mark.parametrize("action", [True, np.True_])
def test_a_bool_is_no_action(action):
    env = mixed_motive.parallel_env("ipd")
    env.reset(seed=0)
    before = env.get_state()
    with pytest.raises(GameError, match="of 'agent_0' is a bool, expected an integer"):
        env.step({"agent_0": action, "agent_1": 0})
    for name, array in env.get_state().items():
        np.testing.assert_array_equal(array, before[name])
