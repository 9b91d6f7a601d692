"""The words of a command that say who plays in a mixed population. Imports neither Ray nor torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from rllib_lase.cli.options import Option, Words
from rllib_lase.cli.plans import Learner
from rllib_lase.defaults import default_optimizer
from rllib_lase.registry.mixing import (
    fixed_optimizer,
    learner_specs,
    population_spec,
    seating_problems,
    switch_problems,
)
from rllib_lase.registry.seating import Seating, Switch

if TYPE_CHECKING:
    from rllib_lase.runs import RunFolder
    from rllib_lase.settings import Optimizer

_GROUP = "a mixed population"

SWITCH_HELP = (
    "changes of players who do not learn: STEPS:SEAT=PLAYER, STEPS:SEAT=leave, STEPS:SEAT=return; steps are"
)


def population_options() -> list[Option]:
    """Who plays where, and when that changes."""
    return [
        Option("--population", "one player for each agent, in place of --algo: algorithms, cooperator, "
               "defector, random, run:RUN (the agent of the same seat of that run) or "
               "run:RUN:AGENT, RUN being DIR or DIR@ENV_STEPS; such as lase,a2c,a2c,a2c", _names,
               "NAMES", _GROUP),
        Option("--switch", f"{SWITCH_HELP} env steps of the training", str, "SWITCH", _GROUP, many=True),
        Option("--shuffle-seats", "players change places in the game with every episode", group=_GROUP),
    ]  # fmt: skip


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise ValueError("expected names with commas between, one for each agent, such as lase,a2c,a2c,a2c")
    return names


def check_population(words: Words, game: str, params: Mapping[str, Any]) -> Seating | None:
    """The mixed population, if there is one and it can be read; problems go into the words."""
    given = [name for name in ("switch", "shuffle_seats") if words.values.get(name)]
    if "population" not in words.values:
        words.problems += [
            f"--{name.replace('_', '-')}: belongs to a mixed population; say who plays with --population"
            for name in given
        ]
        return None
    if "algo" in words.values:
        words.problems.append("--algo: --population says who learns; leave --algo out")
    seating = _read(words)
    if seating is None:
        return None
    words.problems += [_option(line) for line in seating_problems(seating, game, params)] if game else []
    fixed, optimizer = fixed_optimizer(seating), words.values.get("optimizer")
    if fixed and optimizer and fixed != optimizer:
        words.problems.append(
            f"--optimizer: a player named {fixed} learns with it, and so do all, found {optimizer!r}"
        )
    if game and any(partner.kind == "frozen" for partner in _everybody(seating)):
        from rllib_lase.frozen_runs import frozen_problems

        words.problems += [f"--population: {line}" for line in frozen_problems(seating, game, params)]
    return seating


def _read(words: Words) -> Seating | None:
    try:
        partners = Seating.read(words.values["population"])
    except ValueError as error:
        words.problems.append(f"--population: {error}")
        return None
    switches = _read_switches(words)
    shuffled = words.values.get("shuffle_seats", False)
    return Seating(partners.partners, shuffle_seats=shuffled).then(switches)


def _read_switches(words: Words) -> list[Switch]:
    switches = []
    for text in words.values.get("switch", ()):
        try:
            switches.append(Switch.read(text))
        except ValueError as error:
            words.problems.append(f"--switch: {error}")
    return switches


def _everybody(seating: Seating) -> list[Any]:
    return [partner for seat in range(len(seating.partners)) for partner in seating.candidates(seat)]


def _option(line: str) -> str:
    """A problem with the option that it is about in place of the setting."""
    name, _, text = line.partition(":")
    return f"--{name.replace('_', '-')}:{text}"


def population_learner(seating: Seating, words: Words, game: str) -> tuple[Learner, list[Learner]]:
    """The population as what is trained, and its learners one by one."""
    parts = learner_specs(seating)
    given = cast("Optimizer | None", words.values.get("optimizer"))
    optimizer = fixed_optimizer(seating) or given or default_optimizer(game)
    return (population_spec(parts), optimizer), [(spec, optimizer) for spec in parts]


def check_evaluation_switches(words: Words, run: RunFolder, env_steps: int) -> list[Switch]:
    """Changes within the episodes of an evaluation of a run; problems go into the words.

    Args:
        words: The command's.
        run: The run.
        env_steps: After how many env steps of its training.
    """
    switches = _read_switches(words)
    if not switches:
        return []
    if run.seating is None:
        words.problems.append(
            f"--switch: {run.path} is no run of a mixed population; in it everybody is {run.algorithm}"
        )
        return []
    seating = run.seating.at(env_steps).then(switches)
    game, params = run.config["game"], run.config["game_params"]
    words.problems += [f"--switch: {line}" for line in switch_problems(seating, game, params)]
    from rllib_lase.frozen_runs import frozen_problems

    added = Seating(tuple(s.after for s in switches if s.after is not None and s.after.kind == "frozen"))
    words.problems += [f"--switch: {line}" for line in frozen_problems(added, game, params)]
    return switches
