"""LOLA: exact values, lookahead gradients and DiCE, against sums, cases by hand and differences."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

import mixed_motive
from rllib_lase.core.lola import dice_value, exact_values, lola_gradient

R, S, T, P = 1.0, -0.2, 1.2, 0.0
PAYOFFS = torch.tensor([R, S, T, P], dtype=torch.float64)
SURE = 40.0
ALWAYS_COOPERATE = torch.full((5,), SURE, dtype=torch.float64)
ALWAYS_DEFECT = -ALWAYS_COOPERATE
TIT_FOR_TAT = torch.tensor([SURE, -SURE, SURE, -SURE, SURE], dtype=torch.float64)


def random_logits(seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    first, second = torch.randn(2, 5, generator=generator, dtype=torch.float64)
    return first, second


def values_at(gamma: float) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
    return lambda own, other: exact_values(own, other, PAYOFFS, gamma)


def difference(function: Callable[[Tensor], float], point: Tensor, step: float) -> Tensor:
    """Central differences of a scalar function."""
    slopes = []
    for k in range(len(point)):
        shift = torch.zeros_like(point)
        shift[k] = step
        slopes.append((function(point + shift) - function(point - shift)) / (2 * step))
    return torch.tensor(slopes, dtype=point.dtype)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (ALWAYS_COOPERATE, ALWAYS_COOPERATE, (R / 0.04, R / 0.04)),
        (ALWAYS_DEFECT, ALWAYS_DEFECT, (P / 0.04, P / 0.04)),
        (ALWAYS_COOPERATE, ALWAYS_DEFECT, (S / 0.04, T / 0.04)),
        (TIT_FOR_TAT, TIT_FOR_TAT, (R / 0.04, R / 0.04)),
        (TIT_FOR_TAT, ALWAYS_DEFECT, (S + 0.96 * P / 0.04, T + 0.96 * P / 0.04)),
        (ALWAYS_DEFECT, TIT_FOR_TAT, (T + 0.96 * P / 0.04, S + 0.96 * P / 0.04)),
    ],
    ids=[
        "both cooperate",
        "both defect",
        "exploited",
        "both TFT",
        "TFT meets defector",
        "defector meets TFT",
    ],
)
def test_values_of_pure_strategies_are_those_computed_by_hand(
    first: Tensor, second: Tensor, expected: tuple[float, float]
) -> None:
    found = exact_values(first, second, PAYOFFS, 0.96)
    assert [float(value) for value in found] == pytest.approx(expected, abs=1e-9)


def summed_values(first: Tensor, second: Tensor, gamma: float, steps: int) -> tuple[float, float]:
    """Both values, step by step, with every joint outcome named."""
    names = ("CC", "CD", "DC", "DD", "start")
    own = dict(zip(names, torch.sigmoid(first).tolist(), strict=True))
    other = dict(zip(names, torch.sigmoid(second).tolist(), strict=True))
    payoff = {"CC": R, "CD": S, "DC": T, "DD": P}
    mass = {"start": 1.0}
    totals = [0.0, 0.0]
    for step in range(steps):
        after = dict.fromkeys(payoff, 0.0)
        for outcome, weight in mass.items():
            mirrored = outcome if outcome == "start" else outcome[::-1]
            p, q = own[outcome], other[mirrored]
            for name, probability in (
                ("CC", p * q),
                ("CD", p * (1 - q)),
                ("DC", (1 - p) * q),
                ("DD", (1 - p) * (1 - q)),
            ):
                after[name] += weight * probability
                totals[0] += gamma**step * weight * probability * payoff[name]
                totals[1] += gamma**step * weight * probability * payoff[name[::-1]]
        mass = after
    return totals[0], totals[1]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("gamma", [0.0, 0.5, 0.9])
def test_the_closed_form_is_the_sum_over_all_steps(seed: int, gamma: float) -> None:
    first, second = random_logits(seed)
    found = exact_values(first, second, PAYOFFS, gamma)
    assert [float(value) for value in found] == pytest.approx(summed_values(first, second, gamma, 400))


def test_the_closed_form_is_what_the_game_pays() -> None:
    first = torch.tensor([1.0, -2.0, 2.0, -1.0, 0.0], dtype=torch.float64)
    second = torch.tensor([2.0, -2.0, 1.0, 0.5, -1.0], dtype=torch.float64)
    gamma, copies = 0.8, 4000
    game = mixed_motive.make("ipd", num_envs=copies)
    probabilities = torch.sigmoid(torch.stack([first, second])).numpy()
    rng = np.random.default_rng(0)
    obs = game.reset(seed=0)
    returns: NDArray[np.float64] = np.zeros((copies, 2))
    for step in range(60):
        cooperate = np.einsum("bns,ns->bn", obs, probabilities)
        outcome = game.step((rng.random((copies, 2)) >= cooperate).astype(np.int64))
        returns += gamma**step * outcome.rewards
        obs = outcome.obs
    error = returns.std(0) / np.sqrt(copies)
    expected = [float(value) for value in exact_values(first, second, PAYOFFS, gamma)]
    assert (np.abs(returns.mean(0) - expected) < 4 * error).all()
    wrong_side = [float(value) for value in exact_values(first, second[[0, 2, 1, 3, 4]], PAYOFFS, gamma)]
    assert (np.abs(np.subtract(wrong_side, expected)) > 8 * error).all(), "a mixed-up side would not show"


@pytest.mark.parametrize("steps", [1, 2])
def test_the_lookahead_gradient_is_the_slope_of_the_value_after_the_co_players_steps(steps: int) -> None:
    first, second = random_logits(3)
    gamma, size = 0.9, 0.7

    def after_lookahead(own: Tensor) -> float:
        other = second
        for _ in range(steps):
            slope = difference(
                lambda theirs: float(exact_values(own, theirs, PAYOFFS, gamma)[1]), other, 1e-4
            )
            other = other + size * slope
        return float(exact_values(own, other, PAYOFFS, gamma)[0])

    found = lola_gradient(values_at(gamma), first, second, size, steps)
    assert torch.allclose(found, difference(after_lookahead, first, 1e-4), atol=1e-5)
    naive = lola_gradient(values_at(gamma), first, second, 0.0, steps)
    assert (found - naive).norm() > 0.1 * naive.norm(), "the lookahead would not have been tested"


def test_without_a_lookahead_the_gradient_is_the_naive_one() -> None:
    first, second = random_logits(5)
    own = first.clone().requires_grad_()
    naive = torch.autograd.grad(exact_values(own, second, PAYOFFS, 0.9)[0], own)[0]
    assert torch.equal(lola_gradient(values_at(0.9), first, second, 0.0, 1), naive)


def test_in_the_one_shot_game_the_first_order_terms_are_those_derived_by_hand() -> None:
    first, second = random_logits(7)
    p, q = (float(torch.sigmoid(logits[4])) for logits in (first, second))
    slope_p, slope_q = p * (1 - p), q * (1 - q)
    mixed = slope_p * slope_q * (R - S - T + P)
    their_step = slope_q * (p * (R - T) + (1 - p) * (S - P))
    mine_by_theirs = slope_q * (p * (R - S) + (1 - p) * (T - P))
    naive = slope_p * (q * (R - T) + (1 - q) * (S - P))
    assert float(lola_gradient(values_at(0.0), first, second, 0.0, 1)[4]) == pytest.approx(naive)
    size = 1e-5
    found = lola_gradient(values_at(0.0), first, second, size, 1)
    # d V1 / d theta2 * d2 V2 / d theta1 d theta2 is the paper's term; the other follows the co-player's step.
    expected = mine_by_theirs * mixed + mixed * their_step
    assert (float(found[4]) - naive) / size == pytest.approx(expected, rel=1e-3)
    assert torch.equal(found[:4], torch.zeros(4, dtype=torch.float64)), "later states do not exist"


def test_the_papers_term_alone_is_left_where_the_players_do_not_interact_in_my_value() -> None:
    first, second = random_logits(9)
    p, q = (float(torch.sigmoid(logits[4])) for logits in (first, second))

    def values(own: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
        mine, theirs = torch.sigmoid(own[4]), torch.sigmoid(other[4])
        return 2 * theirs - 0.5 * mine, 3 * mine * theirs

    size = 1e-5
    found = float(lola_gradient(values, first, second, size, 1)[4])
    paper = 2 * q * (1 - q) * 3 * p * (1 - p) * q * (1 - q)
    assert (found + 0.5 * p * (1 - p)) / size == pytest.approx(paper, rel=1e-3)


# --- DiCE ---------------------------------------------------------------------------------------------------

STEPS, GAMMA = 2, 0.7
BASELINE = torch.tensor([0.4, -1.0, 2.0, 0.3, 5.0], dtype=torch.float64)


def all_episodes() -> list[tuple[Tensor, Tensor, Tensor]]:
    """Every episode: states `(2, T)` from each side, actions `(2, T)`, the first player's rewards."""
    found = []
    for actions in itertools.product((0, 1), repeat=2 * STEPS):
        own, other = actions[:STEPS], actions[STEPS:]
        outcomes = [2 * a + b for a, b in zip(own, other, strict=True)]
        mirrored = [2 * b + a for a, b in zip(own, other, strict=True)]
        states = torch.tensor([[4, *outcomes[:-1]], [4, *mirrored[:-1]]])
        found.append((states, torch.tensor([own, other]), PAYOFFS[outcomes]))
    return found


def log_probability(first: Tensor, second: Tensor, states: Tensor, actions: Tensor) -> Tensor:
    """Of both players' actions, per step `(T,)`."""
    logits = torch.stack([first[states[0]], second[states[1]]])
    signed = torch.where(actions == 0, logits, -logits)
    return torch.nn.functional.logsigmoid(signed).sum(0)


def returns_to_go(rewards: Tensor) -> Tensor:
    return torch.stack([rewards[0] + GAMMA * rewards[1], rewards[1]])


def true_value(first: Tensor, second: Tensor) -> Tensor:
    """Expected discounted reward of the first player, by enumeration."""
    terms = [
        log_probability(first, second, states, actions).sum().exp() * returns_to_go(rewards)[0]
        for states, actions, rewards in all_episodes()
    ]
    return torch.stack(terms).sum()


def expected_dice(first: Tensor, second: Tensor, sampled_by: tuple[Tensor, Tensor]) -> Tensor:
    """Expectation of `dice_value`, over episodes that `sampled_by` play."""
    terms = []
    for states, actions, rewards in all_episodes():
        old = log_probability(*sampled_by, states, actions)
        ratios = log_probability(first, second, states, actions) - old
        advantages = returns_to_go(rewards) - BASELINE[states[0]]
        starts = torch.tensor([True, False])
        dice = dice_value(ratios.unsqueeze(-1), advantages.unsqueeze(-1), starts.unsqueeze(-1), GAMMA)
        terms.append(old.sum().exp() * dice)
    return torch.stack(terms).sum()


def test_dice_is_the_value_but_for_a_constant_wherever_the_policies_move() -> None:
    played = random_logits(1)
    base = true_value(*played)
    for seed in (2, 3):
        moved = random_logits(seed)
        found = expected_dice(*moved, sampled_by=played)
        assert float(found) == pytest.approx(float(true_value(*moved) - base))


def test_dice_has_the_first_and_second_derivatives_of_the_value() -> None:
    played = random_logits(1)
    joint = torch.cat(played)

    def value(both: Tensor) -> Tensor:
        return true_value(both[:5], both[5:])

    def dice(both: Tensor) -> Tensor:
        return expected_dice(both[:5], both[5:], sampled_by=played)

    derivatives = torch.func.grad(value)(joint), torch.autograd.functional.hessian(value, joint)
    estimates = torch.func.grad(dice)(joint), torch.autograd.functional.hessian(dice, joint)
    assert derivatives[1][:5, 5:].abs().max() > 1e-3, "players must interact"
    for expected, found in zip(derivatives, estimates, strict=True):
        assert torch.allclose(found, expected, atol=1e-12)


def test_episodes_in_one_fragment_are_episodes_side_by_side() -> None:
    generator = torch.Generator().manual_seed(0)
    ratios, advantages = torch.randn(2, 6, 3, generator=generator, dtype=torch.float64)
    starts = torch.zeros(6, 3, dtype=torch.bool)
    starts[[0, 4]] = True
    joined = dice_value(ratios, advantages, starts, GAMMA)
    parts = [dice_value(ratios[a:b], advantages[a:b], starts[a:b], GAMMA) for a, b in ((0, 4), (4, 6))]
    assert float(joined) == pytest.approx(float(sum(parts)) / 2)
