import numpy as np
import pytest
import torch
from ray.rllib.algorithms.ppo import PPOConfig
from ray.tune import register_env

from rllib_lase.rllib.algorithms import IndependentConfig, LASEConfig
from rllib_lase.rllib.env_runner import BatchedEnvRunner
from tests.rllib.line_env import Line

HORIZON = 50  # of snowdrift


def make_runner(
    game="snowdrift", config_class=IndependentConfig, copies=4, seed=0, env_config=None, **settings
):
    config = config_class().environment(game, env_config=env_config or {}).debugging(seed=seed)
    config.training(hidden_size=16, **settings)
    config.env_runners(num_envs_per_env_runner=copies, rollout_fragment_length=10)
    return BatchedEnvRunner(config=config, worker_index=0, num_workers=0)


def test_fragments_follow_each_other_and_episodes_end_at_the_horizon():
    runner = make_runner()
    first, second = runner.sample_rollout(30, 0.0), runner.sample_rollout(30, 0.0)
    assert np.array_equal(second.obs_of(2)[0], first.obs_of(2)[-1])
    assert not first.dones.any()
    assert second.dones[HORIZON - 30 - 1].all()
    assert second.dones.sum() == 4
    assert second.truncateds[:, HORIZON - 30 - 1].all()
    assert not second.terminateds.any()
    assert second.final_index.tolist() == [[19, b] for b in range(4)]
    assert second.lane_steps.tolist() == [30] * 4


def test_values_of_final_observations_are_the_critics_and_not_those_of_the_next_episode():
    runner = make_runner()
    rollout = runner.sample_rollout(HORIZON + 1, 0.0)
    group = rollout.groups[0]
    for agent, agent_id in enumerate(rollout.agent_ids):
        policy = runner.module[agent_id].policy
        final = policy(torch.from_numpy(group.final_obs[agent])).vf_preds
        assert np.allclose(rollout.final_vf_preds[agent], final.detach().numpy(), atol=1e-5)
        values = policy(torch.from_numpy(rollout.obs_of(agent)[HORIZON])).vf_preds.detach().numpy()
        assert np.allclose(rollout.vf_preds[agent, HORIZON], values, atol=1e-5)
    dense = rollout.to_tensors().final_vf_preds
    assert np.allclose(dense[:, HORIZON - 1].numpy(), rollout.final_vf_preds)


@pytest.mark.parametrize("epsilon", [0.0, 0.3, 1.0])
def test_log_probabilities_are_those_of_the_epsilon_mixture(epsilon):
    runner = make_runner()
    with torch.no_grad():
        for agent_id in runner.module.keys():  # noqa: SIM118
            runner.module[agent_id].policy.pi.weight.mul_(500)
    rollout = runner.sample_rollout(40, epsilon)
    agent = 1
    logits = runner.module["agent_1"].policy(torch.from_numpy(rollout.obs_of(agent)[:-1]).flatten(0, 1))
    probs = (1 - epsilon) * logits.action_dist_inputs.softmax(-1) + epsilon / 6
    taken = probs.gather(-1, torch.from_numpy(rollout.actions[agent]).reshape(-1, 1)).squeeze(-1)
    assert np.allclose(rollout.action_logp[agent].reshape(-1), taken.log().detach().numpy(), atol=1e-4)


def test_actions_are_drawn_with_their_probabilities():
    runner = make_runner("ipd", copies=500)
    with torch.no_grad():
        for agent_id in runner.module.keys():  # noqa: SIM118
            policy = runner.module[agent_id].policy
            policy.pi.weight.zero_()
            policy.pi.bias.copy_(torch.tensor([0.8, 0.2]).log())
    rollout = runner.sample_rollout(40, 0.5)
    share = (rollout.actions == 0).mean((1, 2))
    assert np.allclose(share, 0.5 * 0.8 + 0.5 * 0.5, atol=4 * 0.5 / np.sqrt(20_000))


def test_the_same_seed_gives_the_same_experience_and_another_seed_another():
    one, same, other = (make_runner(seed=seed).sample_rollout(20, 0.2) for seed in (3, 3, 4))
    for name in ("actions", "rewards", "vf_preds", "action_logp"):
        assert np.array_equal(getattr(one, name), getattr(same, name))
    assert not np.array_equal(one.actions, other.actions)


def test_a_restored_runner_goes_on_exactly_in_the_middle_of_an_episode():
    runner = make_runner(use_lstm=True, lstm_size=8)
    runner.sample_rollout(33, 0.1)
    twin = make_runner(use_lstm=True, lstm_size=8, seed=9)
    twin.module.set_state(runner.module.get_state())
    twin.set_sampling_state(runner.get_sampling_state())
    expected, found = runner.sample_rollout(40, 0.1), twin.sample_rollout(40, 0.1)
    for name in ("actions", "rewards", "vf_preds", "dones", "lane_steps"):
        assert np.array_equal(getattr(expected, name), getattr(found, name))
    assert np.array_equal(expected.groups[0].obs, found.groups[0].obs)
    (_, mine), (_, theirs) = runner.metrics_and_episodes(), twin.metrics_and_episodes()
    assert np.array_equal(mine.returns[-4:], theirs.returns[-4:])


def test_a_foreign_environment_resumes_with_new_episodes_that_continue_nothing():
    runner = make_runner(Line, env_config={"horizon": 50})
    before = runner.sample_rollout(9, 0.0)
    twin = make_runner(Line, env_config={"horizon": 50})
    twin.set_sampling_state(runner.get_sampling_state())
    after = twin.sample_rollout(9, 0.0)
    assert (after.lane_steps > before.lane_steps + 9).all(), "a gap, so that the replay joins nothing"
    assert np.array_equal(after.obs_of(0)[0, :, 0], np.full(4, 0.5)), "a new episode: 0 in [-100, 100]"
    assert not np.array_equal(after.obs_of(0)[0], before.obs_of(0)[0]), "and another one than the first"


def test_argmax_play_is_refused():
    with pytest.raises(ValueError, match="always samples"):
        make_runner().sample(num_episodes=1, explore=False)


def test_a_recurrent_state_is_carried_over_fragments_and_zeroed_between_episodes():
    runner = make_runner(use_lstm=True, lstm_size=8)
    runner.sample_rollout(HORIZON - 2, 0.0)
    rollout = runner.sample_rollout(4, 0.0)
    agent = 0
    data = rollout.to_tensors()
    assert data.state_in[agent].abs().max() > 0
    resets = torch.cat([torch.zeros_like(data.dones[:1]), data.dones[:-1]])
    assert resets[2].all()
    policy = runner.module["agent_0"].policy
    sequence, _ = policy.forward_sequence(data.obs[agent][:-1], data.state_in[agent], resets)
    assert np.allclose(sequence.vf_preds.detach().numpy(), rollout.vf_preds[agent, :-1], atol=1e-5)


def test_returns_and_counts_of_episodes_are_sums_over_fragments():
    runner = make_runner(copies=3)
    rollouts = [runner.sample_rollout(17, 0.0) for _ in range(9)]
    _, finished = runner.metrics_and_episodes()
    rewards = np.concatenate([rollout.rewards for rollout in rollouts], 1)[:, : 3 * HORIZON]
    counts = np.concatenate([rollout.counts for rollout in rollouts], 1)[:, : 3 * HORIZON]
    by_episode = rewards.reshape(4, 3, HORIZON, 3).sum(2).transpose(1, 2, 0).reshape(9, 4)
    assert np.allclose(finished.returns, by_episode, atol=1e-4)
    assert finished.lengths.tolist() == [HORIZON] * 9
    assert finished.copies.tolist() == [0, 1, 2] * 3
    expected = counts.reshape(4, 3, HORIZON, 3, -1).sum(2).transpose(1, 2, 0, 3).reshape(9, 4, -1)
    assert np.array_equal(finished.counts, expected)
    assert finished.first_of_each_copy(2).copies.tolist() == [0, 1, 2, 0, 1, 2]


def test_any_multi_agent_env_is_sampled_by_class_and_by_registered_name():
    register_env("line_for_runner", lambda config: Line(dict(config)))
    by_class, by_name = (
        make_runner(env, LASEConfig).sample_rollout(9, 0.0) for env in (Line, "line_for_runner")
    )
    assert by_class.agent_ids == ("walker_2", "walker_10", "cook")
    assert by_class.dones.sum() == 4 * 2
    assert np.array_equal(by_class.actions, by_name.actions)
    assert np.array_equal(by_class.rewards, by_name.rewards)


def test_an_agent_that_leaves_early_is_masked_and_its_end_is_a_termination():
    runner = make_runner(Line, env_config={"leave": {"walker_10": (2, "terminated")}, "horizon": 5})
    rollout = runner.sample_rollout(10, 0.0)
    assert rollout.active[1, :, 0].tolist() == [True, True, False, False, False] * 2
    assert rollout.terminateds[1, :, 0].tolist() == [False, True, False, False, False] * 2
    assert (rollout.actions[1][~rollout.active[1]] == 0).all()
    assert rollout.agent_steps() == 4 * (10 + 4 + 10)


def test_episodes_are_asked_for_by_number_as_rllib_does():
    runner = make_runner(copies=4)
    rollouts = runner.sample(num_episodes=6)
    assert sum(len(rollout.final_index) for rollout in rollouts) == 8
    assert rollouts[0].lane_steps.tolist() == [0] * 4


def test_rllibs_own_ppo_gets_ordinary_episodes():
    config = PPOConfig().environment("snowdrift", env_config={"obs": "float32"}).debugging(seed=0)
    config.multi_agent(
        policies=[f"agent_{i}" for i in range(4)], policy_mapping_fn=lambda agent_id, *_, **__: agent_id
    )
    config.env_runners(num_envs_per_env_runner=3, rollout_fragment_length=20)
    config.rl_module(model_config={"fcnet_hiddens": [16], "conv_filters": [[8, 3, 1]]})
    runner = BatchedEnvRunner(config=config, worker_index=0, num_workers=0)
    first, second = runner.sample(), runner.sample()
    assert len(first) == 3
    assert [episode.id_ for episode in first] == [episode.id_ for episode in second]
    assert [len(episode) for episode in first] == [20] * 3
    assert sorted(first[0].agent_episodes) == [f"agent_{i}" for i in range(4)]
    chunks = runner.sample(num_timesteps=2 * 3 * 20)
    for chunk in chunks:
        for episode in chunk.agent_episodes.values():
            logits = torch.from_numpy(np.stack(episode.get_extra_model_outputs("action_dist_inputs")))
            taken = torch.from_numpy(np.stack(episode.get_actions())).long().unsqueeze(-1)
            logp = logits.log_softmax(-1).gather(-1, taken).squeeze(-1).numpy()
            assert np.allclose(logp, episode.get_extra_model_outputs("action_logp"), atol=1e-5)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda c: c.env_runners(env_to_module_connector=lambda *_: None), "env_to_module_connector"),
        (lambda c: c.env_runners(batch_mode="complete_episodes"), "complete_episodes"),
        (lambda c: c.callbacks(on_episode_step=lambda **_: None), "on_episode_step"),
    ],
)
def test_what_the_runner_cannot_serve_is_refused_by_name(change, named):
    config = IndependentConfig().environment("ipd")
    change(config)
    with pytest.raises(ValueError, match=f"{named}.*MultiAgentEnvRunner"):
        BatchedEnvRunner(config=config, worker_index=0, num_workers=0)
