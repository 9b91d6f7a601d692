"""RLlib's own algorithms behind our face: what they count, what they refuse, and one whole run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from ray.rllib.core.columns import Columns

from mixed_motive import GAMES
from rllib_lase.defaults import evaluation_seed
from rllib_lase.evaluation.table import comparison_frame, display_frame
from rllib_lase.registry import STOCK
from rllib_lase.rllib.evaluate import evaluate
from rllib_lase.rllib.stock import (
    POLICIES_FOLDER,
    StockGameEnv,
    finished_episodes,
    setting_problems,
    stock_config,
)
from rllib_lase.rllib.stock_policies import StockPlayers
from rllib_lase.run_rows import evaluation_summary
from rllib_lase.runs import RunFolder
from rllib_lase.settings import SettingsError
from rllib_lase.train_spec import TrainSpec
from rllib_lase.trained_players import trained_players
from rllib_lase.training import train

SMALL = {
    "num_envs_per_env_runner": 4,
    "train_batch_size_per_learner": 800,
    "minibatch_size": 400,
    "num_epochs": 1,
}


@pytest.mark.parametrize("game", ["cleanup", "stag_hunt"])
def test_the_environment_counts_whole_episodes_of_flat_observations(game: str) -> None:
    env = StockGameEnv({"game": game})
    agents = env.possible_agents
    rng = np.random.default_rng(0)
    for episode in range(2):
        obs, _ = env.reset(seed=episode)
        returns, counts, length, ended = dict.fromkeys(agents, 0.0), np.zeros((len(agents), 0)), 0, False
        totals = {agent: np.zeros(len(env.game.count_names)) for agent in agents}
        while not ended:
            assert all(env.observation_spaces[agent].contains(array) for agent, array in obs.items())
            actions = {agent: int(rng.integers(env.action_spaces[agent].n)) for agent in env.agents}
            obs, rewards, terminateds, truncateds, infos = env.step(actions)
            length += 1
            for agent, reward in rewards.items():
                returns[agent] += reward
                totals[agent] += list(infos[agent].values())
            ended = terminateds["__all__"] or truncateds["__all__"]
        assert env.last_episode is not None
        found = finished_episodes([env.last_episode], len(agents), len(env.game.count_names))
        counts = np.stack([totals[agent] for agent in agents])
        assert found.lengths.tolist() == [length]
        np.testing.assert_allclose(found.returns[0], [returns[agent] for agent in agents])
        np.testing.assert_array_equal(found.counts[0], counts)


def test_metrics_without_an_episode_are_none() -> None:
    for rows in (None, float("nan"), np.float64("nan")):
        assert len(finished_episodes(rows, 4, 2)) == 0
    row = np.arange(1 + 2 + 2 * 3)
    for rows in ([row, row], row):
        episodes = finished_episodes(rows, 2, 3)
        assert episodes.returns[0].tolist() == [1, 2]
        assert episodes.counts[0].tolist() == [[3, 4, 5], [6, 7, 8]]


@pytest.mark.parametrize("algo", STOCK)
@pytest.mark.parametrize("game", GAMES)
def test_every_algorithm_has_a_config_for_every_game_with_a_module_per_agent(algo: str, game: str) -> None:
    spec = STOCK[algo]
    config = stock_config(spec, game, {}, 3, spec.settings)
    env = StockGameEnv({"game": game})
    assert list(config.policies) == env.possible_agents
    assert config.num_envs_per_env_runner == spec.settings["num_envs_per_env_runner"]
    assert config.seed == 3
    assert all(isinstance(space, gym.spaces.Discrete) for space in env.action_spaces.values())


@pytest.mark.parametrize("algo", ["rllib:DQN", "rllib:SAC"])
def test_a_replay_buffer_keeps_what_is_not_changed(algo: str) -> None:
    own = STOCK[algo].config_class()().replay_buffer_config
    settings = {"replay_buffer_config": {"capacity": 77}}
    buffer = stock_config(STOCK[algo], "ipd", {}, 0, settings).replay_buffer_config
    expected = {**own, "type": "MultiAgentPrioritizedEpisodeReplayBuffer", "capacity": 77}
    assert buffer == expected


@pytest.mark.parametrize(
    ("algo", "given", "problem"),
    [
        ("rllib:PPO", {"lrr": 1}, "lrr: rllib:PPO has no such setting; did you mean 'lr'?"),
        ("rllib:PPO", {"twin_q": True}, "twin_q: rllib:PPO has no such setting."),
        ("rllib:PPO", {"lr": "fast"}, "lr: expected a number or a list like the default 5e-05, found 'fast'"),
        ("rllib:DQN", {"double_q": 1}, "double_q: expected true or false like the default True, found 1"),
        ("rllib:APPO", {"num_learners": 0.5}, "num_learners: expected a whole number like the default 1"),
        ("rllib:PPO", {"use_critic": True, "lr": [[0, 0.1], [9, 0.01]]}, None),
        ("rllib:APPO", {"use_critic": True}, "use_critic: rllib:APPO has no such setting"),
    ],
)
def test_settings_are_checked_against_rllibs_config(
    algo: str, given: Mapping[str, Any], problem: str | None
) -> None:
    found = setting_problems(STOCK[algo], given)
    assert len(found) == int(problem is not None)
    assert problem is None or found[0].startswith(problem)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"settings": {"lrr": 1}}, "did you mean 'lr'"),
        ({"optimizer": "ppo"}, "optimizer: rllib:SAC brings its own"),
        ({"game": "my_game"}, "train 'my_game' with RLlib itself"),
        ({"settings": {"lr": 0.1}}, "RLlib refuses its settings: Basic learning rate parameter `lr`"),
    ],
)
def test_a_run_that_cannot_be_is_refused_before_it_starts(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    spec = TrainSpec(**{"game": "ipd", "algo": "rllib:SAC", "out": tmp_path / "run", **changes})
    with pytest.raises(SettingsError, match=message):
        train(spec)
    assert not (tmp_path / "run").exists()


def dqn_players(epsilon: float) -> StockPlayers:
    config = stock_config(STOCK["rllib:DQN"], "cleanup", {}, 0, STOCK["rllib:DQN"].settings)
    env = StockGameEnv({"game": "cleanup"})
    spaces = {a: (env.observation_spaces[a], env.action_spaces[a]) for a in env.possible_agents}
    weights = config.get_multi_rl_module_spec(spaces=spaces, inference_only=True).build().get_state()
    return StockPlayers.build(config, weights, epsilon, "cleanup", {})


@pytest.mark.parametrize("epsilon", [0.0, 0.05, 1.0])
def test_dqn_is_played_greedily_but_for_a_share_of_random_actions(epsilon: float) -> None:
    import torch

    players = dqn_players(epsilon)
    rollout = players.evaluation_runner(copies=64, seed=1).sample_rollout(100, 0.0)
    num_actions = 7
    agreed = []
    for position, agent_id in enumerate(rollout.agent_ids):
        obs = torch.from_numpy(rollout.groups[0].obs[position, :-1]).flatten(2).float()
        with torch.no_grad():
            out = players.module[agent_id].forward_inference({Columns.OBS: obs.flatten(0, 1)})
        greedy = out[Columns.ACTIONS].view(100, 64).numpy()
        agreed.append((greedy == rollout.actions[position]).mean())
    expected = 1 - epsilon + epsilon / num_actions
    assert np.mean(agreed) == pytest.approx(expected, abs=4 * np.sqrt(epsilon / 4 / 25_600))


@pytest.fixture(scope="module")
def run(local_ray: None, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    folder = tmp_path_factory.mktemp("stock") / "rllib-PPO-seed0"
    return train(
        TrainSpec(
            game="cleanup",
            algo="rllib:PPO",
            out=folder,
            env_steps=1500,
            settings=SMALL,
            evaluation_episodes=16,
        )
    )


def test_a_run_has_the_files_and_numbers_of_ours(run: RunFolder) -> None:
    progress, summary = run.progress(), run.summary()
    assert list(progress["env_steps"]) == [800, 1600]
    assert list(progress["num_episodes"]) == [8, 16]
    assert progress["lr"].tolist() == pytest.approx([5e-5, 5e-5])
    assert np.isfinite(progress["learner/agent_0/entropy"]).all()
    rewards = progress[[f"reward/{agent}" for agent in run.agent_ids]]
    apples = progress[[f"counts/apples/{agent}" for agent in run.agent_ids]]
    np.testing.assert_allclose(rewards.to_numpy(), apples.to_numpy(), err_msg="an apple is worth 1")
    np.testing.assert_allclose(progress["collective_reward"], rewards.sum(axis=1))
    assert summary["gift_weights"] == np.eye(4).tolist()
    assert summary["reward_per_agent"] == summary["reward_after_gifting_per_agent"]
    assert (summary["env_steps"], summary["num_evaluation_episodes"]) == (1600, 16)
    assert summary["optimizer"] is None
    assert summary["cpu_seconds"] > 0
    assert run.config["settings"] == {**STOCK["rllib:PPO"].settings, **SMALL}
    assert run.config["rllib"]["clip_param"] == 0.3
    assert run.gif_path.is_file()


def test_tables_and_page_name_the_algorithm_and_no_optimiser(run: RunFolder) -> None:
    frame = comparison_frame([run])
    assert (frame["algorithm"][0], frame["optimizer"][0], frame["share_given"][0]) == ("rllib:PPO", "", 0)
    assert display_frame(frame)["Algorithm"][0] == "rllib:PPO"
    page = run.report_path.read_text()
    assert "Cleanup, preset lase: rllib:PPO, seed 0" in page
    assert "--rllib num_envs_per_env_runner=4 train_batch_size_per_learner=800" in page


def test_the_run_is_evaluated_again_alike_without_a_pickle(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pickle

    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("a pickle is loaded")

    (checkpoint,) = run.checkpoints_path.iterdir()
    assert (checkpoint / "rllib" / "rllib_checkpoint.json").is_file()
    assert not list((checkpoint / POLICIES_FOLDER).glob("*.pkl"))
    monkeypatch.setattr(pickle, "load", refuse)
    monkeypatch.setattr(pickle, "loads", refuse)
    with trained_players(run, checkpoint) as players:
        again = evaluation_summary(evaluate(players, 16, evaluation_seed(0)))
    assert again["reward_per_agent"].tolist() == run.summary()["reward_per_agent"]
