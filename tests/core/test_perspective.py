"""Eq. 4: the conversion network's loss and its gradient against loops and finite differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rllib_lase.core.perspective import perspective_loss
from tests.core import oracles

NUM_ACTIONS, OBS_SHAPE = 4, (2, 3)


def random_pairs(seed: int, batch: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Logits, co-players' actions, imagined and own observations of a batch of (step, co-player) pairs."""
    rng = np.random.default_rng(seed)
    return (
        rng.normal(0, 3, (*batch, NUM_ACTIONS)),
        rng.integers(NUM_ACTIONS, size=batch),
        rng.random((*batch, *OBS_SHAPE)),
        rng.integers(2, size=(*batch, *OBS_SHAPE)).astype(np.float64),
    )


@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [pytest.param(torch.float32, 1e-5, id="float32"), pytest.param(torch.float64, 1e-12, id="float64")],
)
@pytest.mark.parametrize("delta", [0.0, 0.1, 1.0])
def test_vectorised_loss_equals_the_loop(delta: float, dtype: torch.dtype, tolerance: float) -> None:
    logits, actions, imagined, own = random_pairs(0, batch=(5, 3))
    expected = np.zeros((5, 3))
    for index in np.ndindex(5, 3):
        cross_entropy, l1 = oracles.perspective_terms(
            logits[index], actions[index], imagined[index], own[index]
        )
        expected[index] = (1 - delta) * cross_entropy + delta * l1
    found = perspective_loss(
        torch.as_tensor(logits, dtype=dtype),
        torch.as_tensor(actions),
        torch.as_tensor(imagined, dtype=dtype),
        torch.as_tensor(own, dtype=dtype),
        delta,
    )
    np.testing.assert_allclose(found.double(), expected, rtol=tolerance, atol=tolerance)


def test_the_cross_entropy_takes_logits_and_not_probabilities() -> None:
    logits = torch.tensor([[20.0, 0.0]])
    obs = torch.zeros(1, 1)
    right = perspective_loss(logits, torch.tensor([0]), obs, obs, 0.0)
    wrong = perspective_loss(logits, torch.tensor([1]), obs, obs, 0.0)
    # With probabilities taken for logits, the loss would stay between log(1 + 1/e) = 0.31 and 1.31.
    assert right.item() == pytest.approx(0.0, abs=1e-6)
    assert wrong.item() == pytest.approx(20.0, abs=1e-5)


def test_the_distance_is_the_sum_over_the_observation() -> None:
    imagined, own = torch.full((1, *OBS_SHAPE), 0.25), torch.ones(1, *OBS_SHAPE)
    found = perspective_loss(torch.zeros(1, NUM_ACTIONS), torch.tensor([0]), imagined, own, 1.0)
    assert found.item() == pytest.approx(0.75 * 6)


def test_gradient_with_respect_to_the_conversion_network_equals_finite_differences() -> None:
    """A one-layer conversion network eta with a sigmoid, in front of a fixed linear SR policy."""
    rng = np.random.default_rng(1)
    own = rng.integers(2, size=(3, 6)).astype(np.float64)
    actions = rng.integers(NUM_ACTIONS, size=3)
    eta = rng.normal(size=(6, 6))
    sr_policy = rng.normal(size=(NUM_ACTIONS, 6))

    def loss_by_loop(eta: np.ndarray) -> float:
        total = 0.0
        for step in range(3):
            imagined = 1 / (1 + np.exp(-eta @ own[step]))
            cross_entropy, l1 = oracles.perspective_terms(
                sr_policy @ imagined, actions[step], imagined, own[step]
            )
            total += 0.9 * cross_entropy + 0.1 * l1
        return total

    eta_tensor = torch.tensor(eta, requires_grad=True)
    imagined = torch.sigmoid(torch.tensor(own) @ eta_tensor.T)
    logits = imagined @ torch.tensor(sr_policy).T
    perspective_loss(logits, torch.tensor(actions), imagined, torch.tensor(own), 0.1).sum().backward()
    expected = oracles.finite_difference(loss_by_loop, eta)
    np.testing.assert_allclose(eta_tensor.grad, expected, rtol=0, atol=1e-7)
