"""`SocialTraining`: a hook with networks and optimisers of its own, beside policies that it knows nothing of.

What `SocialLearner` does for its modules, for learners whose modules are RLlib's: gifts, the social networks'
updates, a report. The networks belong to the learner, one set per agent, so that env runners and weight
syncs never see them, and modules of any kind will do.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from ray.rllib.utils.numpy import convert_to_numpy
from ray.rllib.utils.torch_utils import convert_to_torch_tensor
from torch import Tensor, nn

from rllib_lase.rllib.learner_report import LearnerReport
from rllib_lase.rllib.owners import clipped_step, mean_over_learners, parameters_of
from rllib_lase.rollout import JointRollout, split_copies
from rllib_lase.social.carry import LaneCarry
from rllib_lase.social.hook import LearntRewards, Networks, SocialHook


class SocialTraining:
    """Exchanges gifts and trains what the hook needs for it.

    With several learners (a torch process group), networks start equal on all, and gradients are their mean;
    every learner has a replay of the episodes that it was given.

    Args:
        hook: The preference; it must not read policies.
        device: Where networks and rollouts are.
        seed: Of initial weights and of which steps are recorded; agent i's weights do not depend on how many
            others there are.
        distributed: Whether other learners train the same networks.
    """

    def __init__(
        self, hook: SocialHook, device: torch.device | str, seed: int | None, distributed: bool
    ) -> None:
        self.hook = hook
        self._device = torch.device(device)
        self._distributed = distributed
        self._agents = nn.ModuleList(_new_networks(hook, seed)).to(self._device)
        self._optimizers = [
            {
                group: torch.optim.Adam(net.parameters(), lr=hook.learning_rate(group))
                for group, net in networks.items()
            }
            for networks in self._networks()
        ]
        if distributed:
            for parameter in self._agents.parameters():
                torch.distributed.broadcast(parameter.data, src=0)
        self._carry = LaneCarry()
        self._recorder = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(2,)))
        self._rounds = 0
        self._report = self._new_report()

    def _networks(self) -> list[Networks]:
        return [dict(networks.items()) for networks in self._agents]  # type: ignore[operator]

    def _new_report(self) -> LearnerReport:
        return LearnerReport(self.hook.spaces.num_agents, self._device)

    def exchange(self, rollouts: Sequence[JointRollout]) -> list[LearntRewards]:
        """What the hook makes of one round's rollouts, which it also keeps to learn from.

        Args:
            rollouts: Of the hook's agents; each copy is of an episode of its own, or of a stretch of one.
        """
        self._rounds += 1
        learnt = [self._judge(rollout) for rollout in rollouts]
        if rollouts:
            self._carry.keep_all(rollouts, [part.carry for part in learnt])
        networks = self._networks()
        for rollout in rollouts:
            # One by one: a replay's number of copies is fixed, that of episodes in a round is not.
            for single in split_copies(rollout):
                self.hook.observe(single, networks)
        return learnt

    def _judge(self, rollout: JointRollout) -> LearntRewards:
        recorded = self._recorder.random(rollout.dones.shape) < self.hook.settings.record_fraction
        data, record_mask = rollout.to_tensors(self._device), torch.from_numpy(recorded).to(self._device)
        initial = self.hook.initial_carry(rollout.num_envs)
        carry = self._carry.take(rollout, None if initial is None else initial.to(self._device))
        learnt = self.hook.rewards(data, self._networks(), record_mask, carry)
        self._report.add_rollout(data, learnt, record_mask)
        return learnt

    def update(self) -> None:
        """The updates that are due after the policies' update of the present round."""
        networks = self._networks()
        for _ in range(self.hook.updates_due(self._rounds)):
            losses = self.hook.losses(networks)
            # All gradients first: a loss may pass through another group.
            gradients = {group: self._gradients(group, own) for group, own in losses.items()}
            for group, own in gradients.items():
                optimizers = [of_agent[group] for of_agent in self._optimizers]
                norms = clipped_step(optimizers, own, self.hook.grad_clip(group))
                self._report.note({f"{group}_loss": losses[group].detach(), f"{group}_grad_norm": norms})

    def _gradients(self, group: str, losses: Tensor) -> list[Tensor]:
        """Of `(N,)` losses with respect to one group of all agents' parameters: term i has i's alone."""
        flat = [parameter for agent in self._optimizers for parameter in parameters_of(agent[group])]
        gradients = list(torch.autograd.grad(losses.sum(), flat))
        return mean_over_learners(gradients) if self._distributed else gradients

    def collect_report(self) -> dict[str, Any]:
        """`LearnerReport.collect` since the last call."""
        collected = self._report.collect(self.hook.moves_rewards())
        self._report = self._new_report()
        return collected

    def get_state(self) -> dict[str, Any]:
        """Networks, optimisers, and what the hook and the random generator need to go on exactly."""
        return {
            "networks": convert_to_numpy(copy.deepcopy(dict(self._agents.state_dict()))),
            "optimizers": [
                {
                    group: convert_to_numpy(copy.deepcopy(optimizer.state_dict()))
                    for group, optimizer in of_agent.items()
                }
                for of_agent in self._optimizers
            ],
            "hook": self.hook.get_state(),
            "carry": self._carry.get_state(),
            "recorder": self._recorder.bit_generator.state,
            "rounds": self._rounds,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Restores `get_state`. Of several learners all take over the first one's replay."""
        self._agents.load_state_dict(
            {name: torch.as_tensor(value) for name, value in state["networks"].items()}
        )
        for of_agent, saved in zip(self._optimizers, state["optimizers"], strict=True):
            for group, optimizer in of_agent.items():
                moments = convert_to_torch_tensor(copy.deepcopy(saved[group]["state"]), device=self._device)
                optimizer.load_state_dict({**saved[group], "state": moments})
        self.hook.set_state(state["hook"])
        self._carry.set_state(state["carry"], self._device)
        self._recorder.bit_generator.state = state["recorder"]
        self._rounds = int(state["rounds"])


def _new_networks(hook: SocialHook, seed: int | None) -> list[nn.ModuleDict]:
    agents = []
    for agent in range(hook.spaces.num_agents):
        with torch.random.fork_rng(devices=[], enabled=seed is not None):
            if seed is not None:
                torch.manual_seed(seed * 1_000_003 + agent)
            agents.append(nn.ModuleDict(hook.extra_modules(agent)))
    return agents
