"""Social influence: settings and entry of the registry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rllib_lase.registry.sight import sight_objection
from rllib_lase.registry.spec import AlgorithmSpec
from rllib_lase.settings import Settings, setting


@dataclass(frozen=True)
class SISettings(Settings):
    """Settings of social influence with a model of other agents (MOA)."""

    extrinsic_weight: float = setting(1.0, "weight of the environment's reward", minimum=0)
    influence_weight_start: float = setting(0.0, "weight of the influence reward at the start", minimum=0)
    influence_weight_end: float = setting(
        0.1, "weight of the influence reward at the end of its ramp", minimum=0
    )
    influence_ramp_fraction: float = setting(
        0.5,
        "share of schedule_env_steps over which the influence's weight rises linearly; then it stays",
        minimum=0,
        maximum=1,
    )
    only_when_visible: bool = setting(
        False, "count influence only on co-players in the agent's own view; for games on a map"
    )
    moa_lr: float = setting(1e-3, "Adam's learning rate of the model of other agents", above=0)
    moa_num_updates: int = setting(2, "minibatches of the model of other agents per round", minimum=1)
    moa_batch_size: int = setting(
        320, "transitions in one minibatch of the model of other agents, per agent", minimum=1
    )
    moa_grad_clip: float = setting(
        1.0, "bound on the gradient norm of each agent's model of the others", above=0
    )
    replay_capacity: int = setting(
        16_384, "recent env steps from which the model of other agents learns", minimum=1
    )

    def environment_problems(self, env: str, params: Mapping[str, Any]) -> list[str]:
        """`only_when_visible` needs a game in which an observation tells who is in sight."""
        reason = sight_objection(env, params) if self.only_when_visible else None
        return [] if reason is None else [f"only_when_visible: {reason}"]


SI = AlgorithmSpec(
    "si",
    "social influence: a reward for actions that change what others are predicted to do",
    "rllib_lase.rllib.algorithms:SIConfig",
    SISettings,
)
