"""Mixed populations: one algorithm or player per agent, as an ordinary RLlib config and algorithm."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

from ray.rllib.algorithms.algorithm_config import AlgorithmConfig
from ray.rllib.core.rl_module.multi_rl_module import MultiRLModule
from ray.rllib.utils.annotations import override

from rllib_lase.frozen_runs import frozen_problems
from rllib_lase.networks import PolicyNet
from rllib_lase.registry import AlgorithmSpec, resolve_algorithm
from rllib_lase.registry.mixing import (
    POPULATION,
    fixed_optimizer,
    game_parameters,
    learner_specs,
    population_spec,
    seating_problems,
    switch_problems,
)
from rllib_lase.registry.seating import Partner, Seating, Switch
from rllib_lase.rllib.algorithm import SocialAlgorithm
from rllib_lase.rllib.config import SocialConfig
from rllib_lase.rllib.config_checks import refuse_continuous
from rllib_lase.rllib.frozen import FrozenPolicy, frozen_key
from rllib_lase.rllib.game_copies import GameCopies
from rllib_lase.rllib.joint_env import JointEnv
from rllib_lase.rllib.normalised import with_normalised_observations
from rllib_lase.rllib.policies import JointPolicy, module_nets
from rllib_lase.rllib.seats import population_policies
from rllib_lase.rllib.shuffled_seats import ShuffledSeats
from rllib_lase.settings import Optimizer, SettingsError
from rllib_lase.social.hook import JointSpaces, SocialHook
from rllib_lase.social.population import PopulationHook

#: What a config has beside settings, and takes over from a dict.
_OWN = ("seats", "switches", "shuffle_seats", "frozen")


class PopulationConfig(SocialConfig):
    """Config of a mixed population; its settings are those of all its learners.

    Attributes:
        seats: Who plays: names by agent, or in the agents' order.
        switches: When that changes.
        shuffle_seats: Whether players change places in the game with every episode.
        away: Seats that are empty at the start.
        frozen: Policies of frozen players, by seat and name; loaded when the algorithm is built.
        switches_by_episode: Whether switches count the steps of an episode; else those of the training.
    """

    algo_id: ClassVar[str] = POPULATION
    hook_class: ClassVar[type[SocialHook]] = PopulationHook

    def __init__(self, algo_class: type | None = None) -> None:
        self.seats: Sequence[str] | Mapping[str, str] = []
        self.switches: list[str] = []
        self.shuffle_seats = False
        self.away: list[int] = []
        self.frozen: dict[str, dict[str, Any]] = {}
        self.switches_by_episode = False
        super().__init__(algo_class)

    def population(
        self,
        seats: Sequence[str] | Mapping[str, str],
        *,
        switches: Sequence[str] = (),
        shuffle_seats: bool = False,
    ) -> Self:
        """Says who plays.

        Args:
            seats: One name per agent, by agent id or in the agents' order: an algorithm's id (`lase`, `a2c`,
                ...), `cooperator`, `defector`, `random`, or `run:DIR` or `run:DIR:AGENT` for an agent of an
                earlier run's latest checkpoint, `run:DIR@ENV_STEPS` of another one.
            switches: Changes of players who do not learn: `STEPS:SEAT=FROM->TO`, `STEPS:SEAT=leave`,
                `STEPS:SEAT=return`. Steps are env steps of the training.
            shuffle_seats: Whether players change places in the game with every episode.

        Raises:
            SettingsError: for an unknown player or a switch that cannot be read. Whether players fit the
                environment and each other is checked once the algorithm is built.
        """
        names = dict(seats) if isinstance(seats, Mapping) else list(seats)
        _read(_listed(names), switches, shuffle_seats)
        self.seats, self.switches, self.shuffle_seats = names, list(switches), shuffle_seats
        self._apply_defaults()
        return self

    def seating(self, agent_ids: Sequence[str] | None = None) -> Seating:
        """Who plays where.

        Args:
            agent_ids: The agents' order; None takes that of the game, or the one in which they were named.

        Raises:
            SettingsError: for an unknown player, a switch that cannot be read, or other agents.
        """
        names = self.seats
        if isinstance(names, Mapping):
            order = agent_ids or self._agents_of_game() or list(names)
            if set(order) != set(names):
                raise SettingsError(
                    [f"population: players of {', '.join(names)}; the agents are {', '.join(order)}"]
                )
            names = [names[agent_id] for agent_id in order]
        elif agent_ids is not None and len(names) != len(agent_ids):
            raise SettingsError(
                [f"population: {len(names)} players for {len(agent_ids)} agents ({', '.join(agent_ids)})"]
            )
        seating = _read(names, self.switches, self.shuffle_seats)
        return dataclasses.replace(seating, away=frozenset(self.away))

    def _agents_of_game(self) -> list[str]:
        game = self.env if isinstance(self.env, str) else ""
        values = game_parameters(game, self.env_config)
        return [] if values is None else [f"agent_{i}" for i in range(values.num_agents)]

    @property
    @override(SocialConfig)
    def spec(self) -> AlgorithmSpec:
        """That of a population of these learners."""
        return population_spec(learner_specs(Seating.read(_listed(self.seats))))

    @override(SocialConfig)
    def usual_optimizer(self) -> Optimizer | None:
        """A learner named `a2c` or `ppo` says which one all have."""
        return fixed_optimizer(Seating.read(_listed(self.seats)))

    @override(SocialConfig)
    def further_problems(self) -> list[str]:
        """Players that do not fit each other or the environment."""
        game = self.env if isinstance(self.env, str) else getattr(self.env, "__qualname__", str(self.env))
        seating = self.seating()
        problems = (
            [f"switch: {problem}" for problem in switch_problems(seating, game, self.env_config)]
            if self.in_evaluation
            else seating_problems(seating, game, self.env_config)
        )
        fixed = fixed_optimizer(seating)
        if fixed not in (None, self.optimizer):
            problems.append(
                f"optimizer: a player named {fixed} learns with it, and so do all; found {self.optimizer!r}"
            )
        if not self.frozen:  # else they are here already, and fit
            found = frozen_problems(seating, game, self.env_config)
            problems += [f"population: {problem}" for problem in found]
        return problems

    @override(AlgorithmConfig)
    def validate(self) -> None:
        """Checks everything, and loads the frozen players."""
        super().validate()
        self.load_frozen()

    def load_frozen(self) -> None:
        """Loads the policies of frozen players that are not loaded yet."""
        for seat, partner in _frozen_partners(self.seating()):
            key = frozen_key(seat, partner.name)
            if key not in self.frozen:
                self.frozen[key] = vars(FrozenPolicy.load(partner, seat))

    @override(SocialConfig)
    def adapt_env(self, env: JointEnv) -> JointEnv:
        """The environment, with agents that change places if they do."""
        if not self.shuffle_seats:
            return with_normalised_observations(env)
        if not isinstance(env, GameCopies):
            raise SettingsError(["shuffle_seats: only the games of mixed_motive can be shuffled"])
        return ShuffledSeats(env)

    @override(SocialConfig)
    def make_hook(self, spaces: JointSpaces) -> SocialHook:
        """The preferences of all learners."""
        settings = self.settings()
        partners = self.seating(spaces.agent_ids).partners
        classes = [_hook_class(partner) for partner in partners]
        for partner, hook_class in dict(zip(partners, classes, strict=True)).items():
            if hook_class is not None and spaces.continuous_size is not None:
                refuse_continuous(partner.name, hook_class, settings)
        return PopulationHook(settings, spaces, self.seed, classes)

    @override(SocialConfig)
    def make_policy(self, module: MultiRLModule, env: JointEnv) -> JointPolicy:
        """In each seat its player."""
        seating = self.seating(env.agent_ids)
        spaces = JointSpaces(
            env.agent_ids,
            tuple(env.observation_spaces[agent_id] for agent_id in env.agent_ids),
            tuple(env.action_spaces[agent_id] for agent_id in env.agent_ids),
        )
        nets: dict[tuple[int, Partner], PolicyNet] = {
            (seat, partner): FrozenPolicy(**self.frozen[frozen_key(seat, partner.name)]).net(spaces)
            for seat, partner in _frozen_partners(seating)
        }
        learners = module_nets(module, env)
        by_episode = self.switches_by_episode
        return population_policies(env, learners, seating, nets, self.seed, by_episode=by_episode)

    @override(SocialConfig)
    def update_from_dict(self, config_dict: dict[str, Any]) -> Self:
        """Takes over a dict, as Tune passes it; who plays comes first, since settings follow from it."""
        for name in _OWN:
            if name in config_dict:
                setattr(self, name, config_dict[name])
        rest = {name: value for name, value in config_dict.items() if name not in _OWN}
        super().update_from_dict(rest)
        return self

    @override(SocialConfig)
    def to_json(self) -> dict[str, Any]:
        """As always, and who plays; the policies of frozen players are part of it."""
        return {
            **super().to_json(),
            "population": self.seats,
            "switches": self.switches,
            "shuffle_seats": self.shuffle_seats,
            "frozen": self.frozen,
        }

    @override(SocialConfig)
    def take_over(self, saved: dict[str, Any]) -> None:
        """Who plays."""
        self.frozen = dict(saved["frozen"])
        self.population(saved["population"], switches=saved["switches"], shuffle_seats=saved["shuffle_seats"])


class Population(SocialAlgorithm):
    """A mixed population: learners of several kinds, scripted and frozen players.

    Attributes:
        evaluation_switches: When players change within each evaluated episode, by its steps.
    """

    config_class: ClassVar[type[SocialConfig]] = PopulationConfig
    config: PopulationConfig
    evaluation_switches: Sequence[Switch] = ()

    @override(SocialAlgorithm)
    def setup(self, config: Any) -> None:
        """Builds everything; only then the agents' order is known in every environment."""
        super().setup(config)
        self._agent_ids: tuple[str, ...] = self._ask_learner(lambda learner: learner.hook.spaces.agent_ids)

    @property
    def present_seating(self) -> Seating:
        """Who plays after the env steps done, and how that changes within an evaluated episode."""
        return self.config.seating(self._agent_ids).at(self.env_steps).then(self.evaluation_switches)

    @property
    def agent_labels(self) -> list[str]:
        """The agents with who they are in an evaluation: "agent_0 (lase)"."""
        labels = self.present_seating.labels
        return [f"{agent_id} ({label})" for agent_id, label in zip(self._agent_ids, labels, strict=True)]

    @override(SocialAlgorithm)
    def _evaluation_config(self) -> SocialConfig:
        config: PopulationConfig = self.config.copy(copy_frozen=False)
        now = self.present_seating
        config.seats, config.away = now.names, sorted(now.away)
        config.switches = [str(switch) for switch in now.switches]
        config.switches_by_episode = config.in_evaluation = True
        config.load_frozen()
        return config


def _listed(seats: Sequence[str] | Mapping[str, str]) -> list[str]:
    """The names alone."""
    return list(seats.values()) if isinstance(seats, Mapping) else list(seats)


def _read(names: Sequence[str], switches: Sequence[str], shuffle_seats: bool) -> Seating:
    """What some words mean.

    Raises:
        SettingsError: if they mean nothing.
    """
    try:
        return Seating.read(names, switches, shuffle_seats)
    except ValueError as error:
        raise SettingsError([f"population: {error}"]) from error


def _frozen_partners(seating: Seating) -> list[tuple[int, Partner]]:
    """All who ever sit in a seat without learning, but for scripts."""
    return [
        (seat, partner)
        for seat in range(len(seating.partners))
        for partner in seating.candidates(seat)
        if partner.kind == "frozen"
    ]


def _hook_class(partner: Partner) -> type[SocialHook] | None:
    """The preference of a learner; None of others."""
    if partner.kind != "learner":
        return None
    spec = resolve_algorithm(partner.name)[0]
    hook_class: type[SocialHook] = spec.config_class().hook_class
    return hook_class
