"""`MultiAgentEnvCopies`: any RLlib `MultiAgentEnv` or PettingZoo `ParallelEnv` as a `JointEnv`, copy by copy.

What an environment may get wrong is found here, where the agent, the copy and the step are known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NoReturn

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray
from ray.rllib.env.env_context import EnvContext
from ray.rllib.env.multi_agent_env import MultiAgentEnv

from rllib_lase.rllib.joint_env import EnvironmentFault, JointEnv, JointStep, group_by_observation
from rllib_lase.rllib.multi_agent_faults import FaultReport, as_number
from rllib_lase.rllib.multi_agent_roster import read_roster
from rllib_lase.rllib.parallel_env import as_multi_agent_env

_RESET_PARTS = ("observations", "infos")
_STEP_PARTS = ("observations", "rewards", "terminateds", "truncateds", "infos")
_REWARD_LIMIT = float(np.finfo(np.float32).max)
#: Steps of the first episode in which every value of every observation is compared with its space.
_THOROUGH_STEPS = 2


class MultiAgentEnvCopies(JointEnv):
    """B copies of a `MultiAgentEnv` or `ParallelEnv` in which all agents act in every step until they leave.

    Actions are discrete for all agents, or continuous of one size for all: policies act in [-1, 1], which is
    stretched to each agent's own box.
    Observations become arrays as `ObsEncoder` says. An episode ends with `__all__`, or when every agent has
    ended. An agent that leaves before the others sees zeros from then on; one that was truncated shows its
    last observation where the next one would stand, so that its value can be bootstrapped.

    Args:
        env_creator: Makes one copy from an `EnvContext`.
        env_config: The environment's options; of an `EnvContext` the worker's index and number are kept.
        num_envs: B.
        first_env_index: Index of the first copy over all runners; part of every copy's seed.
        name: The environment's name in messages.
        thorough: Compare every value of every observation with its space; else in the first steps only.

    Raises:
        EnvironmentFault: if a copy cannot be made, or plays in a way that is not supported.
    """

    def __init__(
        self,
        env_creator: Callable[[EnvContext], Any],
        env_config: Mapping[str, Any],
        num_envs: int,
        first_env_index: int = 0,
        name: str = "environment",
        thorough: bool = False,
    ) -> None:
        self.num_envs = num_envs
        self._thorough = thorough
        self._report = FaultReport(name, num_envs, first_env_index)
        self._envs: list[MultiAgentEnv] = []
        context = env_config if isinstance(env_config, EnvContext) else EnvContext(dict(env_config), 0)
        for b in range(num_envs):
            try:
                made = env_creator(context.copy_with_overrides(vector_index=b))
                self._envs.append(as_multi_agent_env(made))
            except Exception as error:
                self._report.threw(b, "the constructor", error)
            roster = read_roster(self._envs[b], name)
            if b == 0:
                self._roster = roster
            elif roster != self._roster:
                raise EnvironmentFault(
                    f"{name}, copy {b}: agents {list(roster.agent_ids)} and their spaces differ from those "
                    f"of copy 0, agents {list(self._roster.agent_ids)}; expected the same in all copies. "
                    "Likely cause: they depend on `vector_index` or on chance. Cure: let them depend on "
                    "env_config only."
                )
        roster = self._roster
        self._known = {*roster.keys, "__all__"}
        self.agent_ids = roster.agent_ids
        self.observation_spaces = MappingProxyType(
            {key: encoder.encoded for key, encoder in zip(roster.agent_ids, roster.encoders, strict=True)}
        )
        self.action_spaces = MappingProxyType(
            {key: encoder.encoded for key, encoder in zip(roster.agent_ids, roster.actions, strict=True)}
        )
        self.groups = group_by_observation(self.agent_ids, self.observation_spaces)
        self.count_names = ()
        self._allocate()

    @property
    def own_spaces(self) -> Mapping[str, tuple[gym.Space[Any], gym.Space[Any]]]:
        """As the environment gave them."""
        roster = self._roster
        encoders = zip(roster.agent_ids, roster.encoders, roster.actions, strict=True)
        return {agent_id: (obs.space, actions.space) for agent_id, obs, actions in encoders}

    def _allocate(self) -> None:
        n, b = len(self.agent_ids), self.num_envs
        spaces = [self._roster.encoders[members[0]].encoded for members in self.groups]
        self._obs: tuple[NDArray[Any], ...] = tuple(
            np.zeros((len(members), b, *space.shape), space.dtype)
            for members, space in zip(self.groups, spaces, strict=True)
        )
        self.final_obs = tuple(np.zeros_like(obs) for obs in self._obs)
        #: One agent's observations, `(B, *obs)`: views of `_obs`.
        self._agent_obs = {
            i: obs[k]
            for members, obs in zip(self.groups, self._obs, strict=True)
            for k, i in enumerate(members)
        }
        self._in_game: NDArray[np.bool_] = np.ones((n, b), np.bool_)
        self._truncated_early: list[tuple[int, int]] = []
        self._exact_rewards: NDArray[np.float64] = np.zeros((n, b))
        self._outcome = JointStep(
            rewards=np.zeros((n, b), np.float32),
            terminateds=np.zeros((n, b), np.bool_),
            truncateds=np.zeros((n, b), np.bool_),
            active=np.ones((n, b), np.bool_),
            dones=np.zeros(b, np.bool_),
            counts=np.zeros((n, b, 0), np.int32),
        )

    def reset(self, seed: int | None, obs_out: Sequence[NDArray[Any]]) -> None:
        """Starts new episodes; each copy's seed is derived from `seed` and its index over all runners.

        Raises:
            EnvironmentFault: for an exception, or a wrong observation.
        """
        self._report.episodes[:] = -1
        self._truncated_early.clear()
        for b in range(self.num_envs):
            self._reset_copy(b, None if seed is None else copy_seed(seed, self._report.first_env_index + b))
        self._hand_out_obs(obs_out)

    def step(self, actions: NDArray[Any], obs_out: Sequence[NDArray[Any]]) -> JointStep:
        """Steps all copies; the returned object is the same in every call, its arrays change.

        Raises:
            EnvironmentFault: for an exception, or a wrong observation, reward or set of agents.
        """
        outcome = self._outcome
        for i, b in self._truncated_early:
            self._agent_obs[i][b] = 0
        self._truncated_early.clear()
        np.copyto(outcome.active, self._in_game)
        for array in (self._exact_rewards, outcome.terminateds, outcome.truncateds, outcome.dones):
            array.fill(0)
        for b in range(self.num_envs):
            self._step_copy(b, actions)
        self._require_finite_rewards()
        np.copyto(outcome.rewards, self._exact_rewards, casting="same_kind")
        self._hand_out_obs(obs_out)
        return outcome

    def get_state(self) -> None:
        """None: such an environment cannot tell its state."""

    def set_state(self, state: dict[str, NDArray[Any]], obs_out: Sequence[NDArray[Any]]) -> NoReturn:
        """Refused, since there is no state to restore.

        Raises:
            EnvironmentFault: always.
        """
        raise EnvironmentFault(
            f"{self._report.name}: a MultiAgentEnv has no state to restore. Cure: reset(seed) instead."
        )

    def render(
        self, env_index: int = 0, gifts: NDArray[np.floating[Any]] | None = None
    ) -> NDArray[np.uint8] | None:
        """What the copy's own `render` returns, if that is a picture `(H, W, 3)`; gifts are not drawn."""
        del gifts
        picture = self._envs[env_index].render()
        if isinstance(picture, np.ndarray) and picture.ndim == 3 and picture.shape[2] == 3:
            return picture.astype(np.uint8, copy=False)
        return None

    def close(self) -> None:
        """Closes all copies."""
        while self._envs:
            self._envs.pop().close()

    def _reset_copy(self, b: int, seed: int | None) -> None:
        self._report.episodes[b] += 1
        self._report.steps[b] = 0
        try:
            answer = self._envs[b].reset(seed=seed)
        except Exception as error:
            self._report.threw(b, "reset()", error)
        self._report.check_parts(b, "reset()", answer, _RESET_PARTS, self._known)
        obs = answer[0]
        missing = [key for key in self._roster.keys if key not in obs]
        if missing:
            self._report.missing_at_reset(b, missing)
        for i, key in enumerate(self._roster.keys):
            self._take_obs(i, b, obs[key])
        self._in_game[:, b] = True

    def _step_copy(self, b: int, actions: NDArray[Any]) -> None:
        roster, outcome = self._roster, self._outcome
        in_game = self._in_game[:, b].tolist()
        self._report.steps[b] += 1
        action_dict = {
            key: roster.actions[i].decode(actions[i, b]) for i, key in enumerate(roster.keys) if in_game[i]
        }
        try:
            answer = self._envs[b].step(action_dict)
        except Exception as error:
            self._report.threw(b, "step()", error)
        self._report.check_parts(b, "step()", answer, _STEP_PARTS, self._known)
        obs, rewards, terminateds, truncateds, _ = answer
        leavers = []
        all_terminated, all_truncated = bool(terminateds.get("__all__")), bool(truncateds.get("__all__"))
        for i, key in enumerate(roster.keys):
            terminated, truncated = bool(terminateds.get(key)), bool(truncateds.get(key))
            if not (terminated or truncated):
                terminated, truncated = all_terminated, all_truncated
            if not in_game[i]:
                if key in obs and not (terminated or truncated):
                    self._report.entered_again(b, key)
                if key in rewards and self._number(i, b, rewards[key]) != 0:
                    self._report.late_reward(b, key, rewards[key])
                continue
            if terminated or truncated:
                leavers.append(i)
                (outcome.terminateds if terminated else outcome.truncateds)[i, b] = True
                self._in_game[i, b] = False
            if key in obs:
                self._take_obs(i, b, obs[key])
            elif not terminated:  # of an agent that terminated, the last observation is never used
                self._report.missing_obs(b, key, truncated)
            if key in rewards:
                self._exact_rewards[i, b] = self._number(i, b, rewards[key])
        if all_terminated or all_truncated or not self._in_game[:, b].any():
            self._end_episode(b)
        else:
            self._clear_obs(leavers, b)

    def _end_episode(self, b: int) -> None:
        self._outcome.dones[b] = True
        for final, obs in zip(self.final_obs, self._obs, strict=True):
            final[:, b] = obs[:, b]
        self._require_finite_obs([final[:, b : b + 1] for final in self.final_obs], b)
        self._reset_copy(b, None)

    def _clear_obs(self, leavers: Sequence[int], b: int) -> None:
        """Zeros for agents that just terminated; those truncated keep their last observation for a step."""
        for i in leavers:
            if self._outcome.terminateds[i, b]:
                self._agent_obs[i][b] = 0
            else:
                self._truncated_early.append((i, b))

    def _hand_out_obs(self, obs_out: Sequence[NDArray[Any]]) -> None:
        self._require_finite_obs(self._obs, 0)
        for out, obs in zip(obs_out, self._obs, strict=True):
            np.copyto(out, obs)

    def _take_obs(self, i: int, b: int, obs: Any) -> None:
        encoder = self._roster.encoders[i]
        early = self._report.episodes[b] == 0 and self._report.steps[b] <= _THOROUGH_STEPS
        problem = encoder.problem(obs, self._thorough or bool(early))
        if problem is not None:
            self._report.wrong_obs(b, self._roster.keys[i], *problem)
        encoder.write(obs, self._agent_obs[i][b])

    def _number(self, i: int, b: int, reward: Any) -> float:
        number = as_number(reward)
        if number is None:
            self._report.not_a_number(b, self._roster.keys[i], reward)
        return number

    def _require_finite_rewards(self) -> None:
        wrong = ~(np.abs(self._exact_rewards) <= _REWARD_LIMIT)  # true of NaN, too
        if wrong.any():
            i, b = (int(k) for k in np.argwhere(wrong)[0])
            ended = bool(self._outcome.dones[b])
            self._report.not_finite(b, self._roster.keys[i], float(self._exact_rewards[i, b]), ended)

    def _require_finite_obs(self, groups: Sequence[NDArray[Any]], first_copy: int) -> None:
        for members, obs in zip(self.groups, groups, strict=True):
            if obs.dtype != np.uint8 and not np.isfinite(obs).all():
                k, b, *where = (int(index) for index in np.argwhere(~np.isfinite(obs))[0])
                value = float(obs[(k, b, *where)])
                self._report.not_finite_obs(first_copy + b, self._roster.keys[members[k]], value, where)


def copy_seed(seed: int, env_index: int) -> int:
    """A copy's own seed from the run's seed and the copy's index; of 31 bits, which every generator takes."""
    return int(np.random.SeedSequence([seed, env_index]).generate_state(1)[0]) >> 1
