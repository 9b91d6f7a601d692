"""How a runner's copies choose actions: our policies stacked per group, or any RLlib modules one by one."""

from __future__ import annotations

import abc
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

import gymnasium as gym
import numpy as np
import torch
from numpy.typing import NDArray
from ray.rllib.core.columns import Columns
from ray.rllib.core.rl_module.multi_rl_module import MultiRLModule
from ray.rllib.core.rl_module.rl_module import RLModule
from torch import Tensor, nn

from rllib_lase.core.distributions import behaviour_probs, gaussian_draws, gaussian_logp, sample_actions
from rllib_lase.networks import PolicyNet
from rllib_lase.rllib.acting import GroupActor, device_of
from rllib_lase.rllib.joint_env import JointEnv
from rllib_lase.rllib.modules import SocialModule


class ActingSpaces(Protocol):
    """Who acts together, in how many copies; of a `JointEnv`, what acting needs to know."""

    @property
    def num_envs(self) -> int: ...  # noqa: D102

    @property
    def agent_ids(self) -> tuple[str, ...]: ...  # noqa: D102

    @property
    def observation_spaces(self) -> Mapping[str, gym.Space[Any]]: ...  # noqa: D102

    @property
    def action_spaces(self) -> Mapping[str, gym.Space[Any]]: ...  # noqa: D102

    @property
    def groups(self) -> tuple[tuple[int, ...], ...]: ...  # noqa: D102

    @property
    def action_shape(self) -> tuple[int, ...]: ...  # noqa: D102


class JointPolicy(abc.ABC):
    """Chooses all agents' actions in all copies of one runner.

    What is not overridden is that of policies without weights, memory and values of their own here. Policies
    act on the device of their networks, where recurrent states are, too; all else is given and returned as
    arrays.

    Attributes:
        away: `(N, B)` bool, who was away when the latest actions were chosen, and so is not active; None if
            nobody was.
    """

    away: NDArray[np.bool_] | None = None

    def refresh(self) -> None:  # noqa: B027 - who has no weights need not
        """Takes over the modules' present weights."""

    def initial_state(self) -> Tensor | None:
        """Recurrent state `(N, B, 2 * lstm_size)` at an episode's start, or None."""
        return None

    @abc.abstractmethod
    def start_fragment(self, num_steps: int, epsilon: float) -> None:
        """Prepares for `num_steps` steps with a share `epsilon` of uniform random actions."""

    @abc.abstractmethod
    def act(
        self,
        t: int,
        obs: Sequence[NDArray[Any]],
        state: Tensor | None,
        uniform: NDArray[np.float32],
        actions_out: NDArray[Any],
    ) -> Tensor | None:
        """Chooses the actions of step t.

        Args:
            t: Step within the fragment.
            obs: Per group `(n, B, *obs)`.
            state: Recurrent state, or None.
            uniform: `(N, B)`, or `(N, B, D)` for continuous actions, in [0, 1), the step's only randomness.
            actions_out: Of the same shape, written in place.

        Returns:
            The next recurrent state.
        """

    def finish_fragment(
        self, last_obs: Sequence[NDArray[Any]], state: Tensor | None, actions: NDArray[Any]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Values `(N, T + 1, B)`, the last of `last_obs`, and log-probabilities `(N, T, B)`."""
        del last_obs, state
        agents, steps, copies = actions.shape[:3]
        vf_preds = np.zeros((agents, steps + 1, copies), np.float32)
        return vf_preds, np.zeros((agents, steps, copies), np.float32)

    def values(self, obs: Sequence[NDArray[Any]], state: Tensor | None) -> NDArray[np.float32]:
        """Values `(N, K)` of other observations `(n, K, *obs)` per group."""
        del state
        return np.zeros((sum(map(len, obs)), obs[0].shape[1]), np.float32)

    def extra_model_outputs(self) -> dict[str, NDArray[Any]]:
        """Further outputs `(N, T, B, ...)` of the fragment that RLlib's learners want."""
        return {}

    def learners_state(self, state: Tensor | None) -> Tensor | None:
        """The part of the recurrent state that learners go on from; all of it, where all learn."""
        return state

    def set_env_steps(self, env_steps: int) -> None:
        """Who changes with the training's env steps learns here how many were done; the others need not."""
        del env_steps

    def begin_episodes(self, copies: NDArray[np.int64]) -> None:
        """The next step of these copies is the first of an episode."""
        del copies


def draw_actions(inputs: Tensor, uniform: Tensor, epsilon: float = 0.0, *, continuous: bool) -> Tensor:
    """Actions `(...)` or, continuous, `(..., D)` from `action_dist_inputs`; epsilon is for discrete ones."""
    if continuous:
        return gaussian_draws(inputs, uniform)
    return sample_actions(behaviour_probs(inputs, epsilon), uniform)


def state_size(net: PolicyNet) -> int:
    """Numbers in a policy's recurrent state; 0 for a feed-forward one."""
    return 0 if net.lstm is None else 2 * net.lstm.hidden_size


@dataclass(frozen=True)
class _Part:
    """Agents that act in one pass.

    Attributes:
        group: Of their observations.
        rows: Their rows within the group.
        agents: Their positions.
        actor: Their networks.
        head_size: Length of `action_dist_inputs`.
    """

    group: int
    rows: list[int]
    agents: list[int]
    actor: GroupActor
    head_size: int


def module_nets(module: MultiRLModule, env: JointEnv) -> dict[int, PolicyNet]:
    """The policies of our own modules by the agents' positions; agents without a module are left out."""
    return {
        position: cast(SocialModule, module[agent_id]).policy
        for position, agent_id in enumerate(env.agent_ids)
        if agent_id in module
    }


class StackedPolicies(JointPolicy):
    """Our own networks: agents with equal observations and number of actions act in one batched pass.

    Continuous actions are Gaussian; with an epsilon of 1 they are uniform in [-1, 1], between there is none.

    Args:
        nets: Position of an agent -> its network; all are built alike but for observations and actions, and
            on one device. Actions of other agents are left alone; their values and log-probabilities are 0.
        env: The copies, or what is to be known of them.

    Attributes:
        state_size: Numbers in each agent's recurrent state; 0 if they have none.
        device: Where they act.
    """

    def __init__(self, nets: Mapping[int, PolicyNet], env: ActingSpaces) -> None:
        self._env = env
        self.state_size = state_size(next(iter(nets.values()))) if nets else 0
        self.device = device_of(next(iter(nets.values()))) if nets else torch.device("cpu")
        self._parts: list[_Part] = []
        for group, members in enumerate(env.groups):
            sizes = {row: _head_size(env, agent) for row, agent in enumerate(members) if agent in nets}
            for size in dict.fromkeys(sizes.values()):
                rows = [row for row, own in sizes.items() if own == size]
                agents = [members[row] for row in rows]
                shape = env.observation_spaces[env.agent_ids[agents[0]]].shape or ()
                actor = GroupActor([nets[agent] for agent in agents], shape)
                self._parts.append(_Part(group, rows, agents, actor, size))

    def refresh(self) -> None:
        """Restacks the weights."""
        for part in self._parts:
            part.actor.refresh()

    def initial_state(self) -> Tensor | None:
        """Zeros, or None for feed-forward policies."""
        if not self.state_size:
            return None
        shape = (len(self._env.agent_ids), self._env.num_envs, self.state_size)
        return torch.zeros(shape, device=self.device)

    def start_fragment(self, num_steps: int, epsilon: float) -> None:
        """Makes room for the heads."""
        copies = self._env.num_envs
        self._epsilon = epsilon
        if self._env.action_shape and 0 < epsilon < 1:
            raise ValueError("continuous actions have no epsilon mixture; leave epsilon at 0")
        self._heads = [
            torch.empty(num_steps + 1, len(part.agents), copies, part.head_size + 1, device=self.device)
            for part in self._parts
        ]

    def act(
        self,
        t: int,
        obs: Sequence[NDArray[Any]],
        state: Tensor | None,
        uniform: NDArray[np.float32],
        actions_out: NDArray[Any],
    ) -> Tensor | None:
        """One pass per part."""
        after = None if state is None else torch.zeros_like(state)
        draws, seen = self._here(uniform), [self._here(block) for block in obs]
        for part, stored in zip(self._parts, self._heads, strict=True):
            heads, next_state = self._forward(part, seen, state)
            stored[t] = heads
            whole = len(part.agents) == len(self._env.agent_ids)
            chosen = self._draw(heads[..., :-1], draws if whole else draws[part.agents])
            if whole:
                actions_out[:] = chosen.cpu().numpy()
            else:
                actions_out[part.agents] = chosen.cpu().numpy()
            if after is not None and next_state is not None:
                after[part.agents] = next_state
        return after

    def _here(self, values: NDArray[Any]) -> Tensor:
        """An array on the device; on the CPU nothing is copied."""
        return torch.from_numpy(values).to(self.device)

    def _draw(self, inputs: Tensor, uniform: Tensor) -> Tensor:
        """Actions `(n, B)` or `(n, B, D)` of agents with these `action_dist_inputs`."""
        if self._env.action_shape and self._epsilon:
            return 2 * uniform - 1
        return draw_actions(inputs, uniform, self._epsilon, continuous=bool(self._env.action_shape))

    def _logp(self, inputs: Tensor, actions: Tensor) -> Tensor:
        """Log-probabilities (densities) of drawn actions, without their last axis if continuous."""
        if not self._env.action_shape:
            logp = behaviour_probs(inputs, self._epsilon).log()
            return logp.gather(-1, actions.unsqueeze(-1)).squeeze(-1)
        if self._epsilon:
            return actions.new_full(actions.shape[:-1], -actions.shape[-1] * math.log(2))
        return gaussian_logp(inputs, actions)

    def _forward(
        self, part: _Part, obs: Sequence[Tensor], state: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        members = obs[part.group]
        block = members if len(part.rows) == len(members) else members[part.rows]
        heads: tuple[Tensor, Tensor | None] = part.actor(block, None if state is None else state[part.agents])
        return heads

    def finish_fragment(
        self, last_obs: Sequence[NDArray[Any]], state: Tensor | None, actions: NDArray[Any]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """All log-probabilities of the fragment at once."""
        agents_total, steps, copies = actions.shape[:3]
        vf_preds = np.zeros((agents_total, steps + 1, copies), np.float32)
        action_logp = np.zeros((agents_total, steps, copies), np.float32)
        seen = [self._here(block) for block in last_obs]
        for part, heads in zip(self._parts, self._heads, strict=True):
            heads[steps] = self._forward(part, seen, state)[0]
            vf_preds[part.agents] = heads[..., -1].transpose(0, 1).cpu().numpy()
            taken = self._here(actions[part.agents]).transpose(0, 1)
            logp = self._logp(heads[:steps, ..., :-1], taken)
            action_logp[part.agents] = logp.transpose(0, 1).cpu().numpy()
        return vf_preds, action_logp

    def values(self, obs: Sequence[NDArray[Any]], state: Tensor | None) -> NDArray[np.float32]:
        """The critics' heads."""
        out = np.zeros((len(self._env.agent_ids), obs[0].shape[1]), np.float32)
        seen = [self._here(block) for block in obs]
        for part in self._parts:
            out[part.agents] = self._forward(part, seen, state)[0][..., -1].cpu().numpy()
        return out


class RLlibPolicies(JointPolicy):
    """Any RLlib modules, so that RLlib's own algorithms train on the batched runner."""

    def __init__(self, module: MultiRLModule, env: JointEnv, module_of: Callable[[str], str]) -> None:
        stateful = [key for key in module.keys() if module[key].is_stateful()]  # noqa: SIM118
        if stateful:
            raise ValueError(
                f"BatchedEnvRunner cannot serve stateful RLlib modules, found {stateful}; train our own "
                "algorithms with use_lstm=True, or use RLlib's MultiAgentEnvRunner"
            )
        if env.action_shape:
            raise ValueError(
                "BatchedEnvRunner serves RLlib's own modules with discrete actions only, found "
                f"{env.action_spaces}; use RLlib's MultiAgentEnvRunner, or train one of our algorithms"
            )
        self._env = env
        self._modules = [module[module_of(agent_id)] for agent_id in env.agent_ids]
        parameters = (next(each.parameters(), None) for each in self._modules if isinstance(each, nn.Module))
        self._device = next((each.device for each in parameters if each is not None), torch.device("cpu"))
        self._places = {
            agent: (g, row) for g, group in enumerate(env.groups) for row, agent in enumerate(group)
        }

    def start_fragment(self, num_steps: int, epsilon: float) -> None:
        """Makes room for the logits."""
        if epsilon > 0 and epsilon < 1:
            raise ValueError("RLlib's own algorithms have no epsilon mixture; leave epsilon at 0")
        self._uniform_only = epsilon == 1
        copies = self._env.num_envs
        self._logits = [
            torch.empty(num_steps, copies, _num_actions(self._env, agent), device=self._device)
            for agent in range(len(self._modules))
        ]

    def act(
        self,
        t: int,
        obs: Sequence[NDArray[Any]],
        state: Tensor | None,
        uniform: NDArray[np.float32],
        actions_out: NDArray[Any],
    ) -> Tensor | None:
        """One `forward_exploration` per agent."""
        seen = [torch.from_numpy(block).to(self._device) for block in obs]
        draws = torch.from_numpy(uniform).to(self._device)
        for agent, module in enumerate(self._modules):
            group, row = self._places[agent]
            logits = self._logits_of(module, seen[group][row].float())
            self._logits[agent][t] = logits
            probs = behaviour_probs(logits, float(self._uniform_only))
            actions_out[agent] = sample_actions(probs, draws[agent]).cpu().numpy()
        return state

    def _logits_of(self, module: RLModule, obs: Tensor) -> Tensor:
        """Unnormalised log-probabilities `(B, A)` of one agent's actions, for `(B, *obs)`."""
        logits: Tensor = module.forward_exploration({Columns.OBS: obs})[Columns.ACTION_DIST_INPUTS]
        return logits

    def finish_fragment(
        self, last_obs: Sequence[NDArray[Any]], state: Tensor | None, actions: NDArray[Any]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Values are the learner's business and stay 0 here."""
        agents, steps, copies = actions.shape
        action_logp = np.empty((agents, steps, copies), np.float32)
        for agent in range(agents):
            taken = torch.from_numpy(actions[agent]).to(self._device).unsqueeze(-1)
            logp = self._logits[agent].log_softmax(-1).gather(-1, taken)
            action_logp[agent] = logp.squeeze(-1).cpu().numpy()
        return np.zeros((agents, steps + 1, copies), np.float32), action_logp

    def extra_model_outputs(self) -> dict[str, NDArray[Any]]:
        """The logits, if all agents have as many actions."""
        sizes = {logits.shape[-1] for logits in self._logits}
        if len(sizes) > 1:
            raise ValueError(
                f"RLlib's own algorithms on BatchedEnvRunner need equally many actions for all, found {sizes}"
            )
        return {Columns.ACTION_DIST_INPUTS: torch.stack(self._logits).cpu().numpy()}


def _head_size(env: ActingSpaces, agent: int) -> int:
    """Length of `action_dist_inputs`."""
    return 2 * env.action_shape[0] if env.action_shape else _num_actions(env, agent)


def _num_actions(env: ActingSpaces, agent: int) -> int:
    return int(cast("gym.spaces.Discrete[Any]", env.action_spaces[env.agent_ids[agent]]).n)
