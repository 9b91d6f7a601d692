"""What one run is: what was asked for, checked, and the algorithm that it builds."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import mixed_motive
from rllib_lase.defaults import EVALUATION_EPISODES, default_env_steps, default_settings
from rllib_lase.registry import AlgorithmSpec, StockSpec, resolve_algorithm
from rllib_lase.registry.mixing import fixed_optimizer, learner_specs, population_spec
from rllib_lase.registry.seating import Seating
from rllib_lase.rllib.algorithm import SocialAlgorithm
from rllib_lase.rllib.config import SocialConfig
from rllib_lase.rllib.population import PopulationConfig
from rllib_lase.rllib.stock import (
    StockAlgorithm,
    num_actors,
    setting_problems,
    stock_config,
    training_settings,
)
from rllib_lase.runs import RunFolder
from rllib_lase.settings import Optimizer, Settings, SettingsError


@dataclass(frozen=True)
class TrainSpec:
    """What to train.

    Attributes:
        game: A game id, or a name registered with Tune.
        algo: Algorithm id, a short id such as `a2c`, or one of RLlib's own, such as `rllib:PPO`.
        out: The run's own folder.
        optimizer: Policy optimiser; None takes the short id's or the game's. RLlib's own have none.
        seed: Seed of everything.
        env_steps: Budget; None takes the game's. Training stops after the iteration that reaches it.
        game_params: Parameters of the game, `preset` among them.
        settings: Settings that differ from the game's defaults; for RLlib's own algorithms RLlib's.
        evaluation_episodes: Episodes of the final evaluation.
        overwrite: Replace a run that is already there.
        takes_folder: Take the folder from a process that writes it and will not go on; for trials of Tune, of
            which an earlier attempt may still wait for its end.
        seating: Who plays in a mixed population; `algo` is then "population".
        checkpoint_interval: Env steps between checkpoints; None: one at the end only.
    """

    game: str
    algo: str
    out: Path
    optimizer: Optimizer | None = None
    seed: int = 0
    env_steps: int | None = None
    game_params: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    evaluation_episodes: int = EVALUATION_EPISODES
    overwrite: bool = False
    takes_folder: bool = False
    seating: Seating | None = None
    checkpoint_interval: int | None = None

    #: What says nothing about what is trained.
    FURTHER: ClassVar = ("evaluation_episodes", "checkpoint_interval")

    @classmethod
    def of_run(cls, run: RunFolder) -> TrainSpec:
        """What a run's config.json says was asked for."""
        config = run.config
        names = ("game", "algo", "optimizer", "seed", "env_steps", "game_params", "settings")
        asked = {name: config[name] for name in names}
        further = {name: config[name] for name in cls.FURTHER if name in config}
        return cls(**asked, **further, out=run.path, seating=run.seating)

    def job(self) -> Job:
        """The run, checked.

        Raises:
            KeyError: for an unknown algorithm.
            SettingsError: if a setting is unknown or out of range, the optimiser contradicts a short id, or
                RLlib's own algorithm is to play something else than a game of `mixed_motive`, or players of a
                population do not fit.
        """
        if self.seating is not None:
            return _population_job(self, self.seating)
        spec, fixed = resolve_algorithm(self.algo)
        if isinstance(spec, StockSpec):
            return _stock_job(self, spec)
        if fixed and self.optimizer and fixed != self.optimizer:
            raise SettingsError(
                [
                    f"optimizer: {self.algo!r} is short for independent ({fixed}); drop the optimizer, "
                    "or use independent"
                ]
            )
        steps = self.total_env_steps
        defaults = default_settings(self.game, spec, self.optimizer or fixed)
        settings = defaults.replace(**{"schedule_env_steps": max(1, steps), **self.settings})
        config = build_config(spec, settings, self.game, self.game_params, self.seed)
        config.settings()
        return Job(
            {
                "algo": spec.algo_id,
                "optimizer": settings.optimizer,
                "settings": dataclasses.asdict(settings),
            },
            settings.num_env_runners + settings.decentralised_learners + settings.num_learners,
            config.build_algo,
        )

    def description(self, job: Job) -> dict[str, Any]:
        """What config.json says of the run, but for versions."""
        return {
            "game": self.game,
            "game_params": dict(self.game_params),
            "preset": self.game_params.get("preset") or _default_preset(self.game),
            "seed": self.seed,
            "env_steps": self.total_env_steps,
            "evaluation_episodes": self.evaluation_episodes,
            "checkpoint_interval": self.checkpoint_interval,
            **job.config,
        }

    @property
    def total_env_steps(self) -> int:
        """The budget."""
        return default_env_steps(self.game) if self.env_steps is None else self.env_steps


@dataclass(frozen=True)
class Job:
    """A run that has been checked.

    Attributes:
        config: What config.json says of the algorithm: its id, optimiser and settings.
        num_actors: Processes beside this one.
        build: Builds what is trained; Ray must be running.
    """

    config: Mapping[str, Any]
    num_actors: int
    build: Callable[[], SocialAlgorithm | StockAlgorithm]


def build_config(
    algo_spec: AlgorithmSpec,
    settings: Settings,
    game: str,
    game_params: Mapping[str, Any],
    seed: int,
    seating: Seating | None = None,
) -> SocialConfig:
    """An algorithm's config from plain settings, and who plays if it is that of a mixed population."""
    config: SocialConfig = algo_spec.config_class()()
    if isinstance(config, PopulationConfig) and seating is not None:
        switches = [str(switch) for switch in seating.switches]
        config.population(seating.names, switches=switches, shuffle_seats=seating.shuffle_seats)
    config.environment(game, env_config=dict(game_params)).training(**dataclasses.asdict(settings))
    config.debugging(seed=seed, log_level="ERROR")
    return config


def _population_job(run: TrainSpec, seating: Seating) -> Job:
    """The run of a mixed population."""
    spec = population_spec(learner_specs(seating))
    defaults = default_settings(run.game, spec, run.optimizer or fixed_optimizer(seating))
    settings = defaults.replace(**{"schedule_env_steps": max(1, run.total_env_steps), **run.settings})
    config = build_config(spec, settings, run.game, run.game_params, run.seed, seating)
    config.settings()
    return Job(
        {
            "algo": spec.algo_id,
            "optimizer": settings.optimizer,
            "settings": dataclasses.asdict(settings),
            **seating.description(),
        },
        settings.num_env_runners,
        config.build_algo,
    )


def _stock_job(run: TrainSpec, spec: StockSpec) -> Job:
    """The run of one of RLlib's own algorithms."""
    problems = setting_problems(spec, run.settings)
    if run.optimizer is not None:
        problems.append(f"optimizer: {spec.algo_id} brings its own; leave it out")
    if run.game not in mixed_motive.GAMES:
        known = ", ".join(mixed_motive.GAMES)
        problems.append(
            f"game: {spec.algo_id} is for the games {known}; train {run.game!r} with RLlib itself"
        )
    if problems:
        raise SettingsError(problems)
    settings = {**spec.settings, **run.settings}
    try:
        config = stock_config(spec, run.game, run.game_params, run.seed, settings)
    except (TypeError, ValueError) as error:
        raise SettingsError([f"{spec.algo_id}: RLlib refuses its settings: {error}"]) from error
    return Job(
        {
            "algo": spec.algo_id,
            "optimizer": None,
            "settings": settings,
            "rllib": training_settings(config),
        },
        num_actors(config),
        lambda: StockAlgorithm(config, run.game, run.game_params),
    )


def _default_preset(game: str) -> str | None:
    """The preset that a game has unless told otherwise; None for environments of others."""
    return mixed_motive.GAMES[game].default_preset if game in mixed_motive.GAMES else None
