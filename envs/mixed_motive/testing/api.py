"""The contract of `ParallelEnv`, step by step: spaces, agents, keys and types of results, the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mixed_motive.testing.player import EnvFn, Outcome, Player

__all__ = ["check_api"]

_PARTS = ("observations", "rewards", "terminations", "truncations", "infos")


def check_api(env_fn: EnvFn, *, seed: int = 0, num_episodes: int = 2, max_steps: int = 2000) -> None:
    """Play episodes at random and hold every call against PettingZoo's contract.

    That is: `possible_agents` never changes; each agent's spaces are the same objects at every call; `reset`
    gives observations and infos for exactly the agents, also in the middle of an episode; `step` gives five
    dicts for exactly the agents that were in the game before it (and for newcomers), with float rewards, bool
    flags and an info each, and leaves its argument alone; agents leave when and only when they are flagged,
    and do not come back; at the end nobody is left. A step before `reset` or after the end must raise, or
    (after the end, as PettingZoo's own converters do) give five empty dicts.

    Args:
        env_fn: Makes the environment.
        seed: Seed of the episodes and of the actions.
        num_episodes: Episodes.
        max_steps: An episode that has not ended by then is a failure.

    Raises:
        CheckFailure: At the first thing that is wrong.
    """
    player = Player("api", env_fn, max_steps=max_steps, action_seed=seed)
    names = _check_names(player)
    before = _spaces(player, names)
    _check_step_before_reset(player, names)
    player.reset(seed=seed)
    if not player.over:
        player.step()
    for _ in range(num_episodes):
        # The first of these interrupts the episode above.
        returned = [player.reset()]
        _check_reset(player, returned[0], names)
        _check_spaces(player, before, _spaces(player, names))
        gone: set[Any] = set()
        while not player.over and player.step_number < max_steps:
            actions = player.act()
            outcome = player.step(actions)
            _check_step(player, outcome, actions, gone, names)
            gone |= {a for a in outcome.agents if outcome.ended(a)}
            _check_spaces(player, before, _spaces(player, names))
        _check_end(player)
        _check_step_after_end(player, names)
    player.close()


def _check_names(player: Player) -> list[Any]:
    names = getattr(player.env, "possible_agents", None)
    if not isinstance(names, Sequence) or isinstance(names, str) or not names:
        player.fail(
            f"possible_agents is {names!r}",
            "a list of all agents that can ever take part, before the first reset()",
            "set self.possible_agents in __init__",
        )
    if len(set(names)) != len(names):
        player.fail(f"possible_agents has a name twice: {list(names)}", "distinct names", "rename one")
    return list(names)


def _spaces(player: Player, names: Sequence[Any]) -> dict[tuple[str, Any], Any]:
    """Each agent's spaces, asked for twice."""
    found: dict[tuple[str, Any], Any] = {}
    for call in ("observation_space", "action_space"):
        for agent_id in names:
            space, again = (player.space(call, agent_id) for _ in range(2))
            if space is not again:
                _fail_new_space(player, call, agent_id)
            found[call, agent_id] = space
    return found


def _fail_new_space(player: Player, call: str, agent_id: Any) -> None:
    player.fail(
        f"{call}() gave a new object at the second call",
        "the same object at every call, so that a space that the caller seeds stays seeded",
        "build the spaces once, in __init__, and return them from a dict",
        agent_id,
    )


def _check_spaces(player: Player, before: Mapping[Any, Any], now: Mapping[Any, Any]) -> None:
    for (call, agent_id), space in now.items():
        if space is not before[call, agent_id]:
            _fail_new_space(player, call, agent_id)


def _check_step_before_reset(player: Player, names: Sequence[Any]) -> None:
    actions = {a: player.env.action_space(a).sample() for a in names}
    try:
        player.env.step(actions)
    except Exception:
        return
    player.fail(
        "step() before the first reset() was accepted",
        "an error",
        "raise if no episode is under way",
    )


def _check_agents(player: Player, names: Sequence[Any]) -> None:
    env = player.env
    if list(env.possible_agents) != list(names):
        player.fail(
            f"possible_agents changed from {list(names)} to {list(env.possible_agents)}",
            "a list that stays as it is; only `agents` shrinks",
            "let `agents` be a copy: self.agents = list(self.possible_agents)",
        )
    unknown = [a for a in env.agents if a not in names]
    if unknown:
        player.fail(f"agents has {unknown}", "only names from possible_agents", "add them there")
    if len(set(env.agents)) != len(env.agents):
        player.fail(f"agents has a name twice: {env.agents}", "distinct names", "rebuild it at reset()")


def _check_reset(player: Player, outcome: Outcome, names: Sequence[Any]) -> None:
    _check_agents(player, names)
    if not outcome.agents_after:
        player.fail("agents is empty after reset()", "the agents that start", "set self.agents in reset()")
    for part, given in (("observations", outcome.obs), ("infos", outcome.infos)):
        _check_keys(player, f"{part} of reset()", given, outcome.agents_after, ())


def _check_step(
    player: Player, outcome: Outcome, actions: Mapping[Any, Any], gone: set[Any], names: Sequence[Any]
) -> None:
    _check_agents(player, names)
    if actions.keys() != outcome.actions.keys():
        player.fail(
            f"step() changed its argument: {sorted(map(repr, outcome.actions.keys() ^ actions.keys()))}",
            "the caller's dict of actions as it was",
            "copy it first: actions = dict(actions)",
        )
    newcomers = [a for a in outcome.agents_after if a not in outcome.agents and a not in gone]
    results = (outcome.obs, outcome.rewards, outcome.terminations, outcome.truncations, outcome.infos)
    for part, given in zip(_PARTS, results, strict=True):
        _check_keys(player, f"{part} of step()", given, outcome.agents, newcomers)
    _check_types(player, outcome)
    for agent_id in outcome.agents_after:
        if agent_id in gone:
            player.fail(
                "an agent that had left is in `agents` again",
                "nobody comes back before the next reset()",
                "remove agents from `agents` for good",
                agent_id,
            )
    for agent_id in outcome.agents:
        ended, present = outcome.ended(agent_id), agent_id in outcome.agents_after
        if ended and present:
            player.fail(
                "terminated or truncated, but still in `agents`",
                "an agent leaves `agents` in the step that flags it, so that nobody is left at the end",
                "self.agents = [a for a in self.agents if not (terminations[a] or truncations[a])]",
                agent_id,
            )
        if not ended and not present:
            player.fail(
                "left `agents` without being terminated or truncated",
                "a flag in the step in which an agent leaves",
                "set its termination, or its truncation at the horizon",
                agent_id,
            )


def _check_keys(
    player: Player, what: str, given: Mapping[Any, Any], agents: Sequence[Any], newcomers: Sequence[Any]
) -> None:
    missing = [a for a in agents if a not in given]
    extra = [a for a in given if a not in agents and a not in newcomers]
    if missing:
        player.fail(
            f"{what} have no entry for {missing}",
            f"one for each of {list(agents)}",
            "give every agent that took part in the step its last entry before it leaves",
        )
    if extra:
        player.fail(
            f"{what} have an entry for {extra}",
            f"entries for {list(agents)} only, the agents that took part",
            "loop over the agents from before the step, not over possible_agents",
        )


def _check_types(player: Player, outcome: Outcome) -> None:
    for agent_id in outcome.agents:
        reward = outcome.rewards[agent_id]
        if not isinstance(reward, int | float | np.integer | np.floating) or isinstance(reward, bool):
            player.fail(
                f"reward is of type {type(reward).__name__}: {reward!r}",
                "a float",
                "float(reward), or rewards.tolist() for an array",
                agent_id,
            )
        for part, flags in (("termination", outcome.terminations), ("truncation", outcome.truncations)):
            if not isinstance(flags[agent_id], bool | np.bool_):
                player.fail(
                    f"{part} is of type {type(flags[agent_id]).__name__}: {flags[agent_id]!r}",
                    "True or False",
                    f"bool({part})",
                    agent_id,
                )
        if not isinstance(outcome.infos[agent_id], dict):
            player.fail(
                f"info is of type {type(outcome.infos[agent_id]).__name__}", "a dict", "return {}", agent_id
            )


def _check_end(player: Player) -> None:
    if not player.over:
        player.fail(
            f"the episode goes on after {player.step_number} steps",
            f"an end within max_steps={player.max_steps}",
            "truncate all agents at a horizon; for a longer episode, raise max_steps of the check",
        )


def _check_step_after_end(player: Player, names: Sequence[Any]) -> None:
    actions = {a: player.env.action_space(a).sample() for a in names}
    try:
        result = player.env.step(actions)
    except Exception:
        return
    if player.env.agents or not isinstance(result, tuple) or any(result):
        player.fail(
            "step() after the end of the episode was accepted",
            "an error, or five empty dicts",
            "raise if `agents` is empty; a learner that steps on would train on steps of no episode",
        )
