"""Policies to take away act as the runner does, where there is no Ray."""

import copy
import json
import shutil
from typing import ClassVar

import gymnasium as gym
import numpy as np
import pytest
from ray.tune import register_env

import rllib_lase
from rllib_lase.policies import PolicyError
from rllib_lase.policies.spaces import read_space, write_space
from rllib_lase.registry import ALGORITHMS
from rllib_lase.rllib.action_encoding import make_action_encoder
from rllib_lase.rllib.checkpoints import CheckpointError, save_tree
from rllib_lase.run_schema import RunError
from rllib_lase.runs import RunFolder
from tests.interpreter import run_python
from tests.policies.saved import BOXES, add_checkpoint, make_runner, save_run
from tests.rllib.test_mixed_spaces import OBSERVED, Ship
from tests.synthetic_runs import run_config

CASES = [
    *((algo, "ipd" if algo == "lola" else "cleanup", {}) for algo in ALGORITHMS),
    ("lase", "cleanup", {"refuse_gifts": True}),
    ("independent", "snowdrift", {"use_lstm": True, "lstm_size": 12}),
    ("lase_shared", "stag_hunt", {"use_lstm": True, "lstm_size": 12}),
    ("lase", BOXES, {}),
    ("independent", BOXES, {"use_lstm": True, "lstm_size": 12}),
]
STEPS, COPIES = 50, 20


def sampled(runner, steps=STEPS):
    """A rollout without exploration, and the numbers that its actions were drawn with, `(T, N, B, ...)`."""
    generator = copy.deepcopy(runner.sampler.generator)
    rollout = runner.sample_rollout(steps, 0.0)
    shape = (steps, rollout.num_agents, rollout.num_envs, *runner.env.action_shape)
    return rollout, generator.random(shape, np.float32)


@pytest.mark.parametrize(("algo", "game", "settings"), CASES)
def test_actions_on_a_thousand_observations_are_those_of_the_training_runner(algo, game, settings, tmp_path):
    horizon = {"max_cycles": 13} if game == BOXES else {"horizon": 13}
    runner = make_runner(algo, game, horizon, num_envs=COPIES, **settings)
    save_run(tmp_path / "run", runner)
    rollout, uniform = sampled(runner)
    agent = len(rollout.agent_ids) - 1
    policy = rllib_lase.load_policy(tmp_path / "run", rollout.agent_ids[agent])
    assert policy.is_recurrent == settings.get("use_lstm", False)
    own_obs, own_actions = runner.env.own_spaces[policy.agent_id]
    assert (policy.observation_space, policy.action_space) == (own_obs, own_actions)
    encoder, table = make_action_encoder(own_actions), runner.env.action_tables.get(policy.agent_id)
    for t in range(STEPS):
        if t > 0:
            policy.reset(rollout.dones[t - 1])
        actions = policy.act(rollout.obs_of(agent)[t], uniform[t, agent])
        active = rollout.active[agent, t]
        np.testing.assert_array_equal(policy.choices[active], rollout.actions[agent, t][active])
        played = rollout.actions[agent, t] if table is None else table[rollout.actions[agent, t]]
        np.testing.assert_array_equal(actions[active], encoder.decode(played)[active])
        assert all(own_actions.contains(action) for action in actions)
    assert rollout.dones.any()


class LoggedShip(Ship):
    """Agents with spaces of all kinds, and what each was shown."""

    crews: ClassVar[list["LoggedShip"]] = []

    def __init__(self, config):
        super().__init__(config)
        self.shown = []
        self.crews.append(self)

    def _look(self):
        self.shown.append(super()._look())
        return self.shown[-1]


@pytest.mark.parametrize("agent_id", OBSERVED)
def test_images_boxes_and_dicts_of_others_are_read_as_the_environment_shows_them(agent_id, tmp_path):
    register_env("logged_ship", LoggedShip)
    LoggedShip.crews.clear()
    runner = make_runner("independent", "logged_ship", num_envs=1)
    save_run(tmp_path / "run", runner)
    rollout, uniform = sampled(runner, 3)
    agent = rollout.agent_ids.index(agent_id)
    shown = max((crew.shown for crew in LoggedShip.crews), key=len)
    assert len(shown) == 4
    policy = rllib_lase.load_policy(tmp_path / "run", agent_id)
    for t in range(3):
        action = policy.act(shown[t][agent_id], uniform[t, agent, 0])
        assert policy.action_space.contains(action)
        assert policy.choices == rollout.actions[agent, t, 0]


def test_one_observation_gives_one_action_of_the_space(tmp_path):
    runner = make_runner()
    save_run(tmp_path, runner)
    policy, again = (rllib_lase.load_policy(tmp_path, "agent_1", seed=5) for _ in range(2))
    rollout, _ = sampled(runner, 8)
    obs = rollout.obs_of(1)[:8].reshape(80, *policy.observation_space.shape)
    actions = [policy.act(one) for one in obs]
    assert {type(action) for action in actions} == {int}
    assert all(action in policy.action_space for action in actions)
    assert len(set(actions)) > 1
    assert actions == [again.act(one) for one in obs]
    other_seed = rllib_lase.load_policy(tmp_path, "agent_1", seed=6)
    assert actions != [other_seed.act(one) for one in obs]


def test_a_refused_gift_is_the_games_action_and_a_gift_plays_the_one_that_does_nothing(tmp_path):
    for algo, settings, number, plays in (
        ("lase", {"refuse_gifts": True}, 14, lambda choice: choice % 7),
        ("gifting", {}, 8, lambda choice: 4 if choice == 7 else choice),
    ):
        save_run(tmp_path / algo, make_runner(algo, **settings))
        policy = rllib_lase.load_policy(tmp_path / algo)
        obs = policy.observation_space.sample()
        pairs = {(policy.act(obs, uniform=u), int(policy.choices)) for u in np.arange(0, 1, 1 / 512)}
        assert {choice for _, choice in pairs} == set(range(number))
        assert all(action == plays(choice) for action, choice in pairs)


def test_a_policy_with_memory_plays_an_episode_step_by_step_as_in_a_batch(tmp_path):
    runner = make_runner("independent", "snowdrift", {"horizon": 8}, use_lstm=True, lstm_size=12)
    save_run(tmp_path, runner)
    rollout, uniform = sampled(runner, 24)
    policy = rllib_lase.load_policy(tmp_path)
    found = []
    for t in range(24):
        if t and rollout.dones[t - 1, 2]:
            policy.reset()
        found.append(policy.act(rollout.obs_of(0)[t, 2], uniform[t, 0, 2]))
    assert found == rollout.actions[0, :, 2].tolist()
    with pytest.raises(PolicyError, match=r"3 observations, but 1 before.*reset\(\)"):
        policy.act(rollout.obs_of(0)[0, :3])
    with pytest.raises(PolicyError, match=r"`where` is bool \(3,\); expected bool \(1,\)"):
        policy.reset([True, False, True])
    policy.reset()
    assert policy.act(rollout.obs_of(0)[0, :3]).shape == (3,)


@pytest.mark.parametrize(
    ("obs", "words"),
    [
        (np.zeros((7, 5), np.uint8), r"shape \(7, 5\); expected shape \(7, 5, 5\).*agent_0 sees Box"),
        (np.zeros((2, 7, 5, 4), np.uint8), r"shape \(7, 5, 4\); expected shape \(7, 5, 5\)"),
        (np.zeros((7, 5, 5)), r"dtype float64; expected dtype uint8"),
        (np.zeros((0, 7, 5, 5), np.uint8), "a batch without observations"),
    ],
)
def test_an_observation_of_another_space_is_refused(tmp_path, obs, words):
    save_run(tmp_path, make_runner())
    with pytest.raises(PolicyError, match=words):
        rllib_lase.load_policy(tmp_path).act(obs)


@pytest.mark.parametrize("uniform", [1.0, -0.1, np.nan, [0.5]])
def test_numbers_that_no_action_can_be_drawn_with_are_refused(tmp_path, uniform):
    save_run(tmp_path, make_runner())
    policy = rllib_lase.load_policy(tmp_path)
    with pytest.raises(PolicyError, match=r"`uniform` has shape .*expected \(\), numbers in \[0, 1\)"):
        policy.act(policy.observation_space.sample(), uniform)


def test_the_newest_checkpoint_is_loaded_unless_another_is_named(tmp_path):
    first, second = make_runner(), make_runner(hidden_size=32)
    save_run(tmp_path, first, 1000)
    add_checkpoint(tmp_path, second, 2000)

    def fc(**kwargs):
        return rllib_lase.load_policy(tmp_path, **kwargs)._actor._nets[0].fc.out_features

    assert fc() == 32
    assert fc(checkpoint=1000) != 32
    assert fc(checkpoint=2000) == 32
    with pytest.raises(RunError, match=r"no checkpoint 'foo'. It has those after 1000, 2000 env steps"):
        fc(checkpoint="foo")


def test_a_single_checkpoint_is_loaded_too_also_one_of_tunes(tmp_path):
    save_run(tmp_path, make_runner())
    checkpoint = tmp_path / "checkpoints" / "env_steps_000008000"
    (tmp_path / "tune").mkdir()
    shutil.copytree(checkpoint, tmp_path / "tune" / "algorithm")
    policies = [rllib_lase.load_policy(p, "agent_2") for p in (tmp_path, checkpoint, tmp_path / "tune")]
    for _ in range(20):
        obs = policies[0].observation_space.sample()
        assert len({policy.act(obs) for policy in policies}) == 1
    with pytest.raises(PolicyError, match=r"is no run that has several checkpoints"):
        rllib_lase.load_policy(checkpoint, checkpoint=1)


def test_what_cannot_be_loaded_is_told_with_its_cure(tmp_path):
    with pytest.raises(RunError, match=r"holds neither a run .* nor a checkpoint or an export"):
        rllib_lase.load_policy(tmp_path / "nowhere")
    RunFolder.create(tmp_path / "started", run_config())
    with pytest.raises(RunError, match=r"holds no checkpoint.*stopped before one was saved"):
        rllib_lase.load_policy(tmp_path / "started")
    save_run(tmp_path / "run", make_runner())
    with pytest.raises(PolicyError, match=r"no agent 'agent1': did you mean 'agent_1'\?"):
        rllib_lase.load_policy(tmp_path / "run", "agent1")
    shutil.copytree(tmp_path / "run", tmp_path / "damaged")
    arrays = tmp_path / "damaged" / "checkpoints" / "env_steps_000008000" / "arrays.safetensors"
    arrays.write_bytes(arrays.read_bytes()[:-1] + b"\x01")
    with pytest.raises(CheckpointError, match=r"arrays.safetensors: its SHA-256"):
        rllib_lase.load_policy(tmp_path / "damaged")
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    (tmp_path / "run" / "config.json").write_text(json.dumps(config | {"algo": "rllib:PPO"}))
    with pytest.raises(PolicyError, match=r"rllib:PPO is RLlib's own.*RLModule.from_checkpoint"):
        rllib_lase.load_policy(tmp_path / "run")


def test_a_checkpoint_of_an_older_version_says_how_to_renew_it(tmp_path):
    RunFolder.create(tmp_path, run_config())
    state = {"env_steps": 8, "learner": {"rl_module": {}}}
    save_tree(tmp_path / "checkpoints" / "env_steps_000000008", state, kind="rllib-lase algorithm")
    with pytest.raises(CheckpointError, match=r"older version.*from_checkpoint\(\) and save it again"):
        rllib_lase.load_policy(tmp_path)


def test_loading_and_acting_imports_neither_ray_nor_pandas(tmp_path):
    save_run(tmp_path, make_runner("lase"))
    code = f"""
import sys
import rllib_lase
policy = rllib_lase.load_policy({str(tmp_path)!r})
action = policy.act(policy.observation_space.sample())
heavy = ("ray", "pandas", "pyarrow", "numba", "matplotlib")
print(policy.action_space.contains(action), [name for name in heavy if name in sys.modules])
"""
    assert run_python(code) == "True []"


SPACES = [
    gym.spaces.Box(0, 1, (3, 2), np.uint8),
    gym.spaces.Box(-np.inf, np.inf, (4,), np.float64),
    gym.spaces.Box(np.array([0.0, -1.0], np.float32), np.array([1.0, 7.0], np.float32)),
    gym.spaces.Discrete(5, start=-2),
    gym.spaces.MultiBinary([2, 3]),
    gym.spaces.MultiDiscrete([3, 4]),
    gym.spaces.Dict({"b": gym.spaces.Discrete(2), "a": gym.spaces.Box(0, 255, (), np.uint8)}),
    gym.spaces.Tuple([gym.spaces.Discrete(2), gym.spaces.MultiBinary(3)]),
]


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_a_space_comes_back_from_a_checkpoint(space, tmp_path):
    from rllib_lase.rllib.checkpoints import load_tree

    save_tree(tmp_path / "space", write_space(space), kind="test")
    found = read_space(load_tree(tmp_path / "space"))
    assert found == space
    assert found.dtype == space.dtype


def test_a_space_that_no_policy_reads_is_refused():
    with pytest.raises(ValueError, match=r"Text.*expected a Box"):
        write_space(gym.spaces.Text(3))
