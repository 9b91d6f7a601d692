"""The paper's equations as slow NumPy loops in float64, written from the text and not from the tensor code.

One step of one game at a time: plain numbers and small tables, nothing vectorised.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def joint_q(q_table: Array, joint_action: Sequence[int]) -> float:
    """Q^i of one joint action; `q_table` has one axis of actions per agent."""
    return float(q_table[tuple(joint_action)])


def with_action(joint_action: Sequence[int], agent: int, action: int) -> list[int]:
    """(a^{-j}, a'): the executed joint action with one agent's action replaced."""
    changed = list(joint_action)
    changed[agent] = action
    return changed


def counterfactual_q(q_table: Array, joint_action: Sequence[int], co_player: int) -> Array:
    """Q^i(o^i, (a^{-j}, a')) for every action a' of the co-player."""
    num_actions = q_table.shape[co_player]
    return np.array([joint_q(q_table, with_action(joint_action, co_player, a)) for a in range(num_actions)])


def relationship(
    q_table: Array,
    joint_action: Sequence[int],
    co_player: int,
    predicted_probs: Array,
    min_q_spread: float = 1e-3,
) -> float:
    """Eq. 3 before clipping, of the giver whose Q is `q_table`; 0 where the spread is too small."""
    num_agents = len(joint_action)
    alternatives = counterfactual_q(q_table, joint_action, co_player)
    spread = max(alternatives) - min(alternatives)
    if spread < min_q_spread:
        return 0.0
    baseline = 0.0
    for action, probability in enumerate(predicted_probs):
        baseline += probability * alternatives[action]
    advantage = joint_q(q_table, joint_action) - baseline
    return float(advantage / ((num_agents - 1) * spread))


def gift_matrix(
    q_tables: Sequence[Array],
    joint_action: Sequence[int],
    predicted_probs: Sequence[Sequence[Array]],
    active: Sequence[bool],
    min_q_spread: float = 1e-3,
) -> Array:
    """W of Eq. 2 with the weights of Eq. 3: giver in the row, what is not given stays."""
    num_agents = len(joint_action)
    weights = np.zeros((num_agents, num_agents))
    for giver in range(num_agents):
        for receiver in range(num_agents):
            if giver == receiver or not active[giver] or not active[receiver]:
                continue
            probs = predicted_probs[giver][receiver]
            value = relationship(q_tables[giver], joint_action, receiver, probs, min_q_spread)
            weights[giver, receiver] = max(0.0, value)
        weights[giver, giver] = 1.0 - sum(
            weights[giver, other] for other in range(num_agents) if other != giver
        )
    return weights


def rewards_after_gifting(
    weights: Array, rewards: Sequence[float], gift_negative_rewards: bool = True
) -> Array:
    """Eq. 2: r_tot^i = sum_j w^{ji} r^j; if penalties are not gifts, they stay with whom they befell."""
    num_agents = len(rewards)
    total = np.zeros(num_agents)
    for giver in range(num_agents):
        for receiver in range(num_agents):
            share = weights[giver, receiver]
            if rewards[giver] < 0 and not gift_negative_rewards:
                share = 1.0 if giver == receiver else 0.0
            total[receiver] += share * rewards[giver]
    return total


def log_softmax(logits: Array) -> Array:
    """Log-probabilities of one row of logits."""
    shifted = logits - max(logits)
    return shifted - np.log(sum(np.exp(value) for value in shifted))


def perspective_terms(
    sr_logits_imagined: Array, co_player_action: int, imagined_obs: Array, own_obs: Array
) -> tuple[float, float]:
    """Eq. 4 for one step and one co-player: cross-entropy of the action, L1 to the own observation."""
    cross_entropy = -log_softmax(sr_logits_imagined)[co_player_action]
    l1 = 0.0
    for imagined, own in zip(imagined_obs.ravel(), own_obs.ravel(), strict=True):
        l1 += abs(imagined - own)
    return float(cross_entropy), l1


def td_error(reward: float, q_taken: float, q_next: float, gamma_sr: float, terminated: bool) -> float:
    """delta of Eq. 5; after a terminal step the target is the reward alone."""
    target = reward if terminated else reward + gamma_sr * q_next
    return target - q_taken


def generalized_advantages(
    rewards: Array,
    values: Array,
    final_values: Array,
    terminated: NDArray[np.bool_],
    truncated: NDArray[np.bool_],
    gamma: float,
    lambda_: float,
) -> tuple[Array, Array]:
    """GAE of one agent in one copy, as the sum of discounted TD errors up to the end of its episode.

    Args:
        rewards: `(T,)`.
        values: `(T + 1,)` of what was seen before each step and after the last; after an episode's end, the
            value of the next episode's first observation.
        final_values: `(T,)`, values of the last observation of an episode that was truncated in step t.
        terminated: `(T,)`.
        truncated: `(T,)`.
        gamma: Discount factor.
        lambda_: Decay of the sum.

    Returns:
        Advantages and value targets, `(T,)` each.
    """
    num_steps = len(rewards)
    deltas = np.zeros(num_steps)
    for t in range(num_steps):
        if terminated[t]:
            next_value = 0.0
        elif truncated[t]:
            next_value = final_values[t]
        else:
            next_value = values[t + 1]
        deltas[t] = rewards[t] + gamma * next_value - values[t]
    advantages = np.zeros(num_steps)
    for t in range(num_steps):
        for later in range(t, num_steps):
            advantages[t] += (gamma * lambda_) ** (later - t) * deltas[later]
            if terminated[later] or truncated[later]:
                break
    return advantages, advantages + values[:num_steps]


def finite_difference(function, point: Array, step: float = 1e-6) -> Array:
    """Central differences of a scalar function, one coordinate after the other."""
    gradient = np.zeros_like(point)
    for index in np.ndindex(point.shape):
        above, below = point.copy(), point.copy()
        above[index] += step
        below[index] -= step
        gradient[index] = (function(above) - function(below)) / (2 * step)
    return gradient


def payoff_table(r: float, s: float, t: float, p: float) -> Array:
    """One player's payoff by (own action, other's action), 0 = cooperate, 1 = defect."""
    return np.array([[r, s], [t, p]])
