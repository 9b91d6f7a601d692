"""What a checkpoint says of each agent, so that its policy acts again where there is no Ray: `policies`."""

from __future__ import annotations

from typing import Any, cast

from ray.rllib.core.rl_module.multi_rl_module import MultiRLModule

from rllib_lase.policies.spaces import write_space
from rllib_lase.rllib.joint_env import JointEnv
from rllib_lase.rllib.modules import SocialModule


def describe_agents(env: JointEnv, module: MultiRLModule) -> dict[str, dict[str, Any]]:
    """Per agent with a policy of its own: its network, its spaces, and what its actions play.

    Args:
        env: The copies that the agents play.
        module: Their policies.
    """
    tables, learners = env.action_tables, set(module.keys())
    return {
        agent_id: {
            "policy": cast(SocialModule, module[agent_id]).policy.description(),
            "observation_space": write_space(observation),
            "action_space": write_space(action),
            "normalised": env.normalises_observations,
            "action_table": tables.get(agent_id),
        }
        for agent_id, (observation, action) in env.own_spaces.items()
        if agent_id in learners
    }
