"""`CheckpointedAlgorithm`: an algorithm's checkpoints as folders of our own format, and what they must fit.

Knows nothing of what is in them.
"""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Self, cast

from ray.rllib.algorithms.algorithm import Algorithm
from ray.rllib.utils.annotations import override

from rllib_lase.rllib.checkpoints import ALGORITHM_KIND, CheckpointError, load_tree, save_tree
from rllib_lase.rllib.config import SocialConfig


class CheckpointedAlgorithm(Algorithm):
    """An algorithm that saves all that it needs to go on, and never a pickle.

    Attributes:
        config_class: The algorithm's own config; it builds this class.
    """

    config_class: ClassVar[type[SocialConfig]]
    config: SocialConfig

    @abstractmethod
    def _checkpoint_state(self) -> dict[str, Any]:
        """All that a checkpoint holds: a tree of plain values, with the config under `config`."""

    @abstractmethod
    def _take_up(self, state: dict[str, Any]) -> None:
        """Goes on from what `_checkpoint_state` gave."""

    @override(Algorithm)
    def save_to_path(
        self, path: Any = None, *, state: Any = None, filesystem: Any = None, **kwargs: Any
    ) -> str:
        """Writes a checkpoint in our own format: manifest, safe tensors, JSON; never a pickle.

        Args:
            path: The checkpoint's folder; it must not exist yet or be empty.
            state: Refused; a checkpoint always holds everything.
            filesystem: Refused; save to a local folder and copy it.
            **kwargs: RLlib's format options, which do not apply.

        Returns:
            The folder.
        """
        del kwargs
        if path is None or state is not None or filesystem is not None:
            raise CheckpointError(
                "save_to_path needs a local folder, and takes neither `state` nor `filesystem`"
            )
        folder = Path(path).absolute()
        save_tree(folder, self._checkpoint_state(), kind=ALGORITHM_KIND)
        return str(folder)

    @override(Algorithm)
    def restore_from_path(self, path: Any, **kwargs: Any) -> None:
        """Goes on exactly where a checkpoint was written; foreign environments start new episodes.

        Raises:
            CheckpointError: if a file is missing or damaged, or the checkpoint is of another algorithm or
                game.
        """
        del kwargs
        state = load_tree(Path(path).absolute(), kind=ALGORITHM_KIND)
        saved, own = (_what_must_fit(config) for config in (state["config"], self.config.to_json()))
        differing = [key for key in saved if saved[key] != own[key]]
        if differing:
            found = ", ".join(f"{key}: {saved[key]!r} there, {own[key]!r} here" for key in differing)
            raise CheckpointError(
                f"{path} does not fit this algorithm ({found}); build it with from_checkpoint()"
            )
        self._take_up(state)

    @override(Algorithm)
    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """As Tune asks; the checkpoint is `<checkpoint_dir>/algorithm`."""
        self.save_to_path(Path(checkpoint_dir) / "algorithm")

    @override(Algorithm)
    def load_checkpoint(self, checkpoint_dir: str) -> None:
        """As Tune asks."""
        self.restore_from_path(Path(checkpoint_dir) / "algorithm")

    @classmethod
    @override(Algorithm)
    def from_checkpoint(cls, path: Any, **kwargs: Any) -> Self:
        """Builds the algorithm that wrote a checkpoint, and restores it.

        Args:
            path: A folder that `save_to_path` wrote (or one that Tune wrote, which holds it as `algorithm`).
            **kwargs: RLlib's options, which do not apply.
        """
        del kwargs
        folder = Path(path).absolute()
        nested = folder / "algorithm"
        folder = nested if nested.is_dir() else folder
        saved = load_tree(folder, kind=ALGORITHM_KIND)["config"]
        expected = getattr(cls.config_class, "algo_id", None)  # the base class has none: it builds any
        if expected is not None and saved["algo_id"] != expected:
            raise CheckpointError(f"{folder} is of algorithm {saved['algo_id']!r}, not {expected!r}")
        algorithm = SocialConfig.from_json(saved).build_algo()
        algorithm.restore_from_path(folder)
        return cast(Self, algorithm)


def _what_must_fit(config: dict[str, Any]) -> dict[str, Any]:
    """What a checkpoint and the algorithm that takes it over must have in common."""
    names = ("hidden_size", "use_lstm", "lstm_size", "num_env_runners", "num_envs_per_env_runner")
    keys = ("algo_id", "env", "env_config", "population", "shuffle_seats")
    same = {key: config[key] for key in keys if key in config}
    divided = config["settings"].get("decentralised_learners", 0)
    return same | {name: config["settings"][name] for name in names} | {"decentralised_learners": divided}
