"""The learner: the hook, the policies' steps and the social networks' updates, once per round."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from ray.rllib.core import COMPONENT_RL_MODULE
from ray.rllib.core.learner.torch.torch_learner import TorchLearner
from ray.rllib.core.learner.training_data import TrainingData
from ray.rllib.utils.annotations import override
from torch import Tensor, nn

from rllib_lase.rllib.learner_report import LearnerReport
from rllib_lase.rllib.modules import SocialModule
from rllib_lase.rllib.owners import all_learners, clipped_step, mean_over_learners, parameters_of
from rllib_lase.rllib.policy_batch import PolicyBatch
from rllib_lase.rllib.sampling import rollouts_that_are_left
from rllib_lase.rllib.schedules import Schedules
from rllib_lase.rollout import JointRollout, TensorRollout, concatenate
from rllib_lase.settings import Settings
from rllib_lase.social.carry import LaneCarry
from rllib_lase.social.hook import POLICY, JointSpaces, LearntRewards, Networks, SocialHook

SOCIAL_STATE = "social"


@dataclass(frozen=True)
class Judgement:
    """A round's rollout with what the preference made of it.

    Attributes:
        rollout: The experience.
        data: The same as tensors.
        learnt: What the policies will learn from.
        recorded: `(T, B)` bool, steps that are reported.
    """

    rollout: JointRollout
    data: TensorRollout
    learnt: LearntRewards
    recorded: Tensor


class SocialLearner(TorchLearner):
    """Trains one module per agent that learns on its own slice of joint rollouts.

    `update` takes `JointRollout`s as its batch. Agents never share a gradient: losses are one row per agent,
    each agent's gradient is clipped by its own norm, and each parameter group has its own Adam. Only agents
    with one set of parameters learn from the mean of their gradients, clipped once.
    """

    hook: SocialHook
    settings: Settings

    @override(TorchLearner)
    def build(self) -> None:
        """Builds modules and optimisers, and the hook that they share."""
        self.settings = self.config.settings()
        # With a seed RLlib makes torch deterministic, which also fills every new tensor for nothing.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined] # set by a property
        super().build()
        self._module_ids = tuple(self.module.keys())
        self._seats = [module.model_config["agent"] for module in self._modules()]
        self._owners = self._owners_by_group()
        self.hook = self.config.make_hook(self.spaces())
        self._schedules = Schedules(self.settings)
        self._rounds = 0
        self._carry = LaneCarry()
        self._recorder = np.random.default_rng(np.random.SeedSequence(self.config.seed, spawn_key=(2,)))
        self._shuffler = torch.Generator()
        if self.config.seed is None:
            self._shuffler.seed()
        else:
            self._shuffler.manual_seed(self.config.seed + 3)
        self._report = self._new_report()

    def spaces(self) -> JointSpaces:
        """All agents and their spaces, in order."""
        spaces: JointSpaces = self._modules()[0].model_config["hook"].spaces
        return spaces

    def _modules(self) -> list[SocialModule]:
        return [cast(SocialModule, module.unwrapped()) for module in self.module.values()]

    def _networks(self) -> list[Networks]:
        """Each agent's; none of agents that do not learn."""
        networks: list[Networks] = [{} for _ in self.hook.spaces.agent_ids]
        for seat, module in zip(self._seats, self._modules(), strict=True):
            networks[seat] = {POLICY: module.policy, **module.social}
        return networks

    def _trained_ids(self) -> tuple[str, ...]:
        """The modules whose parameters are trained: all, or the first if it shares them with the others."""
        module_ids = tuple(self.module.keys())
        return module_ids[:1] if self.config.hook_class.shares_parameters else module_ids

    def _owners_by_group(self) -> dict[str, dict[str, int]]:
        """Per parameter group, the modules that are trained and have it, with their agents' positions."""
        owners: dict[str, dict[str, int]] = {}
        for module_id in self._trained_ids():
            module = cast(SocialModule, self.module[module_id].unwrapped())
            for group in (POLICY, *module.social):
                owners.setdefault(group, {})[module_id] = module.model_config["agent"]
        return owners

    @override(TorchLearner)
    def configure_optimizers_for_module(self, module_id: str, config: Any = None) -> None:
        """For who owns parameters, one Adam for the policy and one for each of the hook's groups."""
        del config
        if module_id not in self._trained_ids():
            return
        module = cast(SocialModule, self._module[module_id].unwrapped())
        hook = module.model_config["hook"]
        groups: list[tuple[str, nn.Module, float]] = [(POLICY, module.policy, self.settings.lr)]
        groups += [(name, net, hook.learning_rate(name)) for name, net in module.social.items()]
        for name, net, lr in groups:
            parameters = list(net.parameters())
            self.register_optimizer(
                module_id=module_id,
                optimizer_name=name,
                optimizer=torch.optim.Adam(parameters, lr=lr, fused=True),
                params=parameters,
            )

    # --- one round --------------------------------------------------------------------------------

    @override(TorchLearner)
    def update(
        self,
        batch: Any = None,
        batches: Any = None,
        batch_refs: Any = None,
        episodes: Any = None,
        episodes_refs: Any = None,
        data_iterators: Any = None,
        training_data: TrainingData | None = None,
        *,
        timesteps: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """One round: hook, policy update, then the social networks' updates.

        Args:
            batch: A `JointRollout`; or give it in `training_data`, as a batch or as references.
            batches: Several `JointRollout`s of equal length.
            batch_refs: Not used directly; `training_data.batch_refs` is.
            episodes: Refused.
            episodes_refs: Refused.
            data_iterators: Refused.
            training_data: As RLlib's learner group passes it.
            timesteps: `{"env_steps": int}`, env steps sampled before this round; drives the schedules.
            **kwargs: RLlib's minibatch arguments; our settings decide instead.

        Returns:
            Nothing to log; ask `collect_report` once per iteration.

        Raises:
            TypeError: if the data are episodes. RLlib's own PPO learns from those.
        """
        del kwargs
        data = training_data or TrainingData(batch=batch, batches=batches, batch_refs=batch_refs)
        if any(other is not None for other in (episodes, episodes_refs, data_iterators, data.episodes)):
            raise TypeError(
                f"{type(self).__name__} learns from JointRollouts, found episodes; set "
                "env_runner_cls=BatchedEnvRunner, or train RLlib's own PPO on episodes"
            )
        if data.batch_refs is None:
            rollouts = data.batches or [data.batch]
        else:
            rollouts = rollouts_that_are_left(data.batch_refs)
        # Of several learners each waits for the others' gradients: all learn from a round, or none does.
        if all_learners(bool(rollouts), self.device) if self.distributed else rollouts:
            self._update_round(concatenate(rollouts), (timesteps or {}).get("env_steps", 0))
        self._weights_seq_no += 1
        return {}

    def _update_round(self, rollout: JointRollout, env_steps: int) -> None:
        self.learn(self.weigh(rollout, env_steps))

    def weigh(self, rollout: JointRollout, env_steps: int) -> Judgement:
        """The first half of a round: what the preference makes of its rollout.

        Args:
            rollout: The experience.
            env_steps: Env steps sampled before this round.
        """
        self._rounds += 1
        self._schedules.set(env_steps)
        self.hook.set_env_steps(env_steps)
        recorded = self._recorder.random(rollout.dones.shape) < self.settings.record_fraction
        data = rollout.to_tensors(self.device)
        record_mask = torch.from_numpy(recorded).to(self.device)
        carry = self._carry.take(rollout, self._initial_carry(rollout))
        learnt = self.hook.rewards(data, self._networks(), record_mask, carry)
        self._carry.keep(rollout, learnt.carry)
        return Judgement(rollout, data, learnt, record_mask)

    def learn(self, judgement: Judgement) -> None:
        """The second half of a round: everything is updated."""
        networks = self._networks()
        self._report.add_rollout(judgement.data, judgement.learnt, judgement.recorded)
        self.hook.observe(judgement.rollout, networks)
        self._update_policies(judgement.data, judgement.learnt)
        for _ in range(self.hook.updates_due(self._rounds)):
            self._update_social(networks)

    def _initial_carry(self, rollout: JointRollout) -> Tensor | None:
        initial = self.hook.initial_carry(rollout.num_envs)
        return None if initial is None else initial.to(self.device)

    def _update_policies(self, data: TensorRollout, learnt: LearntRewards) -> None:
        batch = PolicyBatch.of(data.of_agents(self._seats), learnt.rewards[self._seats], self.settings)
        for module_id in self._owners[POLICY]:
            self.get_optimizer(module_id, POLICY).param_groups[0]["lr"] = self._schedules.lr
        policies = [module.policy for module in self._modules()]
        for rows in batch.minibatches(self._shuffler):
            losses = batch.losses(policies, rows, self._schedules)
            self._step(POLICY, self._gradients(POLICY, losses["total_loss"]), self.settings.grad_clip)
            self._note({name: loss.detach() for name, loss in losses.items()}, self._seats)

    def _note(self, values: Mapping[str, Tensor], seats: Sequence[int]) -> None:
        """Reports figures that have one entry for each of some agents; NaN for the others."""
        num_agents = self.hook.spaces.num_agents
        if len(seats) < num_agents:
            empty = torch.full((num_agents,), torch.nan, device=self.device)
            index = torch.tensor(seats, device=self.device)
            values = {name: empty.index_copy(0, index, own) for name, own in values.items()}
        self._report.note(values)

    def _update_social(self, networks: Sequence[Networks]) -> None:
        """One update of the hook's networks; all gradients first: a loss may pass through another group."""
        gradients = {}
        for group, losses in self.hook.losses(networks).items():
            gradients[group] = self._gradients(group, losses)
            seats = self._seats_of(group)
            rows = [self._seats.index(seat) for seat in seats]
            self._note({f"{group}_loss": losses.detach()[rows]}, seats)
        for group, own in gradients.items():
            self._step(group, own, self.hook.grad_clip(group))

    def _seats_of(self, group: str) -> list[int]:
        """Positions of the agents that have a parameter group, of their own or shared."""
        return self._seats if self.hook.shares_parameters else list(self._owners[group].values())

    def _parameters(self, group: str) -> list[list[nn.Parameter]]:
        """Per owner, the parameters of one group."""
        return [parameters_of(self.get_optimizer(module_id, group)) for module_id in self._owners[group]]

    def _gradients(self, group: str, losses: Tensor) -> list[Tensor]:
        """Gradients of `(N,)` losses with respect to one parameter group of all owners, owners in order.

        Row i depends on i's parameters alone: the sum mixes nothing. Shared parameters get the agents' mean.
        Of several learners each has its own copies of the game, and all get the mean.
        """
        flat = [parameter for owner in self._parameters(group) for parameter in owner]
        loss = losses.mean() if self.hook.shares_parameters else losses.sum()
        gradients = list(torch.autograd.grad(loss, flat))
        return mean_over_learners(gradients) if self.distributed else gradients

    def _step(self, group: str, gradients: list[Tensor], grad_clip: float) -> None:
        """One Adam step of every owner, its gradient clipped by its own norm."""
        optimizers = [self.get_optimizer(module_id, group) for module_id in self._owners[group]]
        norms = clipped_step(optimizers, gradients, grad_clip)
        self._note({f"{group}_grad_norm": norms}, self._seats_of(group))

    @override(TorchLearner)
    def compute_loss_for_module(self, *, module_id: str, config: Any, batch: Any, fwd_out: Any) -> Any:
        """Refused: losses of all agents are computed in one pass by `update`."""
        raise TypeError(
            f"{type(self).__name__} computes the losses of all agents in one pass, from JointRollouts; call "
            f"`update` with a JointRollout instead of asking for module {module_id!r} alone"
        )

    # --- evaluation -------------------------------------------------------------------------------

    def judge(self, rollout: JointRollout, carry: Tensor | None = None) -> LearntRewards:
        """What the hook makes of a rollout, with gift weights at every step. Changes nothing.

        Args:
            rollout: Any rollout of these agents, for example of an evaluation.
            carry: That of the fragment before, if this one goes on where it ended.
        """
        data = rollout.to_tensors(self.device)
        everywhere = torch.ones_like(data.dones)
        before = self._initial_carry(rollout) if carry is None else carry.to(self.device)
        return self.hook.rewards(data, self._networks(), everywhere, before).cpu()

    def collect_report(self) -> dict[str, Any]:
        """`LearnerReport.collect` since the last call, with `lr` and `epsilon`, where the schedules are."""
        collected = self._report.collect(self.hook.moves_rewards())
        self._report = self._new_report()
        return {**collected, "lr": self._schedules.lr, "epsilon": self._schedules.epsilon}

    def _new_report(self) -> LearnerReport:
        return LearnerReport(self.hook.spaces.num_agents, self.device)

    def policy_weights(self) -> dict[str, Any]:
        """The policies' present weights by agent, as arrays."""
        state = self.get_state(COMPONENT_RL_MODULE, inference_only=True)
        weights: dict[str, Any] = state[COMPONENT_RL_MODULE]
        return weights

    # --- state ------------------------------------------------------------------------------------

    @override(TorchLearner)
    def get_state(
        self, components: Any = None, *, not_components: Any = None, **kwargs: Any
    ) -> dict[str, Any]:
        """RLlib's state, and under `social` what the hook and the random generators need to go on exactly."""
        state: dict[str, Any] = super().get_state(components, not_components=not_components, **kwargs)
        if self._check_component(SOCIAL_STATE, components, not_components):
            state[SOCIAL_STATE] = {
                "hook": self.hook.get_state(),
                "rounds": self._rounds,
                "carry": self._carry.get_state(),
                "recorder": self._recorder.bit_generator.state,
                "shuffler": self._shuffler.get_state(),
            }
        return state

    @override(TorchLearner)
    def set_state(self, state: dict[str, Any]) -> None:
        """Restores `get_state`."""
        super().set_state(state)
        if SOCIAL_STATE in state:
            social = state[SOCIAL_STATE]
            self.hook.set_state(social["hook"])
            self._rounds = int(social["rounds"])
            self._carry.set_state(social["carry"], self.device)
            self._recorder.bit_generator.state = social["recorder"]
            self._shuffler.set_state(torch.as_tensor(social["shuffler"]))
