import dataclasses

import gymnasium as gym
import numpy as np
import pytest
import torch
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.core.learner.training_data import TrainingData
from ray.rllib.env.wrappers.pettingzoo_env import ParallelPettingZooEnv
from ray.tune import register_env

import mixed_motive
from rllib_lase.core.distributions import gaussian_logp
from rllib_lase.registry import ALGORITHMS
from rllib_lase.rllib.action_encoding import make_action_encoder
from rllib_lase.rllib.algorithms import LASEConfig
from rllib_lase.rllib.env_runner import BatchedEnvRunner
from rllib_lase.rllib.learner import SocialLearner
from rllib_lase.settings import SettingsError
from rllib_lase.social.hook import LearntRewards
from tests.rllib.test_learner import as_float, blind, parameters_of
from tests.rollouts import random_rollout

NAME = "continuous_public_goods"


@pytest.fixture(autouse=True)
def _registered():
    # Anew for each test: Tune forgets what was registered when Ray is shut down.
    register_env(
        NAME,
        lambda options: ParallelPettingZooEnv(
            mixed_motive.continuous_public_goods_v0.parallel_env(**options)
        ),
    )


CONFIGS = {algo: spec.config_class() for algo, spec in ALGORITHMS.items()}
ABLE = [algo for algo, config in CONFIGS.items() if config.hook_class.continuous_actions]


def config_of(algo, **settings):
    config = CONFIGS[algo]().environment(NAME, env_config={"num_agents": 3, "max_cycles": 5})
    small = {"hidden_size": 16, "num_minibatches": 2, "num_epochs": 2}
    config.training(**small | settings).debugging(seed=0)
    return config.env_runners(num_envs_per_env_runner=4, rollout_fragment_length=8)


def spaces_of(rollout):
    obs = gym.spaces.Box(0, 1, rollout.groups[0].obs.shape[3:], np.uint8)
    box = gym.spaces.Box(-1, 1, rollout.actions.shape[3:], np.float32)
    return dict.fromkeys(rollout.agent_ids, (obs, box))


def rollout_for(seed=0, **kwargs):
    return random_rollout(np.random.default_rng(seed), action_size=2, **kwargs)


def make_learner(algo="lase", **settings):
    config = config_of(algo, **settings)
    spec = config.get_multi_rl_module_spec(spaces=spaces_of(rollout_for()))
    learner = SocialLearner(config=config, module_spec=spec)
    learner.build()
    return learner


@pytest.mark.parametrize(
    ("algo", "settings"),
    [
        *(
            (algo, {"sr_policy_rule": rule})
            for algo in ("lase", "lase_uniform")
            for rule in ("eq5", "soft_q")
        ),
        ("ia", {}),
        ("independent", {}),
    ],
)
def test_what_an_agent_may_not_see_changes_nothing_it_learns_to_the_bit(algo, settings):
    rollout = as_float(rollout_for(num_steps=12, episode_length=6, leavers=True))
    agent, results = 2, []
    for blindfolded in (False, True):
        learner = make_learner(algo, **settings)
        seen = blind(rollout, agent, learner.hook.visible_fields) if blindfolded else rollout
        networks, data = learner._networks(), seen.to_tensors()
        learner.hook.observe(seen, networks)
        learnt = learner.hook.rewards(data, networks, torch.ones_like(data.dones))
        rewards = learnt.rewards.clone()
        if blindfolded and learnt.gift_weights is not None:
            # What an agent receives is visible, though what decided it is not.
            rewards[agent] = results[0][0]
        row = None if learnt.gift_weights is None else learnt.gift_weights[..., agent, :]
        learner._update_policies(data, LearntRewards(rewards))
        losses = learner.hook.losses(networks)
        own = list(learner.module[f"agent_{agent}"].social.parameters())
        gradients = torch.autograd.grad(sum(loss[agent] for loss in losses.values()), own) if own else ()
        results.append((rewards[agent], row, parameters_of(learner, agent), gradients))
    (rewards, row, params, gradients), (rewards_b, row_b, params_b, gradients_b) = results
    assert torch.equal(rewards, rewards_b)
    assert row is None or torch.equal(row, row_b)
    assert all(torch.equal(params[name], params_b[name]) for name in params)
    assert all(torch.equal(a, b) for a, b in zip(gradients, gradients_b, strict=True))
    assert all(torch.isfinite(gradient).all() for gradient in gradients_b)


@pytest.mark.parametrize("algo", ["lase", "lase_shared", "independent"])
def test_a_round_changes_every_parameter_and_a_restored_learner_goes_on_exactly(algo):
    first, second = make_learner(algo), make_learner(algo)
    before = parameters_of(first, 1)
    first.update(training_data=TrainingData(batch=rollout_for(0)))
    changed = {name for name, value in parameters_of(first, 1).items() if not value.equal(before[name])}
    assert {"policy.pi.log_std.raw", *(name for name in before if "log_std" in name)} <= changed
    second.set_state(first.get_state())
    for learner in (first, second):
        learner.update(training_data=TrainingData(batch=rollout_for(1)))
    expected, found = parameters_of(first, 1), parameters_of(second, 1)
    assert all(expected[name].equal(found[name]) for name in expected)


def test_a_recurrent_policy_learns_whole_sequences():
    learner = make_learner("lase", use_lstm=True, lstm_size=8)
    rollout = rollout_for(num_steps=12, episode_length=5)
    group = dataclasses.replace(rollout.groups[0], state_in=np.zeros((3, 4, 16), np.float32))
    learner.update(training_data=TrainingData(batch=dataclasses.replace(rollout, groups=(group,))))
    assert np.isfinite(learner.collect_report()["learner"]["total_loss"]).all()


def test_a_runner_draws_from_the_gaussian_and_the_environment_gets_what_lies_in_its_box():
    runner = BatchedEnvRunner(config=config_of("independent"), worker_index=0, num_workers=0)
    rollout = runner.sample_rollout(6, 0.0)
    assert rollout.actions.shape == (3, 6, 4, 1)
    assert rollout.actions.dtype == np.float32
    assert (np.abs(rollout.actions) > 1).any()
    net = runner.module["agent_1"].policy
    with torch.no_grad():
        inputs = net(torch.from_numpy(rollout.obs_of(1)[:-1]).flatten(0, 1)).action_dist_inputs
    expected = gaussian_logp(inputs, torch.from_numpy(rollout.actions[1]).flatten(0, 1))
    assert torch.allclose(torch.from_numpy(rollout.action_logp[1]).flatten(), expected, atol=1e-4)
    shares = (rollout.actions[..., 0].clip(-1, 1) + 1) / 2
    assert np.allclose(rollout.rewards, 1 - shares + 1.6 * shares.mean(0), atol=1e-5)
    assert np.allclose(rollout.obs_of(0)[1, :, 0], shares[0, 0], atol=1e-6), "own share first"


def test_random_actions_are_uniform_and_a_mixture_is_refused():
    runner = BatchedEnvRunner(config=config_of("independent"), worker_index=0, num_workers=0)
    rollout = runner.sample_rollout(200, 1.0)
    assert np.abs(rollout.actions).max() <= 1
    assert abs(rollout.actions.mean()) < 0.05
    assert np.allclose(rollout.action_logp, -np.log(2))
    with pytest.raises(ValueError, match="no epsilon mixture"):
        runner.sample_rollout(2, 0.5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_actions_are_stretched_to_the_box_and_clipped(dtype):
    low, high = np.array([0, -3], dtype), np.array([1, 7], dtype)
    encoder = make_action_encoder(gym.spaces.Box(low, high, dtype=dtype))
    assert encoder.encoded == gym.spaces.Box(-1, 1, (2,), np.float32)
    for action, expected in (([-1, 1], [0, 7]), ([0, 0], [0.5, 2]), ([5, -5], [1, -3])):
        found = encoder.decode(np.array(action, np.float32))
        assert np.array_equal(found, expected)
        assert encoder.space.contains(found)


def test_algorithms_that_need_discrete_actions_are_refused_by_name():
    assert ABLE == [
        "lase", "lase_uniform", "lase_oracle", "lase_shared", "go", "ia", "svo", "fixed_share", "independent"
    ]  # fmt: skip
    for algo in sorted(set(CONFIGS) - set(ABLE)):
        config = CONFIGS[algo]().environment(NAME)
        with pytest.raises(SettingsError, match=f"env: {algo} needs discrete actions.*choose one of lase, "):
            config.get_multi_rl_module_spec(spaces=spaces_of(rollout_for()))


def test_settings_that_need_discrete_actions_are_refused_all_at_once():
    config = LASEConfig().environment(NAME).training(epsilon_start=0.1, refuse_gifts=True)
    with pytest.raises(SettingsError, match=r"epsilon_start: .*leave it at 0") as refusal:
        config.get_multi_rl_module_spec(spaces=spaces_of(rollout_for()))
    assert [error.split(":")[0] for error in refusal.value.errors] == ["epsilon_start", "refuse_gifts"]


def test_rllibs_own_modules_with_continuous_actions_are_sent_to_rllibs_own_runner():
    config = (
        PPOConfig().environment(NAME).env_runners(env_runner_cls=BatchedEnvRunner, num_envs_per_env_runner=1)
    )
    config.multi_agent(policies={"p"}, policy_mapping_fn=lambda *_, **__: "p")
    with pytest.raises(ValueError, match=r"discrete actions only.*MultiAgentEnvRunner"):
        BatchedEnvRunner(config=config, worker_index=0, num_workers=0)
