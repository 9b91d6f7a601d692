"""LASE: every agent infers how much each co-player helped it, and gives that share of its reward away."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, ClassVar, cast

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor, nn

from rllib_lase.core.gifting import gift_weights, rewards_after_gifting
from rllib_lase.core.perspective import perspective_loss
from rllib_lase.core.relationships import clip_relationships, relationships
from rllib_lase.core.sr import sr_actor_loss_eq5, sr_actor_loss_soft_q, sr_critic_loss, sr_td_error
from rllib_lase.networks import ConversionNet, Identity, SRNet
from rllib_lase.registry.lase import LASESettings
from rllib_lase.rollout import JointRollout, TensorRollout
from rllib_lase.social.hook import (
    JointSpaces,
    LearntRewards,
    Networks,
    SocialHook,
    agent_generators,
    draw_indices,
)
from rllib_lase.social.replay import JointReplay

#: Steps of one pass of the counterfactual sweep; bounds memory at (N - 1) * |A| * hidden_size floats per
#: step.
SWEEP_CHUNK = 4096


class LASEHook(SocialHook):
    """Social relationship inference with perspective taking, and zero-sum gifting (Eq. 2-5)."""

    redistributes: ClassVar[bool] = True
    visible_fields: ClassVar[frozenset[str]] = frozenset({"actions", "active"})
    takes_perspective: ClassVar[bool] = True
    shares_parameters: ClassVar[bool] = False
    settings: LASESettings

    def __init__(self, settings: LASESettings, spaces: JointSpaces, seed: int | None) -> None:
        super().__init__(settings, spaces, seed)
        self._num_actions = _common_num_actions(spaces)
        self._others = [
            torch.tensor([j for j in range(spaces.num_agents) if j != i]) for i in range(spaces.num_agents)
        ]
        self._replay = JointReplay(settings.replay_capacity)
        self._generators = agent_generators(seed, spaces.num_agents, stream=1)

    def extra_modules(self, agent: int) -> dict[str, nn.Module]:
        """`sr` (value and policy) and, with perspective taking, `conversion`."""
        space, hidden = self.spaces.observation_spaces[agent], self.settings.hidden_size
        shape, num_agents = cast("tuple[int, ...]", space.shape), self.spaces.num_agents
        modules: dict[str, nn.Module] = {
            "sr": SRNet(shape, (self._num_actions,) * num_agents, agent, hidden, self.shares_parameters)
        }
        if self.takes_perspective:
            identity = Identity(num_agents, agent) if self.shares_parameters else None
            modules["conversion"] = ConversionNet(shape, num_agents, hidden, _is_unit_range(space), identity)
        return modules

    def learning_rate(self, group: str) -> float:
        """`sr_lr` or `conversion_lr`."""
        return {"sr": self.settings.sr_lr, "conversion": self.settings.conversion_lr}[group]

    def grad_clip(self, group: str) -> float:
        """`sr_grad_clip` for both groups."""
        del group
        return self.settings.sr_grad_clip

    @torch.no_grad()
    def rewards(
        self,
        rollout: TensorRollout,
        networks: Sequence[Networks],
        recorded: Tensor,
        carry: Tensor | None = None,
    ) -> LearntRewards:
        """Rewards after gifting. Weights are computed only for givers with a reward, and on recorded steps.

        A giver without a reward gives nothing whatever its weights are, so learning is identical.

        Source: Eq. 2, 3.
        """
        del carry
        weights = self.gift_weights(rollout, networks, (rollout.rewards != 0) | recorded)
        after = rewards_after_gifting(
            rollout.rewards.permute(1, 2, 0), weights, self.settings.gift_negative_rewards
        )
        shared = rollout.rewards if self.settings.gift_negative_rewards else rollout.rewards.clamp_min(0)
        return LearntRewards(after.permute(2, 0, 1).contiguous(), weights, shared)

    @torch.no_grad()
    def gift_weights(self, rollout: TensorRollout, networks: Sequence[Networks], where: Tensor) -> Tensor:
        """The gift matrices of a rollout.

        Args:
            rollout: T steps of B copies.
            networks: Each agent's own networks.
            where: `(N, T, B)` bool, givers and steps whose row is wanted; all other rows are the identity's.

        Returns:
            `(T, B, N, N)`, giver in the row, receiver in the column.

        Source: Eq. 3.
        """
        steps, copies = rollout.dones.shape
        num_agents = rollout.num_agents
        joint_actions = rollout.actions.reshape(num_agents, -1).T
        fractions = rollout.rewards.new_zeros(steps * copies, num_agents, num_agents)
        for agent, nets in enumerate(networks):
            wanted = (where[agent] & rollout.active[agent]).reshape(-1).nonzero().squeeze(-1)
            obs = rollout.obs[agent][:steps].flatten(0, 1)
            others = self._others[agent].to(obs.device)
            for chunk in wanted.split(SWEEP_CHUNK) if len(wanted) else ():
                shares = self._fractions(nets, obs[chunk].float(), joint_actions[chunk], others)
                fractions[chunk[:, None], agent, others] = shares
        return gift_weights(
            fractions.view(steps, copies, num_agents, num_agents), rollout.active.permute(1, 2, 0)
        )

    def _fractions(self, nets: Networks, obs: Tensor, joint_actions: Tensor, others: Tensor) -> Tensor:
        """Shares that one agent would give each co-player, `(M, N - 1)`. Source: Eq. 3."""
        sr = cast(SRNet, nets["sr"])
        q_joint, q_swaps = sr.q_swaps(sr.encoder(obs), joint_actions, others)
        relationship = relationships(
            q_joint,
            q_swaps,
            self._predicted_probs(nets, obs, others),
            self.spaces.num_agents,
            self.settings.min_q_spread,
        )
        return clip_relationships(relationship)

    def _predicted_probs(self, nets: Networks, obs: Tensor, others: Tensor) -> Tensor:
        """What the agent would do in each co-player's place, `(M, N - 1, A)`. Source: Section 4.2."""
        sr, conversion = cast(SRNet, nets["sr"]), cast(ConversionNet, nets["conversion"])
        imagined = conversion.imagine(conversion.own_part(obs).unsqueeze(1), others)
        logits = sr.policy_logits(sr.encoder(imagined.flatten(0, 1)))
        probs: Tensor = logits.softmax(-1).unflatten(0, (len(obs), len(others)))
        return probs

    def observe(self, rollout: JointRollout, networks: Sequence[Networks]) -> None:
        """Keeps the rollout for Eq. 4 and 5."""
        del networks
        self._replay.add(rollout)

    def updates_due(self, round_index: int) -> int:
        """`sr_num_updates` every `sr_update_frequency` rounds."""
        return self.settings.sr_num_updates if round_index % self.settings.sr_update_frequency == 0 else 0

    def losses(self, networks: Sequence[Networks]) -> dict[str, Tensor]:
        """Eq. 5 for `sr` and Eq. 4 for `conversion`, one term per agent."""
        groups: dict[str, list[Tensor]] = defaultdict(list)
        for agent, nets in enumerate(networks):
            device = next(nets["sr"].parameters()).device
            groups["sr"].append(self._sr_loss(agent, nets, device))
            if self.takes_perspective:
                groups["conversion"].append(self._conversion_loss(agent, nets, device))
        return {group: torch.stack(losses) for group, losses in groups.items()}

    def _sr_loss(self, agent: int, nets: Networks, device: torch.device) -> Tensor:
        """Eq. 5 on a minibatch of the agent's own transitions; 0 while there are none."""
        sr, settings, replay = cast(SRNet, nets["sr"]), self.settings, self._replay
        usable = replay.transitions(agent)
        if len(usable) == 0:
            return _zero_loss(sr)
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
        logits = sr.policy_logits(features)
        if settings.sr_policy_rule == "eq5":
            actor = sr_actor_loss_eq5(logits, actions[:, agent], td_error, settings.sr_entropy_coeff)
        else:
            with torch.no_grad():
                own = torch.tensor([agent], device=device)
                q_own = sr.q_swaps(features, actions, own)[1].squeeze(1)
            actor = sr_actor_loss_soft_q(logits, q_own, settings.sr_temperature)
        return (sr_critic_loss(td_error) + actor).mean()

    def _conversion_loss(self, agent: int, nets: Networks, device: torch.device) -> Tensor:
        """Eq. 4 on a minibatch of (step, co-player) pairs; pairs with a departed agent are left out."""
        sr, conversion = cast(SRNet, nets["sr"]), cast(ConversionNet, nets["conversion"])
        replay, settings, generator = self._replay, self.settings, self._generators[agent]
        present = np.flatnonzero(replay.acted(agent))
        if len(present) == 0:
            return _zero_loss(conversion)
        now = draw_indices(generator, present, settings.conversion_batch_size)
        partner = draw_indices(generator, self._others[agent].numpy(), settings.conversion_batch_size)
        in_game = np.stack([replay.own("active", j, now) for j in range(self.spaces.num_agents)], -1)
        mask = torch.from_numpy(np.take_along_axis(in_game, partner[:, None], 1)[:, 0]).to(device)
        co_player = torch.from_numpy(partner).to(device)
        obs = torch.from_numpy(replay.obs(agent, now)).to(device).float()
        actions = torch.from_numpy(replay.joint_actions(now)).to(device)
        taken = actions.gather(1, co_player.unsqueeze(1)).squeeze(1)
        imagined = conversion.imagine(conversion.own_part(obs), co_player)
        logits = sr.policy_logits(sr.encoder(imagined))
        losses = perspective_loss(logits, taken, imagined, obs, settings.delta)
        return torch.where(mask, losses, torch.zeros_like(losses)).sum() / mask.sum().clamp_min(1)

    def get_state(self) -> dict[str, Any]:
        """Replay and random generators."""
        return {
            "replay": self._replay.get_state(),
            "generators": [generator.bit_generator.state for generator in self._generators],
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Restores `get_state`."""
        self._replay.set_state(state["replay"])
        for generator, saved in zip(self._generators, state["generators"], strict=True):
            generator.bit_generator.state = saved


class LASEUniformHook(LASEHook):
    """LASE without perspective taking: co-players are predicted to act uniformly (the paper's LASE w/o)."""

    takes_perspective: ClassVar[bool] = False

    def _predicted_probs(self, nets: Networks, obs: Tensor, others: Tensor) -> Tensor:
        """1 / |A|."""
        del nets
        return obs.new_full((len(obs), len(others), self._num_actions), 1 / self._num_actions)


class LASESharedHook(LASEHook):
    """LASE for agents with one set of parameters.

    All networks know whose they are. The SR value network reads the own action from one table, whoever the
    agent is, and each co-player's from that of its position; the conversion network takes the co-player's
    position. So do observations of the games on maps: they show each agent in a plane of its own, in order.
    """

    shares_parameters: ClassVar[bool] = True


def _zero_loss(module: nn.Module) -> Tensor:
    """A loss of 0 that depends on all parameters, so that gradients exist and are 0."""
    return torch.stack([parameter.sum() * 0 for parameter in module.parameters()]).sum()


def _is_unit_range(space: gym.Space[Any]) -> bool:
    """Whether all observations lie in [0, 1], so that the conversion network's output is a sigmoid."""
    return isinstance(space, gym.spaces.Box) and bool((space.low >= 0).all() and (space.high <= 1).all())


def _common_num_actions(spaces: JointSpaces) -> int:
    if spaces.num_agents < 2:
        raise ValueError(f"LASE needs at least 2 agents to give to; the environment has {spaces.agent_ids}")
    if any(space != spaces.action_spaces[0] for space in spaces.action_spaces):
        found = ", ".join(f"{a}: {s}" for a, s in zip(spaces.agent_ids, spaces.action_spaces, strict=True))
        raise ValueError(
            f"LASE needs one action space for all agents, found {found}; an agent can only ask what it would "
            "do in a co-player's place if it has the same actions. Pad the action spaces to the same "
            "size, or train with IndependentConfig or GOConfig"
        )
    return int(cast("gym.spaces.Discrete[Any]", spaces.action_spaces[0]).n)
