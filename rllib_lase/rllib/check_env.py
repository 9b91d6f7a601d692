"""`check_env`: whether an environment keeps what training relies on, found out by playing it at random."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from pettingzoo import ParallelEnv
from ray.rllib.env.multi_agent_env import MultiAgentEnv

import mixed_motive
from mixed_motive.testing import check_env as check_parallel_env
from rllib_lase.rllib.game_env import EnvLike, find_creator
from rllib_lase.rllib.joint_env import EnvironmentFault
from rllib_lase.rllib.multi_agent_copies import MultiAgentEnvCopies
from rllib_lase.rllib.multi_agent_faults import some
from rllib_lase.rllib.parallel_env import ParallelEnvAdapter, as_multi_agent_env

#: Random play of an episode that is not over by then is broken off.
MAX_STEPS = 2000


@dataclass(frozen=True)
class EnvReport:
    """What `check_env` found; `str` of it is a page to print.

    Attributes:
        env: The environment's name.
        faults: What training stumbles over, or what would spoil it: where, what was found, the cure.
        advice: What training gets along with, but others may not, or what makes runs hard to repeat.
        passed: The checks that found nothing.
        facts: What was seen: agents, spaces, lengths, who left early, mean rewards.
    """

    env: str
    faults: tuple[str, ...]
    advice: tuple[str, ...]
    passed: tuple[str, ...]
    facts: Mapping[str, str]

    @property
    def ok(self) -> bool:
        """Whether it can be trained on as it is."""
        return not self.faults

    def __str__(self) -> str:
        count = len(self.faults)
        state = "no faults" if self.ok else f"{count} fault{'s' if count > 1 else ''}"
        lines = [f"{self.env}: {state}"]
        lines += [f"  FAULT   {fault}" for fault in self.faults]
        lines += [f"  advice  {text}" for text in self.advice]
        lines += [f"  passed  {check}" for check in self.passed]
        return "\n".join([*lines, *(f"  {name}: {fact}" for name, fact in self.facts.items())])


@dataclass
class _Episode:
    """An episode of random play.

    Attributes:
        obs: Per step, from the first observation on, a digest of all observations.
        rewards: `(T, N)`.
        left: Agent -> the step in which it left before the others.
        length: T, or None if the episode was not over in time.
    """

    obs: list[bytes]
    rewards: NDArray[np.float32]
    left: dict[str, int]
    length: int | None


def check_env(
    env: EnvLike | ParallelEnv[Any, Any, Any] | MultiAgentEnv,
    env_config: Mapping[str, Any] | None = None,
    *,
    num_episodes: int = 3,
    max_steps: int = MAX_STEPS,
    seed: int = 0,
) -> EnvReport:
    """Plays whole episodes with random actions and reports what is wrong.

    Checked are the agents and their spaces, every observation against its space at every step, finite
    rewards, agents that leave or come back, that every episode ends for everybody, that spaces and agents
    stay the same, and that a seed gives the same episodes again. A `ParallelEnv` is held against PettingZoo's
    contract as well (`mixed_motive.testing.check_env`); what only that minds is advice.

    Args:
        env: What `LASEConfig().environment(...)` takes; or an environment that is used up by the check. A
            function may make a `ParallelEnv` or a `MultiAgentEnv`, and gets the `env_config` as RLlib passes
            it, in one piece; a `ParallelEnv` class gets its entries as keywords, as with `register_env`.
        env_config: The environment's options.
        num_episodes: Episodes to play.
        max_steps: An episode that is not over after so many steps is a fault.
        seed: Seed of environment and actions.

    Returns:
        The report; nothing is raised for what an environment gets wrong.

    Raises:
        ValueError: for an unknown name.
    """
    make, name = _maker(env)
    config = dict(env_config or {})
    faults: list[str] = []
    advice: list[str] = []
    passed: list[str] = []
    facts: dict[str, str] = {}
    try:
        copies = MultiAgentEnvCopies(make, config, 1, name=name, thorough=True)
    except EnvironmentFault as fault:
        return EnvReport(name, (str(fault),), (), (), {})
    facts |= _spaces_of(copies)
    is_parallel = isinstance(copies._envs[0], ParallelEnvAdapter)
    episodes: list[_Episode] = []
    try:
        for episode in _play(copies, num_episodes, max_steps, seed):
            episodes.append(episode)
    except EnvironmentFault as fault:
        faults.append(str(fault))
    endless = [number for number, episode in enumerate(episodes) if episode.length is None]
    if endless:
        faults.append(
            f"{name}: episode {endless[0]} is not over after {max_steps:,} steps of random play; expected "
            "one horizon for all agents. Likely cause: the environment never ends by itself, or not for all. "
            "Cure: truncate everybody at a horizon (many take max_cycles), or check with a larger max_steps."
        )
    repeats = False
    try:
        repeats = not faults and _repeats(make, config, name, episodes, max_steps, seed)
    except EnvironmentFault as fault:
        faults.append(f"in a second copy: {fault}")
    finally:
        copies.close()
    if not faults:
        played = f"{len(episodes)} episode{'s' if len(episodes) > 1 else ''}"
        passed.append(f"{played}: observations in their spaces, finite rewards, one end for all")
        if repeats:
            passed.append("the same seed gives the same episodes")
        else:
            advice.append(
                "the same seed and actions gave other episodes in a fresh copy; runs will not repeat. Likely "
                "cause: random numbers that reset(seed=...) does not seed"
            )
    facts |= _story_of(copies.agent_ids, episodes)
    if is_parallel and not isinstance(env, ParallelEnv):
        advice += _parallel_findings(lambda: _parallel(make, config), seed, max_steps, passed)
    return EnvReport(name, tuple(faults), tuple(advice), tuple(passed), facts)


def _maker(env: Any) -> tuple[Callable[[Any], Any], str]:
    if isinstance(env, ParallelEnv | MultiAgentEnv):
        return lambda config: env, type(env).__qualname__
    if isinstance(env, str) and env in mixed_motive.GAMES:
        return lambda config: mixed_motive.parallel_env(env, **config), env
    return find_creator(env)


def _parallel(make: Callable[[Any], Any], config: Mapping[str, Any]) -> ParallelEnv[Any, Any, Any]:
    made: ParallelEnv[Any, Any, Any] = as_multi_agent_env(make(dict(config))).par_env
    return made


def _parallel_findings(
    make: Callable[[], ParallelEnv[Any, Any, Any]], seed: int, max_steps: int, passed: list[str]
) -> list[str]:
    """What PettingZoo's contract has to say; checks that found nothing are noted as passed."""
    report = check_parallel_env(make, seed=seed, num_episodes=1, max_steps=max_steps, raising=False)
    passed += [f"PettingZoo's contract: {check}" for check in report.passed]
    return [str(finding) for finding in report.findings]


def _spaces_of(copies: MultiAgentEnvCopies) -> dict[str, str]:
    roster = copies._roster
    by_space: dict[str, list[str]] = {}
    for agent_id, encoder, action in zip(roster.agent_ids, roster.encoders, roster.actions, strict=True):
        by_space.setdefault(f"observes {encoder.space}, acts {action.space}", []).append(agent_id)
    facts = {"agents": f"{len(roster.agent_ids)}"}
    return facts | {some(agents): text for text, agents in by_space.items()}


def _play(copies: MultiAgentEnvCopies, num_episodes: int, max_steps: int, seed: int) -> Iterator[_Episode]:
    """Episodes one after the other, the last of them cut at `max_steps`."""
    generator = np.random.default_rng(seed)
    obs = [np.zeros_like(final) for final in copies.final_obs]
    copies.reset(seed, obs)
    for _ in range(num_episodes):
        seen, rewards = [_digest(obs)], []
        left: dict[str, int] = {}
        length = None
        for number in range(1, max_steps + 1):
            step = copies.step(_random_actions(copies, generator), obs)
            over = bool(step.dones[0])
            seen.append(_digest(copies.final_obs if over else obs))
            rewards.append(step.rewards[:, 0].copy())
            ended = (step.terminateds | step.truncateds)[:, 0]
            if over:
                length = number
                break
            left |= {copies.agent_ids[i]: number for i in np.flatnonzero(ended)}
        yield _Episode(seen, np.array(rewards), left, length)
        if length is None:
            return


def _digest(obs: Sequence[NDArray[Any]]) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for part in obs:
        digest.update(part.tobytes())
    return digest.digest()


def _random_actions(copies: MultiAgentEnvCopies, generator: np.random.Generator) -> NDArray[Any]:
    """`(N, 1)` or `(N, 1, D)`."""
    if copies.action_shape:
        shape = (len(copies.agent_ids), 1, *copies.action_shape)
        return generator.uniform(-1, 1, shape).astype(np.float32)
    sizes = [_size(copies.action_spaces[agent_id]) for agent_id in copies.agent_ids]
    return generator.integers(0, sizes)[:, None]


def _size(space: Any) -> int:
    assert isinstance(space, spaces.Discrete)
    return int(space.n)


def _repeats(
    make: Callable[[Any], Any],
    config: Mapping[str, Any],
    name: str,
    episodes: list[_Episode],
    max_steps: int,
    seed: int,
) -> bool:
    """Whether a fresh copy plays the same episodes with the same seed and actions."""
    again = MultiAgentEnvCopies(make, config, 1, name=name)
    try:
        for first, second in zip(episodes, _play(again, len(episodes), max_steps, seed), strict=False):
            if first.obs != second.obs or not np.array_equal(first.rewards, second.rewards):
                return False
    finally:
        again.close()
    return True


def _story_of(agent_ids: tuple[str, ...], episodes: list[_Episode]) -> dict[str, str]:
    lengths = [episode.length for episode in episodes if episode.length is not None]
    if not lengths:
        return {}
    returns = np.mean([episode.rewards.sum(0) for episode in episodes], 0)
    left = sorted({agent for episode in episodes for agent in episode.left})
    return {
        "episode lengths": ", ".join(map(str, lengths)),
        "left before the others": some(left) if left else "nobody",
        "mean reward per episode": ", ".join(
            f"{agent} {value:.3g}" for agent, value in zip(agent_ids, returns, strict=True)
        ),
    }
