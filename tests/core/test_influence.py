"""Social influence against numbers computed by hand, and against mutual information computed by loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from rllib_lase.core.influence import causal_influence, moa_loss


def influence_of(
    predictions: list[list[float]], policy: list[float], action: int, dtype: torch.dtype = torch.float64
) -> float:
    """Influence on one co-player, of its next actions' probabilities after each own action."""
    next_logp = torch.tensor(predictions, dtype=dtype).log()[None, :, None, :]
    own_logp = torch.tensor([policy], dtype=dtype).log()
    return causal_influence(next_logp, own_logp, torch.tensor([action])).item()


def test_influence_is_the_divergence_computed_by_hand() -> None:
    # Averaged prediction: 0.25 * [0.8, 0.2] + 0.75 * [0.4, 0.6] = [0.5, 0.5].
    predictions, policy = [[0.8, 0.2], [0.4, 0.6]], [0.25, 0.75]
    first = 0.8 * math.log(1.6) + 0.2 * math.log(0.4)
    second = 0.4 * math.log(0.8) + 0.6 * math.log(1.2)
    assert influence_of(predictions, policy, 0) == pytest.approx(first, abs=1e-12)
    assert influence_of(predictions, policy, 1) == pytest.approx(second, abs=1e-12)
    assert first == pytest.approx(0.192745, abs=1e-6)
    assert second == pytest.approx(0.020136, abs=1e-6)


def test_predictions_that_do_not_depend_on_the_own_action_give_none() -> None:
    for action in (0, 1):
        assert influence_of([[0.3, 0.7], [0.3, 0.7]], [0.1, 0.9], action) == pytest.approx(0, abs=1e-12)


def test_a_co_player_that_repeats_the_own_action_is_influenced_by_the_surprise_of_that_action() -> None:
    repeats = [[1.0, 0.0], [0.0, 1.0]]
    assert influence_of(repeats, [0.5, 0.5], 0) == pytest.approx(math.log(2), abs=1e-12)
    assert influence_of(repeats, [0.1, 0.9], 0) == pytest.approx(math.log(10), abs=1e-12)
    assert influence_of(repeats, [0.1, 0.9], 1) == pytest.approx(-math.log(0.9), abs=1e-12)


def test_an_own_action_that_is_never_taken_does_not_matter() -> None:
    pair = influence_of([[0.8, 0.2], [0.4, 0.6]], [0.25, 0.75], 0)
    with_third = influence_of([[0.8, 0.2], [0.4, 0.6], [1.0, 0.0]], [0.25, 0.75, 0.0], 0)
    assert with_third == pytest.approx(pair, abs=1e-12)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_averaged_over_the_own_policy_influence_is_mutual_information(
    dtype: torch.dtype, tolerance: float
) -> None:
    rng = np.random.default_rng(0)
    steps, own, others, following = 6, 4, 2, 3
    predictions = rng.dirichlet(np.ones(following), (steps, own, others))
    policy = rng.dirichlet(np.ones(own), steps)
    expected = np.zeros((steps, others))
    for m in range(steps):
        for j in range(others):
            averaged = policy[m] @ predictions[m, :, j]
            for a in range(own):
                for b in range(following):
                    joint = policy[m, a] * predictions[m, a, j, b]
                    expected[m, j] += joint * math.log(joint / (policy[m, a] * averaged[b]))
    next_logp = torch.as_tensor(predictions, dtype=dtype).log()
    own_logp = torch.as_tensor(policy, dtype=dtype).log()
    found = sum(
        own_logp[:, a, None].exp() * causal_influence(next_logp, own_logp, torch.full((steps,), a))
        for a in range(own)
    )
    assert isinstance(found, torch.Tensor)
    assert np.allclose(found.numpy(), expected, atol=tolerance)
    assert expected.min() > 0.01


def test_only_predictions_that_count_are_learnt() -> None:
    logits = torch.zeros(2, 2, 4)
    logits[0, 0, 3] = math.log(3)  # 3 of 6
    logits[1, 1] = torch.nan
    actions = torch.tensor([[3, 0], [1, 2]])
    counted = torch.tensor([[True, True], [False, False]])
    assert moa_loss(logits, actions, counted).item() == pytest.approx((math.log(2) + math.log(4)) / 2)
    assert moa_loss(logits, actions, torch.zeros(2, 2, dtype=torch.bool)).item() == 0
