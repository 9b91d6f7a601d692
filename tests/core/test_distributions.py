import numpy as np
import torch
from torch.distributions import Independent, Normal

from rllib_lase.core.distributions import gaussian_draws, gaussian_entropy, gaussian_logp
from rllib_lase.core.policy_loss import policy_losses


def gaussians(*shape, size=3):
    generator = torch.Generator().manual_seed(0)
    mean, log_std = (torch.randn(*shape, size, generator=generator, dtype=torch.float64) for _ in range(2))
    return torch.cat([mean, log_std], -1), Independent(Normal(mean, log_std.exp()), 1)


def test_densities_and_entropies_are_those_of_torch():
    inputs, expected = gaussians(4, 5)
    actions = expected.sample()
    assert torch.allclose(gaussian_logp(inputs, actions), expected.log_prob(actions))
    assert torch.allclose(gaussian_entropy(inputs), expected.entropy())


def test_draws_have_the_mean_and_the_spread_of_their_gaussian_and_are_finite_at_both_ends():
    inputs = torch.tensor([[0.5, np.log(0.2)]], dtype=torch.float32)
    uniform = torch.from_numpy(np.random.default_rng(0).random((20_000, 1), np.float32))
    draws = gaussian_draws(inputs.expand(20_000, 2), uniform)
    assert abs(float(draws.mean()) - 0.5) < 0.005
    assert abs(float(draws.std()) - 0.2) < 0.005
    ends = gaussian_draws(torch.tensor([[0.0, 0.0]] * 2), torch.tensor([[0.0], [1 - 2.0**-24]]))
    assert torch.isfinite(ends).all()
    assert torch.allclose(ends[0], -ends[1])


def test_policy_losses_of_continuous_actions_follow_their_density():
    inputs, expected = gaussians(2, 6)
    actions = expected.sample()
    ones, mask = torch.ones(2, 6, dtype=torch.float64), torch.ones(2, 6, dtype=torch.bool)
    common = {"vf_loss_coeff": 0.5, "entropy_coeff": 0.1}
    losses = policy_losses(inputs, ones, actions, ones, ones, mask, **common)
    assert torch.allclose(losses["policy_loss"], -expected.log_prob(actions).mean(-1))
    assert torch.allclose(losses["entropy"], expected.entropy().mean(-1))
    unchanged = policy_losses(
        inputs, ones, actions, ones, ones, mask, old_action_logp=expected.log_prob(actions), **common
    )
    assert torch.allclose(unchanged["policy_loss"], -torch.ones(2, dtype=torch.float64))
