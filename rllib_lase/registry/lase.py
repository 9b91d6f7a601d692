"""LASE and its variants: settings and entries of the registry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from rllib_lase.registry.sight import sight_objection
from rllib_lase.registry.spec import AlgorithmSpec
from rllib_lase.settings import Settings, setting

SRPolicyRule = Literal["eq5", "soft_q"]
RelationshipScale = Literal["range", "advantage"]


@dataclass(frozen=True)
class LASESettings(Settings):
    """Settings of social relationship inference and gifting (method: Eq. 2-5)."""

    sr_policy_rule: SRPolicyRule = setting("eq5", "rule of the SR policy: the paper's eq5, or soft_q")
    sr_temperature: float = setting(0.2, "soft_q: weight of the entropy", minimum=0)
    sr_entropy_coeff: float = setting(0.05, "eq5: weight of the SR policy's entropy bonus", minimum=0)
    gamma_sr: float = setting(0.99, "discount factor of the SR value network", minimum=0, maximum=1)
    sr_lr: float = setting(1e-3, "Adam's learning rate of the SR networks", above=0)
    conversion_lr: float = setting(1e-3, "Adam's learning rate of the conversion network", above=0)
    delta: float = setting(
        0.1, "Eq. 4: weight of the L1 term against the cross-entropy", minimum=0, maximum=1
    )
    sr_update_frequency: int = setting(1, "rounds from one update of the SR networks to the next", minimum=1)
    sr_num_updates: int = setting(2, "minibatches in one update of the SR networks", minimum=1)
    sr_batch_size: int = setting(320, "transitions in one minibatch of Eq. 5, per agent", minimum=1)
    conversion_batch_size: int = setting(
        320, "(step, co-player) pairs in one minibatch of Eq. 4, per agent", minimum=1
    )
    replay_capacity: int = setting(16_384, "recent env steps kept for Eq. 4 and 5", minimum=1)
    sr_grad_clip: float = setting(
        1.0, "bound on the gradient norm of the SR and conversion networks", above=0
    )
    min_q_spread: float = setting(
        1e-3, "Eq. 3: where max Q - min Q is below this, the weight is 0", minimum=0
    )
    num_counterfactuals: int = setting(
        8, "Eq. 3 with continuous actions: how many stand for the sum over a'", minimum=2
    )
    gift_negative_rewards: bool = setting(True, "Eq. 2: share penalties too; off keeps them at home")
    relationship_smoothing: float = setting(
        0.0,
        "weight of the past in exponential smoothing of w over time; 0 is none",
        minimum=0,
        below=1,
    )
    relationship_scale: RelationshipScale = setting(
        "range", "what w is measured by: Eq. 3's range of Q, or advantage: a running mean of |Q| per agent"
    )
    max_share_given: float = setting(
        1.0, "largest share of its reward that an agent gives away in all", above=0, maximum=1
    )
    mask_unseen: bool = setting(False, "w is 0, and Eq. 4 leaves the pair out, for co-players out of sight")
    refuse_gifts: bool = setting(False, "agents may refuse gifts: a further choice beside each action")

    def environment_problems(self, env: str, params: Mapping[str, Any]) -> list[str]:
        """`mask_unseen` needs a game in which an observation tells who is in sight."""
        reason = sight_objection(env, params) if self.mask_unseen else None
        return [] if reason is None else [f"mask_unseen: {reason}"]


@dataclass(frozen=True)
class LASEWithoutConversionSettings(LASESettings):
    """Settings of variants that imagine no observations: Eq. 4 has no part in them."""

    unused: ClassVar[frozenset[str]] = frozenset({"delta", "conversion_lr", "conversion_batch_size"})


LASE = AlgorithmSpec(
    "lase",
    "LASE: gifts by inferred social relationships",
    "rllib_lase.rllib.algorithms:LASEConfig",
    LASESettings,
)

LASE_UNIFORM = AlgorithmSpec(
    "lase_uniform",
    "LASE without perspective taking: co-players are predicted to act uniformly",
    "rllib_lase.rllib.algorithms:LASEUniformConfig",
    LASEWithoutConversionSettings,
)

LASE_ORACLE = AlgorithmSpec(
    "lase_oracle",
    "LASE that knows its co-players' observations instead of imagining them",
    "rllib_lase.rllib.algorithms:LASEOracleConfig",
    LASEWithoutConversionSettings,
)

LASE_SHARED = AlgorithmSpec(
    "lase_shared",
    "LASE with one set of parameters for all agents",
    "rllib_lase.rllib.algorithms:LASESharedConfig",
    LASESettings,
)
