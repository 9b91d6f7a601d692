"""`SRTraining`: what the SR and conversion networks learn from, and their losses (Eq. 4 and 5).

Knows nothing of gifts.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from rllib_lase.core.perspective import perspective_loss
from rllib_lase.core.sr import sr_actor_loss_eq5, sr_critic_loss, sr_td_error
from rllib_lase.networks import ConversionNet, SRBase
from rllib_lase.registry.lase import LASESettings
from rllib_lase.rollout import JointRollout
from rllib_lase.social.action_sweep import ActionSweep
from rllib_lase.social.hook import Networks, agent_generators, draw_indices, zero_loss
from rllib_lase.social.replay import JointReplay
from rllib_lase.social.visibility import visible_co_players

#: Weight of the past in the running mean of |Q|.
Q_SCALE_DECAY = 0.99


class SRTraining:
    """Replay, minibatches and losses of all agents, each from its own view.

    Attributes:
        q_scale: Per agent, a running mean of |Q| over the minibatches that it learnt from; None before the
            first.
    """

    def __init__(self, settings: LASESettings, sweep: ActionSweep, num_agents: int, seed: int | None) -> None:
        self._settings = settings
        self._sweep = sweep
        self._num_agents = num_agents
        self._replay = JointReplay(settings.replay_capacity)
        self._generators = agent_generators(seed, num_agents, stream=1)
        self.q_scale: list[float | None] = [None] * num_agents

    def observe(self, rollout: JointRollout) -> None:
        """Keeps a rollout, whose actions are the game's own."""
        self._replay.add(rollout)

    def sr_loss(self, agent: int, nets: Networks) -> Tensor:
        """Eq. 5 on a minibatch of the agent's own transitions; 0 while there are none."""
        sr, settings, replay = cast(SRBase, nets["sr"]), self._settings, self._replay
        device = _device(sr)
        usable = replay.transitions(agent)
        if len(usable) == 0:
            return zero_loss(sr)
        now = draw_indices(self._generators[agent], usable, settings.sr_batch_size)
        after = replay.successors(now)
        obs = torch.from_numpy(replay.obs(agent, now)).to(device).float()
        actions = torch.from_numpy(replay.joint_actions(now)).to(device)
        with torch.no_grad():
            next_obs = torch.from_numpy(replay.obs(agent, after)).to(device).float()
            next_actions = torch.from_numpy(replay.joint_actions(after)).to(device)
            next_q = sr.q_joint(sr.encoder(next_obs), next_actions)
        features = sr.encoder(obs)
        q_joint = sr.q_joint(features, actions)
        td_error = sr_td_error(
            torch.from_numpy(replay.own("rewards", agent, now)).to(device),
            q_joint,
            next_q,
            torch.from_numpy(replay.own("terminateds", agent, now)).to(device),
            settings.gamma_sr,
        )
        if settings.relationship_scale == "advantage":
            self._update_scale(agent, q_joint)
        actor = self._actor_loss(agent, sr, features, actions, td_error)
        return (sr_critic_loss(td_error) + actor).mean()

    def _actor_loss(
        self, agent: int, sr: SRBase, features: Tensor, actions: Tensor, td_error: Tensor
    ) -> Tensor:
        """Of the SR policy on a minibatch, by the rule that the settings name."""
        inputs = sr.policy_inputs(features)
        if self._settings.sr_policy_rule == "eq5":
            return sr_actor_loss_eq5(inputs, actions[:, agent], td_error, self._settings.sr_entropy_coeff)
        return self._sweep.soft_q_loss(sr, features, actions, inputs, self._settings.sr_temperature)

    def _update_scale(self, agent: int, q_joint: Tensor) -> None:
        """Mixes a minibatch's mean |Q| into the running one; the first is taken as it is."""
        seen, past = float(q_joint.detach().abs().mean()), self.q_scale[agent]
        self.q_scale[agent] = seen if past is None else Q_SCALE_DECAY * past + (1 - Q_SCALE_DECAY) * seen

    def conversion_loss(self, agent: int, nets: Networks) -> Tensor:
        """Eq. 4 on a minibatch of (step, co-player) pairs.

        Pairs with a departed agent are left out; with `mask_unseen` also those with one out of sight.
        """
        sr, conversion = cast(SRBase, nets["sr"]), cast(ConversionNet, nets["conversion"])
        replay, settings, generator = self._replay, self._settings, self._generators[agent]
        device = _device(sr)
        present = np.flatnonzero(replay.acted(agent))
        if len(present) == 0:
            return zero_loss(conversion)
        now = draw_indices(generator, present, settings.conversion_batch_size)
        others = np.array([j for j in range(self._num_agents) if j != agent])
        partner = draw_indices(generator, others, settings.conversion_batch_size)
        in_game = np.stack([replay.own("active", j, now) for j in range(self._num_agents)], -1)
        mask = torch.from_numpy(np.take_along_axis(in_game, partner[:, None], 1)[:, 0]).to(device)
        co_player = torch.from_numpy(partner).to(device)
        obs = torch.from_numpy(replay.obs(agent, now)).to(device).float()
        if settings.mask_unseen:
            seen = visible_co_players(obs, self._num_agents)
            mask = mask & seen.gather(1, co_player.unsqueeze(1)).squeeze(1)
        actions = torch.from_numpy(replay.joint_actions(now)).to(device)
        taken = actions[torch.arange(len(actions), device=device), co_player]
        imagined = conversion.imagine(conversion.own_part(obs), co_player)
        inputs = sr.policy_inputs(sr.encoder(imagined))
        losses = perspective_loss(inputs, taken, imagined, obs, settings.delta)
        return torch.where(mask, losses, torch.zeros_like(losses)).sum() / mask.sum().clamp_min(1)

    def get_state(self) -> dict[str, Any]:
        """Replay, random generators and scales."""
        return {
            "replay": self._replay.get_state(),
            "generators": [generator.bit_generator.state for generator in self._generators],
            "q_scale": list(self.q_scale),
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Restores `get_state`."""
        self._replay.set_state(state["replay"])
        for generator, saved in zip(self._generators, state["generators"], strict=True):
            generator.bit_generator.state = saved
        self.q_scale = list(state["q_scale"])


def _device(module: nn.Module) -> torch.device:
    return next(module.parameters()).device
