"""`BatchedEnvRunner`: steps B copies of an environment as arrays, one forward per agent group and step.

Returns `JointRollout`s to our learners and ordinary `MultiAgentEpisode`s to RLlib's own algorithms.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import ray
import torch
from ray.rllib.algorithms.algorithm_config import AlgorithmConfig
from ray.rllib.core import COMPONENT_RL_MODULE
from ray.rllib.core.rl_module.multi_rl_module import MultiRLModule
from ray.rllib.env import INPUT_ENV_SPACES
from ray.rllib.env.env_context import EnvContext
from ray.rllib.env.env_runner import EnvRunner
from ray.rllib.env.multi_agent_episode import MultiAgentEpisode
from ray.rllib.utils.annotations import override
from ray.rllib.utils.checkpoints import Checkpointable
from ray.rllib.utils.metrics import WEIGHTS_SEQ_NO

import mixed_motive
from rllib_lase.rllib.episode_account import EpisodeAccount, FinishedEpisodes
from rllib_lase.rllib.episodes import EpisodeCarry, to_multi_agent_episodes
from rllib_lase.rllib.fragment_sampler import FragmentSampler
from rllib_lase.rllib.game_env import make_joint_env
from rllib_lase.rllib.gpus import acting_device
from rllib_lase.rllib.joint_env import EnvironmentFault, JointEnv
from rllib_lase.rllib.policies import JointPolicy, RLlibPolicies
from rllib_lase.rllib.runner_contract import log_sampling, refuse_unsupported
from rllib_lase.rllib.sampling import Order, Sampled
from rllib_lase.rollout import JointRollout

_EVALUATION_SEED_OFFSET = 1_000_000
_EVALUATION_FRAGMENT_LENGTH = 50


class BatchedEnvRunner(EnvRunner, Checkpointable):
    """Samples joint experience from B copies of one environment.

    Attributes:
        env: The copies, or None on a driver whose runners are remote.
        module: The policies. On one device with the learner, in its process, it is the learner's own module.
        device: Where they act.
        num_envs: B.
    """

    env: JointEnv | None
    module: MultiRLModule | None

    def __init__(self, *, config: AlgorithmConfig, **kwargs: Any) -> None:
        """Builds the copies and the policies.

        Args:
            config: Any algorithm's config.
            **kwargs: `worker_index`, `num_workers` and `spaces`, as RLlib's runner group passes them.
        """
        super().__init__(config=config, **kwargs)
        torch.set_num_threads(1)
        self.worker_index: int = int(kwargs.get("worker_index") or 0)
        self._given_spaces: dict[str, Any] | None = kwargs.get("spaces")
        self.num_envs = int(config.num_envs_per_env_runner)
        self.module = None
        self._episodes_mode = not hasattr(config, "settings")
        self._carry: EpisodeCarry | None = None
        self._weights_seq_no = 0
        self._weights_version = -1
        self._sampler: FragmentSampler | None = None
        self._needs_reset = True
        self._finished: list[FinishedEpisodes] = []
        self._reported = FinishedEpisodes.join([])
        self._steps = self._agent_steps = 0
        refuse_unsupported(config)
        self.device = acting_device(config, self.worker_index, self.num_workers)
        self.make_env()
        self.make_module()

    # --- building ---------------------------------------------------------------------------------

    @override(EnvRunner)
    def make_env(self) -> None:
        """Builds the copies, closing earlier ones. On a driver with remote runners there are none."""
        if self.env is not None:
            self.env.close()
            self.env = None
        config = self.config
        if self.worker_index == 0 and self.num_workers > 0 and not config.create_env_on_local_worker:
            return
        first = max(0, self.worker_index - 1) * self.num_envs
        env = make_joint_env(config.env, self._env_context(), self.num_envs, first)
        self.env = env if self._episodes_mode else config.adapt_env(env)
        if self._sampler is None:
            self._sampler = self._new_sampler(self.env, first)
        else:
            self._sampler.env = self.env
        self._account = EpisodeAccount(len(self.env.agent_ids), self.num_envs, len(self.env.count_names))
        self._needs_reset = True

    def _new_sampler(self, env: JointEnv, first: int) -> FragmentSampler:
        """Of copies whose first one has the index `first` over all runners."""
        seed, in_evaluation = self.config.seed, int(self.config.in_evaluation)
        draws = np.random.SeedSequence(seed, spawn_key=(10, in_evaluation, self.worker_index))
        return FragmentSampler(
            env,
            np.arange(first, first + self.num_envs),
            None if seed is None else int(seed) + _EVALUATION_SEED_OFFSET * in_evaluation,
            np.random.default_rng(draws),
            self.device,
        )

    @property
    def sampler(self) -> FragmentSampler:
        """Where the copies are and how they go on.

        Raises:
            RuntimeError: on a driver that has none.
        """
        if self._sampler is None or self.env is None:
            raise RuntimeError("this runner has no environment; sample on the remote runners")
        return self._sampler

    def _env_context(self) -> EnvContext:
        context = EnvContext(dict(self.config.env_config), self.worker_index, num_workers=self.num_workers)
        if self._episodes_mode and self.config.env in mixed_motive.GAMES:
            context.setdefault("obs", "float32")  # RLlib's own modules take no integers
        return context

    @override(EnvRunner)
    def make_module(self) -> None:
        """Builds the policies from the config and the environment's spaces."""
        if self.env is None:
            return
        spec = self.config.get_multi_rl_module_spec(spaces=self.get_spaces(), inference_only=True)
        module = spec.build()
        for module_id in module.keys():  # noqa: SIM118 - a MultiRLModule is no dict
            if isinstance(module[module_id], torch.nn.Module):
                module[module_id].to(self.device)
        self.use_module(module)

    def use_module(self, module: MultiRLModule) -> None:
        """Acts with `module`, which is on this runner's device, from now on."""
        self.module = module
        if self.env is None:
            return
        if self._episodes_mode:
            self.act_by(RLlibPolicies(module, self.env, self._module_of))
        else:
            self.act_by(self.config.make_policy(module, self.env))

    def act_by(self, policy: JointPolicy) -> None:
        """Lets `policy` choose the actions from now on, whatever the modules here are."""
        self.sampler.use_policy(policy)

    def _module_of(self, agent_id: str) -> str:
        mapping: Callable[..., str] = self.config.policy_mapping_fn
        return mapping(agent_id, None)

    @override(EnvRunner)
    def get_spaces(self) -> dict[str, tuple[gym.Space[Any], gym.Space[Any]]]:
        """Module id -> (observation space, action space), in the agents' order."""
        if self.env is None:
            return dict(self._given_spaces or {})
        env = self.env
        pairs = {a: (env.observation_spaces[a], env.action_spaces[a]) for a in env.agent_ids}
        if not self._episodes_mode:
            return pairs
        spaces = {self._module_of(agent_id): pair for agent_id, pair in pairs.items()}
        observation = gym.spaces.Dict({a: pair[0] for a, pair in pairs.items()})
        action = gym.spaces.Dict({a: pair[1] for a, pair in pairs.items()})
        return {INPUT_ENV_SPACES: (observation, action), **spaces}

    @override(EnvRunner)
    def assert_healthy(self) -> None:
        """Checks that construction has finished."""
        if self.env is None and self.worker_index > 0:
            raise AssertionError(f"env runner {self.worker_index} has no environment")

    # --- sampling ---------------------------------------------------------------------------------

    @override(EnvRunner)
    def sample(
        self,
        *,
        num_timesteps: int | None = None,
        num_episodes: int | None = None,
        explore: bool | None = None,
        random_actions: bool = False,
        force_reset: bool = False,
        **kwargs: Any,
    ) -> list[JointRollout] | list[MultiAgentEpisode]:
        """Samples as RLlib's runners do.

        Args:
            num_timesteps: Env steps (over all copies); rounded up to whole fragments.
            num_episodes: Sample until that many episodes have ended, or a few more, since copies run
                together.
            explore: Must not be False: feed-forward policies deadlock in argmax play; evaluation samples.
            random_actions: Uniform random actions.
            force_reset: Start new episodes first.
            **kwargs: Ignored arguments of other runners.

        Returns:
            Rollouts for our learners; episodes (ended ones, and the running chunks) for RLlib's.
        """
        del kwargs
        if explore is False:
            raise ValueError("BatchedEnvRunner always samples actions; leave `explore` out")
        if force_reset:
            self._needs_reset = True
        length = self._fragment_length()
        epsilon = float(random_actions)
        if num_episodes is not None:
            self._needs_reset = True
        wanted = num_timesteps if num_timesteps is not None else length * self.num_envs
        sampled: list[Any] = []
        steps = ended = 0
        while (steps < wanted) if num_episodes is None else (ended < num_episodes):
            rollout = self.sample_rollout(length, epsilon)
            steps += rollout.env_steps()
            ended += len(rollout.final_index)
            # Converted at once: the policies keep only the latest fragment's logits.
            sampled += self._to_episodes(rollout) if self._episodes_mode else [rollout]
        return sampled

    def _fragment_length(self) -> int:
        if self.config.in_evaluation and not self._episodes_mode:
            return _EVALUATION_FRAGMENT_LENGTH  # RLlib sets 1 there
        return int(self.config.get_rollout_fragment_length(self.worker_index))

    def _to_episodes(self, rollout: JointRollout) -> list[MultiAgentEpisode]:
        sampler = self.sampler
        if self._carry is None:
            self._carry = EpisodeCarry()
        return to_multi_agent_episodes(
            rollout,
            self._carry,
            observation_spaces=sampler.env.observation_spaces,
            action_spaces=sampler.env.action_spaces,
            module_of=self._module_of,
            extra_model_outputs=sampler.policy.extra_model_outputs(),
        )

    def sample_rollout(self, num_steps: int, epsilon: float, env_steps: int = 0) -> JointRollout:
        """One fragment of all copies.

        Args:
            num_steps: T.
            epsilon: Share of uniform random actions, in [0, 1].
            env_steps: Env steps of the training so far, over all runners.

        Returns:
            T * B env steps of all agents.

        Raises:
            EnvironmentFault: if the environment breaks its contract; nothing of the fragment is used.
        """
        if self._needs_reset:
            self.start_episodes()
        rollout = self.sampler.sample(num_steps, epsilon, env_steps)
        self._finished.append(self._account.add(rollout))
        self._steps += rollout.env_steps()
        self._agent_steps += rollout.agent_steps()
        return rollout

    def sample_rounds(self, order: Order) -> Sampled:
        """Takes over weights, samples some fragments with them, and answers with references to these."""
        start = time.perf_counter()
        if order.version != self._weights_version:
            self.set_state({COMPONENT_RL_MODULE: order.weights[0], WEIGHTS_SEQ_NO: 0})
            self._weights_version = order.version
        rollouts: list[JointRollout] = []
        fault = None
        try:
            for epsilon, env_steps in order.rounds:
                rollouts.append(self.sample_rollout(order.num_steps, epsilon, env_steps))
        except EnvironmentFault as error:  # RLlib would restart the runner for ever
            rollouts, fault = [], str(error)
        seconds = time.perf_counter() - start
        references = [ray.put(rollout) for rollout in rollouts]
        env_steps = order.num_steps * self.num_envs
        return Sampled(order.number, order.version, references, env_steps, seconds, fault)

    def start_episodes(self) -> None:
        """New episodes in all copies; unfinished ones are forgotten."""
        self.sampler.start_episodes()
        self._account.reset()
        self._carry = None
        self._needs_reset = False

    def metrics_and_episodes(self) -> tuple[Any, FinishedEpisodes]:
        """`get_metrics`, and the episodes that they sum up."""
        return self.get_metrics(), self._reported

    # --- RLlib's contract -------------------------------------------------------------------------

    @override(EnvRunner)
    def get_metrics(self) -> Any:
        """RLlib's standard metrics of what was sampled since the last call."""
        self._reported, self._finished = FinishedEpisodes.join(self._finished), []
        window = self.config.metrics_num_episodes_for_smoothing
        log_sampling(self.metrics, self._steps, self._agent_steps, self._reported, window)
        self._steps = self._agent_steps = 0
        return self.metrics.reduce()

    @override(Checkpointable)
    def get_state(
        self, components: Any = None, *, not_components: Any = None, **kwargs: Any
    ) -> dict[str, Any]:
        """Counters, random generator, environment and unfinished episodes; weights under RLlib's key."""
        state: dict[str, Any] = {WEIGHTS_SEQ_NO: self._weights_seq_no}
        if self.module is not None and self._check_component(COMPONENT_RL_MODULE, components, not_components):
            state[COMPONENT_RL_MODULE] = self.module.get_state(
                components=self._get_subcomponents(COMPONENT_RL_MODULE, components),
                not_components=self._get_subcomponents(COMPONENT_RL_MODULE, not_components),
                **kwargs,
            )
        return state

    @override(Checkpointable)
    def set_state(self, state: dict[str, Any]) -> None:
        """Takes over weights that are newer than its own (sequence number 0 always counts as newer)."""
        module_state = state.get(COMPONENT_RL_MODULE)
        if module_state is not None and self.module is not None:
            sequence = state.get(WEIGHTS_SEQ_NO, 0)
            if sequence == 0 or sequence > self._weights_seq_no:
                if isinstance(module_state, ray.ObjectRef):
                    module_state = ray.get(module_state)
                self.module.set_state(module_state)
            if sequence > 0:
                self._weights_seq_no = sequence

    def get_sampling_state(self) -> dict[str, Any]:
        """All that the next fragments depend on apart from weights; the environment's part may be missing.

        Foreign environments cannot tell their state: they go on with new episodes.
        """
        state = self.sampler.get_state(with_env=not self._needs_reset)
        return {**state, "account": self._account.get_state()}

    def set_sampling_state(self, state: dict[str, Any]) -> None:
        """Restores `get_sampling_state`."""
        goes_on = self.sampler.set_state(state)
        if goes_on:
            self._account.set_state(state["account"])
        self._needs_reset = not goes_on

    @override(Checkpointable)
    def get_ctor_args_and_kwargs(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """As RLlib's `Checkpointable` asks."""
        return (), {"config": self.config}

    @override(Checkpointable)
    def get_checkpointable_components(self) -> list[tuple[str, Any]]:
        """The policies."""
        return [] if self.module is None else [(COMPONENT_RL_MODULE, self.module)]

    @override(EnvRunner)
    def stop(self) -> None:
        """Closes the copies."""
        if self.env is not None:
            self.env.close()
