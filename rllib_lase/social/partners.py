"""Who of an agent's co-players has which actions: those of one action space are judged together."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from gymnasium import spaces
from torch import Tensor

from rllib_lase.action_spaces import Combinations, sizes_of
from rllib_lase.networks import ContinuousSRNet, SRBase, SRNet
from rllib_lase.social.action_sweep import ActionSweep, CombinationsSweep, ContinuousSweep, DiscreteSweep
from rllib_lase.social.hook import JointSpaces


@dataclass(frozen=True)
class Partners:
    """Co-players of an agent that have the same actions as each other.

    Attributes:
        agents: `(J,)` int64, their positions.
        sweep: What they might have done.
        like: Position of one of them, or of the agent itself if it has the same actions: whose head of pi_SR
            predicts them.
        own_actions: Whether they have the agent's own actions.
    """

    agents: Tensor
    sweep: ActionSweep
    like: int
    own_actions: bool


class ActionKinds:
    """The game's actions of all agents, and who shares them with whom.

    Args:
        joint: Agents and spaces; `Discrete` ones are twice the game's where gifts can be refused.
        refuses_gifts: Whether they are.
        num_counterfactuals: K, actions that stand for all others where there are too many.

    Attributes:
        num_actions: `(N,)` int64, actions of the game; None if they are continuous.
        sweeps: One per agent; agents with the same actions have the same object.
    """

    def __init__(self, joint: JointSpaces, refuses_gifts: bool, num_counterfactuals: int) -> None:
        self._continuous_size = joint.continuous_size
        self._sizes: tuple[Any, ...]
        self.num_actions: Tensor | None = None
        if joint.continuous_size is None:
            self._sizes = tuple(_game_sizes(space, refuses_gifts) for space in joint.action_spaces)
            self.num_actions = torch.tensor([math.prod(sizes) for sizes in self._sizes])
        else:
            self._sizes = (joint.continuous_size,) * joint.num_agents
        distinct: dict[Any, ActionSweep] = {
            sizes: self._sweep(sizes, num_counterfactuals) for sizes in dict.fromkeys(self._sizes)
        }
        self.sweeps = tuple(distinct[sizes] for sizes in self._sizes)
        self._partners = [self._partners_of(agent) for agent in range(joint.num_agents)]

    def _sweep(self, sizes: Any, num_counterfactuals: int) -> ActionSweep:
        if self._continuous_size is not None:
            return ContinuousSweep(self._continuous_size, num_counterfactuals)
        # Where there are no more actions than counterfactuals would be drawn, each is one.
        if len(sizes) == 1 or math.prod(sizes) <= num_counterfactuals:
            return DiscreteSweep(math.prod(sizes))
        return CombinationsSweep(sizes, num_counterfactuals)

    def _partners_of(self, agent: int) -> tuple[Partners, ...]:
        others = [j for j in range(len(self._sizes)) if j != agent]
        groups: dict[Any, list[int]] = {}
        for j in others:
            groups.setdefault(self._sizes[j], []).append(j)
        return tuple(
            Partners(
                torch.tensor(members),
                self.sweeps[members[0]],
                agent if sizes == self._sizes[agent] else members[0],
                sizes == self._sizes[agent],
            )
            for sizes, members in groups.items()
        )

    def partners(self, agent: int, device: torch.device) -> tuple[Partners, ...]:
        """An agent's co-players by their actions; every co-player is in one group."""
        return tuple(
            Partners(group.agents.to(device), group.sweep, group.like, group.own_actions)
            for group in self._partners[agent]
        )

    def sr_net(
        self, obs_shape: tuple[int, ...], agent: int, hidden_size: int, shared: bool, predicts_others: bool
    ) -> SRBase:
        """A fresh SR network of an agent; `predicts_others` as of `SRBase`."""
        if self._continuous_size is not None:
            return ContinuousSRNet(
                obs_shape, len(self._sizes), self._continuous_size, agent, hidden_size, shared
            )
        return SRNet(obs_shape, self._sizes, agent, hidden_size, shared, predicts_others)


def _game_sizes(space: spaces.Space[Any], refuses_gifts: bool) -> tuple[int, ...]:
    sizes = sizes_of(space)
    if not refuses_gifts:
        return sizes
    assert not isinstance(space, Combinations), "no actions are added to combinations"
    return (sizes[0] // 2,)
