"""Random joint decisions with known Q tables, and the core's functions applied to a batch of them.

Only this file knows how the core wants its tensors; the tests compare numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rllib_lase.core.gifting import gift_weights, rewards_after_gifting
from rllib_lase.core.relationships import clip_relationships, relationships
from tests.core import oracles

MIN_Q_SPREAD = 1e-3


@dataclass(frozen=True)
class Scene:
    """One step of one game.

    Attributes:
        q_tables: `(N, A, ..., A)`, each agent's Q of all joint actions, values in [-1, 1].
        joint_action: `(N,)`.
        predicted_probs: `(N, N, A)`, what the row expects the column to do.
        rewards: `(N,)`.
        active: `(N,)` bool.
    """

    q_tables: NDArray[np.float64]
    joint_action: NDArray[np.int64]
    predicted_probs: NDArray[np.float64]
    rewards: NDArray[np.float64]
    active: NDArray[np.bool_]

    @property
    def num_agents(self) -> int:
        """N."""
        return len(self.joint_action)

    def weights(self) -> NDArray[np.float64]:
        """W by the oracle."""
        return oracles.gift_matrix(
            self.q_tables, self.joint_action, self.predicted_probs, self.active, MIN_Q_SPREAD
        )

    def permuted(self, order: NDArray[np.int64]) -> Scene:
        """The same step with agent order[k] at position k."""
        axes = (0, *(order + 1))
        return Scene(
            q_tables=self.q_tables[order].transpose(axes),
            joint_action=self.joint_action[order],
            predicted_probs=self.predicted_probs[np.ix_(order, order)],
            rewards=self.rewards[order],
            active=self.active[order],
        )


def random_scene(
    rng: np.random.Generator, num_agents: int, num_actions: int, departures: bool = False
) -> Scene:
    """A scene in which every swap of one action spreads each Q by at least 0.1 (with two actions or more)."""
    joint_action = rng.integers(num_actions, size=num_agents)
    while True:
        q_tables = rng.uniform(-1, 1, (num_agents,) + (num_actions,) * num_agents)
        swaps = [oracles.counterfactual_q(q, joint_action, j) for q in q_tables for j in range(num_agents)]
        if num_actions == 1 or min(np.ptp(values) for values in swaps) >= 0.1:
            break
    return Scene(
        q_tables=q_tables,
        joint_action=joint_action,
        predicted_probs=rng.dirichlet(np.ones(num_actions), size=(num_agents, num_agents)),
        rewards=rng.uniform(-2, 10, num_agents),
        active=rng.random(num_agents) < 0.7 if departures else np.ones(num_agents, dtype=bool),
    )


def random_scenes(
    seed: int, count: int, num_agents: int, num_actions: int, departures: bool = False
) -> list[Scene]:
    """`count` scenes from one seed."""
    rng = np.random.default_rng(seed)
    return [random_scene(rng, num_agents, num_actions, departures) for _ in range(count)]


def core_weights(scenes: list[Scene], dtype: torch.dtype) -> Tensor:
    """W of all scenes, `(len(scenes), N, N)`, in one vectorised pass through the core."""
    num_agents = scenes[0].num_agents
    co_players = [[j for j in range(num_agents) if j != i] for i in range(num_agents)]
    q_joint = np.array(
        [[oracles.joint_q(s.q_tables[i], s.joint_action) for i in range(num_agents)] for s in scenes]
    )
    q_swaps = np.array(
        [
            [
                [oracles.counterfactual_q(s.q_tables[i], s.joint_action, j) for j in co_players[i]]
                for i in range(num_agents)
            ]
            for s in scenes
        ]
    )
    probs = np.array([[s.predicted_probs[i][co_players[i]] for i in range(num_agents)] for s in scenes])
    relationship = relationships(
        torch.as_tensor(q_joint, dtype=dtype),
        torch.as_tensor(q_swaps, dtype=dtype),
        torch.as_tensor(probs, dtype=dtype),
        num_agents,
        MIN_Q_SPREAD,
    )
    fractions = torch.zeros(len(scenes), num_agents, num_agents, dtype=dtype)
    for i in range(num_agents):
        fractions[:, i, co_players[i]] = clip_relationships(relationship)[:, i]
    active = torch.as_tensor(np.array([s.active for s in scenes]))
    return gift_weights(fractions, active)


def core_rewards(scenes: list[Scene], dtype: torch.dtype, gift_negative_rewards: bool = True) -> Tensor:
    """Rewards after gifting of all scenes, `(len(scenes), N)`."""
    rewards = torch.as_tensor(np.array([s.rewards for s in scenes]), dtype=dtype)
    return rewards_after_gifting(rewards, core_weights(scenes, dtype), gift_negative_rewards)
