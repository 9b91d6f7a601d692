"""`SRTraining`: what the SR and conversion networks learn from, and their losses (Eq. 4 and 5).

Knows nothing of gifts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from rllib_lase.core.perspective import perspective_loss
from rllib_lase.core.sr import sr_actor_loss_eq5, sr_critic_loss, sr_td_error
from rllib_lase.networks import ConversionNet, SRBase
from rllib_lase.registry.lase import LASESettings
from rllib_lase.rollout import JointRollout
from rllib_lase.social.hook import Networks, agent_generators, draw_indices, zero_loss
from rllib_lase.social.partners import ActionKinds, Partners
from rllib_lase.social.replay import JointReplay
from rllib_lase.social.visibility import visible_co_players

#: Weight of the past in the running mean of |Q|.
Q_SCALE_DECAY = 0.99


#: What pi_SR is read at to predict a co-player: its imagined or its true observation, or it predicts nothing.
PredictsFrom = Literal["imagined", "true", "nothing"]


@dataclass(frozen=True)
class _Pairs:
    """M steps of an agent, each with a co-player.

    Attributes:
        now: `(M,)`, the steps' flat indices in the replay.
        co_player: `(M,)` int64, positions.
        mask: `(M,)` bool, pairs that count.
        obs: `(M, *obs)`, what the agent saw.
        taken: `(M,)` int64 or `(M, D)` floats, what the co-player did.
    """

    now: NDArray[np.int64]
    co_player: Tensor
    mask: Tensor
    obs: Tensor
    taken: Tensor

    def masked_mean(self, losses: Tensor) -> Tensor:
        """Over the pairs that count; 0 if none does."""
        return torch.where(self.mask, losses, torch.zeros_like(losses)).sum() / self.mask.sum().clamp_min(1)


class SRTraining:
    """Replay, minibatches and losses of all agents, each from its own view.

    Attributes:
        q_scale: Per agent, a running mean of |Q| over the minibatches that it learnt from; None before the
            first.
    """

    def __init__(
        self,
        settings: LASESettings,
        kinds: ActionKinds,
        predicts_from: PredictsFrom,
        num_agents: int,
        seed: int | None,
    ) -> None:
        self._settings = settings
        self._kinds = kinds
        self._predicts_from = predicts_from
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
        loss: Tensor = (sr_critic_loss(td_error) + actor).mean()
        foreign = [group for group in self._kinds.partners(agent, device) if not group.own_actions]
        if foreign and self._predicts_from != "nothing":
            loss = loss + self._imitation_loss(agent, nets, foreign)
        return loss

    def _imitation_loss(self, agent: int, nets: Networks, groups: Sequence[Partners]) -> Tensor:
        """Cross-entropy of pi_SR's heads for the actions of others on what those did.

        Only the heads learn from it: the layers below are Eq. 5's, observations that are imagined Eq. 4's.

        Source: our choice for agents whose actions differ, beside Eq. 4.
        """
        sr, others = cast(SRBase, nets["sr"]), torch.cat([group.agents for group in groups])
        pairs = self._draw_pairs(agent, others.cpu().numpy(), self._settings.sr_batch_size, others.device)
        with torch.no_grad():
            hidden = sr.policy_hidden(sr.encoder(self._read_at(nets, pairs)))
        losses = torch.zeros(len(pairs.mask), device=others.device)
        for group, rows in _by_group(groups, pairs.co_player):
            logits = sr.head_inputs(hidden[rows], group.like)
            own = F.cross_entropy(logits, pairs.taken[rows], reduction="none")
            losses = losses.index_copy(0, rows, own)
        return pairs.masked_mean(losses)

    def _read_at(self, nets: Networks, pairs: _Pairs) -> Tensor:
        """The co-players' observations `(M, *obs)`, imagined or true."""
        if self._predicts_from == "imagined":
            conversion = cast(ConversionNet, nets["conversion"])
            return conversion.imagine(conversion.own_part(pairs.obs), pairs.co_player)
        seen = pairs.obs.clone()
        for j in pairs.co_player.unique().tolist():
            rows = pairs.co_player == j
            true = self._replay.obs(j, pairs.now[rows.cpu().numpy()])
            seen[rows] = torch.from_numpy(true).to(seen.device).float()
        return seen

    def _actor_loss(
        self, agent: int, sr: SRBase, features: Tensor, actions: Tensor, td_error: Tensor
    ) -> Tensor:
        """Of the SR policy on a minibatch, by the rule that the settings name."""
        inputs = sr.policy_inputs(features)
        if self._settings.sr_policy_rule == "eq5":
            return sr_actor_loss_eq5(inputs, actions[:, agent], td_error, self._settings.sr_entropy_coeff)
        sweep = self._kinds.sweeps[agent]
        return sweep.soft_q_loss(sr, features, actions, inputs, self._settings.sr_temperature)

    def _update_scale(self, agent: int, q_joint: Tensor) -> None:
        """Mixes a minibatch's mean |Q| into the running one; the first is taken as it is."""
        seen, past = float(q_joint.detach().abs().mean()), self.q_scale[agent]
        self.q_scale[agent] = seen if past is None else Q_SCALE_DECAY * past + (1 - Q_SCALE_DECAY) * seen

    def conversion_loss(self, agent: int, nets: Networks) -> Tensor:
        """Eq. 4 on a minibatch of (step, co-player) pairs.

        Pairs with a departed agent are left out; with `mask_unseen` also those with one out of sight.
        """
        sr, conversion = cast(SRBase, nets["sr"]), cast(ConversionNet, nets["conversion"])
        device, settings = _device(sr), self._settings
        if not self._replay.acted(agent).any():
            return zero_loss(conversion)
        others = np.array([j for j in range(self._num_agents) if j != agent])
        pairs = self._draw_pairs(agent, others, settings.conversion_batch_size, device)
        imagined = conversion.imagine(conversion.own_part(pairs.obs), pairs.co_player)
        hidden = sr.policy_hidden(sr.encoder(imagined))
        groups = self._kinds.partners(agent, device)
        if len(groups) == 1:
            inputs = sr.head_inputs(hidden, groups[0].like)
            losses = perspective_loss(inputs, pairs.taken, imagined, pairs.obs, settings.delta)
            return pairs.masked_mean(losses)
        losses = torch.zeros(len(pairs.mask), device=device)
        for group, rows in _by_group(groups, pairs.co_player):
            inputs = sr.head_inputs(hidden[rows], group.like)
            own = perspective_loss(inputs, pairs.taken[rows], imagined[rows], pairs.obs[rows], settings.delta)
            losses = losses.index_copy(0, rows, own)
        return pairs.masked_mean(losses)

    def _draw_pairs(self, agent: int, others: NDArray[np.int64], count: int, device: torch.device) -> _Pairs:
        """A minibatch of steps in which the agent was in the game, each with one of some co-players."""
        replay, generator = self._replay, self._generators[agent]
        now = draw_indices(generator, np.flatnonzero(replay.acted(agent)), count)
        partner = draw_indices(generator, others, count)
        in_game = np.stack([replay.own("active", j, now) for j in range(self._num_agents)], -1)
        mask = torch.from_numpy(np.take_along_axis(in_game, partner[:, None], 1)[:, 0]).to(device)
        co_player = torch.from_numpy(partner).to(device)
        obs = torch.from_numpy(replay.obs(agent, now)).to(device).float()
        if self._settings.mask_unseen:
            seen = visible_co_players(obs, self._num_agents)
            mask = mask & seen.gather(1, co_player.unsqueeze(1)).squeeze(1)
        actions = torch.from_numpy(replay.joint_actions(now)).to(device)
        taken = actions[torch.arange(len(actions), device=device), co_player]
        return _Pairs(now, co_player, mask, obs, taken)

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


def _by_group(groups: Sequence[Partners], co_player: Tensor) -> Iterator[tuple[Partners, Tensor]]:
    """Each group with its rows of some co-players."""
    for group in groups:
        yield group, torch.isin(co_player, group.agents).nonzero().squeeze(-1)


def _device(module: nn.Module) -> torch.device:
    return next(module.parameters()).device
