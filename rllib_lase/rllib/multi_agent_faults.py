"""`FaultReport`: what a `MultiAgentEnv` got wrong, in one message: agent, copy, step, cause and cure."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from rllib_lase.rllib.joint_env import EnvironmentFault
from rllib_lase.rllib.multi_agent_roster import USE_RLLIB_RUNNER


class FaultReport:
    """Where the copies of one environment are, and the words for what is wrong there.

    Args:
        name: The environment's name.
        num_envs: B.
        first_env_index: Index of the first copy over all runners.

    Attributes:
        episodes: `(B,)` int64, the episode that each copy is in, from 0.
        steps: `(B,)` int64, steps taken in that episode; 0 at its first observation.
    """

    def __init__(self, name: str, num_envs: int, first_env_index: int) -> None:
        self.name = name
        self.first_env_index = first_env_index
        self.episodes: NDArray[np.int64] = np.zeros(num_envs, np.int64)
        self.steps: NDArray[np.int64] = np.zeros(num_envs, np.int64)

    def fail(
        self,
        b: int,
        field: str,
        found: str,
        expected: str,
        why: str = "a fault in the environment",
        cure: str = "correct the environment",
        before_reset: bool = False,
    ) -> NoReturn:
        """Raises the fault.

        Args:
            b: The copy.
            field: What is wrong, with the agent where there is one.
            found: What was found.
            expected: What was expected.
            why: The likely cause.
            cure: What to do.
            before_reset: The copy's next episode has begun since.
        """
        raise EnvironmentFault(
            f"{self.name}, copy {b} (env index {self.first_env_index + b}), {self._when(b, before_reset)}: "
            f"{field}: found {found}; expected {expected}. Likely cause: {why}. Cure: {cure}."
        )

    def threw(self, b: int, call: str, error: Exception) -> NoReturn:
        """Raises the fault for an exception of the environment, which is its `__cause__`."""
        when = "" if call == "the constructor" else f", {self._when(b, before_reset=False)}"
        where = f"{self.name}, copy {b} (env index {self.first_env_index + b}){when}"
        if isinstance(error, EnvironmentFault | ImportError):  # these say themselves what is missing
            raise EnvironmentFault(f"{where}: {error}") from error
        raise EnvironmentFault(
            f"{where}: {call} threw "
            f"{type(error).__name__}: {error}. Expected no exception. Likely cause: a fault in the "
            "environment, or a wrong env_config. Cure: see the exception above, which is the environment's."
        ) from error

    def wrong_obs(self, b: int, agent: Any, found: str, expected: str) -> NoReturn:
        """For an observation that does not fit its space."""
        self.fail(
            b,
            f"observation of agent {agent!r}",
            found,
            expected,
            why="the observation space does not describe what the environment returns",
            cure="correct the space, or convert the observation to it",
        )

    def missing_at_reset(self, b: int, agents: Sequence[Any]) -> NoReturn:
        """For agents that do not observe the start of an episode."""
        self.fail(
            b,
            "observations of reset()",
            f"none of {some(agents)}",
            "observations of all agents",
            why="agents act in turns or enter later",
            cure=USE_RLLIB_RUNNER,
        )

    def missing_obs(self, b: int, agent: Any, truncated: bool) -> NoReturn:
        """For an agent that is in the game, or was cut from it, and was not shown what it sees."""
        if truncated:
            self.fail(
                b,
                f"observation of agent {agent!r}",
                "none in the step in which it was truncated",
                "its last observation, from which its value is bootstrapped",
                cure="return it with the truncation",
            )
        self.fail(
            b,
            f"observation of agent {agent!r}",
            "none, although the agent has not ended",
            "observations of all agents in every step",
            why="agents act in turns, or this one left without terminated or truncated",
            cure=f"set its flag, or {USE_RLLIB_RUNNER}",
        )

    def entered_again(self, b: int, agent: Any) -> NoReturn:
        """For an observation of an agent that had left."""
        self.fail(
            b,
            f"observation of agent {agent!r}",
            "one, although the agent had left the episode",
            "none until the next episode",
            why="agents may enter again",
            cure=USE_RLLIB_RUNNER,
        )

    def late_reward(self, b: int, agent: Any, reward: Any) -> NoReturn:
        """For a reward of an agent that had left."""
        self.fail(
            b,
            f"reward of agent {agent!r}",
            f"{reward!r}, although the agent had left the episode",
            "none or 0",
            why="a reward that is settled after the agent has left",
            cure="pay it in the step in which the agent leaves, or let the agent leave later",
        )

    def not_a_number(self, b: int, agent: Any, reward: Any) -> NoReturn:
        """For a reward of another type."""
        found = f"an array of shape {reward.shape}" if isinstance(reward, np.ndarray) else repr(reward)
        self.fail(
            b,
            f"reward of agent {agent!r}",
            f"{found} ({type(reward).__name__})",
            "one real number",
            why="an array, text or None in place of a number",
            cure="return a float; leave out agents that get nothing",
        )

    def not_finite(self, b: int, agent: Any, reward: float, before_reset: bool) -> NoReturn:
        """For a reward that no gradient survives."""
        self.fail(
            b,
            f"reward of agent {agent!r}",
            str(reward),
            "a finite float32 number",
            why="a division by zero, an overflow or the logarithm of 0 in the reward",
            cure="keep rewards finite",
            before_reset=before_reset,
        )

    def not_finite_obs(self, b: int, agent: Any, value: float, where: list[int]) -> NoReturn:
        """For an observation that no network survives."""
        self.fail(
            b,
            f"observation of agent {agent!r}",
            f"{value} at {where}",
            "finite float32 numbers",
            why="a division by zero or an overflow in the observation",
            cure="clip the observation, or encode what is missing as a number of its own",
        )

    def check_parts(self, b: int, call: str, answer: Any, names: Sequence[str], known: set[Any]) -> None:
        """Requires of what reset() or step() returned a tuple of dicts from known agents.

        Args:
            b: The copy.
            call: "reset()" or "step()".
            answer: What it returned.
            names: Names of the parts; of the last, the infos, nothing is required.
            known: The agents, and `__all__`.
        """
        if not isinstance(answer, tuple) or len(answer) != len(names):
            found = f"a tuple of {len(answer)}" if isinstance(answer, tuple) else f"a {type(answer).__name__}"
            self.fail(b, call, found, f"a tuple ({', '.join(names)})", why="an older environment interface")
        for name, part in zip(names[:-1], answer, strict=False):
            if not isinstance(part, dict):
                self.fail(b, f"{name} of {call}", f"a {type(part).__name__}", "a dict from agent ids")
            if not part.keys() <= known:
                self.fail(
                    b,
                    f"{name} of {call}",
                    f"unknown agents {some(sorted(part.keys() - known, key=str))}",
                    f"agents among {some(sorted(known - {'__all__'}, key=str))}",
                    why="`possible_agents` does not list every agent that may ever appear",
                    cure="list them all in the constructor",
                )

    def _when(self, b: int, before_reset: bool) -> str:
        if before_reset:
            return f"last step of episode {self.episodes[b] - 1}"
        step = f"step {self.steps[b]}" if self.steps[b] else "first observation"
        return f"{step} of episode {self.episodes[b]}"


def as_number(reward: Any) -> float | None:
    """A reward as a float, or None where it is no real number."""
    if type(reward) is float:
        return reward
    scalar = reward.item() if isinstance(reward, np.ndarray) and reward.ndim == 0 else reward
    return float(scalar) if isinstance(scalar, numbers.Real | np.bool_) else None


def some(keys: Sequence[Any]) -> str:
    """At most five of the keys, for a message."""
    shown = ", ".join(map(repr, keys[:5]))
    return f"{shown} and {len(keys) - 5} more" if len(keys) > 5 else shown
