"""Where policies come from: a run's checkpoint, or an export of it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from torch import Tensor, as_tensor

from rllib_lase.policies.policy import PolicyError, TrainedPolicy
from rllib_lase.registry import STOCK
from rllib_lase.rllib.checkpoints import ALGORITHM_KIND, MANIFEST, CheckpointError, load_tree
from rllib_lase.run_checkpoints import find_checkpoint
from rllib_lase.run_schema import RunError, check_config, read_json
from rllib_lase.settings import suggestion
from rllib_lase.social.hook import POLICY

#: Where an export keeps its policies, and their kind.
EXPORT_FOLDER, EXPORT_KIND = "policies", "rllib-lase policies"
#: Where a checkpoint of Tune's keeps ours.
TUNE_FOLDER = "algorithm"
#: What a policy's weights are called within its agent's module.
_POLICY_PREFIX = f"{POLICY}."


@dataclass(frozen=True)
class SavedPolicies:
    """The policies of one checkpoint.

    Attributes:
        env_steps: Env steps of training before it.
        agents: Per agent, what `describe_agents` said of it.
        weights: Per agent, its network's state.
        seats: Of a mixed population, who sat in each seat at the start; agents that did not learn are not
            among `agents`.
    """

    env_steps: int
    agents: Mapping[str, Mapping[str, Any]]
    weights: Mapping[str, Mapping[str, Tensor]]
    seats: Sequence[str] = ()

    def policy(self, agent: str, seed: int) -> TrainedPolicy:
        """One agent's.

        Raises:
            PolicyError: there is no such agent.
        """
        if agent not in self.agents and self.seats:
            raise PolicyError(
                f"no policy of {agent!r}: this population was {', '.join(self.seats)}, of whom only those "
                f"that learn have a policy here: {', '.join(self.agents)}. Load a frozen agent from its own "
                "run; scripted players are mixed_motive.player's"
            )
        if agent not in self.agents:
            raise PolicyError(f"no agent {agent!r}: {suggestion(agent, self.agents)}")
        return TrainedPolicy(agent, self.agents[agent], self.weights[agent], seed)


def load_policy(
    run: str | os.PathLike[str],
    agent: str = "agent_0",
    checkpoint: int | str | None = None,
    seed: int = 0,
) -> TrainedPolicy:
    """One agent of a run, a checkpoint or an export, ready to act. Needs no Ray, and starts none.

    Args:
        run: A run's folder (its `--out`), what `lase export` wrote, or a single checkpoint: what an
            algorithm's `save_to_path` wrote, or Tune.
        agent: Its id.
        checkpoint: One of a run's checkpoints, by the env steps of training before it; by default its latest.
        seed: Seed of the actions' draws.

    Raises:
        RunError: there is no run, or no such checkpoint in it.
        CheckpointError: the checkpoint is damaged.
        PolicyError: there is no such agent, or the run's algorithm is one of RLlib's own.
    """
    folder = Path(run)
    single = {
        folder / EXPORT_FOLDER: _read_export,
        folder: _read_checkpoint,
        folder / TUNE_FOLDER: _read_checkpoint,
    }
    for path, read in single.items():
        if (path / MANIFEST).is_file():
            if checkpoint is not None:
                raise PolicyError(f"{folder}: is no run that has several checkpoints; leave `checkpoint` out")
            return read(path).policy(agent, seed)
    return read_run(folder, checkpoint).policy(agent, seed)


def read_run(folder: Path, checkpoint: int | str | None = None) -> SavedPolicies:
    """The policies of a run of ours; arguments and errors are those of `load_policy`."""
    if not (folder / "config.json").is_file():
        raise RunError(
            f"{folder}: holds neither a run (no config.json) nor a checkpoint or an export (no {MANIFEST}). "
            "Give the folder named by --out."
        )
    config = read_json(folder / "config.json")
    check_config(config, folder / "config.json")
    path = find_checkpoint(folder, checkpoint)
    if config["algo"] in STOCK:
        raise PolicyError(
            f"{folder}: {config['algo']} is RLlib's own algorithm, and so are its policies. Load one with "
            f"RLlib: RLModule.from_checkpoint(path) from ray.rllib.core.rl_module, with path = "
            f"'{path.absolute()}/rllib/learner_group/learner/rl_module/AGENT'"
        )
    return _read_checkpoint(path)


def _read_checkpoint(path: Path) -> SavedPolicies:
    state = load_tree(path, kind=ALGORITHM_KIND)
    if "agents" not in state:
        raise CheckpointError(
            f"{path}: does not say what its agents see and do. Likely cause: an older version of rllib-lase "
            "saved it. Cure: load it with SocialAlgorithm.from_checkpoint() and save it again."
        )
    modules = state["learner"]["rl_module"]
    return SavedPolicies(
        int(state["env_steps"]),
        state["agents"],
        {
            agent: {name: as_tensor(array) for name, array in policy_part(modules[agent]).items()}
            for agent in state["agents"]
        },
        _seats(state.get("config", {})),
    )


def policy_part(module: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Of what a checkpoint holds of an agent's module, its policy's weights by their names in the network."""
    return {
        name.removeprefix(_POLICY_PREFIX): array
        for name, array in module.items()
        if name.startswith(_POLICY_PREFIX)
    }


def _read_export(path: Path) -> SavedPolicies:
    state = load_tree(path, kind=EXPORT_KIND)
    seats = _seats(state["config"])
    return SavedPolicies(int(state["env_steps"]), state["agents"], state["weights"], seats)


def _seats(config: Mapping[str, Any]) -> Sequence[str]:
    """Who sat where, by a config, in which a population is a list or has its agents' names."""
    population = config.get("population", ())
    return tuple(population.values() if isinstance(population, dict) else population)
