"""Social influence: agents are rewarded for actions that change what their co-players will do next.

Each agent predicts the others' next actions with its own model of other agents (MOA), decentralised.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, cast

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor, nn

from rllib_lase.core.influence import causal_influence, moa_loss
from rllib_lase.networks import MOANet, PolicyNet
from rllib_lase.registry.si import SISettings
from rllib_lase.rollout import JointRollout, TensorRollout
from rllib_lase.social.hook import (
    POLICY,
    JointSpaces,
    LearntRewards,
    Moments,
    Networks,
    SocialHook,
    agent_generators,
    draw_indices,
    zero_loss,
)
from rllib_lase.social.replay import JointReplay
from rllib_lase.social.visibility import visible_co_players

#: Steps of one pass of the counterfactual sweep; bounds memory at |A| * hidden_size floats per step.
SWEEP_CHUNK = 4096


class SIHook(SocialHook):
    """Social influence with a model of other agents.

    Of others it reads what they did and who is in the game: `terminateds` and `truncateds` say who still acts
    in the step after a fragment's last.

    Source: Jaques et al. 2019 (arXiv 1810.08647).
    """

    reads_policies: ClassVar[bool] = True
    visible_fields: ClassVar[frozenset[str]] = frozenset({"actions", "active", "terminateds", "truncateds"})
    settings: SISettings

    def __init__(self, settings: SISettings, spaces: JointSpaces, seed: int | None) -> None:
        super().__init__(settings, spaces, seed)
        if spaces.num_agents < 2:
            raise ValueError(
                f"social influence needs at least 2 agents; the environment has {spaces.agent_ids}"
            )
        self._num_actions = tuple(
            int(cast("gym.spaces.Discrete[Any]", space).n) for space in spaces.action_spaces
        )
        self._replay = JointReplay(settings.replay_capacity)
        self._generators = agent_generators(seed, spaces.num_agents, stream=1)
        self._env_steps = 0

    def extra_modules(self, agent: int) -> dict[str, nn.Module]:
        """`moa`."""
        shape = cast("tuple[int, ...]", self.spaces.observation_spaces[agent].shape)
        return {"moa": MOANet(shape, self._num_actions, agent, self.settings.hidden_size)}

    def learning_rate(self, group: str) -> float:
        """`moa_lr`."""
        return {"moa": self.settings.moa_lr}[group]

    def grad_clip(self, group: str) -> float:
        """`moa_grad_clip`."""
        return {"moa": self.settings.moa_grad_clip}[group]

    def set_env_steps(self, env_steps: int) -> None:
        """Moves the weight of the influence reward along its ramp."""
        self._env_steps = env_steps

    @property
    def influence_weight(self) -> float:
        """Weight of the influence reward at the present number of env steps."""
        settings = self.settings
        ramp = settings.influence_ramp_fraction * settings.schedule_env_steps
        done = min(1.0, self._env_steps / ramp) if ramp > 0 else 1.0
        start, end = settings.influence_weight_start, settings.influence_weight_end
        return start + (end - start) * done

    @torch.no_grad()
    def rewards(
        self,
        rollout: TensorRollout,
        networks: Sequence[Networks],
        recorded: Tensor,
        carry: Tensor | None = None,
    ) -> LearntRewards:
        """Weighted sum of the extrinsic and the influence reward."""
        del carry
        influence = self.influence(rollout, networks)
        rewards = self.settings.extrinsic_weight * rollout.rewards + self.influence_weight * influence
        measured = {"influence": Moments.of(influence, rollout.active & recorded)}
        return LearntRewards(rewards, measured=measured)

    @torch.no_grad()
    def influence(self, rollout: TensorRollout, networks: Sequence[Networks]) -> Tensor:
        """Each agent's influence, summed over the co-players that count.

        A co-player counts where both act in this step and in the next one of the same episode and, with
        `only_when_visible`, where the agent sees it.

        Args:
            rollout: T steps of B copies.
            networks: Each agent's own networks.

        Returns:
            `(N, T, B)` nats.
        """
        goes_on = rollout.active & ~rollout.terminateds & ~rollout.truncateds
        influence = torch.zeros_like(rollout.rewards)
        for agent in self.agents:
            influence[agent] = self._influence_of(agent, networks[agent], rollout, goes_on)
        return influence

    def _influence_of(self, agent: int, nets: Networks, rollout: TensorRollout, goes_on: Tensor) -> Tensor:
        """One agent's influence, `(T, B)`."""
        steps, copies = rollout.dones.shape
        moa, policy = cast(MOANet, nets["moa"]), cast(PolicyNet, nets[POLICY])
        obs = rollout.obs[agent][:steps]
        acts = policy.forward_fragment(obs, rollout.state_in[agent], rollout.dones).action_dist_inputs
        own_logp, flat_obs = acts.log_softmax(-1).flatten(0, 1), obs.flatten(0, 1)
        counted = (goes_on[agent] & goes_on[moa.others]).flatten(1).T
        if self.settings.only_when_visible:
            counted = counted & visible_co_players(flat_obs, self.spaces.num_agents)[:, moa.others]
        joint_actions = rollout.actions.flatten(1).T
        total = rollout.rewards.new_zeros(steps * copies)
        wanted = counted.any(1).nonzero().squeeze(-1)
        for chunk in wanted.split(SWEEP_CHUNK) if len(wanted) else ():
            actions = joint_actions[chunk]
            next_logp = moa.swept_logits(moa.encoder(flat_obs[chunk].float()), actions).log_softmax(-1)
            on_each = causal_influence(next_logp, own_logp[chunk], actions[:, agent])
            total[chunk] = (on_each * counted[chunk]).sum(1)
        return total.view(steps, copies)

    def observe(self, rollout: JointRollout, networks: Sequence[Networks]) -> None:
        """Keeps the rollout for the models of other agents."""
        del networks
        self._replay.add(rollout)

    def updates_due(self, round_index: int) -> int:
        """`moa_num_updates`."""
        del round_index
        return self.settings.moa_num_updates

    def losses(self, networks: Sequence[Networks]) -> dict[str, Tensor]:
        """Cross-entropy of each agent's own model of the others."""
        losses = [self._moa_loss(agent, cast(MOANet, networks[agent]["moa"])) for agent in self.agents]
        return {"moa": torch.stack(losses)}

    def _moa_loss(self, agent: int, moa: MOANet) -> Tensor:
        """Loss on a minibatch of steps that the agent's episode outlasted; 0 while there are none."""
        replay, device = self._replay, next(moa.parameters()).device
        usable = replay.transitions(agent)
        usable = usable[~replay.own("terminateds", agent, usable)]
        if len(usable) == 0:
            return zero_loss(moa)
        now = draw_indices(self._generators[agent], usable, self.settings.moa_batch_size)
        after = replay.successors(now)
        obs = torch.from_numpy(replay.obs(agent, now)).to(device).float()
        actions = torch.from_numpy(replay.joint_actions(now)).to(device)
        next_actions = torch.from_numpy(replay.joint_actions(after)[:, moa.others]).to(device)
        stays = [replay.own("active", j, now) & replay.own("active", j, after) for j in moa.others]
        counted = torch.from_numpy(np.stack(stays, -1)).to(device)
        return moa_loss(moa.next_logits(moa.encoder(obs), actions), next_actions, counted)

    def get_state(self) -> dict[str, Any]:
        """Replay, random generators and where the ramp is."""
        return {
            "replay": self._replay.get_state(),
            "generators": [generator.bit_generator.state for generator in self._generators],
            "env_steps": self._env_steps,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Restores `get_state`."""
        self._replay.set_state(state["replay"])
        for generator, saved in zip(self._generators, state["generators"], strict=True):
            generator.bit_generator.state = saved
        self._env_steps = int(state["env_steps"])
