"""`with_gifts`: a config of RLlib's PPO whose learner exchanges gifts, and the hook that it means."""

from __future__ import annotations

import re
from typing import Any, TypeVar, cast

import gymnasium as gym
import numpy as np
from ray.rllib.algorithms.algorithm_config import AlgorithmConfig
from ray.rllib.algorithms.impala import IMPALAConfig
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.core.rl_module.multi_rl_module import MultiRLModule

import mixed_motive
from rllib_lase.defaults import default_settings
from rllib_lase.registry import ALGORITHMS
from rllib_lase.settings import Settings, SettingsError, setting_names, suggestion, unknown_settings
from rllib_lase.social.hook import JointSpaces, SocialHook

_Config = TypeVar("_Config", bound=AlgorithmConfig)

#: Key of the algorithm's id and of its settings in RLlib's `learner_config_dict`.
CONFIG_KEY = "rllib_lase"
#: Settings shared by all algorithms that mean something beside a policy that is RLlib's.
_SHARED_SETTINGS = ("hidden_size", "record_fraction")


def with_gifts(config: _Config, algo: str = "lase", **settings: Any) -> _Config:
    """Has RLlib's PPO learn from rewards after gifts, or from those of another social preference.

    Call it last: PPO's own settings, runners, networks and environment stay as they are; only the learner is
    replaced by `LASEPPOLearner`. Settings that are left alone follow the game's tuned defaults, and the SR
    networks get as many minibatches per env step as with `LASEConfig`.

    Args:
        config: A `PPOConfig` with one policy for each agent.
        algo: "lase", a variant of it, or any preference of ours that only changes rewards.
        **settings: That algorithm's own settings, and `hidden_size` and `record_fraction`.

    Returns:
        The same config.

    Raises:
        SettingsError: for another RLlib algorithm, a preference that needs policies of ours, an unknown
            setting or a value out of range; all faults in one message.
    """
    from rllib_lase.rllib.learner_mixin import LASEPPOLearner

    config.learners(
        learner_class=LASEPPOLearner, learner_config_dict={CONFIG_KEY: {"algo": algo, "settings": settings}}
    )
    gift_settings(config)
    return config


def gift_settings(config: AlgorithmConfig) -> tuple[type[SocialHook], Settings]:
    """The preference that a config of RLlib's asks for, LASE unless told otherwise, and its settings.

    Raises:
        SettingsError: as `with_gifts`.
    """
    chosen = config.learner_config_dict.get(CONFIG_KEY, {"algo": "lase", "settings": {}})
    algo, given = chosen["algo"], chosen["settings"]
    _refuse([*_algorithm_problems(config), *_multi_agent_problems(config)])
    if algo not in ALGORITHMS:
        raise SettingsError([f"algo: unknown preference {algo!r}; {suggestion(algo, ALGORITHMS)}"])
    spec = ALGORITHMS[algo]
    hook_class = spec.config_class().hook_class
    _refuse(_preference_problems(algo, hook_class, spec.config_class().__name__))
    _refuse([problem for name in given if (problem := _name_problem(spec.settings_class, name))])
    game = config.env if isinstance(config.env, str) else config.env_config.get("game", "")
    defaults = default_settings(game, spec, "ppo")
    settings = defaults.replace(gamma=config.gamma, **_updates_per_batch(config, defaults), **given)
    errors = settings.environment_problems(game, config.env_config)
    if hook_class.action_table(settings, 2, 0) is not None:
        name = "refuse_gifts" if "refuse_gifts" in given else "algo"
        errors.append(
            f"{name}: it adds actions, and RLlib's policies have the game's own; train with "
            f"{spec.config_class().__name__}"
        )
    if getattr(settings, "mask_unseen", False) and not errors:
        errors += _sight_problems(config, game)
    _refuse(errors)
    return hook_class, settings


def joint_spaces(config: AlgorithmConfig, module: MultiRLModule) -> JointSpaces:
    """The learner's modules, which stand for the agents: in natural order of their ids, whatever RLlib's is.

    Raises:
        ValueError: for observations or actions that no preference can read.
    """
    module_ids = sorted(module.keys(), key=natural_order)
    modules = [module[module_id].unwrapped() for module_id in module_ids]
    for module_id, each in zip(module_ids, modules, strict=True):
        space = each.observation_space
        if not isinstance(space, gym.spaces.Box) or not space.shape:
            raise ValueError(
                f"module {module_id!r} reads observations of {space}, expected a Box with at least one axis; "
                "flatten them in the environment (gymnasium.wrappers.FlattenObservation)"
            )
    return JointSpaces(
        tuple(module_ids),
        tuple(each.observation_space for each in modules),
        tuple(_action_space(config, each.action_space) for each in modules),
    )


def natural_order(module_id: str) -> list[tuple[int, str]]:
    """A key by which "agent_2" comes before "agent_10"."""
    parts = re.findall(r"\d+|\D+", str(module_id))
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


def _action_space(config: AlgorithmConfig, space: gym.Space[Any]) -> gym.Space[Any]:
    """The space of the actions that episodes hold: continuous ones in units in which [-1, 1] is the box."""
    if isinstance(space, gym.spaces.Discrete):
        return gym.spaces.Discrete(int(space.n))
    normalised = isinstance(space, gym.spaces.Box) and len(space.shape) == 1 and space.is_bounded()
    if not normalised or not config.normalize_actions:
        raise ValueError(
            f"actions of {space} with normalize_actions={config.normalize_actions}; expected Discrete ones, "
            "or a bounded Box of one axis with normalize_actions=True"
        )
    return gym.spaces.Box(-1, 1, cast("tuple[int]", space.shape), np.float32)


def _updates_per_batch(config: AlgorithmConfig, defaults: Settings) -> dict[str, int]:
    """Minibatches of the SR networks that make as many per env step as the defaults' rounds do."""
    given = config.learner_config_dict.get(CONFIG_KEY, {"settings": {}})["settings"]
    names = {"sr_update_frequency", "sr_num_updates"}
    if not names <= set(setting_names(type(defaults))) or names & given.keys():
        return {}
    round_env_steps = defaults.num_envs_per_env_runner * defaults.rollout_fragment_length
    per_round = getattr(defaults, "sr_num_updates") / getattr(defaults, "sr_update_frequency")  # noqa: B009
    due = round(per_round * config.total_train_batch_size / round_env_steps)
    return {"sr_update_frequency": 1, "sr_num_updates": max(1, due)}


def _algorithm_problems(config: AlgorithmConfig) -> list[str]:
    name = type(config).__name__.removesuffix("Config")
    if isinstance(config, IMPALAConfig):
        return [
            f"{name} is not supported: its aggregator actors run connectors on their own copies of the "
            "modules, where neither the SR networks nor their replay are. Use PPOConfig, or LASEConfig with "
            "many env runners"
        ]
    if not isinstance(config, PPOConfig):
        return [
            f"{name} is not supported: gifts are exchanged once, when a fragment is learnt from, and {name} "
            "does not learn from whole fresh fragments. Use PPOConfig"
        ]
    return []


def _multi_agent_problems(config: AlgorithmConfig) -> list[str]:
    errors = []
    if len(config.policies) < 2:
        errors.append(
            f"policies: found {', '.join(config.policies)}, expected one for each agent: .multi_agent("
            "policies=[...], policy_mapping_fn=lambda agent_id, *_, **__: agent_id), before with_gifts"
        )
    if config.policies_to_train is not None:
        errors.append(
            "policies_to_train: all agents exchange gifts and learn; leave it out, or train a population "
            "with LASEConfig"
        )
    return errors


def _preference_problems(algo: str, hook_class: type[SocialHook], config: str) -> list[str]:
    if algo == "independent":
        return ["algo: independent learners are RLlib's PPO as it is; leave with_gifts out"]
    if hook_class.shares_parameters:
        return [f"algo: {algo} has one set of parameters for all, policies included; train with {config}"]
    if hook_class.reads_policies:
        return [f"algo: {algo} looks into the policies, which must be ours; train with {config}"]
    return []


def _name_problem(settings_class: type[Settings], name: str) -> str | None:
    """Why a setting cannot be given here, or None if it can."""
    if name not in setting_names(settings_class):
        return unknown_settings(settings_class, [name])[0]
    if name in setting_names(Settings) and name not in _SHARED_SETTINGS:
        return f"{name}: RLlib's PPO decides that; set it with config.training() or config.env_runners()"
    return None


def _sight_problems(config: AlgorithmConfig, game: str) -> list[str]:
    """`mask_unseen` finds agents by their planes, which are in the order of the game's agents."""
    params = {name: value for name, value in config.env_config.items() if name != "game"}
    agent_ids = list(mixed_motive.make(game, num_envs=1, **params).agent_ids)
    if sorted(config.policies, key=natural_order) == agent_ids:
        return []
    return [
        f"mask_unseen: who is in sight is known by the order of the agents {', '.join(agent_ids)}; name the "
        f"policies after them, found {', '.join(config.policies)}"
    ]


def _refuse(errors: list[str]) -> None:
    if errors:
        raise SettingsError(errors)
