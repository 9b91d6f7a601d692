"""Eq. 3: the vectorised relationships against the loop oracle, and what must hold for all inputs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rllib_lase.core.relationships import (
    clip_relationships,
    counterfactual_baseline,
    relationships,
    scaled_relationships,
    smooth_relationships,
)
from tests.core.scenes import MIN_Q_SPREAD, core_weights, random_scenes

DTYPES = [pytest.param(torch.float32, 1e-5, id="float32"), pytest.param(torch.float64, 1e-12, id="float64")]
sizes = st.tuples(st.integers(2, 4), st.integers(1, 4))
seeds = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize(("dtype", "tolerance"), DTYPES)
@pytest.mark.parametrize(("num_agents", "num_actions"), [(2, 2), (2, 7), (3, 4), (4, 7), (5, 3)])
def test_vectorised_weights_equal_the_loop(
    num_agents: int, num_actions: int, dtype: torch.dtype, tolerance: float
) -> None:
    scenes = random_scenes(seed=1, count=40, num_agents=num_agents, num_actions=num_actions, departures=True)
    expected = np.array([scene.weights() for scene in scenes])
    np.testing.assert_allclose(core_weights(scenes, dtype).double(), expected, rtol=0, atol=tolerance)


def test_one_case_by_hand() -> None:
    # Q over j's actions 0, 2, 1; j took the second; expected (0.5 * 0 + 0.25 * 2 + 0.25 * 1) = 0.75; N = 3.
    found = relationships(
        torch.tensor(2.0), torch.tensor([[0.0, 2.0, 1.0]]), torch.tensor([[0.5, 0.25, 0.25]]), 3, MIN_Q_SPREAD
    )
    assert found.item() == pytest.approx((2 - 0.75) / (2 * 2))


def test_a_harmful_action_has_a_negative_relationship_and_earns_no_gift() -> None:
    swaps, probs = torch.tensor([[0.0, 1.0]]), torch.tensor([[0.5, 0.5]])
    relationship = relationships(torch.tensor(0.0), swaps, probs, 2, MIN_Q_SPREAD)
    assert relationship.item() == pytest.approx(-0.5)
    assert clip_relationships(relationship).item() == 0


def test_a_co_player_with_one_action_is_given_nothing() -> None:
    scenes = random_scenes(seed=2, count=5, num_agents=3, num_actions=1)
    assert torch.equal(core_weights(scenes, torch.float32), torch.eye(3).expand(5, 3, 3))


def test_a_perfectly_predicted_co_player_is_given_nothing() -> None:
    found = relationships(
        torch.tensor(1.0), torch.tensor([[0.0, 1.0]]), torch.tensor([[0.0, 1.0]]), 2, MIN_Q_SPREAD
    )
    assert found.item() == 0


def test_the_best_action_against_the_worst_expected_one_earns_everything_a_giver_may_give() -> None:
    found = relationships(
        torch.tensor(1.0), torch.tensor([[-1.0, 1.0]]), torch.tensor([[1.0, 0.0]]), 4, MIN_Q_SPREAD
    )
    assert found.item() == pytest.approx(1 / 3)


@pytest.mark.parametrize("min_q_spread", [0.0, 1e-3])
def test_a_q_that_does_not_depend_on_the_co_player_gives_exactly_zero(min_q_spread: float) -> None:
    swaps = torch.full((5, 2, 4), 0.3)
    found = relationships(torch.full((5,), 0.3), swaps, torch.full((5, 2, 4), 0.25), 3, min_q_spread)
    assert torch.equal(found, torch.zeros(5, 2))


@pytest.mark.parametrize(("spread", "expected"), [(0.9e-3, 0.0), (1.1e-3, 0.5)])
def test_the_threshold_on_the_spread_is_absolute_and_adds_nothing_to_the_normaliser(
    spread: float, expected: float
) -> None:
    swaps = torch.tensor([[0.0, spread]], dtype=torch.float64)
    probs = torch.full((1, 2), 0.5, dtype=torch.float64)
    found = relationships(swaps[0, 1], swaps, probs, 2, 1e-3)
    assert found.item() == pytest.approx(expected, abs=1e-12)


def test_counterfactual_baseline_is_the_expectation_under_the_prediction() -> None:
    found = counterfactual_baseline(torch.tensor([1.0, 2.0, 4.0]), torch.tensor([0.5, 0.25, 0.25]))
    assert found.item() == pytest.approx(2.0)


@given(seeds, sizes)
def test_no_weight_exceeds_its_share_and_rows_are_distributions(seed: int, size: tuple[int, int]) -> None:
    num_agents, num_actions = size
    weights = core_weights(random_scenes(seed, 4, num_agents, num_actions, departures=True), torch.float32)
    off_diagonal = weights[:, ~torch.eye(num_agents, dtype=torch.bool)]
    assert (off_diagonal >= 0).all()
    assert (off_diagonal <= 1 / (num_agents - 1) + 1e-6).all()
    assert (weights >= -1e-6).all()
    torch.testing.assert_close(weights.sum(-1), torch.ones(4, num_agents), rtol=0, atol=1e-6)


@given(seeds, sizes, st.floats(0.1, 10), st.floats(-10, 10))
def test_weights_do_not_change_when_a_q_is_scaled_or_shifted(
    seed: int, size: tuple[int, int], scale: float, shift: float
) -> None:
    scenes = random_scenes(seed, 2, *size)
    changed = [
        type(scene)(
            scene.q_tables * scale + shift,
            scene.joint_action,
            scene.predicted_probs,
            scene.rewards,
            scene.active,
        )
        for scene in scenes
    ]
    torch.testing.assert_close(
        core_weights(changed, torch.float64), core_weights(scenes, torch.float64), rtol=0, atol=1e-9
    )


@given(seeds, sizes)
def test_renaming_the_agents_renames_the_weights(seed: int, size: tuple[int, int]) -> None:
    num_agents, num_actions = size
    (scene,) = random_scenes(seed, 1, num_agents, num_actions, departures=True)
    order = np.random.default_rng(seed).permutation(num_agents)
    weights = core_weights([scene], torch.float64)[0]
    permuted = core_weights([scene.permuted(order)], torch.float64)[0]
    torch.testing.assert_close(permuted, weights[order][:, order], rtol=0, atol=1e-12)


def test_measured_by_the_scale_of_q_an_action_that_hardly_matters_earns_little() -> None:
    joint, swaps, probs = torch.tensor(0.1), torch.tensor([[0.0, 0.1]]), torch.tensor([[0.5, 0.5]])
    assert relationships(joint, swaps, probs, 3, MIN_Q_SPREAD).item() == pytest.approx(0.5 / 2)
    scaled = scaled_relationships(joint, swaps, probs, 3, 2.0, MIN_Q_SPREAD)
    assert scaled.item() == pytest.approx(0.05 / 2 / 2)


def test_measured_by_the_scale_of_q_nobody_is_given_more_than_its_part() -> None:
    joint, swaps, probs = torch.tensor(9.0), torch.tensor([[-9.0, 9.0]]), torch.tensor([[1.0, 0.0]])
    assert scaled_relationships(joint, swaps, probs, 3, 2.0, MIN_Q_SPREAD).item() == pytest.approx(1 / 2)
    for unknown in (0.0, MIN_Q_SPREAD / 2):
        assert scaled_relationships(joint, swaps, probs, 3, unknown, MIN_Q_SPREAD).item() == 0


def test_smoothing_by_hand() -> None:
    w = torch.tensor([0.4, 0.0, 0.8, 0.2]).view(4, 1, 1, 1)
    known = torch.tensor([True, True, False, True]).view(4, 1, 1, 1)
    dones = torch.tensor([False, False, False, True]).view(4, 1)
    fresh = torch.full((1, 1, 1), torch.nan)
    smoothed, carry = smooth_relationships(w, known, dones, fresh, 0.75)
    # 0.4, then 3/4 of it; kept while unknown; then 3/4 * 0.3 + 1/4 * 0.2.
    torch.testing.assert_close(smoothed.flatten(), torch.tensor([0.4, 0.3, 0.3, 0.275]))
    assert carry.isnan().all()
    before, carry = smooth_relationships(w[:1], known[2:3], dones[:1], fresh, 0.75)
    assert before.item() == 0
    assert carry.isnan().all()
