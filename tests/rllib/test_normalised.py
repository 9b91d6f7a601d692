from __future__ import annotations

from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from rllib_lase.networks import ConversionNet
from rllib_lase.observations import in_unit_range, one_hot_groups
from rllib_lase.rllib.game_env import make_joint_env
from rllib_lase.rllib.multi_agent_copies import MultiAgentEnvCopies
from rllib_lase.rllib.normalised import NormalisedObservations, with_normalised_observations
from rllib_lase.rllib.obs_encoding import make_encoder
from rllib_lase.rllib.obs_view import ObsView
from tests.rllib.line_env import AGENTS, Line


def test_numbers_with_bounds_become_shares_of_their_range_and_others_stay():
    view = ObsView(
        spaces.Box(np.float32([-2, 0, -np.inf, -3e38]), np.float32([2, 10, 5, 3e38]), dtype=np.float32)
    )
    found = view(np.array([[1, 5, -7, 8], [-2, 10, 3, -9]], np.float32))
    np.testing.assert_array_equal(found, [[0.75, 0.5, -7, 8], [0, 1, 3, -9]])
    assert found.dtype == np.float32
    assert in_unit_range(view.space).tolist() == [True, True, False, False]
    assert view.space.contains(found[0])


def test_bytes_are_shares_of_255():
    view = ObsView(spaces.Box(0, 255, (3,), np.uint8))
    np.testing.assert_allclose(view(np.array([[0, 51, 255]], np.uint8)), [[0, 0.2, 1]], atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "shown"),
    [
        ((7, 7, 3), (3, 7, 7)),
        ((88, 40, 3), (3, 16, 16)),
        ((3, 88, 12), (3, 88, 12)),
        ((3, 88, 40), (3, 16, 16)),
        ((64, 84), (1, 16, 16)),
        ((5, 7), (5, 7)),
        ((8, 5, 5), (8, 5, 5)),
    ],
)
def test_images_show_few_cells_with_the_channels_first(shape, shown):
    view = ObsView(spaces.Box(0, 255, shape, np.uint8))
    assert view.space.shape == shown
    pixels = np.random.default_rng(0).integers(0, 256, (2, *shape)).astype(np.uint8)
    found = view(pixels)
    assert found.shape == (2, *shown)
    assert view.space.contains(found[0])


def test_pixels_are_averaged_over_blocks_without_leaving_any_out():
    pixels = np.zeros((1, 33, 16, 1), np.uint8)
    pixels[0, 30:, 4] = 255  # the last of 16 blocks over 33 rows holds rows 30 to 32
    pixels[0, 0, 5] = 255
    found = ObsView(spaces.Box(0, 255, (33, 16, 1), np.uint8))(pixels)[0, 0]
    assert found[15, 4] == 1
    assert found[0, 5] == 0.5
    assert found.sum() == pytest.approx(1.5)


def test_one_hot_codes_are_known_wherever_they_stand_in_the_observation():
    space = spaces.Dict(
        {
            "a": spaces.Box(-1, 1, (2,), np.float32),
            "b": spaces.Tuple((spaces.Discrete(3), spaces.MultiBinary(2))),
            "c": spaces.MultiDiscrete([2, 4]),
        }
    )
    encoded = make_encoder(space).encoded
    assert one_hot_groups(encoded) == ((2, 5), (7, 9), (9, 13))
    flat = spaces.flatten(space, {"a": np.zeros(2, np.float32), "b": (1, [1, 1]), "c": np.array([1, 3])})
    for begin, end in one_hot_groups(encoded):
        assert flat[begin:end].sum() == 1
    assert one_hot_groups(ObsView(encoded).space) == ((2, 5), (7, 9), (9, 13))
    assert one_hot_groups(make_encoder(spaces.Box(0, 1, (2,))).encoded) == ()


def test_imagined_observations_lie_where_real_ones_do():
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    net = ConversionNet((6,), 3, 16, np.array([True, True, True, True, False, False]), None, ((0, 3),))
    with torch.no_grad():
        net.out.bias.copy_(torch.tensor([1.0, 2.0, 3.0, -40.0, 40.0, -40.0]))
    imagined = net.imagine(net.own_part(torch.randn(50, 6)), torch.zeros(50, dtype=torch.int64)).detach()
    assert torch.allclose(imagined[:, :3].sum(1), torch.ones(50))
    assert (imagined[:, :3] > 0).all()
    assert (imagined[:, 3] < 1e-6).all()
    assert (imagined[:, 3] >= 0).all()
    assert (imagined[:, 4] > 30).all()
    assert (imagined[:, 5] < -30).all()


def started(**config: Any) -> tuple[NormalisedObservations, list[np.ndarray]]:
    env = NormalisedObservations(MultiAgentEnvCopies(Line, config, 2, 0, "Line"))
    obs = [np.full_like(final, 7) for final in env.final_obs]
    env.reset(0, obs)
    return env, obs


def test_the_copies_show_shares_and_final_observations_too():
    env, obs = started(horizon=3)
    np.testing.assert_array_equal(obs[0][:, :, 0], 0.5)
    for _ in range(3):
        step = env.step(np.ones((3, 2), np.int64), obs)
    assert step.dones.all()
    np.testing.assert_allclose(env.final_obs[0][:, :, :2], 103 / 200)
    np.testing.assert_array_equal(obs[0][:, :, 0], 0.5)
    assert env.observation_spaces["cook"].contains(obs[0][0, 0])


def test_agents_that_have_left_see_zeros_though_zero_is_not_the_lowest():
    env, obs = started(horizon=9, leave={"cook": (2, "terminated"), "walker_2": (2, "truncated")})
    for _ in range(2):
        env.step(np.ones((3, 2), np.int64), obs)
    cook, walker = AGENTS.index("cook"), AGENTS.index("walker_2")
    assert (obs[0][cook] == 0).all()
    assert (obs[0][walker, :, 0] == np.float32(102 / 200)).all(), "its last one, to bootstrap from"
    env.step(np.ones((3, 2), np.int64), obs)
    assert (obs[0][walker] == 0).all()
    for _ in range(6):
        step = env.step(np.ones((3, 2), np.int64), obs)
    assert step.dones.all()
    assert (env.final_obs[0][[cook, walker]] == 0).all()
    assert (obs[0][:, :, 0] == 0.5).all()


def test_games_of_our_own_stay_as_they_are():
    game = make_joint_env("cleanup", {}, 2)
    assert with_normalised_observations(game) is game
    assert isinstance(game.observation_spaces, MappingProxyType)
