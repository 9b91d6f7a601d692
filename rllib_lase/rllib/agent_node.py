"""`AgentNode`: the process in which some of the agents act and learn; what is theirs never leaves it.

In: their own observations and rewards, and of others what the preference may see. Out: their actions and
gifts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import gymnasium as gym
import numpy as np
import torch
from numpy.typing import NDArray
from ray.rllib.core import COMPONENT_OPTIMIZER, COMPONENT_RL_MODULE
from torch import Tensor

from rllib_lase.rllib.config import SocialConfig
from rllib_lase.rllib.learner import SOCIAL_STATE, Judgement, SocialLearner
from rllib_lase.rllib.modules import SocialModule
from rllib_lase.rllib.policies import StackedPolicies
from rllib_lase.rollout import AgentGroup, JointRollout
from rllib_lase.social.hook import JointSpaces, LearntRewards

#: The copies of the training; evaluations have tables of their own.
TRAINING = "training"

_FLAGS = ("terminateds", "truncateds", "active")


@dataclass(frozen=True)
class Delivery:
    """What the game tells one node of a fragment of T steps of B copies.

    Attributes:
        own: `actions`, `rewards`, `terminateds`, `truncateds`, `active` of the node's agents, `(n, T, B)`.
        seen: Those of them that the agents may see of others, `(N - n, T, B)`, others in order.
        dones: As in `JointRollout`, like the next three.
        final_index: Which episodes ended.
        lanes: Identities of the copies.
        lane_steps: Their steps before the fragment.
        obs: Per group of the node's agents `(n, S, B, *obs)`: after a fragment that they played, what they
            saw last (S = 1); of a fragment to be judged, everything (S = T + 1).
        final_obs: Of a fragment to be judged, as in `AgentGroup`; else empty.
    """

    own: Mapping[str, NDArray[Any]]
    seen: Mapping[str, NDArray[Any]]
    dones: NDArray[np.bool_]
    final_index: NDArray[np.int64]
    lanes: NDArray[np.int64]
    lane_steps: NDArray[np.int64]
    obs: tuple[NDArray[Any], ...]
    final_obs: tuple[NDArray[Any], ...]


@dataclass(frozen=True)
class Table:
    """Where a node's agents play: their own spaces and the number of copies, without any environment."""

    agent_ids: tuple[str, ...]
    observation_spaces: Mapping[str, gym.Space[Any]]
    action_spaces: Mapping[str, gym.Space[Any]]
    groups: tuple[tuple[int, ...], ...]
    num_envs: int

    @property
    def action_shape(self) -> tuple[int, ...]:
        """Of one action, as `JointEnv` has it."""
        return self.action_spaces[self.agent_ids[0]].shape or ()


class Seats:
    """A node's agents in the copies of one table: they act, and remember what they saw."""

    def __init__(self, table: Table, learner: SocialLearner) -> None:
        nets = {
            position: cast(SocialModule, learner.module[agent_id].unwrapped()).policy
            for position, agent_id in enumerate(table.agent_ids)
        }
        self.table = table
        self.policies = StackedPolicies(nets, table)
        self.state = self.policies.initial_state()

    def start_fragment(self, num_steps: int, epsilon: float) -> None:
        """Makes room for what will be seen."""
        self.policies.refresh()
        self.policies.start_fragment(num_steps, epsilon)
        table, copies = self.table, self.table.num_envs
        self.state_in = None if self.state is None else self.state.clone().numpy()
        self.obs = [
            np.empty((len(group), num_steps + 1, copies, *(space.shape or ())), space.dtype)
            for group, space in zip(table.groups, self._group_spaces(), strict=True)
        ]
        dtype = np.float32 if table.action_shape else np.int64
        self.actions = np.empty((len(table.agent_ids), num_steps, copies, *table.action_shape), dtype)
        self.final_obs: list[list[NDArray[Any]]] = [[] for _ in table.groups]
        self.final_values: list[NDArray[np.float32]] = []

    def _group_spaces(self) -> list[gym.Space[Any]]:
        table = self.table
        return [table.observation_spaces[table.agent_ids[group[0]]] for group in table.groups]

    def act(
        self, t: int, obs: Sequence[NDArray[Any]], uniform: NDArray[np.float32]
    ) -> NDArray[np.int64] | NDArray[np.float32]:
        """Actions of step t."""
        for kept, block in zip(self.obs, obs, strict=True):
            kept[:, t] = block
        now = [kept[:, t] for kept in self.obs]
        self.state = self.policies.act(t, now, self.state, np.array(uniform), self.actions[:, t])
        return self.actions[:, t]

    def end_episodes(self, copies: NDArray[np.int64], final_obs: Sequence[NDArray[Any]] | None) -> None:
        """Some copies start new episodes; `final_obs` is what was seen last in the old ones, if any ended."""
        if final_obs is not None:
            blocks = [np.array(block) for block in final_obs]
            state = None if self.state is None else self.state[:, copies]
            self.final_values.append(self.policies.values(blocks, state))
            for kept, block in zip(self.final_obs, blocks, strict=True):
                kept.append(block)
        if self.state is not None:
            self.state = self.state.clone()
            self.state[:, copies] = 0

    def finish(self, delivery: Delivery) -> tuple[list[AgentGroup], dict[str, NDArray[Any]]]:
        """The played fragment as its agents saw it: their groups, and what they thought of it."""
        for kept, last in zip(self.obs, delivery.obs, strict=True):
            kept[:, -1] = last[:, 0]
        last_obs = [kept[:, -1] for kept in self.obs]
        vf_preds, action_logp = self.policies.finish_fragment(last_obs, self.state, self.actions)
        agents = len(self.table.agent_ids)
        groups = [
            AgentGroup(
                indices=group,
                obs=kept,
                final_obs=(
                    np.concatenate(final, 1)
                    if final
                    else np.empty((len(group), 0, *kept.shape[3:]), kept.dtype)
                ),
                state_in=None if self.state_in is None else self.state_in[list(group)],
            )
            for group, kept, final in zip(self.table.groups, self.obs, self.final_obs, strict=True)
        ]
        empty = np.empty((agents, 0), np.float32)
        values = np.concatenate(self.final_values, 1) if self.final_values else empty
        return groups, {"vf_preds": vf_preds, "action_logp": action_logp, "final_vf_preds": values}


class AgentNode:
    """Some agents with their networks, optimisers and memories.

    Args:
        config: The algorithm's.
        spaces: All agents'.
        agents: Positions of those who live here.
    """

    def __init__(self, config: SocialConfig, spaces: JointSpaces, agents: tuple[int, ...]) -> None:
        torch.set_num_threads(1)
        own = config.copy(copy_frozen=False)
        own.learning_agents = agents
        own.num_learners = 0
        pairs = {
            agent_id: (spaces.observation_spaces[i], spaces.action_spaces[i])
            for i, agent_id in enumerate(spaces.agent_ids)
        }
        spec = own.get_multi_rl_module_spec(spaces=pairs)
        self._learner: SocialLearner = own.learner_class(config=own, module_spec=spec)
        self._learner.build()
        self._spaces, self._agents = spaces, agents
        self._others = tuple(i for i in range(spaces.num_agents) if i not in agents)
        self._tables: dict[str, Seats] = {}
        self._judgement: Judgement | None = None

    # --- playing ----------------------------------------------------------------------------------

    def open_table(self, name: str, table: Table) -> None:
        """Agents take their seats in some copies; what they did at an earlier table of the name is over."""
        self._tables[name] = Seats(table, self._learner)

    def start_fragment(self, name: str, num_steps: int, epsilon: float) -> None:
        """`Seats.start_fragment`."""
        self._tables[name].start_fragment(num_steps, epsilon)

    def act(
        self, name: str, t: int, obs: Sequence[NDArray[Any]], uniform: NDArray[np.float32]
    ) -> NDArray[Any]:
        """`Seats.act`."""
        return self._tables[name].act(t, obs, uniform)

    def end_episodes(
        self, name: str, copies: NDArray[np.int64], final_obs: Sequence[NDArray[Any]] | None
    ) -> None:
        """`Seats.end_episodes`."""
        self._tables[name].end_episodes(copies, final_obs)

    # --- learning ---------------------------------------------------------------------------------

    def weigh(self, delivery: Delivery, env_steps: int, homes: Sequence[tuple[int, ...]]) -> list[Any]:
        """What the agents here give the agents of each node: per node `(n, T, B)`, or None.

        Args:
            delivery: What the fragment came to, which they have just played.
            env_steps: Env steps before this round.
            homes: Positions of the agents of every node.
        """
        groups, thoughts = self._tables[TRAINING].finish(delivery)
        rollout = self._rollout(delivery, groups, thoughts)
        self._judgement = self._learner.weigh(rollout, env_steps)
        learnt = self._judgement.learnt
        if learnt.gift_weights is None:
            return [None] * len(homes)
        # Others' rewards are unknown here, and 0: what they have after gifts is what they were given.
        return [None if home == self._agents else learnt.rewards[list(home)].numpy() for home in homes]

    def learn(self, *gifts: NDArray[np.float32] | None) -> int:
        """One round's updates, with what the other nodes' agents gave; returns the bytes of the gifts."""
        judgement = self._judgement
        if judgement is None:
            raise RuntimeError("nothing was played yet")
        self._judgement = None
        learnt, received = judgement.learnt, [gift for gift in gifts if gift is not None]
        if received:
            rewards = learnt.rewards.clone()
            for gift in received:
                rewards[list(self._agents)] += torch.from_numpy(np.array(gift))
            learnt = replace(learnt, rewards=rewards)
        self._learner.learn(replace(judgement, learnt=learnt))
        return sum(gift.nbytes for gift in received)

    def judge(self, delivery: Delivery, carry: Tensor | None) -> LearntRewards:
        """`SocialLearner.judge` of a fragment that may have been played anywhere, for the agents here."""
        table = self._tables[TRAINING].table
        groups = [
            AgentGroup(group, obs, final)
            for group, obs, final in zip(table.groups, delivery.obs, delivery.final_obs, strict=True)
        ]
        steps, copies = delivery.dones.shape
        agents, ended = len(self._agents), len(delivery.final_index)
        thoughts = {
            "vf_preds": np.zeros((agents, steps + 1, copies), np.float32),
            "action_logp": np.zeros((agents, steps, copies), np.float32),
            "final_vf_preds": np.zeros((agents, ended), np.float32),
        }
        return self._learner.judge(self._rollout(delivery, groups, thoughts), carry)

    def _rollout(
        self, delivery: Delivery, own_groups: Sequence[AgentGroup], thoughts: Mapping[str, NDArray[Any]]
    ) -> JointRollout:
        """The fragment as far as it is known here; observations of others have no entries at all."""
        groups = tuple(
            replace(group, indices=tuple(self._agents[row] for row in group.indices)) for group in own_groups
        )
        steps, copies = delivery.dones.shape
        unseen = AgentGroup(
            indices=self._others,
            obs=np.empty((len(self._others), steps + 1, copies, 0), np.float32),
            final_obs=np.empty((len(self._others), len(delivery.final_index), 0), np.float32),
        )
        own = {**delivery.own, **thoughts}
        joint: dict[str, Any] = {
            name: self._joint(values, delivery.seen.get(name)) for name, values in own.items()
        }
        return JointRollout(
            agent_ids=self._spaces.agent_ids,
            groups=(*groups, unseen),
            final_index=delivery.final_index,
            dones=delivery.dones,
            lanes=delivery.lanes,
            lane_steps=delivery.lane_steps,
            counts=np.empty((self._spaces.num_agents, steps, copies, 0), np.int32),
            **joint,
        )

    def _joint(self, own: NDArray[Any], seen: NDArray[Any] | None) -> NDArray[Any]:
        """`(N, ...)`, others' rows as they were seen, else 0."""
        joint = np.zeros((self._spaces.num_agents, *own.shape[1:]), own.dtype)
        joint[list(self._agents)] = own
        if seen is not None:
            joint[list(self._others)] = seen
        return joint

    # --- state ------------------------------------------------------------------------------------

    def ask(self, question: Callable[[SocialLearner], Any]) -> Any:
        """`question(learner)`."""
        return question(self._learner)

    def get_state(self, parts: Sequence[str]) -> dict[str, Any]:
        """The learner's state, and how the agents' memory stands in the games that they play."""
        state = self._learner.get_state(components=list(parts))
        found = {part: state[part] for part in parts}
        if SOCIAL_STATE in found:
            seats = self._tables[TRAINING].state
            found[SOCIAL_STATE]["recurrent"] = None if seats is None else seats.numpy()
        return found

    def set_state(self, state: Mapping[str, Any], social: dict[str, Any]) -> None:
        """Takes over the agents' part of all nodes' networks and optimisers, and this node's own `social`."""
        own = {self._spaces.agent_ids[agent] for agent in self._agents}
        present = self._learner.get_state(components=[COMPONENT_OPTIMIZER])[COMPONENT_OPTIMIZER]
        self._learner.set_state(
            {
                COMPONENT_RL_MODULE: {key: state[COMPONENT_RL_MODULE][key] for key in own},
                COMPONENT_OPTIMIZER: {key: state[COMPONENT_OPTIMIZER][key] for key in present},
                SOCIAL_STATE: social,
            }
        )
        recurrent = social["recurrent"]
        if recurrent is not None:
            self._tables[TRAINING].state = torch.as_tensor(np.array(recurrent))
