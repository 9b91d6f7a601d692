"""`LASELearnerMixin`: learners of RLlib's that exchange gifts before they compute returns; PPO is here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from ray.rllib.algorithms.ppo.torch.ppo_torch_learner import PPOTorchLearner
from ray.rllib.core.learner.torch.torch_learner import TorchLearner
from ray.rllib.utils.annotations import override
from ray.rllib.utils.metrics import ALL_MODULES, NUM_ENV_STEPS_SAMPLED_LIFETIME

from rllib_lase.evaluation.metrics import equality
from rllib_lase.rllib.gift_config import gift_settings, joint_spaces
from rllib_lase.rllib.gift_exchange import GiftExchange
from rllib_lase.rllib.learner import SOCIAL_STATE
from rllib_lase.rllib.social_training import SocialTraining

#: Key of a figure in RLlib's metrics tree, and its value.
_Figure = tuple[tuple[str, ...], float]


class LASELearnerMixin(TorchLearner):
    """Put before an on-policy learner of RLlib's: `class Mine(LASELearnerMixin, PPOTorchLearner)`.

    Prepends `GiftExchange` to the learner's connectors, trains the social networks after each update of the
    policies, reports beside RLlib's own figures, and saves all of it with the learner's state. The networks
    belong to the learner, one set per agent; RLlib's modules, env runners and weight syncs do not know them.
    What it learns with is said by `with_gifts`; LASE with the game's defaults if that was not called.

    Attributes:
        social: Hook, networks, optimisers and replay.
    """

    social: SocialTraining

    @override(TorchLearner)
    def build(self) -> None:
        """Builds RLlib's learner, then the social networks, and puts the exchange first.

        Raises:
            SettingsError: as `with_gifts`.
            ValueError: for spaces that the preference cannot read.
        """
        if self._is_built:
            return
        hook_class, settings = gift_settings(self.config)
        super().build()
        spaces = joint_spaces(self.config, self.module)
        hook = hook_class(settings, spaces, self.config.seed)
        self.social = SocialTraining(hook, self.device, self.config.seed, self.distributed)
        self._learner_connector.prepend(GiftExchange(self.social.exchange, spaces))

    @override(TorchLearner)
    def before_gradient_based_update(self, *, timesteps: dict[str, Any]) -> None:
        """RLlib's, and the preference's schedules."""
        super().before_gradient_based_update(timesteps=timesteps)
        self.social.hook.set_env_steps(int(timesteps.get(NUM_ENV_STEPS_SAMPLED_LIFETIME, 0)))

    @override(TorchLearner)
    def after_gradient_based_update(self, *, timesteps: dict[str, Any]) -> None:
        """RLlib's, then the social networks' updates and the report."""
        super().after_gradient_based_update(timesteps=timesteps)
        self.social.update()
        for key, value in _figures(self.social.hook.spaces.agent_ids, self.social.collect_report()):
            if np.isfinite(value):  # unknown where no step was recorded, or nothing was earned
                self.metrics.log_value(key, value, window=1)

    @override(TorchLearner)
    def get_state(
        self, components: Any = None, *, not_components: Any = None, **kwargs: Any
    ) -> dict[str, Any]:
        """RLlib's state, and under `social` what gifts need to go on."""
        state: dict[str, Any] = super().get_state(components, not_components=not_components, **kwargs)
        if self._check_component(SOCIAL_STATE, components, not_components):
            state[SOCIAL_STATE] = self.social.get_state()
        return state

    @override(TorchLearner)
    def set_state(self, state: dict[str, Any]) -> None:
        """Restores `get_state`."""
        super().set_state(state)
        if SOCIAL_STATE in state:
            self.social.set_state(state[SOCIAL_STATE])


class LASEPPOLearner(LASELearnerMixin, PPOTorchLearner):
    """RLlib's PPO with gifts."""


def _figures(module_ids: tuple[str, ...], report: dict[str, Any]) -> Iterator[_Figure]:
    """Of one update: losses and measures of each agent, whom it gave what share, and how equal agents are."""
    for name, values in {**report["learner"], **report["measured"]}.items():
        for module_id, value in zip(module_ids, values, strict=True):
            yield (module_id, name), float(value)
    yield (ALL_MODULES, "equality"), float(equality(report["rewards"]))
    weights = report["gift_weights"]
    if weights is None:
        return
    yield (ALL_MODULES, "equality_after_gifting"), float(equality(report["rewards_after_gifting"]))
    yield (ALL_MODULES, "share_given"), float(np.mean(1 - np.diagonal(weights)))
    for giver, row in zip(module_ids, weights, strict=True):
        for receiver, weight in zip(module_ids, row, strict=True):
            yield (giver, "gift_weights", receiver), float(weight)
