"""Section 4.3 of the paper: one-shot games with exact predictions, whose weights and ends are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from rllib_lase.core.gifting import gift_weights, rewards_after_gifting
from rllib_lase.core.relationships import clip_relationships, relationships
from tests.core import oracles

COOPERATE, DEFECT = 0, 1
Payoffs = tuple[float, float, float, float]
#: [R, S, T, P] of the paper's iterated prisoner's dilemma.
IPD: Payoffs = (1.0, -0.2, 1.2, 0.0)
#: The paper's step alpha / (1 - gamma).
STEP_SIZE = 1e-3 / (1 - 0.99)

payoff_games = st.tuples(
    st.just(1.0), st.floats(-1, 0.9), st.floats(0.1, 2), st.just(0.0)
)  # R > S and T > P, as on the paper's plane
cooperation = st.tuples(st.floats(0, 1), st.floats(0, 1))


def gift_weights_of(payoffs: Payoffs, cooperation: Tensor) -> Tensor:
    """W at every joint action when Q is the one-shot payoff and each predicts the other exactly.

    Args:
        payoffs: R, S, T, P.
        cooperation: `(M, 2)`, probability of cooperating of both agents.

    Returns:
        `(M, 2, 2, 2, 2)`: action of agent 0, action of agent 1, giver, receiver.
    """
    payoff = torch.as_tensor(oracles.payoff_table(*payoffs))
    probs = torch.stack([cooperation, 1 - cooperation], -1)
    fractions = torch.zeros(len(cooperation), 2, 2, 2, 2, dtype=torch.float64)
    for giver, receiver in ((0, 1), (1, 0)):
        relationship = relationships(
            payoff,
            payoff[:, None, None, :].expand(2, 2, 1, 2),
            probs[:, None, None, receiver, None],
            num_agents=2,
            min_q_spread=1e-3,
        )
        share = clip_relationships(relationship).squeeze(-1)  # by own action, other's action
        fractions[..., giver, receiver] = share if giver == 0 else share.transpose(-1, -2)
    return gift_weights(fractions, torch.ones(2, dtype=torch.bool))


def policy_gradient(payoffs: Payoffs, cooperation: Tensor) -> Tensor:
    """Gradient of each agent's expected reward after gifting in its own cooperation probability, `(M, 2)`.

    The weights are what they are at this step: nobody differentiates through them.
    """
    payoff = torch.as_tensor(oracles.payoff_table(*payoffs))
    rewards = torch.stack([payoff, payoff.T], -1)
    total = rewards_after_gifting(rewards, gift_weights_of(payoffs, cooperation))
    other_0 = torch.stack([cooperation[:, 1], 1 - cooperation[:, 1]], -1)
    other_1 = torch.stack([cooperation[:, 0], 1 - cooperation[:, 0]], -1)
    gain_0 = total[:, COOPERATE, :, 0] - total[:, DEFECT, :, 0]
    gain_1 = total[:, :, COOPERATE, 1] - total[:, :, DEFECT, 1]
    return torch.stack([(gain_0 * other_0).sum(-1), (gain_1 * other_1).sum(-1)], -1)


def simulate(payoffs: Payoffs, start: Tensor, steps: int = 1000) -> Tensor:
    """Where the learning rule ends, from `(M, 2)` starting probabilities."""
    cooperation = start.double()
    for _ in range(steps):
        cooperation = (cooperation + STEP_SIZE * policy_gradient(payoffs, cooperation)).clamp(0, 1)
    return cooperation


def random_starts(count: int) -> Tensor:
    """Pairs of probabilities strictly inside (0, 1)."""
    return torch.rand(count, 2, generator=torch.Generator().manual_seed(0)) * 0.98 + 0.01


@given(payoff_games, cooperation)
def test_weights_are_the_surprise_at_cooperation_and_zero_at_defection(
    payoffs: Payoffs, cooperation: tuple[float, float]
) -> None:
    first, second = cooperation
    weights = gift_weights_of(payoffs, torch.tensor([cooperation], dtype=torch.float64))[0]
    for own in (COOPERATE, DEFECT):
        assert weights[own, COOPERATE, 0, 1].item() == pytest.approx(1 - second, abs=1e-9)
        assert weights[own, DEFECT, 0, 1].item() == pytest.approx(0, abs=1e-9)
        assert weights[COOPERATE, own, 1, 0].item() == pytest.approx(1 - first, abs=1e-9)
        assert weights[DEFECT, own, 1, 0].item() == pytest.approx(0, abs=1e-9)


@given(payoff_games, cooperation)
def test_the_learning_rule_is_the_one_derived_in_the_paper(
    payoffs: Payoffs, cooperation: tuple[float, float]
) -> None:
    r, s, t, p = payoffs

    def derived(own: float, other: float) -> float:
        gain_at_c = other * r + (1 - own) * r - other * t
        gain_at_d = s + (1 - own) * t - p
        return gain_at_c * other + gain_at_d * (1 - other)

    first, second = cooperation
    found = policy_gradient(payoffs, torch.tensor([cooperation], dtype=torch.float64))[0]
    expected = [derived(first, second), derived(second, first)]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)


def test_both_agents_reach_the_fixed_point_of_the_prisoners_dilemma_from_random_starts() -> None:
    r, s, t, p = IPD
    fixed_point = (s + t - p) / (2 * t + s - p - r)
    assert fixed_point == pytest.approx(0.8333, abs=1e-4)
    ends = simulate(IPD, random_starts(50))
    torch.testing.assert_close(ends, torch.full_like(ends, fixed_point), rtol=0, atol=1e-6)


def test_without_gifts_both_agents_of_the_prisoners_dilemma_would_defect() -> None:
    payoff = oracles.payoff_table(*IPD)
    assert (payoff[COOPERATE] < payoff[DEFECT]).all()


def test_where_harmony_pays_both_agents_cooperate() -> None:
    ends = simulate((1.0, 0.5, 0.5, 0.0), random_starts(50))
    torch.testing.assert_close(ends, torch.ones_like(ends), rtol=0, atol=1e-9)


def test_in_most_of_the_snowdrift_quadrant_one_agent_cooperates_more() -> None:
    ends = simulate((1.0, 0.5, 1.5, 0.0), random_starts(50)).sort(-1).values
    torch.testing.assert_close(ends, torch.tensor([[0.5, 1.0]]).double().expand(50, 2), rtol=0, atol=1e-6)


def test_a_hard_stag_hunt_has_two_ends_and_the_start_decides() -> None:
    """The paper calls this region pure cooperation; where S + T < P, low starts end in full defection."""
    game = (1.0, -0.9, 0.1, 0.0)
    starts = torch.tensor([[0.05, 0.05], [0.9, 0.9]])
    assert simulate(game, starts).tolist() == [[0.0, 0.0], [1.0, 1.0]]
