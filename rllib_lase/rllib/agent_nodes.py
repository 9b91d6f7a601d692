"""Decentralised learning: the agents are divided among Ray actors, and only actions and gifts pass between.

The process that steps the games delivers to each actor its own agents' observations and rewards, and of
others what the preference may see; gifts go from actor to actor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import ray
from numpy.typing import NDArray
from ray.rllib.core import COMPONENT_LEARNER, COMPONENT_RL_MODULE
from ray.rllib.core.learner.learner_group import LearnerGroup
from ray.rllib.core.learner.training_data import TrainingData
from ray.rllib.utils.actor_manager import RemoteCallResults, ResultOrError
from ray.rllib.utils.annotations import override
from ray.util import get_current_placement_group
from torch import Tensor

from rllib_lase.rllib.agent_node import TRAINING, AgentNode, Delivery, Table
from rllib_lase.rllib.config import SocialConfig
from rllib_lase.rllib.config_checks import too_many_actors
from rllib_lase.rllib.joint_env import JointEnv
from rllib_lase.rllib.learner import SOCIAL_STATE, SocialLearner
from rllib_lase.rllib.policies import JointPolicy
from rllib_lase.rollout import JointRollout
from rllib_lase.settings import SettingsError
from rllib_lase.social.hook import JointSpaces, LearntRewards

_PER_AGENT = ("actions", "rewards", "terminateds", "truncateds", "active")


class AgentNodes(LearnerGroup):
    """Stands where RLlib has its learners: one actor for some of the agents each.

    Attributes:
        homes: Positions of each actor's agents: as equal in number as can be, neighbours together.
    """

    def __init__(self, config: SocialConfig, spaces: JointSpaces) -> None:
        self._nodes: list[Any] = []
        self._is_shut_down = False
        count, agents = config.settings().decentralised_learners, spaces.num_agents
        problems = too_many_actors(count, agents)  # of others' environments nobody knew before
        if problems:
            raise SettingsError(problems)
        self.config = config
        self.homes = [tuple(map(int, part)) for part in np.array_split(np.arange(agents), count)]
        self._learner = None
        self._seen_bytes = self._gift_bytes = 0
        self._hook = config.make_hook(spaces)
        self._start(config, spaces)

    def _start(self, config: SocialConfig, spaces: JointSpaces) -> None:
        """Starts an actor for each home; none stays if one of them cannot be started."""
        try:
            for home in self.homes:
                self._nodes.append(start_node(config, spaces, home))
            self._ask_all(lambda learner: None)  # an actor that cannot be built says so at its first call
        except BaseException:
            self.shutdown()
            raise

    @property
    @override(LearnerGroup)
    def is_remote(self) -> bool:
        """They are."""
        return True

    @override(LearnerGroup)
    def __len__(self) -> int:
        """Number of actors."""
        return len(self._nodes)

    def policies(self, env: JointEnv, table: str = TRAINING) -> NodePolicies:
        """Who acts in the copies of `env`: the agents, where they live."""
        return NodePolicies(self._nodes, self.homes, env, table)

    @override(LearnerGroup)
    def update(self, *, training_data: TrainingData, timesteps: dict[str, Any], **kwargs: Any) -> list[Any]:
        """One round: everybody weighs what happened, gifts go to their receivers, everybody learns."""
        del kwargs
        rollout: JointRollout = training_data.batch
        parcels = [self._delivery(rollout, home, judged=False) for home in self.homes]
        self._seen_bytes += sum(array.nbytes for parcel in parcels for array in parcel.seen.values())
        mail = [
            node.weigh.options(num_returns=len(self.homes)).remote(parcel, timesteps["env_steps"], self.homes)
            for node, parcel in zip(self._nodes, parcels, strict=True)
        ]
        received = [
            node.learn.remote(*(sent[k] for j, sent in enumerate(mail) if j != k))
            for k, node in enumerate(self._nodes)
        ]
        self._gift_bytes += sum(ray.get(received))
        return []

    def _delivery(self, rollout: JointRollout, home: tuple[int, ...], *, judged: bool) -> Delivery:
        others = [i for i in range(rollout.num_agents) if i not in home]
        visible = self._hook.visible_fields
        parts = [(group, _rows(group.indices, home)) for group in rollout.groups]
        parts = [(group, rows) for group, rows in parts if rows]
        first = 0 if judged else rollout.num_steps
        return Delivery(
            own={name: getattr(rollout, name)[list(home)] for name in _PER_AGENT},
            seen={name: _compact(getattr(rollout, name)[others]) for name in _PER_AGENT if name in visible},
            dones=rollout.dones,
            final_index=rollout.final_index,
            lanes=rollout.lanes,
            lane_steps=rollout.lane_steps,
            obs=tuple(group.obs[rows, first:] for group, rows in parts),
            final_obs=tuple(group.final_obs[rows] for group, rows in parts) if judged else (),
        )

    def judge(self, rollout: JointRollout, carry: Tensor | None) -> LearntRewards:
        """`SocialLearner.judge` of all agents, each where it lives."""
        parts: list[LearntRewards] = ray.get(
            [
                node.judge.remote(self._delivery(rollout, home, judged=True), carry)
                for node, home in zip(self._nodes, self.homes, strict=True)
            ]
        )
        whole = parts[0]
        rewards = whole.rewards.clone()
        if whole.gift_weights is None:
            for part, home in zip(parts, self.homes, strict=True):
                rewards[list(home)] = part.rewards[list(home)]
            return replace(whole, rewards=rewards)
        weights, shared, carried = whole.gift_weights.clone(), whole.rewards.clone(), whole.carry
        carried = None if carried is None else carried.clone()
        for part in parts[1:]:
            rewards += part.rewards
        for part, home in zip(parts, self.homes, strict=True):
            rows = list(home)
            if part.gift_weights is not None and part.shared is not None:
                weights[:, :, rows], shared[rows] = part.gift_weights[:, :, rows], part.shared[rows]
            if carried is not None and part.carry is not None:
                carried[:, rows] = part.carry[:, rows]
        return replace(whole, rewards=rewards, gift_weights=weights, shared=shared, carry=carried)

    def collect_report(self) -> dict[str, Any]:
        """`SocialLearner.collect_report`, each agent's figures from where it lives."""
        reports = self._ask_all(lambda learner: learner.collect_report())
        merged: dict[str, Any] = _rows_of_homes(reports, self.homes)
        return merged

    def collect_transfer(self) -> dict[str, int]:
        """Bytes that passed between actors since the last call: `seen` of others, and `gifts`."""
        counted = {"seen": self._seen_bytes, "gifts": self._gift_bytes}
        self._seen_bytes = self._gift_bytes = 0
        return counted

    def _ask_all(self, question: Callable[[SocialLearner], Any]) -> list[Any]:
        answers: list[Any] = ray.get([node.ask.remote(question) for node in self._nodes])
        return answers

    @override(LearnerGroup)
    def foreach_learner(self, func: Callable[..., Any], **kwargs: Any) -> RemoteCallResults:
        """`func(learner)` on every actor."""
        del kwargs
        results = RemoteCallResults()
        for k, answer in enumerate(self._ask_all(func)):
            results.add_result(k, ResultOrError(result=answer), None)
        return results

    # --- state ------------------------------------------------------------------------------------

    def module_state(self) -> dict[str, Any]:
        """All policies' weights, for whoever runs the experiment; agents never see each other's."""
        states = self._ask_all(lambda learner: learner.policy_weights())
        return {agent_id: weights for state in states for agent_id, weights in state.items()}

    @override(LearnerGroup)
    def get_state(self, components: Any = None, **kwargs: Any) -> dict[str, Any]:
        """The policies' weights, as RLlib asks for them."""
        del components, kwargs
        return {COMPONENT_LEARNER: {COMPONENT_RL_MODULE: self.module_state()}}

    def learner_state(self, parts: Sequence[str]) -> dict[str, Any]:
        """What a checkpoint has of a learner: networks and optimisers by agent, and the rest by actor."""
        states = ray.get([node.get_state.remote(parts) for node in self._nodes])
        merged: dict[str, Any] = {
            part: {key: value for state in states for key, value in state[part].items()}
            for part in parts
            if part != SOCIAL_STATE
        }
        return merged | {SOCIAL_STATE: {"nodes": [state[SOCIAL_STATE] for state in states]}}

    def set_learner_state(self, state: Mapping[str, Any]) -> None:
        """Restores `learner_state`."""
        shared = ray.put({part: value for part, value in state.items() if part != SOCIAL_STATE})
        social = state[SOCIAL_STATE]["nodes"]
        ray.get([node.set_state.remote(shared, own) for node, own in zip(self._nodes, social, strict=True)])

    @override(LearnerGroup)
    def shutdown(self) -> None:
        """Ends the actors."""
        for node in self._nodes:
            ray.kill(node)
        self._is_shut_down = True


def start_node(config: SocialConfig, spaces: JointSpaces, home: tuple[int, ...]) -> Any:
    """An actor with some agents: within the placement group of a trial of Tune, else spread over machines."""
    # None, not "DEFAULT": what names any strategy is placed outside of the group.
    strategy = "SPREAD" if get_current_placement_group() is None else None
    return ray.remote(num_cpus=1, scheduling_strategy=strategy)(AgentNode).remote(config, spaces, home)


class NodePolicies(JointPolicy):
    """The agents act where they live: each step's observations go there, and actions come back.

    Recurrent states, values and log-probabilities stay with the agents and are 0 here.
    """

    def __init__(
        self, nodes: Sequence[Any], homes: Sequence[tuple[int, ...]], env: JointEnv, table: str
    ) -> None:
        self._nodes, self._env, self._name = nodes, env, table
        self._homes = [list(home) for home in homes]
        self._parts = [
            [(g, rows) for g, group in enumerate(env.groups) if (rows := _rows(group, home))]
            for home in homes
        ]
        ray.get(
            [
                node.open_table.remote(table, _table(env, home))
                for node, home in zip(nodes, homes, strict=True)
            ]
        )
        self._final_obs: Sequence[NDArray[Any]] | None = None
        self._sent: list[ray.ObjectRef] = []

    def _tell(self, method: str, *arguments: Any) -> None:
        self._sent += [getattr(node, method).remote(self._name, *arguments) for node in self._nodes]

    def start_fragment(self, num_steps: int, epsilon: float) -> None:
        """Tells everybody."""
        self._tell("start_fragment", num_steps, epsilon)

    def act(
        self,
        t: int,
        obs: Sequence[NDArray[Any]],
        state: Tensor | None,
        uniform: NDArray[np.float32],
        actions_out: NDArray[Any],
    ) -> Tensor | None:
        """Every actor at the same time."""
        answers = [
            node.act.remote(self._name, t, [obs[g][rows] for g, rows in parts], uniform[home])
            for node, parts, home in zip(self._nodes, self._parts, self._homes, strict=True)
        ]
        for home, actions in zip(self._homes, ray.get(answers), strict=True):
            actions_out[home] = actions
        return state

    def values(self, obs: Sequence[NDArray[Any]], state: Tensor | None) -> NDArray[np.float32]:
        """Zeros; `begin_episodes` hands the observations on."""
        self._final_obs = obs
        return super().values(obs, state)

    def begin_episodes(self, copies: NDArray[np.int64]) -> None:
        """Tells everybody, with what they saw last in episodes that ended."""
        final, self._final_obs = self._final_obs, None
        for node, parts in zip(self._nodes, self._parts, strict=True):
            own = None if final is None else [final[g][rows] for g, rows in parts]
            self._sent.append(node.end_episodes.remote(self._name, copies, own))

    def finish_fragment(
        self, last_obs: Sequence[NDArray[Any]], state: Tensor | None, actions: NDArray[Any]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Zeros, once everything that was sent has arrived."""
        ray.get(self._sent)
        self._sent = []
        return super().finish_fragment(last_obs, state, actions)


def _rows(group: Sequence[int], home: Sequence[int]) -> list[int]:
    """Rows of a group that belong to the agents of one actor."""
    return [row for row, agent in enumerate(group) if agent in home]


def _table(env: JointEnv, home: tuple[int, ...]) -> Table:
    ids = tuple(env.agent_ids[agent] for agent in home)
    groups = [tuple(home.index(agent) for agent in group if agent in home) for group in env.groups]
    return Table(
        agent_ids=ids,
        observation_spaces={agent_id: env.observation_spaces[agent_id] for agent_id in ids},
        action_spaces={agent_id: env.action_spaces[agent_id] for agent_id in ids},
        groups=tuple(group for group in groups if group),
        num_envs=env.num_envs,
    )


def _compact(values: NDArray[Any]) -> NDArray[Any]:
    """Whole numbers (actions, counted from 0) in as few bytes as hold them."""
    if values.dtype.kind != "i" or not values.size:
        return values
    return values.astype(np.min_scalar_type(int(values.max())))


def _rows_of_homes(reports: Sequence[Any], homes: Sequence[tuple[int, ...]]) -> Any:
    """One report of several, in which each agent's row is that of its own actor."""
    first = reports[0]
    if isinstance(first, dict):
        return {name: _rows_of_homes([report[name] for report in reports], homes) for name in first}
    if not isinstance(first, np.ndarray):
        return first
    merged = first.copy()
    for report, home in zip(reports, homes, strict=True):
        merged[list(home)] = report[list(home)]
    return merged
