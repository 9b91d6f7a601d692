import json

import numpy as np
import pytest
import torch
from ray import tune
from ray.rllib.algorithms.ppo import PPOConfig

from rllib_lase.rllib.algorithms import (
    LASE,
    GOConfig,
    IndependentConfig,
    LASEConfig,
    LASEShared,
    LASESharedConfig,
)
from rllib_lase.rllib.checkpoints import CheckpointError
from rllib_lase.rllib.env_runner import BatchedEnvRunner
from rllib_lase.rllib.evaluate import evaluate
from rllib_lase.settings import SettingsError
from tests.rllib.line_env import Line

pytestmark = [
    pytest.mark.usefixtures("local_ray"),
    pytest.mark.filterwarnings("ignore:PYTHONHASHSEED is not fixed"),
]


def small(config_class=LASEConfig, game="snowdrift", seed=0, runners=0, **settings):
    config = config_class().environment(game).debugging(seed=seed, log_level="ERROR")
    config.training(hidden_size=16, rounds_per_iteration=3, **settings)
    config.env_runners(num_env_runners=runners, num_envs_per_env_runner=4, rollout_fragment_length=20)
    return config


def weights_of(algorithm):
    learner = algorithm._ask_learner(lambda each: each.get_state("rl_module"))
    return {f"{a}/{n}": v for a, state in learner["rl_module"].items() for n, v in state.items()}


def assert_same_weights(first, second):
    assert first.keys() == second.keys()
    different = [name for name in first if not np.array_equal(first[name], second[name])]
    assert not different


@pytest.mark.parametrize("config_class", [LASEConfig, LASESharedConfig, GOConfig])
def test_every_algorithm_trains_reports_and_evaluates(config_class):
    algorithm = small(config_class).build_algo()
    before = weights_of(algorithm)
    result = algorithm.train()
    social = result["social"]
    assert result["env_runners"]["num_env_steps_sampled_lifetime"] == 240
    assert social["env_steps"] == 240
    assert social["collective_reward"] == pytest.approx(
        result["env_runners"]["episode_return_mean"], abs=1e-3
    )
    assert 0 <= social["share_given"] <= 1
    assert any(not np.array_equal(before[name], value) for name, value in weights_of(algorithm).items())
    evaluation = evaluate(algorithm, 6, seed=1)
    assert evaluation.episodes.returns.shape == (6, 4)
    assert np.allclose(evaluation.returns_after_gifting.sum(1), evaluation.episodes.returns.sum(1), atol=1e-3)
    assert np.allclose(evaluation.gift_weights.sum(1), 1)
    gives = algorithm.moves_rewards
    assert np.array_equal(evaluation.gift_weights, np.eye(4)) != gives
    algorithm.stop()


def test_evaluation_changes_nothing_and_repeats_itself():
    algorithm = small().build_algo()
    algorithm.train()
    before = weights_of(algorithm)
    first, second, other = (evaluate(algorithm, 4, seed) for seed in (1, 1, 2))
    assert_same_weights(before, weights_of(algorithm))
    assert first.table().equals(second.table())
    assert not first.table().equals(other.table())
    algorithm.stop()


def test_rllibs_own_evaluation_works():
    config = small(GOConfig).evaluation(evaluation_interval=1, evaluation_duration=4)
    algorithm = config.build_algo()
    result = algorithm.train()
    assert result["evaluation"]["env_runners"]["num_episodes"] == 4
    assert np.isfinite(result["evaluation"]["env_runners"]["episode_return_mean"])
    algorithm.stop()


# With remote runners half a minute of processes that start.
@pytest.mark.parametrize("runners", [0, pytest.param(2, marks=pytest.mark.learning)])
def test_a_restored_run_goes_on_exactly(tmp_path, runners):
    algorithm = small(runners=runners, use_lstm=runners == 0, lstm_size=8).build_algo()
    algorithm.train()
    algorithm.train()
    path = algorithm.save_to_path(tmp_path / "checkpoint")
    expected = algorithm.train()["social"]
    weights = weights_of(algorithm)
    algorithm.stop()
    twin = LASE.from_checkpoint(path)
    restored = {k: v for k, v in weights_of(twin).items() if "/policy." in k}
    for state in twin.env_runner_group.foreach_env_runner(
        lambda runner: runner.module.get_state(), local_env_runner=runners == 0
    ):
        acting = {f"{a}/{n}": v for a, s in state.items() for n, v in s.items() if n.startswith("policy.")}
        assert_same_weights(restored, acting)
    found = twin.train()["social"]
    assert_same_weights(weights, weights_of(twin))
    assert twin.iteration == 3
    assert found == expected
    twin.stop()


def test_lase_with_every_option_acts_evaluates_and_goes_on_exactly(tmp_path):
    options = {
        "relationship_smoothing": 0.7,
        "relationship_scale": "advantage",
        "gift_negative_rewards": False,
        "max_share_given": 0.5,
        "mask_unseen": True,
        "refuse_gifts": True,
    }
    algorithm = small(game="cleanup", record_fraction=0.5, use_lstm=True, lstm_size=8, **options).build_algo()
    algorithm.train()
    assert 0 < algorithm.report.learner["measured"]["gifts_refused"].mean() < 0.3
    path = algorithm.save_to_path(tmp_path / "checkpoint")
    before = weights_of(algorithm)
    evaluation = evaluate(algorithm, 4, seed=1)
    assert np.allclose(evaluation.gift_weights.sum(1), 1)
    assert 0 < 1 - np.diag(evaluation.gift_weights).min() <= 0.5
    assert_same_weights(before, weights_of(algorithm))
    algorithm.train()
    weights = weights_of(algorithm)
    algorithm.stop()
    twin = LASE.from_checkpoint(path)
    twin.train()
    assert_same_weights(weights, weights_of(twin))
    twin.stop()


@pytest.mark.parametrize(("env", "reason"), [("ipd", "ipd has no map"), (Line, "found 'Line'")])
def test_sight_is_refused_where_no_observation_tells_of_it(env, reason):
    config = LASEConfig().environment(env).training(mask_unseen=True)
    with pytest.raises(SettingsError, match=f"mask_unseen: .*{reason}"):
        config.build_algo()


@pytest.mark.learning  # half a minute of remote env runners that start
def test_agents_with_one_set_of_parameters_still_share_it_after_a_restore_and_more_training(tmp_path):
    algorithm = small(LASESharedConfig, runners=2).build_algo()
    algorithm.train()
    path = algorithm.save_to_path(tmp_path / "checkpoint")
    algorithm.train()
    expected = weights_of(algorithm)
    algorithm.stop()
    twin = LASEShared.from_checkpoint(path)
    restored = weights_of(twin)
    for state in twin.env_runner_group.foreach_env_runner(
        lambda runner: runner.module.get_state(), local_env_runner=False
    ):
        acting = {f"{a}/{n}": v for a, s in state.items() for n, v in s.items() if n.startswith("policy.")}
        assert_same_weights({k: v for k, v in restored.items() if "/policy." in k}, acting)
    twin.train()
    found = weights_of(twin)
    assert_same_weights(expected, found)
    names = [name.removeprefix("agent_0/") for name in found if name.startswith("agent_0/")]
    for agent in range(4):
        assert all(np.array_equal(found[f"agent_{agent}/{n}"], found[f"agent_0/{n}"]) for n in names)
    assert not any(np.array_equal(found[f"agent_3/{n}"], restored[f"agent_3/{n}"]) for n in names)
    twin.stop()


def test_a_checkpoint_is_safe_tensors_json_and_a_manifest_and_no_pickle(tmp_path):
    algorithm = small().build_algo()
    algorithm.train()
    path = tmp_path / "checkpoint"
    algorithm.save_to_path(path)
    assert {file.suffix for file in path.rglob("*") if file.is_file()} == {".json", ".safetensors"}
    manifest = json.loads((path / "manifest.json").read_text())
    assert manifest["kind"] == "rllib-lase algorithm"
    algorithm.stop()


def test_a_checkpoint_that_does_not_fit_is_refused(tmp_path):
    algorithm = small(game="snowdrift").build_algo()
    path = algorithm.save_to_path(tmp_path / "checkpoint")
    algorithm.stop()
    wider = small(game="snowdrift").env_runners(num_envs_per_env_runner=8).build_algo()
    with pytest.raises(CheckpointError, match="num_envs_per_env_runner: 4 there, 8 here"):
        wider.restore_from_path(path)
    wider.stop()
    other = small(game="cleanup").build_algo()
    with pytest.raises(CheckpointError, match="env: 'snowdrift' there, 'cleanup' here"):
        other.restore_from_path(path)
    other.stop()
    with pytest.raises(CheckpointError, match="of algorithm 'lase', not 'go'"):
        GOConfig().algo_class.from_checkpoint(path)


def test_remote_runners_play_the_same_games_as_copies_of_one_process():
    one = small(IndependentConfig, runners=0).build_algo()
    assert one.env_runner.env.num_envs == 4
    two = small(IndependentConfig, runners=2).build_algo()
    rollouts = two.env_runner_group.foreach_env_runner(
        lambda runner: runner.sample_rollout(5, 0.0), local_env_runner=False
    )
    assert np.array_equal(np.sort(np.concatenate([r.lanes for r in rollouts])), np.arange(8))
    first = one.env_runner.sample_rollout(5, 0.0)
    same = next(rollout for rollout in rollouts if rollout.lanes[0] == 0)
    assert np.array_equal(first.groups[0].obs[:, 0], same.groups[0].obs[:, 0])
    result = two.train()
    assert result["social"]["env_steps"] == 2 * 4 * 20 * 3
    one.stop()
    two.stop()


def test_a_remote_learner_learns_what_a_local_one_does():
    local, remote = (small(GOConfig).learners(num_learners=n).build_algo() for n in (0, 1))
    local.train()
    remote.train()
    ours, theirs = weights_of(local), weights_of(remote)
    assert max(np.abs(ours[name] - theirs[name]).max() for name in ours) < 1e-5
    local.stop()
    remote.stop()


def test_any_multi_agent_env_is_trained_on():
    config = LASEConfig().environment(Line, env_config={"leave": {"cook": (2, "terminated")}})
    config.training(hidden_size=16, rounds_per_iteration=4, sr_update_frequency=1).debugging(seed=0)
    config.env_runners(num_envs_per_env_runner=4, rollout_fragment_length=8)
    algorithm = config.build_algo()
    social = algorithm.train()["social"]
    assert np.isfinite(social["collective_reward"])
    assert all(np.isfinite(values).all() for values in algorithm.report.learner["learner"].values())
    algorithm.stop()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        ("reward", ["reward", "cook", "nan"]),
        ("observation", ["observation", "cook", "nan"]),
    ],
)
def test_a_nan_stops_the_run_in_the_same_iteration_and_is_named(spoil, words):
    def break_it(step, answer):
        if step == 3 and spoil == "reward":
            answer[1]["cook"] = float("nan")
        if step == 3 and spoil == "observation":
            answer[0]["cook"][1] = float("nan")
        return answer

    config = LASEConfig().environment(Line, env_config={"spoil": break_it}).training(hidden_size=8)
    config.env_runners(num_envs_per_env_runner=2, rollout_fragment_length=8).debugging(log_level="ERROR")
    algorithm = config.build_algo()
    with pytest.raises(RuntimeError) as raised:
        algorithm.train()
    message = str(raised.value)
    assert all(word in message.lower() for word in [*words, "step 3", "env index 0"])
    algorithm.stop()


def test_rllibs_unmodified_ppo_trains_on_the_batched_runner():
    config = PPOConfig().environment("snowdrift", env_config={})
    config.multi_agent(
        policies=[f"agent_{i}" for i in range(4)], policy_mapping_fn=lambda agent_id, *_, **__: agent_id
    )
    config.env_runners(
        env_runner_cls=BatchedEnvRunner,
        num_env_runners=0,
        num_envs_per_env_runner=8,
        rollout_fragment_length=25,
    )
    config.training(train_batch_size_per_learner=200, minibatch_size=100, num_epochs=1)
    config.rl_module(model_config={"fcnet_hiddens": [16], "conv_filters": [[8, 3, 1]]})
    config.debugging(seed=0, log_level="ERROR")
    algorithm = config.build_algo()
    for _ in range(4):
        result = algorithm.train()
    assert result["env_runners"]["num_env_steps_sampled_lifetime"] == 800
    assert result["env_runners"]["episode_return_mean"] > 0
    assert np.isfinite(result["learners"]["agent_0"]["total_loss"])
    algorithm.stop()


def test_tune_runs_searches_and_restores_our_algorithms(tmp_path):
    config = small(GOConfig).training(lr=tune.grid_search([1e-3, 2e-3]))
    results = tune.Tuner(
        GOConfig().algo_class,
        param_space=config,
        run_config=tune.RunConfig(
            stop={"training_iteration": 2},
            storage_path=str(tmp_path),
            verbose=0,
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=True),
        ),
        tune_config=tune.TuneConfig(metric="social/collective_reward", mode="max", max_concurrent_trials=1),
    ).fit()
    assert not results.errors
    rates = sorted(result.config["lr"] for result in results)
    assert rates == [1e-3, 2e-3]
    best = results.get_best_result()
    twin = GOConfig().algo_class.from_checkpoint(best.checkpoint.path)
    assert twin.iteration == 2
    assert twin.config.lr == best.config["lr"]
    twin.stop()


def test_all_faulty_settings_are_listed_in_one_error():
    config = small().training(gamma=1.5, lr=-1.0, sr_policy_rule="eq6")
    with pytest.raises(SettingsError) as raised:
        config.build_algo()
    assert {line.split(":")[0] for line in raised.value.errors} == {"gamma", "lr", "sr_policy_rule"}


def test_an_unknown_setting_is_refused_with_the_closest_name():
    with pytest.raises(SettingsError, match="entropy_coef: unknown setting; did you mean 'entropy_coeff'"):
        LASEConfig().training(entropy_coef=0.1)


@pytest.mark.parametrize("obs", ["code", "rgb"])
def test_observations_that_the_networks_cannot_read_are_refused(obs):
    config = small().environment("cleanup", env_config={"obs": obs})
    with pytest.raises(SettingsError, match=f"obs='{obs}' is not what these networks read.* planes, float32"):
        config.build_algo()


def test_settings_follow_the_games_defaults_unless_set():
    config = LASEConfig().training(gamma=0.5).environment("cleanup")
    assert (config.gamma, config.optimizer) == (0.5, "ppo")
    config.environment("ipd")
    assert (config.gamma, config.optimizer, config.rollout_fragment_length) == (0.5, "a2c", 10)
    config.training(optimizer="ppo")
    assert config.rollout_fragment_length == 50


def test_a_random_hash_seed_brings_one_warning(monkeypatch):
    monkeypatch.delenv("PYTHONHASHSEED", raising=False)
    with pytest.warns(UserWarning, match="PYTHONHASHSEED is not fixed") as caught:
        algorithm = small(IndependentConfig, game="ipd").build_algo()
    assert len([w for w in caught if "PYTHONHASHSEED" in str(w.message)]) == 1
    algorithm.stop()


def test_policies_act_alone_as_rl_modules():
    algorithm = small().build_algo()
    module = algorithm.get_module("agent_2")
    out = module.forward_inference({"obs": torch.zeros(3, *module.observation_space.shape)})
    assert out["action_dist_inputs"].shape == (3, 6)
    algorithm.stop()
