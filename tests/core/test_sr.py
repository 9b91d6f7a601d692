"""Eq. 5: the SR losses; their gradients are delta * grad log pi and delta * grad Q by finite differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rllib_lase.core.sr import sr_actor_loss_eq5, sr_actor_loss_soft_q, sr_critic_loss, sr_td_error
from tests.core import oracles

GAMMA = 0.9


def test_the_td_error_equals_the_loop() -> None:
    rng = np.random.default_rng(0)
    rewards, q_taken, q_next = rng.normal(size=(3, 50))
    terminated = rng.random(50) < 0.3
    expected = [oracles.td_error(rewards[k], q_taken[k], q_next[k], GAMMA, terminated[k]) for k in range(50)]
    found = sr_td_error(
        torch.tensor(rewards), torch.tensor(q_taken), torch.tensor(q_next), torch.tensor(terminated), GAMMA
    )
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_after_a_terminal_step_the_target_is_the_reward_alone() -> None:
    found = sr_td_error(
        torch.tensor(3.0), torch.tensor(1.0), torch.tensor(float("nan")), torch.tensor(True), GAMMA
    )
    assert found.item() == 2.0


def test_critic_gradient_is_delta_times_the_gradient_of_q_and_the_target_stays_fixed() -> None:
    """A linear Q(o, a) = theta . x, whose next value moves with theta too, but not in the gradient."""
    rng = np.random.default_rng(1)
    theta, x, x_next, reward = rng.normal(size=5), rng.normal(size=5), rng.normal(size=5), 0.7
    delta = oracles.td_error(reward, theta @ x, theta @ x_next, GAMMA, terminated=False)
    expected = -delta * oracles.finite_difference(lambda point: point @ x, theta)

    parameter = torch.tensor(theta, requires_grad=True)
    td_error = sr_td_error(
        torch.tensor(reward, dtype=torch.float64),
        parameter @ torch.tensor(x),
        parameter @ torch.tensor(x_next),
        torch.tensor(False),
        GAMMA,
    )
    sr_critic_loss(td_error).backward()
    np.testing.assert_allclose(parameter.grad, expected, rtol=0, atol=1e-8)


@pytest.mark.parametrize("delta", [1.7, -0.4, 0.0])
def test_actor_gradient_is_delta_times_the_gradient_of_log_pi(delta: float) -> None:
    logits = np.random.default_rng(2).normal(size=4)
    expected = -delta * oracles.finite_difference(lambda point: oracles.log_softmax(point)[2], logits)

    parameter = torch.tensor(logits, requires_grad=True)
    delta_tensor = torch.tensor(delta, dtype=torch.float64)
    sr_actor_loss_eq5(parameter, torch.tensor(2), delta_tensor, entropy_coeff=0.0).backward()
    np.testing.assert_allclose(parameter.grad, expected, rtol=0, atol=1e-8)


def test_actor_gradient_with_entropy_equals_finite_differences() -> None:
    rng = np.random.default_rng(3)
    logits, actions, deltas = rng.normal(size=(6, 4)), rng.integers(4, size=6), rng.normal(size=6)

    def loss_by_loop(logits: np.ndarray) -> float:
        total = 0.0
        for row, action, delta in zip(logits, actions, deltas, strict=True):
            logp = oracles.log_softmax(row)
            entropy = -sum(np.exp(value) * value for value in logp)
            total += -delta * logp[action] - 0.05 * entropy
        return total

    parameter = torch.tensor(logits, requires_grad=True)
    sr_actor_loss_eq5(parameter, torch.tensor(actions), torch.tensor(deltas), 0.05).sum().backward()
    expected = oracles.finite_difference(loss_by_loop, logits)
    np.testing.assert_allclose(parameter.grad, expected, rtol=0, atol=1e-8)


def test_the_actor_sends_no_gradient_into_q() -> None:
    logits = torch.zeros(3, requires_grad=True)
    q_taken = torch.tensor(0.5, requires_grad=True)
    td_error = sr_td_error(torch.tensor(1.0), q_taken, torch.tensor(0.0), torch.tensor(False), GAMMA)
    sr_actor_loss_eq5(logits, torch.tensor(0), td_error, 0.0).backward()
    q_own = torch.tensor([0.1, 0.2, 0.3], requires_grad=True)
    sr_actor_loss_soft_q(logits, q_own, 0.2).backward()
    assert q_taken.grad is None
    assert q_own.grad is None


def test_soft_q_is_least_where_the_policy_is_the_softmax_of_q_over_the_temperature() -> None:
    q_own = torch.tensor([0.3, -0.2, 0.1], dtype=torch.float64)
    temperature = 0.2
    best = (q_own / temperature).requires_grad_()
    loss = sr_actor_loss_soft_q(best, q_own, temperature)
    loss.backward()
    # The least value is minus the soft maximum of Q.
    assert loss.item() == pytest.approx(-temperature * torch.logsumexp(q_own / temperature, 0).item())
    np.testing.assert_allclose(best.grad, 0, atol=1e-12)


def test_soft_q_gradient_equals_finite_differences() -> None:
    rng = np.random.default_rng(4)
    logits, q_own = rng.normal(size=5), rng.normal(size=5)

    def loss_by_loop(logits: np.ndarray) -> float:
        total = 0.0
        for logp, q in zip(oracles.log_softmax(logits), q_own, strict=True):
            total -= np.exp(logp) * q - 0.2 * np.exp(logp) * logp
        return total

    parameter = torch.tensor(logits, requires_grad=True)
    sr_actor_loss_soft_q(parameter, torch.tensor(q_own), 0.2).backward()
    expected = oracles.finite_difference(loss_by_loop, logits)
    np.testing.assert_allclose(parameter.grad, expected, rtol=0, atol=1e-8)
