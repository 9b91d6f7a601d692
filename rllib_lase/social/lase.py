"""LASE: every agent infers how much each co-player helped it, and gives that share of its reward away.

How the networks learn is in `sr_training`.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rllib_lase.core.gifting import gift_weights, rewards_after_gifting
from rllib_lase.core.pairs import pairs
from rllib_lase.core.relationships import (
    clip_relationships,
    relationships,
    scaled_relationships,
    smooth_relationships,
)
from rllib_lase.networks import ConversionNet, SRBase
from rllib_lase.observations import in_unit_range, one_hot_groups
from rllib_lase.registry.lase import LASESettings
from rllib_lase.rollout import JointRollout, TensorRollout
from rllib_lase.settings import Settings
from rllib_lase.social.action_sweep import Prediction
from rllib_lase.social.hook import JointSpaces, LearntRewards, Moments, Networks, SocialHook
from rllib_lase.social.partners import ActionKinds, Partners
from rllib_lase.social.sr_training import PredictsFrom, SRTraining
from rllib_lase.social.visibility import visible_co_players

#: Steps of one pass of the counterfactual sweep; bounds memory at (N - 1) * |A| * hidden_size floats per
#: step.
SWEEP_CHUNK = 4096


@dataclass(frozen=True)
class _Steps:
    """All steps of a rollout in one row, M = T * B, with the game's own actions as they were executed.

    Attributes:
        obs: `(M, *obs)` per agent.
        actions: `(M, N)` int64, or `(M, N, D)` floats in [-1, 1].
        refused: `(T, B, N)` bool, who refused gifts; None if nobody can.
    """

    obs: tuple[Tensor, ...]
    actions: Tensor
    refused: Tensor | None


@dataclass(frozen=True)
class _Inferred:
    """What was inferred of each pair, `(T, B, N, N)`, giver in the row; 0 where it was not asked for.

    Attributes:
        fractions: w of Eq. 3.
        surprise: By name, how well the giver predicted the action that the receiver took.
        seen: Bool, pairs that the giver can judge.
    """

    fractions: Tensor
    surprise: Mapping[str, Tensor]
    seen: Tensor


class LASEHook(SocialHook):
    """Social relationship inference with perspective taking, and zero-sum gifting (Eq. 2-5)."""

    continuous_actions: ClassVar[bool] = True
    visible_fields: ClassVar[frozenset[str]] = frozenset({"actions", "active"})
    predicts_from: ClassVar[PredictsFrom] = "imagined"
    settings: LASESettings

    def __init__(self, settings: LASESettings, spaces: JointSpaces, seed: int | None) -> None:
        super().__init__(settings, spaces, seed)
        if spaces.num_agents < 2:
            raise ValueError(
                f"LASE needs at least 2 agents to give to; the environment has {spaces.agent_ids}"
            )
        self._kinds = ActionKinds(spaces, settings.refuse_gifts, settings.num_counterfactuals)
        self._training = SRTraining(settings, self._kinds, self.predicts_from, spaces.num_agents, seed)

    @classmethod
    def action_table(
        cls, settings: Settings, num_actions: int, stay_action: int | None
    ) -> NDArray[np.int64] | None:
        """With `refuse_gifts`: each action, and each again while gifts are refused."""
        del stay_action
        refuses = cast(LASESettings, settings).refuse_gifts
        return np.tile(np.arange(num_actions), 2) if refuses else None

    @classmethod
    def discrete_settings(cls, settings: Settings) -> dict[str, str]:
        """Refusals are further actions."""
        refused = super().discrete_settings(settings)
        if cast(LASESettings, settings).refuse_gifts:
            refused["refuse_gifts"] = "a refusal is one more choice beside a discrete action; leave it off"
        return refused

    @property
    def refuses_gifts(self) -> bool:
        """As the setting of that name."""
        return self.settings.refuse_gifts

    def moves_rewards(self) -> bool:
        """Shares of their own rewards."""
        return True

    def initial_carry(self, num_envs: int) -> Tensor | None:
        """Smoothed relationships `(B, N, N)`, NaN: no pair has one yet. None without smoothing."""
        if self.settings.relationship_smoothing == 0:
            return None
        return torch.full((num_envs, self.spaces.num_agents, self.spaces.num_agents), torch.nan)

    def extra_modules(self, agent: int) -> dict[str, nn.Module]:
        """`sr` (value and policy) and, with perspective taking, `conversion`."""
        space, hidden = self.spaces.observation_spaces[agent], self.settings.hidden_size
        shape, num_agents = cast("tuple[int, ...]", space.shape), self.spaces.num_agents
        modules: dict[str, nn.Module] = {
            "sr": self._kinds.sr_net(
                shape, agent, hidden, self.shares_parameters, self.predicts_from != "nothing"
            )
        }
        if self.predicts_from == "imagined":
            modules["conversion"] = ConversionNet(
                shape, num_agents, hidden, in_unit_range(space), self.identity(agent), one_hot_groups(space)
            )
        return modules

    def learning_rate(self, group: str) -> float:
        """`sr_lr` or `conversion_lr`."""
        return {"sr": self.settings.sr_lr, "conversion": self.settings.conversion_lr}[group]

    def grad_clip(self, group: str) -> float:
        """`sr_grad_clip` for both groups."""
        return dict.fromkeys(("sr", "conversion"), self.settings.sr_grad_clip)[group]

    # --- gifts ------------------------------------------------------------------------------------

    @torch.no_grad()
    def rewards(
        self,
        rollout: TensorRollout,
        networks: Sequence[Networks],
        recorded: Tensor,
        carry: Tensor | None = None,
    ) -> LearntRewards:
        """Rewards after gifting. Weights are computed only for givers with a reward, and on recorded steps.

        A giver without a reward gives nothing whatever its weights are, so learning is identical. With
        smoothing every step matters for later ones, and all are computed.

        Source: Eq. 2, 3.
        """
        settings, steps = self.settings, self._steps(rollout)
        if settings.relationship_smoothing > 0:
            where = rollout.active
        else:
            where = ((rollout.rewards != 0) | recorded) & rollout.active
        inferred = self._infer(steps, networks, where)
        fractions, carry = self._smoothed(inferred.fractions, rollout, carry)
        active = rollout.active.permute(1, 2, 0)
        weights = gift_weights(
            fractions, active, max_share_given=settings.max_share_given, refused=steps.refused
        )
        after = rewards_after_gifting(
            rollout.rewards.permute(1, 2, 0), weights, settings.gift_negative_rewards
        )
        shared = rollout.rewards if settings.gift_negative_rewards else rollout.rewards.clamp_min(0)
        measured = self._measured(inferred, fractions, steps.refused, active, recorded)
        return LearntRewards(after.permute(2, 0, 1).contiguous(), weights, shared, carry, measured=measured)

    def _steps(self, rollout: TensorRollout) -> _Steps:
        """The rollout's steps in one row; agents' actions split into the game's and refusals."""
        actions = rollout.actions.flatten(1, 2).transpose(0, 1)
        obs = tuple(own[:-1].flatten(0, 1) for own in rollout.obs)
        if self.spaces.continuous_size is not None:
            return _Steps(obs, actions.clamp(-1, 1), None)
        if not self.settings.refuse_gifts:
            return _Steps(obs, actions, None)
        num_actions = cast(Tensor, self._kinds.num_actions).to(actions.device)
        refused = (rollout.actions >= num_actions[:, None, None]).permute(1, 2, 0)
        return _Steps(obs, actions % num_actions, refused)

    def _infer(self, steps: _Steps, networks: Sequence[Networks], where: Tensor) -> _Inferred:
        """Eq. 3 for the givers and steps `(N, T, B)` that are wanted."""
        num_agents = self.spaces.num_agents
        shape = (len(steps.actions), num_agents, num_agents)
        fractions = torch.zeros(shape, device=where.device)
        surprise = {name: torch.zeros_like(fractions) for name in self._kinds.sweeps[0].reported}
        seen = torch.ones_like(fractions, dtype=torch.bool)
        for agent in self.agents:
            nets, partners = networks[agent], self._kinds.partners(agent, where.device)
            wanted = where[agent].reshape(-1).nonzero().squeeze(-1)
            chunks = wanted.split(SWEEP_CHUNK) if len(wanted) else ()
            for rows, group in itertools.product(chunks, partners):
                others = group.agents
                predicted = self._predicted(agent, nets, steps, rows, group)
                shares = self._fractions(agent, nets, steps, rows, group, predicted)
                if self.settings.mask_unseen:
                    seen[rows, agent] = visible_co_players(steps.obs[agent][rows], num_agents)
                    shares = torch.where(seen[rows[:, None], agent, others], shares, 0.0)
                fractions[rows[:, None], agent, others] = shares
                taken = steps.actions[rows[:, None], others]
                for name, values in group.sweep.surprise(predicted, taken).items():
                    surprise[name][rows[:, None], agent, others] = values
        grid = where.shape[1:]
        return _Inferred(
            fractions.unflatten(0, grid),
            {name: values.unflatten(0, grid) for name, values in surprise.items()},
            seen.unflatten(0, grid),
        )

    def _fractions(
        self, agent: int, nets: Networks, steps: _Steps, rows: Tensor, group: Partners, predicted: Prediction
    ) -> Tensor:
        """Shares that one agent would give each co-player of a group, `(M, J)`. Source: Eq. 3."""
        sr = cast(SRBase, nets["sr"])
        features = sr.encoder(steps.obs[agent][rows].float())
        q_joint, q_swaps = group.sweep.swaps(sr, features, steps.actions[rows], group.agents, predicted)
        agents, smallest = self.spaces.num_agents, self.settings.min_q_spread
        if self.settings.relationship_scale == "range":
            relationship = relationships(q_joint, q_swaps, predicted.weights, agents, smallest)
        else:
            scale = self._training.q_scale[agent] or 0.0
            relationship = scaled_relationships(q_joint, q_swaps, predicted.weights, agents, scale, smallest)
        return clip_relationships(relationship)

    def _predicted(
        self, agent: int, nets: Networks, steps: _Steps, rows: Tensor, group: Partners
    ) -> Prediction:
        """What the agent would do in each co-player's place; where that has other actions, what it expects.

        Source: Section 4.2.
        """
        sr, conversion = cast(SRBase, nets["sr"]), cast(ConversionNet, nets["conversion"])
        obs = steps.obs[agent][rows].float()
        imagined = conversion.imagine(conversion.own_part(obs).unsqueeze(1), group.agents)
        return group.sweep.expected(_acted_upon(sr, imagined, group.like))

    def _smoothed(
        self, fractions: Tensor, rollout: TensorRollout, carry: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """The fractions after smoothing over time, and what goes on from the last step."""
        if self.settings.relationship_smoothing == 0:
            return fractions, None
        previous = self.initial_carry(rollout.dones.shape[1]) if carry is None else carry
        active = rollout.active.permute(1, 2, 0)
        return smooth_relationships(
            fractions,
            pairs(active, active),
            rollout.dones,
            cast(Tensor, previous).to(fractions.device),
            self.settings.relationship_smoothing,
        )

    def _measured(
        self,
        inferred: _Inferred,
        fractions: Tensor,
        refused: Tensor | None,
        active: Tensor,
        recorded: Tensor,
    ) -> Mapping[str, Moments]:
        """Over recorded steps `(T, B)`: w, how well co-players were predicted, and gifts refused.

        Predictions of co-players out of sight, which `mask_unseen` leaves out, do not count.
        """
        between, weights = pairs(active[recorded], active[recorded]), fractions[recorded]
        judged = between & inferred.seen[recorded]
        measured = {
            "inferred_weight": Moments.of(weights.transpose(0, 1), between.transpose(0, 1)),
        }
        for name, values in inferred.surprise.items():
            measured[name] = Moments.of(values[recorded].transpose(0, 1), judged.transpose(0, 1))
        if refused is not None:
            offered = ((weights > 0) & between).any(-2)
            measured["gifts_refused"] = Moments.of(refused[recorded].T.float(), offered.T)
        return measured

    # --- learning ---------------------------------------------------------------------------------

    def observe(self, rollout: JointRollout, networks: Sequence[Networks]) -> None:
        """Keeps the rollout for Eq. 4 and 5, which are about the game's own actions."""
        del networks
        if self.spaces.continuous_size is not None:
            rollout = replace(rollout, actions=rollout.actions.clip(-1, 1))
        elif self.settings.refuse_gifts:
            num_actions = cast(Tensor, self._kinds.num_actions).numpy()
            rollout = replace(rollout, actions=rollout.actions % num_actions[:, None, None])
        self._training.observe(rollout)

    def updates_due(self, round_index: int) -> int:
        """`sr_num_updates` every `sr_update_frequency` rounds."""
        return self.settings.sr_num_updates if round_index % self.settings.sr_update_frequency == 0 else 0

    def losses(self, networks: Sequence[Networks]) -> dict[str, Tensor]:
        """Eq. 5 for `sr` and Eq. 4 for `conversion`, one term per agent."""
        groups: dict[str, list[Tensor]] = defaultdict(list)
        for agent in self.agents:
            groups["sr"].append(self._training.sr_loss(agent, networks[agent]))
            if self.predicts_from == "imagined":
                groups["conversion"].append(self._training.conversion_loss(agent, networks[agent]))
        return {group: torch.stack(losses) for group, losses in groups.items()}

    def get_state(self) -> dict[str, Any]:
        """Replay, random generators and scales of Q."""
        return self._training.get_state()

    def set_state(self, state: dict[str, Any]) -> None:
        """Restores `get_state`."""
        self._training.set_state(state)


class LASEUniformHook(LASEHook):
    """LASE without perspective taking: co-players are predicted to act uniformly (the paper's LASE w/o)."""

    predicts_from: ClassVar[PredictsFrom] = "nothing"

    def _predicted(
        self, agent: int, nets: Networks, steps: _Steps, rows: Tensor, group: Partners
    ) -> Prediction:
        """All actions alike."""
        del agent, nets, steps
        return group.sweep.uniform(len(rows), len(group.agents), rows.device)


class LASEOracleHook(LASEHook):
    """LASE whose SR policy is read at co-players' true observations instead of imagined ones (Table 8)."""

    predicts_from: ClassVar[PredictsFrom] = "true"
    visible_fields: ClassVar[frozenset[str]] = LASEHook.visible_fields | {"obs"}

    def __init__(self, settings: LASESettings, spaces: JointSpaces, seed: int | None) -> None:
        super().__init__(settings, spaces, seed)
        shapes = {
            agent: space.shape
            for agent, space in zip(spaces.agent_ids, spaces.observation_spaces, strict=True)
        }
        if len(set(shapes.values())) > 1:
            found = ", ".join(f"{agent}: {shape}" for agent, shape in shapes.items())
            raise ValueError(
                f"lase_oracle needs observations of one shape, found {found}; an agent's own SR policy "
                "cannot read an observation of another shape. Train with lase, which imagines them in its "
                "own shape"
            )

    def _predicted(
        self, agent: int, nets: Networks, steps: _Steps, rows: Tensor, group: Partners
    ) -> Prediction:
        """What the agent would do, had it seen what each co-player saw."""
        del agent
        seen = [steps.obs[j][rows].float() for j in group.agents.tolist()]
        return group.sweep.expected(_acted_upon(cast(SRBase, nets["sr"]), torch.stack(seen, 1), group.like))


class LASESharedHook(LASEHook):
    """LASE for agents with one set of parameters.

    All networks know whose they are. The SR value network reads the own action from one table, whoever the
    agent is, and each co-player's from that of its position; the conversion network takes the co-player's
    position. So do observations of the games on maps: they show each agent in a plane of its own, in order.
    """

    shares_parameters: ClassVar[bool] = True


def _acted_upon(sr: SRBase, obs: Tensor, like: int) -> Tensor:
    """`action_dist_inputs` `(M, J, ...)` of pi_SR's head for `like` at observations `(M, J, *obs)`."""
    flat = sr.head_inputs(sr.policy_hidden(sr.encoder(obs.flatten(0, 1))), like)
    inputs: Tensor = flat.unflatten(0, obs.shape[:2])
    return inputs
