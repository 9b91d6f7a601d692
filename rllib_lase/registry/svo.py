"""Social value orientation: settings and entry of the registry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rllib_lase.registry.spec import AlgorithmSpec
from rllib_lase.settings import Settings, setting

SVOForm = Literal["reward_angle", "linear"]


@dataclass(frozen=True)
class SVOSettings(Settings):
    """Social value orientation: an angle between one's own reward and the others'."""

    svo_degrees: float = setting(
        45.0, "everybody's orientation: 0 selfish, 45 prosocial, 90 altruistic", minimum=-90, maximum=90
    )
    svo_form: SVOForm = setting(
        "reward_angle",
        "reward_angle (McKee et al.): own reward less the distance to the rewards' angle; "
        "linear (Schwarting et al.): cos * own + sin * mean of others",
    )
    svo_weight: float = setting(
        0.2, "reward_angle: reward that one radian off the orientation costs", minimum=0
    )


SVO = AlgorithmSpec(
    "svo",
    "social value orientation: an angle between one's own reward and the others'",
    "rllib_lase.rllib.algorithms:SVOConfig",
    SVOSettings,
)
