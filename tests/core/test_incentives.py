"""What an incentive does to advantages and to the recipient's next policy, against loops and by hand."""

from __future__ import annotations

import numpy as np
import torch

from rllib_lase.core.incentives import incentive_advantages, policy_gradient_step
from rllib_lase.core.returns import generalized_advantages


def test_incentives_add_to_advantages_what_they_add_to_the_rewards() -> None:
    rng = np.random.default_rng(0)
    steps, copies = 6, 3
    rewards, incentives, final = torch.tensor(rng.normal(size=(3, steps, copies)))
    values = torch.tensor(rng.normal(size=(steps + 1, copies)))
    ends = torch.tensor(rng.random((2, steps, copies)) < 0.3)
    terminateds, truncateds = ends[0], ends[1] & ~ends[0]
    assert (terminateds.any(), truncateds.any()) == (True, True)
    rest = (values, final, terminateds, truncateds, 0.9, 0.8)
    with_them = generalized_advantages(rewards + incentives, *rest)
    without = generalized_advantages(rewards, *rest)
    found = incentive_advantages(incentives, terminateds, truncateds, 0.9, 0.8)
    torch.testing.assert_close(found, with_them - without)
    assert found.abs().sum() > 0


def test_an_incentive_counts_for_the_steps_before_it_and_not_beyond_an_end() -> None:
    incentives = torch.zeros(5, 1)
    incentives[3] = 1.0
    ends = torch.zeros(5, 1, dtype=torch.bool)
    ends[0] = True
    found = incentive_advantages(incentives, ends, torch.zeros_like(ends), 0.5, 1.0)
    assert found.flatten().tolist() == [0.0, 0.25, 0.5, 1.0, 0.0]


def test_the_step_follows_the_policy_gradient_and_leaves_other_parameters_alone() -> None:
    theta = torch.tensor([0.3, -0.2], requires_grad=True)
    unused = torch.tensor(5.0, requires_grad=True)
    advantages = torch.tensor([2.0, -1.0, 70.0], requires_grad=True)
    logp = theta.log_softmax(-1)[torch.tensor([0, 1, 1])]
    mask = torch.tensor([True, True, False])
    stepped = policy_gradient_step({"theta": theta, "unused": unused}, logp, advantages, mask, 0.5)
    probs = theta.detach().softmax(-1)
    scores = torch.eye(2)[[0, 1]] - probs
    expected = theta.detach() + 0.5 * (2.0 * scores[0] - 1.0 * scores[1]) / 2
    torch.testing.assert_close(stepped["theta"].detach(), expected)
    assert stepped["unused"].item() == 5.0
    by_advantage = torch.autograd.grad(stepped["theta"][0], advantages)[0]
    torch.testing.assert_close(by_advantage, torch.tensor([0.25 * scores[0, 0], 0.25 * scores[1, 0], 0.0]))
