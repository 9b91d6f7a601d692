"""One file per social preference. A preference is a `SocialHook`."""

from rllib_lase.social.hook import JointSpaces, LearntRewards, SocialHook

__all__ = ["JointSpaces", "LearntRewards", "SocialHook"]
