"""LIO: settings and entry of the registry."""

from __future__ import annotations

from dataclasses import dataclass

from rllib_lase.registry.spec import AlgorithmSpec
from rllib_lase.settings import Settings, setting


@dataclass(frozen=True)
class LIOSettings(Settings):
    """Settings of learning to incentivise others."""

    max_incentive: float = setting(2.0, "largest incentive to one co-player in one step", above=0)
    incentive_lr: float = setting(1e-3, "Adam's learning rate of the incentive networks", above=0)
    worth_lr: float = setting(1e-3, "Adam's learning rate of the givers' own critics", above=0)
    incentive_grad_clip: float = setting(
        1.0, "bound on the gradient norm of the incentive networks and of the givers' critics", above=0
    )
    incentive_cost: float = setting(
        1e-5, "weight of what is given, per step, in the incentive networks' loss", minimum=0
    )
    inner_lr: float = setting(
        0.05, "size of the policy-gradient step that givers assume their co-players take", above=0
    )
    givers_pay: bool = setting(
        False, "givers learn from their reward less what they give; off: incentives come from outside"
    )


LIO = AlgorithmSpec(
    "lio",
    "LIO: incentives learnt through their effect on the co-players' learning",
    "rllib_lase.rllib.algorithms:LIOConfig",
    LIOSettings,
)
