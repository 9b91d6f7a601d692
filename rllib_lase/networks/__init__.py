"""The networks, one agent each; plain torch, knowing neither games nor RLlib.

Convolutions are 3x3 without padding. Observations come as their environment's dtype and are cast here.
"""

from rllib_lase.networks.conversion import ConversionNet
from rllib_lase.networks.incentives import IncentiveNet, ValueNet
from rllib_lase.networks.layers import AgentLinear, Encoder, Identity, share_parameters
from rllib_lase.networks.moa import MOANet
from rllib_lase.networks.policy import (
    ActorHead,
    CombinationsActorHead,
    GaussianActorHead,
    PolicyNet,
    PolicyOutput,
    RefusingActorHead,
)
from rllib_lase.networks.sr import ContinuousSRNet, SRBase, SRNet

__all__ = [
    "ActorHead",
    "AgentLinear",
    "CombinationsActorHead",
    "ContinuousSRNet",
    "ConversionNet",
    "Encoder",
    "GaussianActorHead",
    "Identity",
    "IncentiveNet",
    "MOANet",
    "PolicyNet",
    "PolicyOutput",
    "RefusingActorHead",
    "SRBase",
    "SRNet",
    "ValueNet",
    "share_parameters",
]
