from __future__ import annotations

import numpy as np
import pytest

import mixed_motive
from rllib_lase.rllib.game_copies import GameCopies


def play(
    copies: GameCopies, actions: np.ndarray, seed: int = 3
) -> tuple[np.ndarray, list[dict[str, np.ndarray]]]:
    """Observations `(N, T + 1, B, ...)` and copies of all outcomes of the actions `(T, N, B)`."""
    space = copies.observation_spaces[copies.agent_ids[0]]
    obs = np.zeros((len(copies.agent_ids), len(actions) + 1, copies.num_envs, *space.shape), space.dtype)
    copies.reset(seed, [obs[:, 0]])
    outcomes = []
    for t, joint in enumerate(actions):
        step = copies.step(joint, [obs[:, t + 1]])
        outcomes.append({name: getattr(step, name).copy() for name in step.__slots__})
        outcomes[-1]["final_obs"] = copies.final_obs[0].copy()
    return obs, outcomes


def random_actions(copies: GameCopies, steps: int) -> np.ndarray:
    size = (steps, len(copies.agent_ids), copies.num_envs)
    return np.random.default_rng(0).integers(0, copies.action_spaces[copies.agent_ids[0]].n, size)


@pytest.mark.parametrize("game_id", list(mixed_motive.GAMES))
def test_copies_are_the_batched_game_with_agents_first(game_id: str) -> None:
    copies = GameCopies(game_id, 3, 5, horizon=4)
    actions = random_actions(copies, 6)
    obs, outcomes = play(copies, actions)
    game = mixed_motive.make(game_id, num_envs=3, first_env_index=5, horizon=4)
    np.testing.assert_array_equal(obs[:, 0], game.reset(3).swapaxes(0, 1))
    for t, outcome in enumerate(outcomes):
        step = game.step(actions[t].T)
        np.testing.assert_array_equal(obs[:, t + 1], step.obs.swapaxes(0, 1))
        np.testing.assert_array_equal(outcome["rewards"], step.rewards.T)
        np.testing.assert_array_equal(outcome["terminateds"], step.terminations.T)
        np.testing.assert_array_equal(outcome["truncateds"], step.truncations.T)
        np.testing.assert_array_equal(outcome["active"], step.active.T)
        np.testing.assert_array_equal(outcome["dones"], step.done)
        np.testing.assert_array_equal(outcome["counts"], step.counts.swapaxes(0, 1))
        assert outcome["rewards"].dtype == np.float32
        assert outcome["counts"].shape[2] == len(copies.count_names)
        if outcome["dones"].any():
            np.testing.assert_array_equal(outcome["final_obs"], step.final_obs.swapaxes(0, 1))
    assert any(outcome["dones"].any() for outcome in outcomes)


def test_float32_observations_have_the_values_of_the_uint8_ones() -> None:
    bytes_, floats = GameCopies("cleanup", 2), GameCopies("cleanup", 2, obs="float32")
    actions = random_actions(bytes_, 105)
    (obs, outcomes), (float_obs, float_outcomes) = play(bytes_, actions), play(floats, actions)
    assert (obs.dtype, float_obs.dtype) == (np.uint8, np.float32)
    np.testing.assert_array_equal(obs, float_obs)
    ended = [t for t, outcome in enumerate(outcomes) if outcome["dones"].any()]
    assert ended
    for t in ended:
        np.testing.assert_array_equal(outcomes[t]["final_obs"], float_outcomes[t]["final_obs"])
    assert floats.observation_spaces["agent_0"].contains(float_obs[0, 3, 1])
    assert floats.final_obs[0].dtype == np.float32


def test_a_trajectory_does_not_depend_on_which_runner_steps_the_copy() -> None:
    together = GameCopies("cleanup", 4)
    apart = GameCopies("cleanup", 2, first_env_index=2)
    actions = random_actions(together, 20)
    np.testing.assert_array_equal(play(together, actions)[0][:, :, 2:], play(apart, actions[:, :, 2:])[0])


def test_a_restored_state_goes_on_to_the_bit() -> None:
    copies = GameCopies("cleanup", 3)
    actions = random_actions(copies, 30)
    play(copies, actions[:10])
    state = copies.get_state()
    obs = np.zeros((4, 21, 3, *copies.observation_spaces["agent_0"].shape), np.uint8)
    rewards = [copies.step(joint, [obs[:, t]]).rewards.copy() for t, joint in enumerate(actions[10:])]
    other = GameCopies("cleanup", 3)
    first, again = np.zeros_like(obs[:, 0]), np.zeros_like(obs)
    other.set_state(state, [first])
    np.testing.assert_array_equal(first, other.game.observe().swapaxes(0, 1))
    for t, joint in enumerate(actions[10:]):
        np.testing.assert_array_equal(other.step(joint, [again[:, t]]).rewards, rewards[t])
    np.testing.assert_array_equal(obs, again)


def test_reset_without_a_seed_goes_on_to_another_episode() -> None:
    copies = GameCopies("cleanup", 1)
    first, second = np.zeros((2, 4, 1, *copies.observation_spaces["agent_0"].shape), np.uint8)
    copies.reset(1, [first])
    copies.reset(None, [second])
    assert (first != second).any()


def test_all_agents_are_one_group_in_the_games_order() -> None:
    copies = GameCopies("snowdrift", 2, num_agents=3)
    assert copies.groups == ((0, 1, 2),)
    assert copies.agent_ids == tuple(copies.game.agent_ids)
    assert list(copies.observation_spaces) == list(copies.action_spaces) == list(copies.agent_ids)


def test_a_copy_can_be_drawn_and_closing_twice_is_harmless() -> None:
    copies = GameCopies("snowdrift", 2)
    copies.reset(0, [np.zeros((4, 2, *copies.observation_spaces["agent_0"].shape), np.uint8)])
    picture = copies.render(1)
    assert picture.dtype == np.uint8
    assert picture.shape[2] == 3
    gifts = np.array([[0.5, 0.5, 0, 0], *np.zeros((3, 4))])
    assert not np.array_equal(copies.render(1, gifts), picture)
    copies.close()
    copies.close()
