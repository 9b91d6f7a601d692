"""`SocialAlgorithm`: sample-update rounds, what an iteration reports, evaluation, what a checkpoint holds."""

from __future__ import annotations

from typing import Any, ClassVar

import ray
from ray.rllib.algorithms.algorithm import Algorithm
from ray.rllib.core import COMPONENT_OPTIMIZER, COMPONENT_RL_MODULE
from ray.rllib.core.learner.training_data import TrainingData
from ray.rllib.env.env_runner_group import EnvRunnerGroup
from ray.rllib.utils.annotations import override
from ray.rllib.utils.metrics import ENV_RUNNER_RESULTS, WEIGHTS_SEQ_NO
from torch import Tensor

from rllib_lase.rllib.agent_descriptions import describe_agents
from rllib_lase.rllib.agent_nodes import AgentNodes
from rllib_lase.rllib.algorithm_checkpoints import CheckpointedAlgorithm
from rllib_lase.rllib.config import SocialConfig
from rllib_lase.rllib.env_runner import BatchedEnvRunner
from rllib_lase.rllib.episode_account import FinishedEpisodes
from rllib_lase.rllib.gpus import refuse_missing_gpus
from rllib_lase.rllib.iteration_report import IterationReport, SocialMetrics
from rllib_lase.rllib.learner import SOCIAL_STATE
from rllib_lase.rllib.learner_report import merge_reports
from rllib_lase.rllib.sampling import RemoteSampling
from rllib_lase.rllib.schedules import Schedules
from rllib_lase.rllib.session import warn_about_hash_seed
from rllib_lase.rollout import JointRollout
from rllib_lase.social.hook import LearntRewards

_LEARNER_PARTS = (COMPONENT_RL_MODULE, COMPONENT_OPTIMIZER, SOCIAL_STATE)


class SocialAlgorithm(CheckpointedAlgorithm):
    """Runs `rounds_per_iteration` sample-update rounds per iteration.

    Attributes:
        config_class: The algorithm's own config; it builds this class.
        report: What the latest iteration saw.
    """

    config_class: ClassVar[type[SocialConfig]] = SocialConfig
    report: IterationReport

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.config_class.algorithm_class = cls

    @classmethod
    @override(Algorithm)
    def get_default_config(cls) -> SocialConfig:
        """A fresh config of the algorithm's own class."""
        return cls.config_class()

    @override(Algorithm)
    def setup(self, config: Any) -> None:
        """Builds runners and learner; in one process they share one module."""
        warn_about_hash_seed()
        refuse_missing_gpus(config.settings())
        super().setup(config)
        self._settings = self.config.settings()
        self._schedules = Schedules(self._settings)
        self._env_steps = self._num_episodes = self._rounds = 0
        self._remote_sampling = RemoteSampling(self.env_runner_group, self._settings, self._epsilon_at)
        self._social_metrics = SocialMetrics()
        self._share_module()

    def _local_runner(self) -> BatchedEnvRunner | None:
        """The runner of this process if it samples, else None."""
        runner = self.env_runner_group.local_env_runner
        return runner if runner is not None and runner.env is not None else None

    @property
    def _nodes(self) -> AgentNodes | None:
        """The actors that the agents are divided among, if they are."""
        return self.learner_group if isinstance(self.learner_group, AgentNodes) else None

    def _share_module(self) -> None:
        """A runner acts with the learner's own module on the same device of one process: nothing is copied.

        Agents that are divided among actors act there.
        """
        runner, learner = self._local_runner(), self.learner_group._learner
        if runner is not None and runner.env is not None and self._nodes is not None:
            runner.act_by(self._nodes.policies(runner.env))
        if runner is not None and learner is not None and learner.device == runner.device:
            runner.use_module(learner.module)

    @property
    def _has_local_learner(self) -> bool:
        return self.learner_group._learner is not None

    def _shares_module(self) -> bool:
        """Whether who acts always has the present weights."""
        if self._nodes is not None:
            return True
        runner, learner = self._local_runner(), self.learner_group._learner
        return runner is not None and learner is not None and runner.module is learner.module

    def _ask_learner(self, question: Any) -> Any:
        """`question(learner)`, wherever the learner lives; of several all do it, and the first answers."""
        if self._has_local_learner:
            return question(self.learner_group._learner)
        return next(iter(self.learner_group.foreach_learner(question))).get()

    @property
    def env_steps(self) -> int:
        """Env steps since the start of training."""
        return self._env_steps

    @property
    def num_episodes(self) -> int:
        """Episodes ended since the start of training."""
        return self._num_episodes

    @property
    def max_collective_reward(self) -> float | None:
        """Ceiling of the collective reward per episode, where the environment knows one."""
        ceilings: list[float | None] = self.env_runner_group.foreach_env_runner(
            lambda runner: runner.env.max_collective_reward,
            local_env_runner=self._local_runner() is not None,
        )
        return ceilings[0]

    @property
    def moves_rewards(self) -> bool:
        """Whether agents give rewards away, so that rewards after gifting differ from rewards."""
        return bool(self._ask_learner(lambda learner: learner.hook.moves_rewards()))

    def judge(self, rollout: JointRollout, carry: Tensor | None = None) -> LearntRewards:
        """What the social preference makes of any rollout of these agents, gift weights at every step.

        Args:
            rollout: The experience.
            carry: That of the fragment before, if this one goes on where it ended.
        """
        if self._nodes is not None:
            return self._nodes.judge(rollout, carry)
        learnt: LearntRewards = self._ask_learner(lambda learner: learner.judge(rollout, carry))
        return learnt

    @property
    def env_name(self) -> str:
        """The environment, for messages."""
        return str(self.config.env)

    @property
    def evaluation_fragment_length(self) -> int:
        """Steps that an evaluation plays at once."""
        return self.config.settings().rollout_fragment_length

    def evaluation_runner(self, copies: int, seed: int) -> BatchedEnvRunner:
        """A runner of this process with the present weights, for evaluations and pictures."""
        config = self._evaluation_config()
        config.env_runners(num_env_runners=0, num_envs_per_env_runner=copies).debugging(seed=seed)
        config.training(num_learners=0, fragments_per_call=1, max_staleness=0)  # all of it is here
        config.in_evaluation = True
        runner = BatchedEnvRunner(config=config, worker_index=0, num_workers=0)
        if runner.module is None:
            raise RuntimeError("the evaluation runner has no module")
        if self._nodes is not None and runner.env is not None:
            runner.act_by(self._nodes.policies(runner.env, "evaluation"))
        else:
            runner.module.set_state(self.module_state())
        return runner

    def _evaluation_config(self) -> SocialConfig:
        """What evaluations start from."""
        config: SocialConfig = self.config.copy(copy_frozen=False)
        return config

    def module_state(self) -> dict[str, Any]:
        """The policies' present weights by agent, as arrays."""
        if self._nodes is not None:
            return self._nodes.module_state()
        weights: dict[str, Any] = self._ask_learner(lambda learner: learner.policy_weights())
        return weights

    # --- training ---------------------------------------------------------------------------------

    @override(Algorithm)
    def training_step(self) -> None:
        """`rounds_per_iteration` times: sample a fragment of every copy, update everybody."""
        before = self._env_steps
        local, rounds = self._local_runner(), self._settings.rounds_per_iteration
        self._staleness: list[int] = []
        if local is not None:
            for _ in range(rounds):
                self._local_round(local)
        else:
            for _ in range(rounds // self._settings.fragments_per_call):
                self._remote_rounds()
        self._report_iteration(self._env_steps - before)

    def _local_round(self, runner: BatchedEnvRunner) -> None:
        self._schedules.set(self._env_steps)
        length = self._settings.rollout_fragment_length
        rollout = runner.sample_rollout(length, self._schedules.epsilon, self._env_steps)
        here = self._has_local_learner or self._nodes is not None
        self._learn(TrainingData(batch=rollout) if here else TrainingData(batch_refs=[ray.put(rollout)]))
        self._env_steps += rollout.env_steps()
        if not self._shares_module():
            self._sync_weights()

    def _remote_rounds(self) -> None:
        """The rounds of one call to every runner; none, if too few answered."""
        answers = self._remote_sampling.collect(self._put_weights, self._rounds, self._env_steps)
        if not answers:
            return
        for fragment in range(self._settings.fragments_per_call):
            self._staleness += [self._rounds - answer.version for answer in answers]
            self._learn(TrainingData(batch_refs=[answer.rollouts[fragment] for answer in answers]))
            self._env_steps += sum(answer.env_steps for answer in answers)

    @override(Algorithm)
    def restore_env_runners(self, env_runner_group: EnvRunnerGroup) -> list[int]:
        """Takes runners that are back into the group; what they had been asked for is forgotten."""
        restored: list[int] = super().restore_env_runners(env_runner_group)
        if env_runner_group is self.env_runner_group:
            self._remote_sampling.forget_runners(restored)
        return restored

    def _learn(self, data: TrainingData) -> None:
        self.learner_group.update(
            training_data=data,
            timesteps={"env_steps": self._env_steps},
            defer_solve_refs_to_learner=True,
        )
        self._rounds += 1

    def _epsilon_at(self, env_steps: int) -> float:
        self._schedules.set(env_steps)
        return self._schedules.epsilon

    def _put_weights(self) -> ray.ObjectRef:
        """The policies' weights in the object store, put there by the learner: once for all runners."""
        if self._nodes is not None or self._has_local_learner:
            return ray.put(self.module_state())
        # In a list, so that Ray hands on the reference.
        reference: ray.ObjectRef = self._ask_learner(lambda learner: [ray.put(learner.policy_weights())])[0]
        return reference

    def _sync_weights(self) -> None:
        """Puts the learner's weights into every runner, and waits until they are there.

        RLlib's own sync is fire-and-forget and may be dropped while another request is in flight.
        """
        message = {COMPONENT_RL_MODULE: self._put_weights(), WEIGHTS_SEQ_NO: 0}
        self.env_runner_group.foreach_env_runner(
            "set_state", kwargs={"state": message}, local_env_runner=False
        )
        local = self._local_runner()
        if local is not None:
            local.set_state(message)

    def _report_iteration(self, iteration_env_steps: int) -> None:
        runner = self._local_runner()
        parts = self.env_runner_group.foreach_env_runner(
            lambda each: (each.metrics_and_episodes(), each.env.agent_ids, each.env.count_names),
            local_env_runner=runner is not None,
        )
        self.metrics.aggregate([metrics for (metrics, _), _, _ in parts], key=ENV_RUNNER_RESULTS)
        finished = FinishedEpisodes.join([episodes for (_, episodes), _, _ in parts])
        self._num_episodes += len(finished)
        _, agent_ids, count_names = parts[0]
        self.report = IterationReport(
            agent_ids=agent_ids,
            count_names=count_names,
            env_steps=self._env_steps,
            num_episodes=self._num_episodes,
            finished=finished,
            learner=self._collect_report(),
            iteration_env_steps=iteration_env_steps,
            transfer=self._transfer(iteration_env_steps),
            staleness=tuple(self._staleness),
        )
        self._social_metrics.log(self.report, self.metrics)

    def _collect_report(self) -> dict[str, Any]:
        if self._nodes is not None:
            return self._nodes.collect_report()
        reports = self.learner_group.foreach_learner(lambda learner: learner.collect_report())
        return merge_reports([report.get() for report in reports])

    def _transfer(self, env_steps: int) -> dict[str, float]:
        if self._nodes is None:
            return {}
        counted = self._nodes.collect_transfer()
        return {f"{name}_bytes_per_env_step": total / env_steps for name, total in counted.items()}

    # --- checkpoints ------------------------------------------------------------------------------

    @override(CheckpointedAlgorithm)
    def _checkpoint_state(self) -> dict[str, Any]:
        """Learner, runners, agents, and what was counted."""
        runner_states = self.env_runner_group.foreach_env_runner(
            lambda runner: (runner.worker_index, runner.get_sampling_state()),
            local_env_runner=self._local_runner() is not None,
        )
        agents = self.env_runner_group.foreach_env_runner(
            lambda runner: describe_agents(runner.env, runner.module),
            local_env_runner=self._local_runner() is not None,
        )
        if self._nodes is None:
            learner = self._ask_learner(lambda each: each.get_state(components=list(_LEARNER_PARTS)))
        else:
            learner = self._nodes.learner_state(_LEARNER_PARTS)
        return {
            "config": self.config.to_json(),
            "iteration": self.iteration,
            "env_steps": self._env_steps,
            "num_episodes": self._num_episodes,
            "carried": self._social_metrics.carried,
            "agents": agents[0],
            "learner": {part: learner[part] for part in _LEARNER_PARTS},
            "runners": {str(index): sampling for index, sampling in runner_states},
        }

    @override(CheckpointedAlgorithm)
    def _take_up(self, state: dict[str, Any]) -> None:
        """Restores `_checkpoint_state`; foreign environments start new episodes."""
        self._iteration = int(state["iteration"])
        self._env_steps, self._num_episodes = int(state["env_steps"]), int(state["num_episodes"])
        self._social_metrics.carried = dict(state["carried"])
        if self._nodes is None:
            learner_state = {**state["learner"], WEIGHTS_SEQ_NO: 0}
            self._ask_learner(lambda learner: learner.set_state(learner_state))
        else:
            self._nodes.set_learner_state(state["learner"])
        self._remote_sampling.forget()
        if not self._shares_module():
            self._sync_weights()
        runners = state["runners"]
        self.env_runner_group.foreach_env_runner(
            lambda runner: (
                runner.set_sampling_state(runners[str(runner.worker_index)])
                if str(runner.worker_index) in runners
                else None
            ),
            local_env_runner=self._local_runner() is not None,
        )
