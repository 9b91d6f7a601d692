"""LOLA, learning with opponent-learning awareness: settings and entry of the registry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from mixed_motive import GAMES
from rllib_lase.registry.spec import AlgorithmSpec
from rllib_lase.settings import Settings, setting

LOLAForm = Literal["exact", "dice"]

#: The games that it plays: two players, two actions, and an observation that is the last joint action.
MATRIX_GAMES = ("ipd", "matrix")


@dataclass(frozen=True)
class LOLASettings(Settings):
    """Settings of LOLA: gradient ascent on tabular policies, through the co-player's anticipated step."""

    unused: ClassVar[frozenset[str]] = frozenset(
        {
            "vf_loss_coeff",
            "entropy_coeff",
            "entropy_coeff_end",
            "grad_clip",
            "normalize_advantages",
            "epsilon_start",
            "epsilon_end",
            "clip_param",
            "num_epochs",
            "num_minibatches",
            "hidden_size",
            "lstm_size",
        }
    )

    lola_form: LOLAForm = setting("exact", "values in closed form (exact), or from sampled episodes (dice)")
    lookahead_lr: float = setting(1.5, "size of the co-player's anticipated step; 0 is naive", minimum=0)
    lookahead_steps: int = setting(1, "anticipated steps of the co-player", minimum=1)
    initial_logit_std: float = setting(0.1, "spread of the policies' logits at the start", minimum=0)
    critic_lr: float = setting(0.1, "dice: Adam's learning rate of the critics", above=0)

    def validate(self) -> list[str]:
        """As for all, and that there is no LSTM, and an endless game has a value."""
        errors = super().validate()
        if self.use_lstm is True:
            errors.append("use_lstm: LOLA's policies are tables over the last joint action; leave it off")
        if self.lola_form == "exact" and self.gamma == 1:
            errors.append("gamma: an endless game has no value at 1; choose less, such as the paper's 0.96")
        return errors

    def environment_problems(self, env: str, params: Mapping[str, Any]) -> list[str]:
        """DiCE needs fragments of whole episodes."""
        if env not in MATRIX_GAMES or self.lola_form != "dice" or self.rollout_fragment_length < 1:
            return []
        spec = GAMES[env]
        preset = spec.presets.get(params.get("preset") or spec.default_preset)
        horizon = params.get("horizon") or getattr(preset, "horizon", None)
        if not isinstance(horizon, int) or horizon < 1 or self.rollout_fragment_length % horizon == 0:
            return []
        return [
            f"rollout_fragment_length: {self.rollout_fragment_length} would cut episodes of {horizon} steps, "
            f"dice needs whole ones. Choose {horizon} or a multiple of it"
        ]


def _objection(game: str, params: Mapping[str, Any]) -> str | None:
    del params
    if game in MATRIX_GAMES:
        return None
    return (
        "it needs the co-player's parameters and tabular policies of two players over the last joint action; "
        f"choose {' or '.join(MATRIX_GAMES)}"
    )


LOLA = AlgorithmSpec(
    "lola",
    "LOLA: everyone anticipates its co-player's learning step (two-player matrix games)",
    "rllib_lase.rllib.algorithms:LOLAConfig",
    LOLASettings,
    _objection,
)
