"""Actor-critic losses: one row per agent, masked steps without effect, the mixture where it belongs."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from rllib_lase.core.distributions import behaviour_probs, entropy
from rllib_lase.core.policy_loss import masked_mean, normalize_advantages, policy_losses
from tests.core import oracles

AGENTS, SAMPLES, ACTIONS = 3, 6, 4


def batch(seed: int = 0) -> dict[str, Tensor]:
    """Arguments of `policy_losses`, float64."""
    rng = np.random.default_rng(seed)
    return {
        "action_dist_inputs": torch.tensor(rng.normal(size=(AGENTS, SAMPLES, ACTIONS))),
        "vf_preds": torch.tensor(rng.normal(size=(AGENTS, SAMPLES))),
        "actions": torch.tensor(rng.integers(ACTIONS, size=(AGENTS, SAMPLES))),
        "advantages": torch.tensor(rng.normal(size=(AGENTS, SAMPLES))),
        "value_targets": torch.tensor(rng.normal(size=(AGENTS, SAMPLES))),
        "loss_mask": torch.tensor(rng.random((AGENTS, SAMPLES)) < 0.8),
    }


def losses(arguments: dict[str, Tensor], **options: float | Tensor | None) -> dict[str, Tensor]:
    """`policy_losses` with weights 0.5 and 0.01."""
    return policy_losses(**arguments, vf_loss_coeff=0.5, entropy_coeff=0.01, **options)


def old_logp(arguments: dict[str, Tensor], epsilon: float, shift: float = 0.0) -> Tensor:
    """Log-probability of the actions under the behaviour mixture, moved by `shift`."""
    probs = behaviour_probs(arguments["action_dist_inputs"], epsilon)
    return probs.gather(-1, arguments["actions"].unsqueeze(-1)).squeeze(-1).log() - shift


def loss_by_loop(arguments: dict[str, Tensor], agent: int) -> float:
    """A2C's total loss of one agent, sample by sample."""
    values = {name: tensor[agent].numpy() for name, tensor in arguments.items()}
    total, count = 0.0, 0
    for k in range(SAMPLES):
        if not values["loss_mask"][k]:
            continue
        count += 1
        logp = oracles.log_softmax(values["action_dist_inputs"][k])
        total -= logp[values["actions"][k]] * values["advantages"][k]
        total += 0.5 * (values["vf_preds"][k] - values["value_targets"][k]) ** 2
        total -= 0.01 * -sum(math.exp(value) * value for value in logp)
    return total / count


def test_the_a2c_loss_equals_the_loop() -> None:
    arguments = batch()
    found = losses(arguments)["total_loss"]
    expected = [loss_by_loop(arguments, agent) for agent in range(AGENTS)]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_the_a2c_gradient_equals_finite_differences() -> None:
    arguments = batch()
    logits = arguments["action_dist_inputs"].numpy()

    def total(logits: np.ndarray) -> float:
        changed = arguments | {"action_dist_inputs": torch.tensor(logits)}
        return sum(loss_by_loop(changed, agent) for agent in range(AGENTS))

    parameter = torch.tensor(logits, requires_grad=True)
    losses(arguments | {"action_dist_inputs": parameter})["total_loss"].sum().backward()
    np.testing.assert_allclose(parameter.grad, oracles.finite_difference(total, logits), rtol=0, atol=1e-7)


def test_the_a2c_gradient_uses_the_policy_itself_and_not_the_mixture() -> None:
    arguments = batch()
    assert torch.equal(
        losses(arguments, epsilon=0.0)["total_loss"], losses(arguments, epsilon=0.5)["total_loss"]
    )


@pytest.mark.parametrize("epsilon", [0.0, 0.3])
def test_on_fresh_data_the_ratio_of_ppo_is_one_with_the_mixture_on_both_sides(epsilon: float) -> None:
    arguments = batch()
    found = losses(arguments, epsilon=epsilon, old_action_logp=old_logp(arguments, epsilon))["policy_loss"]
    expected = -masked_mean(arguments["advantages"], arguments["loss_mask"])
    torch.testing.assert_close(found, expected)


def test_ppo_clips_the_ratio_only_where_that_lowers_the_objective() -> None:
    arguments = batch()
    arguments["loss_mask"] = torch.ones_like(arguments["loss_mask"])
    ratio = 1.5
    stale = old_logp(arguments, 0.0, shift=math.log(ratio))
    found = losses(arguments, old_action_logp=stale, clip_param=0.2)["policy_loss"]
    advantage = arguments["advantages"]
    expected = -torch.where(advantage > 0, 1.2 * advantage, ratio * advantage).mean(-1)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("with_ppo", [False, True])
def test_masked_steps_have_no_effect_on_losses_and_gradients(with_ppo: bool) -> None:
    arguments = batch()
    hidden = ~arguments["loss_mask"]
    garbage = {name: tensor.clone() for name, tensor in arguments.items()}
    for name in ("action_dist_inputs", "vf_preds", "advantages", "value_targets"):
        garbage[name][hidden] = 1e3
    gradients = []
    for case in (arguments, garbage):
        logits = case["action_dist_inputs"].clone().requires_grad_()
        old = old_logp(arguments, 0.0) if with_ppo else None
        loss = losses(case | {"action_dist_inputs": logits}, old_action_logp=old)["total_loss"]
        loss.sum().backward()
        gradients.append((loss.detach(), logits.grad))
    torch.testing.assert_close(gradients[0][0], gradients[1][0], rtol=0, atol=0)
    assert (gradients[1][1][hidden] == 0).all()
    torch.testing.assert_close(gradients[0][1], gradients[1][1], rtol=0, atol=0)


def test_the_loss_of_one_agent_does_not_depend_on_the_data_of_another() -> None:
    arguments = batch()
    changed = {name: tensor.clone() for name, tensor in arguments.items()}
    for name in ("action_dist_inputs", "vf_preds", "advantages", "value_targets"):
        changed[name][1:] = float("nan")
    before, after = losses(arguments), losses(changed)
    for name in before:
        assert torch.equal(before[name][0], after[name][0]), name


def test_advantages_are_standardised_per_agent_over_its_active_steps() -> None:
    arguments = batch()
    mask = arguments["loss_mask"]
    found = normalize_advantages(arguments["advantages"] * 7 + 3, mask)
    for agent in range(AGENTS):
        row = found[agent][mask[agent]]
        assert row.mean().item() == pytest.approx(0, abs=1e-12)
        assert row.std(unbiased=False).item() == pytest.approx(1)


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
def test_equal_advantages_are_standardised_to_zero_and_not_blown_up(scale: float) -> None:
    found = normalize_advantages(torch.full((1, 7), 0.1) * scale, torch.ones(1, 7, dtype=torch.bool))
    assert found.abs().max() < 1


def test_an_agent_without_any_active_step_has_no_loss() -> None:
    arguments = batch()
    arguments["loss_mask"][1] = False
    found = losses(arguments)
    assert all(found[name][1] == 0 for name in found)


def test_behaviour_probs_are_the_epsilon_mixture() -> None:
    logits = torch.tensor([[2.0, 0.0, -1.0]])
    found = behaviour_probs(logits, 0.3)
    torch.testing.assert_close(found, 0.7 * logits.softmax(-1) + 0.1)
    assert torch.equal(behaviour_probs(logits, 0.0), logits.softmax(-1))
    torch.testing.assert_close(behaviour_probs(logits, 1.0), torch.full((1, 3), 1 / 3))


def test_entropy_is_in_nats() -> None:
    assert entropy(torch.full((4,), 0.25).log()).item() == pytest.approx(math.log(4))
    assert entropy(torch.tensor([60.0, 0.0]).log_softmax(-1)).item() == pytest.approx(0, abs=1e-6)
