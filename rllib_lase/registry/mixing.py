"""Which players may sit together in a mixed population, and the settings of such a population. Pure data."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import new_class
from typing import Any, cast

import mixed_motive
from mixed_motive.games.grid import GridGame
from mixed_motive.params import GameParams, read_params
from rllib_lase.registry import STOCK, AlgorithmSpec, StockSpec, resolve_algorithm
from rllib_lase.registry.seating import UNMIXABLE, Seating, Switch
from rllib_lase.settings import Optimizer, Settings, setting_names

POPULATION = "population"

#: Parameters that say how a game is run, not which game it is.
_NO_PARAMETERS = ("obs", "num_threads")


def game_parameters(game: str, params: Mapping[str, Any]) -> GameParams | None:
    """All parameters of one of our games; None for environments of others, and for faulty ones."""
    if game not in mixed_motive.GAMES:
        return None
    spec = mixed_motive.GAMES[game]
    preset = params.get("preset") or spec.default_preset
    changes = {k: v for k, v in params.items() if k not in ("preset", *_NO_PARAMETERS)}
    if preset not in spec.presets:
        return None
    values, problems = read_params(spec.presets, preset, changes)
    return None if problems else values


def seating_problems(seating: Seating, game: str, params: Mapping[str, Any]) -> list[str]:
    """What is wrong with a population that is to be trained, each with the word that it is about.

    Args:
        seating: Who plays where.
        game: A game id, or the name of any other environment.
        params: The game's parameters, `preset` among them.

    Returns:
        Lines that begin with `population: `, `switch: ` or `shuffle_seats: `; none if all is well.
    """
    problems = _partner_problems(seating, game, params)
    if not seating.learners:
        problems.append(
            f"nobody of {', '.join(seating.names)} learns; name an algorithm for one seat at least, such as "
            "lase"
        )
    lines = [f"population: {problem}" for problem in problems]
    lines += [f"switch: {problem}" for problem in switch_problems(seating, game, params)]
    reason = shuffle_objection(game, params) if seating.shuffle_seats else None
    return lines if reason is None else [*lines, f"shuffle_seats: {reason}"]


def _partner_problems(seating: Seating, game: str, params: Mapping[str, Any]) -> list[str]:
    problems = []
    values = game_parameters(game, params)
    if values is not None and len(seating.partners) != values.num_agents:
        problems.append(
            f"{len(seating.partners)} players for the {values.num_agents} agents of {game}; name one for each"
        )
    for name in dict.fromkeys(seating.names[seat] for seat in seating.learners):
        problems += _learner_problems(name, game, params)
    if game and game not in mixed_motive.GAMES:
        scripted = [partner.name for partner in seating.partners if partner.kind == "scripted"]
        if scripted:
            problems.append(
                f"{scripted[0]}: scripted players play only {', '.join(mixed_motive.GAMES)}, not {game}; "
                "name a learner or run:DIR"
            )
    optimizers = {name: resolve_algorithm(name)[1] for name in learner_names(seating)}
    if len({optimizer for optimizer in optimizers.values() if optimizer}) > 1:
        problems.append(
            "a2c and ppo: all learners have one optimiser, as they learn in one pass from the same "
            "fragments; choose one of the two"
        )
    return problems


def _learner_problems(name: str, game: str, params: Mapping[str, Any]) -> list[str]:
    if name in STOCK:
        return [f"{name}: RLlib's own algorithms bring runner and learner of their own; choose a2c or ppo"]
    if name in UNMIXABLE:
        return [f"{name} cannot be mixed with others: {UNMIXABLE[name]}"]
    spec = resolve_algorithm(name)[0]
    reason = spec.unsupported(game, params) if isinstance(spec, AlgorithmSpec) else None
    return [] if reason is None else [f"{name} cannot play {game}: {reason}"]


def switch_problems(seating: Seating, game: str, params: Mapping[str, Any]) -> list[str]:
    """What is wrong with the changes of a seating, in order of time."""
    problems = []
    for number, switch in enumerate(seating.switches):
        if switch.seat >= len(seating.partners):
            problems.append(
                f"{switch}: there is no seat {switch.seat}, only 0 to {len(seating.partners) - 1}"
            )
            continue
        earlier = seating.then(
            [each for each in seating.switches[:number] if each.seat < len(seating.partners)]
        )
        problem = _switch_problem(switch, earlier.at(switch.steps), game, params)
        problems += [] if problem is None else [f"{switch}: {problem}"]
    return problems


def _switch_problem(switch: Switch, now: Seating, game: str, params: Mapping[str, Any]) -> str | None:
    """What is wrong with a change of a seating as it is by then."""
    present, away = now.partners[switch.seat], switch.seat in now.away
    if present.kind == "learner":
        return (
            f"{present.name} in seat {switch.seat} learns; only seats whose players do not learn can change"
        )
    if switch.after is None:
        if away is not switch.returns:
            return f"{present.name} in seat {switch.seat} {'is away already' if away else 'has not left'}"
        values = game_parameters(game, params)
        if values is not None and "stay" not in mixed_motive.action_names(game, **_own(params)):
            names = ", ".join(mixed_motive.action_names(game, **_own(params)))
            return f"who is away plays 'stay', and {game} has no such action, only {names}"
        return None
    if switch.before not in (None, present):
        return f"{switch.before.name} is not in seat {switch.seat} then, {present.name} is"
    if switch.after == present:
        return f"{present.name} is in seat {switch.seat} already"
    if switch.after.kind == "learner":
        return f"{switch.after.name} would begin to learn; name a scripted player or run:DIR"
    if switch.after.kind == "scripted" and game and game not in mixed_motive.GAMES:
        return f"scripted players play only {', '.join(mixed_motive.GAMES)}, not {game}"
    return None


def shuffle_objection(game: str, params: Mapping[str, Any]) -> str | None:
    """Why partners cannot change places from episode to episode, or None if they can.

    They can where everybody has the same spaces and what an agent sees of others can be put into the order
    of the seats: the planes of a game on a map, and the one co-player of a matrix game.
    """
    values = game_parameters(game, params)
    if values is None and game in mixed_motive.GAMES:
        return None  # what is wrong with its parameters is said elsewhere
    if values is None:
        return f"whether {game}'s observations name co-players by their place is not known; leave it out"
    spec = mixed_motive.GAMES[game]
    on_a_map = issubclass(spec.classes[type(values)], GridGame)
    if on_a_map or values.num_agents == 2:
        return None
    return (
        f"{game} shows co-players in the order of their places, without planes that could be put into the "
        "order of the seats; leave it out"
    )


def _own(params: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if name not in _NO_PARAMETERS}


def learner_names(seating: Seating) -> list[str]:
    """The learners' names, each once, the first one first."""
    return list(dict.fromkeys(seating.names[seat] for seat in seating.learners))


def learner_specs(seating: Seating) -> list[AlgorithmSpec]:
    """The learners' algorithms, each once, the first one first; those that cannot be mixed are left out."""
    specs = [resolve_algorithm(name)[0] for name in learner_names(seating)]
    ours = {spec.algo_id: spec for spec in specs if not isinstance(spec, StockSpec)}
    return [spec for algo_id, spec in ours.items() if algo_id not in UNMIXABLE]


def fixed_optimizer(seating: Seating) -> Optimizer | None:
    """The optimiser that a learner's short id fixes for all, if one does."""
    fixed = (resolve_algorithm(name)[1] for name in learner_names(seating))
    return next((optimizer for optimizer in fixed if optimizer), None)


def population_spec(parts: Sequence[AlgorithmSpec]) -> AlgorithmSpec:
    """The algorithm that a mixed population is.

    Args:
        parts: Its learners' algorithms. A setting that several have is one for all; its tuned value is that
            of the first.
    """
    return AlgorithmSpec(
        POPULATION,
        "mixed population: in each seat its own player",
        "rllib_lase.rllib.population:PopulationConfig",
        _settings_of(tuple(dict.fromkeys(spec.settings_class for spec in parts))),
        parts=tuple(parts),
    )


@functools.cache
def _settings_of(classes: tuple[type[Settings], ...]) -> type[Settings]:
    """The settings that any of some algorithms has, each once."""
    roots = [c for c in classes if not any(o is not c and issubclass(o, c) for o in classes)] or [Settings]
    names = {name for c in classes for name in setting_names(c)}
    owners = {name: [c for c in classes if name in setting_names(c)] for name in names}
    unused = frozenset(name for name in names if all(name in c.unused for c in owners[name]))

    def validate(self: Settings) -> list[str]:
        """As for all learners; and agents have the game's own actions, as others play them."""
        errors = list(dict.fromkeys(error for root in roots for error in root.validate(self)))
        if getattr(self, "refuse_gifts", False) is True:
            errors.append(
                "refuse_gifts: it adds actions to every agent's, which the others of a mixed population "
                "cannot play; leave it off"
            )
        return errors

    def environment_problems(self: Settings, env: str, params: Mapping[str, Any]) -> list[str]:
        """As for all learners."""
        return [problem for root in roots for problem in root.environment_problems(self, env, params)]

    def body(namespace: dict[str, Any]) -> None:
        namespace |= {
            "__doc__": "Settings of a mixed population: those of all its learners.",
            "__module__": __name__,
            "unused": unused,
            "validate": validate,
            "environment_problems": environment_problems,
        }

    made = new_class("PopulationSettings", tuple(roots), exec_body=body)
    return cast("type[Settings]", dataclass(frozen=True)(made))
