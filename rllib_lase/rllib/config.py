"""`SocialConfig`: the ordinary RLlib config of all our algorithms.

Agents are taken from the environment, one module each; no `.multi_agent()` is needed. Settings that the user
leaves alone follow the game's tuned defaults.
"""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from ray.rllib.algorithms.algorithm import Algorithm
from ray.rllib.algorithms.algorithm_config import AlgorithmConfig
from ray.rllib.core.learner.learner_group import LearnerGroup
from ray.rllib.core.rl_module.multi_rl_module import MultiRLModule, MultiRLModuleSpec
from ray.rllib.core.rl_module.rl_module import RLModuleSpec
from ray.rllib.env import INPUT_ENV_SPACES
from ray.rllib.utils.annotations import override

from mixed_motive import GAMES
from rllib_lase.defaults import default_settings
from rllib_lase.registry import ALGORITHMS, AlgorithmSpec
from rllib_lase.registry.mixing import game_parameters, population_spec
from rllib_lase.rllib.added_actions import with_added_actions
from rllib_lase.rllib.checkpoints import CheckpointError
from rllib_lase.rllib.config_checks import division_problems, refuse_continuous, refuse_different_spaces
from rllib_lase.rllib.env_runner import BatchedEnvRunner
from rllib_lase.rllib.joint_env import JointEnv
from rllib_lase.rllib.learner import SocialLearner
from rllib_lase.rllib.modules import SharingModules, SocialModule
from rllib_lase.rllib.normalised import with_normalised_observations
from rllib_lase.rllib.policies import JointPolicy, StackedPolicies, module_nets
from rllib_lase.rllib.sampling import open_calls
from rllib_lase.settings import MAX_SEED, Optimizer, Settings, SettingsError, setting_names, unknown_settings
from rllib_lase.social.hook import JointSpaces, SocialHook

#: Settings that belong to `.env_runners()`; all others belong to `.training()`.
_RUNNER_SETTINGS = (
    "num_env_runners",
    "num_envs_per_env_runner",
    "rollout_fragment_length",
    "num_gpus_per_env_runner",
)

#: Settings that belong to `.learners()`.
_LEARNER_SETTINGS = ("num_learners", "num_gpus_per_learner")

#: Encodings of the games' observations that the networks read.
NETWORK_ENCODINGS = ("planes", "float32")


class SocialConfig(AlgorithmConfig):
    """Config of one of our algorithms; every setting is an attribute of the same name.

    Attributes:
        algo_id: Key in `rllib_lase.registry.ALGORITHMS`.
        hook_class: The social preference.
        learner_class: Who learns.
        algorithm_class: What it builds; set by the algorithm that names it as its `config_class`.
        learning_agents: Positions of the agents that this config's learner has; None: all that learn.
    """

    algo_id: ClassVar[str]
    hook_class: ClassVar[type[SocialHook]]
    learner_class: ClassVar[type[SocialLearner]] = SocialLearner
    algorithm_class: ClassVar[type[Algorithm]]

    def __init__(self, algo_class: type | None = None) -> None:
        super().__init__(algo_class=algo_class or self.algorithm_class)
        self.explicit_settings: list[str] = []
        self.env_runner_cls = BatchedEnvRunner
        self._dont_auto_sync_env_runner_states = True
        self.learning_agents: tuple[int, ...] | None = None
        self.optimizer = None
        self._apply_defaults()

    @property
    def spec(self) -> AlgorithmSpec:
        """This algorithm's entry in the registry."""
        return ALGORITHMS[self.algo_id]

    def settings(self) -> Settings:
        """All settings as one checked object.

        Raises:
            SettingsError: if any is out of range; the message lists all that are.
        """
        names = setting_names(self.spec.settings_class)
        settings = self.spec.settings_class(**{name: getattr(self, name) for name in names})
        errors = settings.validate()
        if self.env is not None:
            name = self.env if isinstance(self.env, str) else getattr(self.env, "__qualname__", str(self.env))
            errors += settings.environment_problems(name, self.env_config)
        encoding = self.env_config.get("obs", "planes")
        if isinstance(self.env, str) and self.env in GAMES and encoding not in NETWORK_ENCODINGS:
            errors.append(
                f"env_config: obs={encoding!r} is not what these networks read; "
                f"leave it out, or choose one of {', '.join(NETWORK_ENCODINGS)}"
            )
        errors += self.further_problems()
        game = game_parameters(self.env, self.env_config) if isinstance(self.env, str) else None
        num_agents = None if game is None else game.num_agents
        errors += division_problems(self.algo_id, self.hook_class, settings, num_agents)
        reason = self.spec.unsupported(self.env, self.env_config) if isinstance(self.env, str) else None
        if reason:
            errors.append(f"env: {self.algo_id} cannot play {self.env}: {reason}")
        if self.seed is not None and not 0 <= self.seed <= MAX_SEED:
            errors.append(f"seed: {self.seed} is out of range; it must be at least 0 and at most {MAX_SEED}")
        if errors:
            raise SettingsError(errors)
        return settings

    def usual_optimizer(self) -> Optimizer | None:
        """The optimiser unless one was set explicitly; None takes the game's."""
        return None

    def further_problems(self) -> list[str]:
        """What else is wrong with this config, each with its setting; or none."""
        return []

    def _apply_defaults(self) -> None:
        """Lays the game's tuned defaults under what was set explicitly."""
        optimizer = self.optimizer if "optimizer" in self.explicit_settings else self.usual_optimizer()
        game = self.env if isinstance(self.env, str) else ""
        defaults = default_settings(game, self.spec, optimizer)
        for item in dataclasses.fields(defaults):
            if item.name not in self.explicit_settings:
                setattr(self, item.name, getattr(defaults, item.name))

    def _set(self, values: dict[str, Any]) -> None:
        for name, value in values.items():
            setattr(self, name, value)
            if name not in self.explicit_settings:
                self.explicit_settings.append(name)
        self._apply_defaults()

    @override(AlgorithmConfig)
    def environment(self, env: Any = None, **kwargs: Any) -> Self:
        """Sets the environment, and with it the defaults of all settings that were not set explicitly.

        Args:
            env: A game id, an id of `register_env` or of Tune's registry, an import path ("module:function"),
                or a `MultiAgentEnv` class.
            **kwargs: As RLlib's; `env_config` holds the game's parameters.
        """
        if env is not None:
            kwargs["env"] = env
        super().environment(**kwargs)
        self._apply_defaults()
        return self

    @override(AlgorithmConfig)
    def env_runners(self, **kwargs: Any) -> Self:
        """RLlib's `env_runners`, whose sampling settings have tuned defaults here."""
        own = {name: kwargs[name] for name in _RUNNER_SETTINGS if name in kwargs}
        super().env_runners(**kwargs)
        self._set(own)
        return self

    @override(AlgorithmConfig)
    def learners(self, **kwargs: Any) -> Self:
        """RLlib's `learners`; how many, and on what, are settings here."""
        own = {name: kwargs[name] for name in _LEARNER_SETTINGS if name in kwargs}
        super().learners(**kwargs)
        self._set(own)
        return self

    @override(AlgorithmConfig)
    def training(self, **kwargs: Any) -> Self:
        """Sets any of the algorithm's settings, and RLlib's own training arguments.

        Args:
            **kwargs: Names of this algorithm's settings class, or of `AlgorithmConfig.training`.

        Raises:
            SettingsError: if a name is neither; the message suggests the closest.
        """
        known = setting_names(self.spec.settings_class)
        own = {name: value for name, value in kwargs.items() if name in known}
        rest = {name: value for name, value in kwargs.items() if name not in known}
        unknown = [name for name in rest if name not in _RLLIB_TRAINING_ARGUMENTS]
        if unknown:
            raise SettingsError(unknown_settings(self.spec.settings_class, unknown))
        super().training(**rest)
        self._set(own)
        return self

    @override(AlgorithmConfig)
    def update_from_dict(self, config_dict: dict[str, Any]) -> Self:
        """Takes over a dict, as Tune passes it; the settings in it count as set explicitly."""
        known = setting_names(self.spec.settings_class)
        renamed = {"lambda": "lambda_"}
        own = {renamed.get(k, k): v for k, v in config_dict.items() if renamed.get(k, k) in known}
        rest = {k: v for k, v in config_dict.items() if renamed.get(k, k) not in known}
        super().update_from_dict(rest)
        listed = config_dict.get("explicit_settings")
        explicit = {name: value for name, value in own.items() if listed is None or name in listed}
        self._set(explicit)
        return self

    @override(AlgorithmConfig)
    def build_algo(self, *args: Any, **kwargs: Any) -> Any:
        """Builds the algorithm.

        Raises:
            SettingsError: before anything is built. RLlib would drop values that equal -1, its mark
                of deprecated settings, and silently go on with its own default.
        """
        self.settings()
        return super().build_algo(*args, **kwargs)

    @override(AlgorithmConfig)
    def validate(self) -> None:
        """Checks everything; all faulty settings in one error."""
        super().validate()
        if self.in_evaluation:  # RLlib changes sampling settings there, and nothing is learnt
            return
        # RLlib drops what is over its limit.
        self.max_requests_in_flight_per_env_runner = open_calls(self.settings())

    @override(AlgorithmConfig)
    def get_default_learner_class(self) -> type[SocialLearner]:
        """The algorithm's own."""
        return self.learner_class

    @override(AlgorithmConfig)
    def get_default_rl_module_spec(self) -> RLModuleSpec:
        """Ours; spaces and model config come per agent."""
        return RLModuleSpec(module_class=SocialModule)

    def adapt_env(self, env: JointEnv) -> JointEnv:
        """The environment as networks read it, with the actions that the social preference adds, if any."""
        settings = self.settings()

        def table(num_actions: int, stay_action: int | None) -> NDArray[np.int64] | None:
            return self.hook_class.action_table(settings, num_actions, stay_action)

        return with_added_actions(with_normalised_observations(env), table)

    def make_policy(self, module: MultiRLModule, env: JointEnv) -> JointPolicy:
        """Who acts in the copies of one runner, with the agents' modules."""
        return StackedPolicies(module_nets(module, env), env)

    def joint_spaces(self, spaces: dict[str, Any]) -> JointSpaces:
        """The agents' spaces in order, from what runners report (module id -> pair of spaces)."""
        pairs = {agent_id: pair for agent_id, pair in spaces.items() if agent_id != INPUT_ENV_SPACES}
        return JointSpaces(
            tuple(pairs), tuple(pair[0] for pair in pairs.values()), tuple(pair[1] for pair in pairs.values())
        )

    def make_hook(self, spaces: JointSpaces) -> SocialHook:
        """The social preference of all agents.

        Raises:
            SettingsError: if actions are continuous, and the algorithm or its settings need discrete ones.
        """
        settings = self.settings()
        if spaces.continuous_size is not None:
            refuse_continuous(self.algo_id, self.hook_class, settings)
        hook = self.hook_class(settings, spaces, self.seed)
        if self.learning_agents is not None:
            hook.agents = self.learning_agents
        return hook

    @override(AlgorithmConfig)
    def build_learner_group(self, *, rl_module_spec: Any = None, **kwargs: Any) -> LearnerGroup:
        """RLlib's, or the actors that the agents are divided among."""
        if self.settings().decentralised_learners == 0:
            return super().build_learner_group(rl_module_spec=rl_module_spec, **kwargs)
        from rllib_lase.rllib.agent_nodes import AgentNodes  # has configs in its actors

        spec = next(iter(rl_module_spec.rl_module_specs.values()))
        return AgentNodes(self, spec.model_config["hook"].spaces)

    @override(AlgorithmConfig)
    def get_multi_rl_module_spec(
        self,
        *,
        env: Any = None,
        spaces: dict[str, Any] | None = None,
        inference_only: bool = False,
        **kwargs: Any,
    ) -> MultiRLModuleSpec:
        """One module per agent of the environment that learns.

        Raises:
            ValueError: without spaces, or if agents share parameters and their spaces differ.
        """
        del env, kwargs
        if spaces is None:
            raise ValueError(
                "the modules need the environment's spaces; build the algorithm with build_algo()"
            )
        joint, shares = self.joint_spaces(spaces), self.hook_class.shares_parameters
        if shares:
            refuse_different_spaces(self.algo_id, joint)
        hook = self.make_hook(joint)
        specs = {
            agent_id: RLModuleSpec(
                module_class=SocialModule,
                observation_space=joint.observation_spaces[position],
                action_space=joint.action_spaces[position],
                inference_only=inference_only,
                model_config={"agent": position, "seed": self.seed, "hook": hook},
            )
            for position, agent_id in enumerate(joint.agent_ids)
            if position in hook.agents
        }
        return MultiRLModuleSpec(
            multi_rl_module_class=SharingModules if shares else MultiRLModule,
            rl_module_specs=specs,
        )

    def to_json(self) -> dict[str, Any]:
        """What a checkpoint needs to build the same algorithm again."""
        settings = dataclasses.asdict(self.settings())
        return {
            "algo_id": self.algo_id,
            "env": self.env if isinstance(self.env, str) else _class_path(self.env),
            "env_config": dict(self.env_config),
            "seed": self.seed,
            "num_learners": self.num_learners,
            "settings": settings,
        }

    @staticmethod
    def from_json(saved: dict[str, Any]) -> SocialConfig:
        """The config that `to_json` described.

        An environment is imported by its path; a registered name must be registered by the caller first.
        """
        spec = ALGORITHMS.get(saved["algo_id"]) or population_spec(())
        config = spec.config_class()()
        config.take_over(saved)
        config.environment(saved["env"], env_config=saved["env_config"]).debugging(seed=saved["seed"])
        settings = dict(saved["settings"])
        config.env_runners(**{key: settings.pop(key) for key in _RUNNER_SETTINGS if key in settings})
        settings["num_learners"] = saved["num_learners"]
        if not torch.cuda.is_available():  # trained on a GPU, used where there is none
            settings["num_gpus_per_learner"] = 0
            config.env_runners(num_gpus_per_env_runner=0)
        config.training(**settings)
        return config

    def take_over(self, saved: dict[str, Any]) -> None:
        """Takes over what `to_json` has beside environment, seed and settings; nothing, here."""
        del saved


def _class_path(env: Any) -> str:
    """`module:name` of an environment class, which a checkpoint finds it by.

    Raises:
        CheckpointError: if no import finds it again.
    """
    module, name = env.__module__, getattr(env, "__qualname__", type(env).__qualname__)
    if module == "__main__" or "<" in name or not isinstance(env, type):
        raise CheckpointError(
            f"a checkpoint cannot name the environment {module}.{name}: no import finds a class there again. "
            "Move the class into a module, or register_env() and train by the id"
        )
    return f"{module}:{name}"


_RLLIB_TRAINING_ARGUMENTS = frozenset(AlgorithmConfig.training.__code__.co_varnames) - {"self"}
