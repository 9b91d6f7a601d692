"""The learner of LOLA: both players step along the gradient that passes through the other's learning step.

It knows the matrix game's payoffs by the config's game, and both players' parameters.
"""

from __future__ import annotations

from typing import Any, cast

import torch
import torch.nn.functional as F
from ray.rllib.core.learner.torch.torch_learner import TorchLearner
from ray.rllib.utils.annotations import override
from torch import Tensor

import mixed_motive
from mixed_motive.games.matrix import COOPERATE, MatrixParams
from rllib_lase.core.lola import Values, dice_value, exact_values, lola_gradient
from rllib_lase.core.returns import generalized_advantages
from rllib_lase.registry.lola import MATRIX_GAMES, LOLASettings
from rllib_lase.rllib.learner import SocialLearner
from rllib_lase.rllib.modules import SocialModule
from rllib_lase.rollout import TensorRollout
from rllib_lase.settings import SettingsError
from rllib_lase.social.hook import POLICY, LearntRewards

CRITIC = "critic"


class LOLALearner(SocialLearner):
    """One step of both tabular policies per round, by plain gradient ascent.

    `lola_form="exact"` takes the values of the endless game in closed form; rollouts only show how the
    policies play. `lola_form="dice"` estimates them from the round's rollout, of whole episodes.
    """

    settings: LOLASettings

    @override(SocialLearner)
    def build(self) -> None:
        """Also reads the game's payoffs.

        Raises:
            SettingsError: if the environment is no matrix game of ours.
        """
        super().build()
        params = matrix_params(self.config)
        self._payoffs = torch.tensor(
            [params.R, params.S, params.T, params.P], dtype=torch.float64, device=self.device
        )

    @override(TorchLearner)
    def configure_optimizers_for_module(self, module_id: str, config: Any = None) -> None:
        """Plain gradient steps for the policy's table; Adam for the critic, which only DiCE trains."""
        del config
        policy = cast(SocialModule, self._module[module_id].unwrapped()).policy
        table, critic = [policy.pi.weight], list(policy.vf.parameters())
        self.register_optimizer(
            module_id=module_id,
            optimizer_name=POLICY,
            optimizer=torch.optim.SGD(table, lr=self.settings.lr),
            params=table,
        )
        if self.settings.lola_form == "dice":
            self.register_optimizer(
                module_id=module_id,
                optimizer_name=CRITIC,
                optimizer=torch.optim.Adam(critic, lr=self.settings.critic_lr),
                params=critic,
            )

    @override(SocialLearner)
    def _update_policies(self, data: TensorRollout, learnt: LearntRewards) -> None:
        if self.settings.lola_form == "exact":
            exact = self._exact_values()
            per_step = torch.stack(exact(*self._logits())) * (1 - self.settings.gamma)
            self._report.note({"value_per_step": per_step, "policy_loss": -per_step})
            self._ascend([exact, exact])
            return
        advantages = self._advantages(data, learnt)
        self._ascend([self._dice_values(data, advantages, agent) for agent in range(2)])
        self._update_critics(data, advantages + data.vf_preds[:, :-1])

    def _ascend(self, values: list[Values]) -> None:
        """Adds lr * gradient to both players' logits at once, half of it by each action's row of the table.

        Args:
            values: Per player, its own and its co-player's values at any logits.
        """
        logits, settings = self._logits(), self.settings
        gradients = [
            lola_gradient(
                values[agent],
                logits[agent],
                logits[1 - agent],
                settings.lookahead_lr,
                settings.lookahead_steps,
            )
            for agent in range(2)
        ]
        for module_id, module, gradient in zip(self._module_ids, self._modules(), gradients, strict=True):
            table, optimizer = module.policy.pi.weight, self.get_optimizer(module_id, POLICY)
            optimizer.param_groups[0]["lr"] = self._schedules.lr
            half = gradient.to(table.dtype) / 2
            table.grad = torch.stack([-half, half])
            optimizer.step()
        self._report.note({"policy_grad_norm": torch.stack([gradient.norm() for gradient in gradients])})

    def _logits(self) -> list[Tensor]:
        """Both players' logits of cooperation, `(5,)` float64 each."""
        tables = [module.policy.pi.weight.detach().double() for module in self._modules()]
        return [table[COOPERATE] - table[1 - COOPERATE] for table in tables]

    def _exact_values(self) -> Values:
        payoffs, gamma = self._payoffs * self.settings.reward_scale, self.settings.gamma
        return lambda own, other: exact_values(own, other, payoffs, gamma)

    def _advantages(self, data: TensorRollout, learnt: LearntRewards) -> Tensor:
        """`(2, T, B)`; an episode that the horizon cuts goes on at the critic's value, as an endless game."""
        return generalized_advantages(
            learnt.rewards * self.settings.reward_scale,
            data.vf_preds,
            data.final_vf_preds,
            data.terminateds,
            data.truncateds,
            self.settings.gamma,
            self.settings.lambda_,
        )

    def _dice_values(self, data: TensorRollout, advantages: Tensor, agent: int) -> Values:
        """Estimates of an agent's and its co-player's value, at any logits, from what they did."""
        starts = torch.cat([torch.ones_like(data.dones[:1]), data.dones[:-1]])
        obs = [data.obs[player][:-1].double() for player in range(2)]
        cooperated = data.actions == COOPERATE

        def log_ratios(player: int, logits: Tensor) -> Tensor:
            seen = obs[player] @ logits
            logp = F.logsigmoid(torch.where(cooperated[player], seen, -seen))
            return logp - data.action_logp[player]

        def values(own: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
            total = log_ratios(agent, own) + log_ratios(1 - agent, other)
            first, second = (
                dice_value(total, advantages[player].double(), starts, self.settings.gamma)
                for player in (agent, 1 - agent)
            )
            return first, second

        return values

    def _update_critics(self, data: TensorRollout, targets: Tensor) -> None:
        """One step towards the value targets `(2, T, B)`."""
        losses = []
        for agent, (module_id, module) in enumerate(zip(self._module_ids, self._modules(), strict=True)):
            features = data.obs[agent][:-1].flatten(0, 1).float()
            optimizer = self.get_optimizer(module_id, CRITIC)
            optimizer.zero_grad()
            loss = F.mse_loss(module.policy.vf(features).squeeze(-1), targets[agent].flatten())
            torch.autograd.backward(loss)
            optimizer.step()
            losses.append(loss.detach())
        self._report.note({"vf_loss": torch.stack(losses)})


def matrix_params(config: Any) -> MatrixParams:
    """Parameters of the matrix game that a config names.

    Raises:
        SettingsError: if it names another environment.
    """
    if config.env not in MATRIX_GAMES:
        raise SettingsError(
            [f"env: lola knows the payoffs of {' and '.join(MATRIX_GAMES)} only, found {config.env!r}"]
        )
    game = mixed_motive.make(config.env, num_envs=1, **config.env_config)
    return cast(MatrixParams, game.params)
