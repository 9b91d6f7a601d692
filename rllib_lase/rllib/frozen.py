"""Policies of earlier runs that play on without learning, in a form that goes into checkpoints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import NDArray
from ray.rllib.core import COMPONENT_RL_MODULE

from rllib_lase.frozen_runs import frozen_agent
from rllib_lase.networks import PolicyNet
from rllib_lase.policies.folder import policy_part
from rllib_lase.registry import AlgorithmSpec, resolve_algorithm
from rllib_lase.registry.seating import Partner
from rllib_lase.rllib.checkpoints import ALGORITHM_KIND, load_tree
from rllib_lase.rllib.config import SocialConfig
from rllib_lase.runs import RunFolder
from rllib_lase.settings import setting_names
from rllib_lase.social.hook import JointSpaces


@dataclass(frozen=True)
class FrozenPolicy:
    """One agent's policy as a checkpoint has it.

    Attributes:
        config: What its algorithm is built from (`SocialConfig.to_json`).
        position: The agent's position there.
        weights: Its policy's parameters by name.
    """

    config: dict[str, Any]
    position: int
    weights: dict[str, NDArray[Any]]

    @classmethod
    def load(cls, partner: Partner, seat: int) -> FrozenPolicy:
        """The policy that a frozen partner in a seat means.

        Raises:
            RunError: if there is no such run, agent or checkpoint.
            CheckpointError: if its checkpoint is damaged.
        """
        run, checkpoint, agent_id = frozen_agent(partner, seat)
        position = run.agent_ids.index(agent_id)
        saved = load_tree(checkpoint, kind=ALGORITHM_KIND)
        modules = saved["learner"][COMPONENT_RL_MODULE]
        if agent_id not in modules:  # frozen there already
            name = run.config["population"][position]
            return cls(**saved["config"]["frozen"][frozen_key(position, name)])
        config = _own_config(saved["config"], run, position)
        return cls(config, position, policy_part(modules[agent_id]))

    def net(self, spaces: JointSpaces) -> PolicyNet:
        """The network, for a game with the same spaces."""
        net = SocialConfig.from_json(self.config).make_hook(spaces).make_policy(self.position)
        net.load_state_dict({name: torch.as_tensor(array) for name, array in self.weights.items()})
        return net.requires_grad_(False)


def _own_config(saved: dict[str, Any], run: RunFolder, position: int) -> dict[str, Any]:
    """What one agent's policy is built from: of a learner in a mixed population, its algorithm's part."""
    if run.seating is None:
        return saved
    spec = resolve_algorithm(run.seating.names[position])[0]
    assert isinstance(spec, AlgorithmSpec)
    unused = spec.settings_class.unused
    names = [name for name in setting_names(spec.settings_class) if name not in unused]
    own = {name: saved["settings"][name] for name in names if name in saved["settings"]}
    return {
        **{key: saved[key] for key in ("env", "env_config", "seed", "num_learners")},
        "algo_id": spec.algo_id,
        "settings": own,
    }


def frozen_key(seat: int, name: str) -> str:
    """Under which a frozen partner of a seat is kept."""
    return f"{seat}={name}"
