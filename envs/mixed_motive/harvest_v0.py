"""Commons Harvest for PettingZoo, version 0: the number rises when the dynamics change."""

from mixed_motive.pettingzoo_env import faces

__all__ = ["env", "parallel_env", "raw_env"]

parallel_env, env, raw_env = faces("harvest")
