"""`with_gifts`: what it refuses before anything is built, and the settings that follow from the rest."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from ray.rllib.algorithms.appo import APPOConfig
from ray.rllib.algorithms.dqn import DQNConfig
from ray.rllib.algorithms.impala import IMPALAConfig
from ray.rllib.algorithms.impala.torch.impala_torch_learner import IMPALATorchLearner
from ray.rllib.algorithms.ppo import PPOConfig

import rllib_lase
from rllib_lase.rllib.gift_config import gift_settings, joint_spaces
from rllib_lase.rllib.learner_mixin import LASELearnerMixin
from rllib_lase.rllib.stock import StockGameEnv
from rllib_lase.settings import SettingsError
from tests.rllib.ppo_configs import ACTION_SPACE, AGENTS, OBS_SPACE, ppo


@pytest.mark.parametrize("config_class", [IMPALAConfig, APPOConfig])
def test_asynchronous_algorithms_are_refused_with_the_reason(config_class):
    with pytest.raises(SettingsError, match="aggregator actors run connectors on their own copies"):
        rllib_lase.with_gifts(ppo(config_class))

    class Learner(LASELearnerMixin, IMPALATorchLearner):
        pass

    with pytest.raises(SettingsError, match="aggregator actors"):
        Learner(config=ppo(config_class)).build()


def test_algorithms_with_replay_are_refused():
    with pytest.raises(SettingsError, match="DQN does not learn from whole fresh fragments"):
        rllib_lase.with_gifts(ppo(DQNConfig))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"delat": 0.1}, "delat: unknown setting; did you mean 'delta'"),
        ({"delta": 2.0}, "delta: 2.0 is out of range"),
        ({"lr": 0.1}, r"lr: RLlib's PPO decides that; set it with config.training\(\)"),
        ({"refuse_gifts": True}, "refuse_gifts: it adds actions.*LASEConfig"),
        ({"mask_unseen": True}, "mask_unseen: whom an agent sees is known only in our own games"),
        ({"algo": "lsae"}, "unknown preference 'lsae'; did you mean 'lase'"),
    ],
)
def test_faulty_settings_are_named_before_anything_is_built(settings, message):
    with pytest.raises(SettingsError, match=message):
        rllib_lase.with_gifts(ppo(), **settings)


def test_one_policy_for_all_and_policies_that_do_not_learn_are_refused_with_the_cure():
    with pytest.raises(SettingsError, match=r"found default_policy, expected one .*multi_agent\("):
        rllib_lase.with_gifts(PPOConfig())
    with pytest.raises(SettingsError, match="policies_to_train: all agents exchange gifts"):
        rllib_lase.with_gifts(ppo().multi_agent(policies_to_train=["agent_0"]))


def test_policies_must_be_named_after_agents_where_sight_matters():
    config = ppo(agents=tuple(f"agent_{i}" for i in range(4))).environment("cleanup")
    _, settings = gift_settings(rllib_lase.with_gifts(config, mask_unseen=True))
    assert settings.mask_unseen
    with pytest.raises(SettingsError, match=r"order of the agents agent_0, .* name the policies after them"):
        rllib_lase.with_gifts(ppo(agents=("a", "b", "c", "d")).environment("cleanup"), mask_unseen=True)


def test_spaces_that_no_preference_reads_are_refused_and_bounded_boxes_of_actions_are_units():
    def spaces(obs: gym.Space[Any], actions: gym.Space[Any], **changes: Any) -> Any:
        config = ppo().environment(**changes)
        spec = config.get_multi_rl_module_spec(spaces=dict.fromkeys(AGENTS, (OBS_SPACE, actions)))
        module = spec.build()
        for agent_id in AGENTS:
            module[agent_id].observation_space = obs
        return joint_spaces(config, module)

    box = gym.spaces.Box(-3, 9, (2,), np.float32)
    assert spaces(OBS_SPACE, box).action_spaces[0] == gym.spaces.Box(-1, 1, (2,), np.float32)
    assert spaces(OBS_SPACE, gym.spaces.Discrete(3, start=1)).action_spaces[0] == gym.spaces.Discrete(3)
    with pytest.raises(ValueError, match="normalize_actions=False; expected Discrete"):
        spaces(OBS_SPACE, box, normalize_actions=False)
    with pytest.raises(ValueError, match=r"'agent_0' reads observations of Discrete.*flatten"):
        spaces(gym.spaces.Discrete(4), ACTION_SPACE)


def test_social_networks_learn_as_often_per_env_step_as_with_the_batched_path():
    def updates(batch: int, **settings: Any) -> tuple[int, int]:
        config = ppo(train_batch_size_per_learner=batch).environment("snowdrift")
        found = gift_settings(rllib_lase.with_gifts(config, **settings))[1]
        return found.sr_num_updates, found.sr_update_frequency

    assert [updates(batch) for batch in (100, 1600, 4000)] == [(1, 1), (2, 1), (5, 1)]
    assert updates(4000, sr_num_updates=3) == (3, 1)


def test_untouched_settings_follow_the_game_and_gamma_follows_ppo():
    config = ppo(agents=("agent_0", "agent_1"), gamma=0.5).environment("coingame")
    assert gift_settings(rllib_lase.with_gifts(config))[1].sr_policy_rule == "soft_q"
    assert gift_settings(rllib_lase.with_gifts(config, "ia"))[1].gamma == 0.5
    config.environment(StockGameEnv, env_config={"game": "ipd"})
    assert gift_settings(rllib_lase.with_gifts(config))[1].gamma_sr == 0.9
