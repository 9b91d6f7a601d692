"""What is conserved in the games of this library, step by step; `laws_of` gives the laws of a game.

Written from the rules in the games' docstrings, and not from the kernels or oracles.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from mixed_motive.game_parts import State
from mixed_motive.games import (
    beam_cleanup,
    beams,
    cleanup,
    coingame,
    escape_room,
    harvest,
    matrix,
    public_goods,
    snowdrift,
    stag_hunt,
)
from mixed_motive.params import GameParams
from mixed_motive.testing.conservation import Law, Transition

__all__ = ["LAWS", "laws_of"]


def laws_of(params: GameParams) -> tuple[Law, ...]:
    """The laws of a game of this library, for `check_conservation` on its `parallel_env`.

    Args:
        params: The game's parameters, e.g. ``mixed_motive.make("cleanup").params``.

    Returns:
        Its laws.
    """
    return LAWS[type(params)](params)


def _state(env: Any) -> State:
    """State arrays of the game behind a `mixed_motive.parallel_env`, of its only copy."""
    state: State = env.unwrapped.game.get_state()
    return {name: array[0] for name, array in state.items()}


def _total(step: Transition, count: str) -> int:
    return sum(info[count] for info in step.infos.values())


def _collective(step: Transition) -> float:
    return float(sum(step.rewards.values()))


def _lost(step: Transition, *codes: int) -> int:
    """How many objects of these kinds were there before and are not now, net of new ones."""
    return sum(int((step.before["map"] == code).sum() - (step.after["map"] == code).sum()) for code in codes)


def _unequal(found: float, right: float) -> bool:
    # Rewards are float32.
    return not math.isclose(found, right, rel_tol=1e-5, abs_tol=1e-4)


def _pays(statement: str, value: Callable[[Transition, Any], float]) -> Law:
    """Each agent's reward follows from what the step did to it."""

    def broken(step: Transition) -> str | None:
        for agent_id in step.agents:
            reward, right = step.rewards[agent_id], value(step, agent_id)
            if _unequal(reward, right):
                return f"reward of {agent_id!r} is {reward:g}, not {right:g}"
        return None

    return Law(statement, broken, _state)


def _cleanup(p: cleanup.CleanupParams) -> tuple[Law, ...]:
    def waste(step: Transition) -> str | None:
        cleaned = _total(step, "waste_cleaned")
        left = int((step.before["map"] == cleanup.WASTE).sum()) - cleaned
        spawned = cleaned - _lost(step, cleanup.WASTE)
        if spawned not in (0, 1) or left + spawned > p.max_waste:
            return f"{cleaned} waste cleaned, {left} left, {spawned} spawned"
        return None

    def apples(step: Transition) -> str | None:
        picked = _total(step, "apples")
        grown = picked - _lost(step, cleanup.APPLE)
        return None if grown in (0, 1) else f"{picked} apples picked, {grown} grown"

    return (
        Law(f"waste(t + 1) = waste(t) - cleaned + 0 or 1, at most {p.max_waste}", waste, _state),
        Law("apples(t + 1) = apples(t) - picked + 0 or 1", apples, _state),
        _pays("an agent's reward is the apples that it picked", lambda s, a: s.infos[a]["apples"]),
    )


def _fines(p: beams.BeamParams) -> tuple[Law, ...]:
    """What apples and fining beams are worth in the games with beams."""

    def hits(step: Transition) -> str | None:
        given, taken = _total(step, "hits_given"), _total(step, "hits_taken")
        return None if given == taken else f"{given} hits given and {taken} taken"

    def value(step: Transition, agent_id: Any) -> float:
        info = step.infos[agent_id]
        fines = p.fire_cost * info.get("shots", 0) + p.hit_cost * info.get("hits_taken", 0)
        return float(info["apples"] - fines)

    statement = f"1 for each apple, {-p.fire_cost:g} for each shot, {-p.hit_cost:g} for each hit taken"
    pays = _pays(statement, value)
    return (Law("every hit has a giver and a taker", hits, _state), pays) if p.fire_length > 0 else (pays,)


def _beam_cleanup(p: beam_cleanup.BeamCleanupParams) -> tuple[Law, ...]:
    def waste(step: Transition) -> str | None:
        cleaned = _total(step, "waste_cleaned")
        left = int((step.before["map"] == beam_cleanup.WASTE).sum()) - cleaned
        spawned = cleaned - _lost(step, beam_cleanup.WASTE)
        if spawned not in (0, 1) or (spawned and (left >= p.max_waste or step.step <= p.waste_delay)):
            return f"{cleaned} waste cleaned, {left} left, {spawned} spawned"
        return None

    def apples(step: Transition) -> str | None:
        left = int((step.before["map"] == beam_cleanup.WASTE).sum()) - _total(step, "waste_cleaned")
        density = left / (p.river_cells + p.stream_cells)
        grown = _total(step, "apples") - _lost(step, beam_cleanup.APPLE)
        if grown < 0 or (grown > 0 and density >= p.threshold_depletion):
            return f"{grown} apples grown at a density of waste of {density:.3g}"
        return None

    return (
        Law(
            f"waste(t + 1) = waste(t) - cleaned + 0 or 1; 0 while {p.max_waste} lie, and in the first "
            f"{p.waste_delay} steps",
            waste,
            _state,
        ),
        Law(
            "apples(t + 1) = apples(t) - eaten + grown, and none grows from a density of waste of "
            f"{p.threshold_depletion:.3g} on",
            apples,
            _state,
        ),
        *_fines(p),
    )


def _harvest(p: harvest.HarvestParams) -> tuple[Law, ...]:
    def apples(step: Transition) -> str | None:
        before, after = step.before["map"] == harvest.APPLE, step.after["map"] == harvest.APPLE
        eaten, gone = _total(step, "apples"), int((before & ~after).sum())
        if eaten != gone:
            return f"{eaten} apples eaten, {gone} gone"
        kept = np.argwhere(before & after)
        for cell in np.argwhere(after & ~before):
            near = ((kept - cell) ** 2).sum(axis=1) <= p.near_squared_distance
            if not near.any() and p.respawn_probability_0 == 0.0:
                return f"an apple grew at {tuple(cell.tolist())}, far from all others"
        return None

    statement = "apples(t + 1) = apples(t) - eaten + grown, and one grows only near another"
    return (Law(statement, apples, _state), *_fines(p))


def _snowdrift(p: snowdrift.SnowdriftParams) -> tuple[Law, ...]:
    def piles(step: Transition) -> str | None:
        before, removed = int((step.before["map"] == snowdrift.PILE).sum()), _lost(step, snowdrift.PILE)
        removers = _total(step, "piles_removed")
        if step.step == 1 and before != p.num_piles:
            return f"{before} piles at the start"
        if not 0 <= removed <= removers or (removers and not removed):
            return f"{removed} piles less, and {removers} agents that removed one"
        return None

    def rewards(step: Transition) -> str | None:
        removed, collective = _lost(step, snowdrift.PILE), _collective(step)
        right = removed * (p.num_agents * p.removal_benefit - p.removal_cost)
        if _unequal(collective, right):
            return f"{removed} piles removed, and rewards that sum to {collective:g}, not {right:g}"
        idle = [a for a in step.agents if not step.infos[a]["piles_removed"]]
        wrong = [a for a in idle if _unequal(step.rewards[a], removed * p.removal_benefit)]
        return f"{wrong[0]!r} removed nothing and got {step.rewards[wrong[0]]:g}" if wrong else None

    return (
        Law(f"piles + removed = {p.num_piles}, each removed by 1 agent or more", piles, _state),
        Law(
            f"each removed pile gives every agent {p.removal_benefit:g} and costs its removers "
            f"{p.removal_cost:g} together",
            rewards,
            _state,
        ),
    )


def _coingame(p: coingame.CoinGameParams) -> tuple[Law, ...]:
    def coins(step: Transition) -> str | None:
        lying = int((step.after["map"] > 0).sum())
        picked = _total(step, "own_coins") + _total(step, "other_coins")
        return None if lying == 1 and picked in (0, 1) else f"{picked} coins picked, {lying} on the map"

    def rewards(step: Transition) -> str | None:
        own, other = _total(step, "own_coins"), _total(step, "other_coins")
        right = own * p.coin_reward + other * (p.coin_reward - p.owner_penalty)
        if _unequal(_collective(step), right):
            return f"{own} own and {other} other coins, and rewards that sum to {_collective(step):g}"
        return None

    def value(step: Transition, agent_id: Any) -> float:
        owner = step.agents[int(step.before["map"].max()) - 1]
        info = step.infos[agent_id]
        picked = int(info["own_coins"] + info["other_coins"])
        lost = p.owner_penalty * _total(step, "other_coins") if agent_id == owner else 0.0
        return p.coin_reward * picked - lost

    return (
        Law("one coin on the map, at most one picked in a step", coins, _state),
        Law(
            f"rewards of a pick sum to {p.coin_reward:g} or {p.coin_reward - p.owner_penalty:g}",
            rewards,
            _state,
        ),
        _pays(f"{p.coin_reward:g} for the picker, {-p.owner_penalty:g} for another that owns it", value),
    )


def _stag_hunt(p: stag_hunt.StagHuntParams) -> tuple[Law, ...]:
    def prey(step: Transition) -> str | None:
        for code, start, needed, name in (
            (stag_hunt.HARE, p.num_hares, 1, "hares"),
            (stag_hunt.STAG, p.num_stags, p.hunters_needed, "stags"),
        ):
            before, caught, hunters = (
                int((step.before["map"] == code).sum()),
                _lost(step, code),
                _total(step, name),
            )
            if step.step == 1 and before != start:
                return f"{before} {name} at the start, not {start}"
            if caught < 0 or hunters < needed * caught or (hunters and not caught):
                return f"{caught} {name} less, and {hunters} agents that caught one"
        return None

    def rewards(step: Transition) -> str | None:
        hares, stags = _lost(step, stag_hunt.HARE), _lost(step, stag_hunt.STAG)
        right = hares * p.hare_reward + stags * p.stag_reward
        if _unequal(_collective(step), right):
            return f"{hares} hares and {stags} stags caught, and rewards that sum to {_collective(step):g}"
        return None

    def leaving(step: Transition) -> str | None:
        for agent_id in step.agents:
            caught = sum(step.infos[agent_id].values())
            if caught != step.terminations[agent_id]:
                return f"{agent_id!r} caught {caught}, terminated: {step.terminations[agent_id]}"
        return None

    return (
        Law(
            f"prey + caught = {p.num_hares} hares and {p.num_stags} stags, a stag by {p.hunters_needed} "
            "agents or more",
            prey,
            _state,
        ),
        Law(
            f"rewards sum to {p.hare_reward:g} for each hare and {p.stag_reward:g} for each stag",
            rewards,
            _state,
        ),
        Law("who caught one animal leaves, and nobody else does", leaving, _state),
    )


def _matrix(p: matrix.MatrixParams) -> tuple[Law, ...]:
    payoffs = {(0, 0): (p.R, p.R), (0, 1): (p.S, p.T), (1, 0): (p.T, p.S), (1, 1): (p.P, p.P)}

    def value(step: Transition, agent_id: Any) -> float:
        first, second = (int(step.actions[a]) for a in step.agents)
        return payoffs[first, second][step.agents.index(agent_id)]

    return (_pays("payoffs are R and R, S and T, T and S, or P and P, by the joint action", value),)


def _public_goods(p: public_goods.PublicGoodsParams) -> tuple[Law, ...]:
    def rewards(step: Transition) -> str | None:
        given = sum(map(int, step.actions.values())) / (p.num_levels - 1) * p.endowment
        right = p.num_agents * p.endowment + (p.multiplier - 1.0) * given
        if _unequal(_collective(step), right):
            return f"{given:g} given, and rewards that sum to {_collective(step):g}, not {right:g}"
        return None

    statement = f"rewards sum to {p.num_agents} * {p.endowment:g} + {p.multiplier - 1.0:g} * all gifts"
    return (Law(statement, rewards),)


def _escape_room(p: escape_room.EscapeRoomParams) -> tuple[Law, ...]:
    def escapes(step: Transition) -> str | None:
        places = step.after["places"].tolist()
        is_open = places.count(escape_room.LEVER) >= p.min_at_lever
        right = places.count(escape_room.DOOR) if is_open else 0
        escaped = _total(step, "escaped")
        if escaped != right or set(step.terminations.values()) != {right > 0}:
            return f"{escaped} escaped from places {places}, terminations {list(step.terminations.values())}"
        return None

    def value(step: Transition, agent_id: Any) -> float:
        k = step.agents.index(agent_id)
        if step.infos[agent_id]["escaped"]:
            return p.exit_reward
        return -p.move_cost if step.before["places"][k] != step.after["places"][k] else 0.0

    return (
        Law(
            f"all at the door escape if {p.min_at_lever} are at the lever, and that is the end",
            escapes,
            _state,
        ),
        _pays(f"{p.exit_reward:g} for escaping, {-p.move_cost:g} for another change of place, else 0", value),
    )


LAWS: Mapping[type[GameParams], Callable[[Any], tuple[Law, ...]]] = MappingProxyType(
    {
        cleanup.CleanupParams: _cleanup,
        beam_cleanup.BeamCleanupParams: _beam_cleanup,
        harvest.HarvestParams: _harvest,
        snowdrift.SnowdriftParams: _snowdrift,
        coingame.CoinGameParams: _coingame,
        stag_hunt.StagHuntParams: _stag_hunt,
        matrix.MatrixParams: _matrix,
        public_goods.PublicGoodsParams: _public_goods,
        escape_room.EscapeRoomParams: _escape_room,
    }
)
"""By the class of a game's parameters: what makes its laws."""
