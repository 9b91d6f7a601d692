"""Trained policies to take away: one agent acts without Ray. This room imports torch, and never Ray."""

from rllib_lase.policies.folder import load_policy
from rllib_lase.policies.policy import PolicyError, TrainedPolicy

__all__ = ["PolicyError", "TrainedPolicy", "load_policy"]
