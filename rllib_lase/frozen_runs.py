"""Agents of earlier runs as partners: which one is meant, and whether it can play. Neither Ray nor torch."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rllib_lase.registry import STOCK
from rllib_lase.registry.mixing import POPULATION, game_parameters
from rllib_lase.registry.seating import Partner, Seating
from rllib_lase.run_checkpoints import find_checkpoint, split_checkpoint
from rllib_lase.run_schema import RunError
from rllib_lase.runs import RunFolder
from rllib_lase.settings import closest


def frozen_problems(seating: Seating, game: str, params: Mapping[str, Any]) -> list[str]:
    """Why frozen partners of a seating cannot play, one line each.

    Args:
        seating: Who plays where, and when that changes.
        game: A game id, or the name of any other environment.
        params: The game's parameters, `preset` among them.
    """
    problems = []
    for seat in range(len(seating.partners)):
        for partner in seating.candidates(seat):
            if partner.kind == "frozen":
                problem = _problem(partner, seat, game, params)
                problems += [] if problem is None else [f"{partner.name} in seat {seat}: {problem}"]
    return problems


def frozen_agent(partner: Partner, seat: int) -> tuple[RunFolder, Path, str]:
    """The run of a frozen partner, its checkpoint, and who it is there.

    Raises:
        RunError: if there is no such run, checkpoint or agent.
    """
    folder, env_steps = split_checkpoint(partner.run)
    run = RunFolder.open(folder)
    checkpoint, agents = find_checkpoint(run.path, env_steps), run.agent_ids
    if partner.agent_id:
        if partner.agent_id not in agents:
            hint = closest(partner.agent_id, agents) or "."
            raise RunError(f"that run has no agent {partner.agent_id!r}{hint} It has {', '.join(agents)}")
        return run, checkpoint, partner.agent_id
    if seat >= len(agents):
        raise RunError(
            f"that run has no seat {seat}; name one of its agents, {', '.join(agents)}, such as "
            f"{partner.name}:{agents[0]}"
        )
    return run, checkpoint, agents[seat]


def _problem(partner: Partner, seat: int, game: str, params: Mapping[str, Any]) -> str | None:
    try:
        run, _, agent_id = frozen_agent(partner, seat)
    except RunError as error:
        return " ".join(str(error).split())
    config = run.config
    if config["algo"] in STOCK:
        return f"it was trained by {config['algo']}; only agents of our own algorithms can be taken over"
    if config["algo"] == "gifting" or config["settings"].get("refuse_gifts"):
        return "it plays actions that were added to the game's, which others do not have here"
    if config["algo"] == POPULATION:
        there = Seating.described(config).partners[run.agent_ids.index(agent_id)]
        if there.kind == "scripted":
            return f"{agent_id} is a scripted {there.name} there; name {there.name}"
    if config["game"] != game:
        return f"it was trained on {config['game']}, not on {game}"
    return _parameter_problem(game, config["game_params"], params)


def _parameter_problem(game: str, there: Mapping[str, Any], here: Mapping[str, Any]) -> str | None:
    values = [game_parameters(game, params) for params in (there, here)]
    old, new = (
        dict(p) if v is None else dataclasses.asdict(v) for v, p in zip(values, (there, here), strict=True)
    )
    differing = [name for name in dict.fromkeys([*old, *new]) if old.get(name) != new.get(name)]
    if not differing:
        return None
    listed = ", ".join(f"{name}={old.get(name)!r}, here {new.get(name)!r}" for name in differing)
    return f"it was trained on {game} with {listed}; play the same game, or train it on this one"
