"""`FragmentSampler`: the copies of an environment, played fragment after fragment by one joint policy.

Knows the copies and who acts, and nothing of RLlib: configs, modules and metrics are the runner's.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rllib_lase.rllib.fragment import Fragment, empty_obs
from rllib_lase.rllib.joint_env import JointEnv
from rllib_lase.rllib.policies import JointPolicy
from rllib_lase.rollout import JointRollout


class FragmentSampler:
    """Where B copies are, and how they go on: a fragment begins where the one before ended.

    Args:
        env: The copies.
        lanes: `(B,)`, their identities over all runners.
        seed: Of the episodes after the first start, other starts have others; None: random ones.
        generator: Draws the numbers that actions are chosen with.
        device: Where recurrent states are.

    Attributes:
        env: The copies; others of the same agents may take their place, in new episodes.
        policy: Who acts.
        generator: As given.
    """

    policy: JointPolicy

    def __init__(
        self,
        env: JointEnv,
        lanes: NDArray[np.int64],
        seed: int | None,
        generator: np.random.Generator,
        device: torch.device,
    ) -> None:
        self.env, self.generator = env, generator
        self._lanes, self._seed, self._device = lanes, seed, device
        self._lane_steps = self._starts = 0
        self._last_obs: list[NDArray[Any]] = []
        self._state: Tensor | None = None

    def use_policy(self, policy: JointPolicy) -> None:
        """Lets `policy` choose the actions from now on."""
        self.policy = policy
        self._state = policy.initial_state()

    def start_episodes(self) -> None:
        """New episodes in all copies."""
        self._last_obs = [block[:, 0] for block in empty_obs(self.env, 1)]
        self.env.reset(self._start_seed(), self._last_obs)
        self._lane_steps += int(self._starts > 0)  # a gap: what follows does not continue what was
        self._starts += 1
        self._state = self.policy.initial_state()
        self.policy.begin_episodes(np.arange(self.env.num_envs))

    def _start_seed(self) -> int | None:
        """Seed of the next start: the first one's, or another for every later start."""
        if self._seed is None or self._starts == 0:
            return self._seed
        return int(np.random.SeedSequence([self._seed, self._starts]).generate_state(1)[0])

    def sample(self, num_steps: int, epsilon: float, env_steps: int) -> JointRollout:
        """What `BatchedEnvRunner.sample_rollout` gives, of copies whose episodes have started."""
        env, policy = self.env, self.policy
        policy.refresh()
        fragment = Fragment(env, num_steps, self._last_obs)
        state_in = policy.learners_state(self._state)
        shape = (num_steps, len(env.agent_ids), env.num_envs, *env.action_shape)
        uniform = self.generator.random(shape, np.float32)
        policy.set_env_steps(env_steps)
        policy.start_fragment(num_steps, epsilon)
        for t in range(num_steps):
            actions = fragment.actions[:, t]
            self._state = policy.act(t, fragment.obs(t), self._state, uniform[t], actions)
            step = env.step(actions, fragment.obs(t + 1))
            fragment.record(t, step, policy.away)
            if step.dones.any():
                self._end_episodes(fragment, t, np.flatnonzero(step.dones))
        last_obs = fragment.obs(num_steps)
        vf_preds, action_logp = policy.finish_fragment(last_obs, self._state, fragment.actions)
        self._last_obs = [block.copy() for block in last_obs]
        rollout = fragment.rollout(vf_preds, action_logp, state_in, self._lanes, self._lane_steps)
        self._lane_steps += num_steps
        return rollout

    def _end_episodes(self, fragment: Fragment, t: int, copies: NDArray[np.int64]) -> None:
        """Keeps final observations of ended episodes with their values, and zeroes the recurrent state."""
        final_obs = [block[:, copies] for block in self.env.final_obs]
        state = None if self._state is None else self._state[:, copies]
        fragment.record_ends(t, copies, final_obs, self.policy.values(final_obs, state))
        if self._state is not None:
            self._state = self._state.clone()
            self._state[:, copies] = 0
        self.policy.begin_episodes(copies)

    def get_state(self, *, with_env: bool) -> dict[str, Any]:
        """All that the next fragments depend on but for weights.

        Args:
            with_env: Whether episodes have started whose state is wanted, if the environment can tell it.
        """
        return {
            "generator": self.generator.bit_generator.state,
            "lane_steps": self._lane_steps,
            "starts": self._starts,
            "env": self.env.get_state() if with_env else None,
            "recurrent": None if self._state is None else self._state.cpu().numpy(),
        }

    def set_state(self, state: dict[str, Any]) -> bool:
        """Restores `get_state`; returns whether episodes go on, or must be started anew."""
        self.generator.bit_generator.state = state["generator"]
        self._lane_steps, self._starts = int(state["lane_steps"]), int(state["starts"])
        if state["env"] is None:
            return False
        self._last_obs = [block[:, 0] for block in empty_obs(self.env, 1)]
        self.env.set_state(state["env"], self._last_obs)
        recurrent = state["recurrent"]
        self._state = None if recurrent is None else torch.as_tensor(np.array(recurrent), device=self._device)
        return True
