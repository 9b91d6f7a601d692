import numpy as np
import pytest
import torch

from rllib_lase.networks import ConversionNet, Encoder, PolicyNet, SRNet
from rllib_lase.rllib.acting import GroupActor


@pytest.mark.parametrize("obs_shape", [(7, 5, 5), (6, 7, 9), (5,), (7, 3, 3)])
def test_sweep_over_swapped_actions_equals_running_the_whole_network_again(obs_shape):
    torch.manual_seed(0)
    agents, actions, batch = 4, 6, 9
    net = SRNet(obs_shape, (actions,) * agents, own=1, hidden_size=32).double()
    obs = torch.rand(batch, *obs_shape, dtype=torch.float64)
    joint = torch.randint(actions, (batch, agents))
    others = torch.tensor([0, 2, 3])
    q_joint, q_swaps = net.q_swaps(net.encoder(obs), joint, others)
    assert torch.allclose(q_joint, net.q_joint(net.encoder(obs), joint), atol=1e-12)
    for column, agent in enumerate(others.tolist()):
        for action in range(actions):
            swapped = joint.clone()
            swapped[:, agent] = action
            again = net.q_joint(net.encoder(obs), swapped)
            assert torch.allclose(q_swaps[:, column, action], again, atol=1e-12)


def test_encoder_runs_once_per_observation_whatever_the_number_of_counterfactuals():
    net = SRNet((7, 5, 5), (7,) * 4, own=0, hidden_size=16)
    calls = []
    net.encoder.register_forward_hook(lambda *_: calls.append(1))
    net.q_swaps(
        net.encoder(torch.rand(3, 7, 5, 5)), torch.zeros(3, 4, dtype=torch.long), torch.tensor([1, 2, 3])
    )
    assert len(calls) == 1


def test_imagining_all_co_players_at_once_equals_imagining_them_one_by_one():
    torch.manual_seed(0)
    net = ConversionNet((6, 5, 5), num_agents=3, hidden_size=16, binary=True).double()
    obs = torch.rand(5, 6, 5, 5, dtype=torch.float64)
    both = net.imagine(net.own_part(obs).unsqueeze(1), torch.tensor([0, 2]))
    assert both.shape == (5, 2, 6, 5, 5)
    alone = net.imagine(net.own_part(obs), torch.full((5,), 2))
    assert torch.allclose(both[:, 1], alone, atol=1e-12)
    assert 0 < both.min() < both.max() < 1


def test_logits_of_the_sr_policy_are_bounded_however_strange_the_observation():
    net = SRNet((7, 5, 5), (7,) * 4, own=0, hidden_size=16)
    with torch.no_grad():
        net.pi_out.weight.fill_(1e6)
    logits = net.policy_logits(net.encoder(torch.randn(20, 7, 5, 5) * 1e6))
    assert logits.abs().max() <= 10


def test_a_convolution_over_a_3x3_image_equals_its_matrix_product():
    encoder = Encoder((7, 5, 5)).double()
    obs = torch.rand(4, 7, 5, 5, dtype=torch.float64)
    slow = obs
    for conv in encoder.conv_layers():
        slow = torch.relu(conv(slow))
    assert torch.allclose(encoder(obs), slow.flatten(1), atol=1e-12)


@pytest.mark.parametrize("hidden_size", [16, None])
@pytest.mark.parametrize("lstm_size", [None, 24])
@pytest.mark.parametrize("obs_shape", [(7, 5, 5), (5,), (4, 15, 15), (3, 6, 8)])
def test_stacked_acting_equals_each_network_alone(obs_shape, lstm_size, hidden_size):
    torch.manual_seed(1)
    nets = [PolicyNet(obs_shape, 6, hidden_size, lstm_size) for _ in range(3)]
    actor = GroupActor(nets, obs_shape)
    for _ in range(2):
        obs = torch.rand(3, 4, *obs_shape)
        state = None if lstm_size is None else torch.randn(3, 4, 2 * lstm_size)
        heads, next_state = actor(obs, state)
        for row, net in enumerate(nets):
            if state is None or next_state is None:
                expected = net(obs[row])
                logits, values = expected.action_dist_inputs, expected.vf_preds
            else:
                resets = torch.zeros(1, 4, dtype=torch.bool)
                sequence, after = net.forward_sequence(obs[row].unsqueeze(0), state[row], resets)
                logits, values = sequence.action_dist_inputs[0], sequence.vf_preds[0]
                assert torch.allclose(next_state[row], after, atol=1e-5)
            assert torch.allclose(heads[row, :, :-1], logits, atol=1e-5)
            assert torch.allclose(heads[row, :, -1], values, atol=1e-5)
        with torch.no_grad():
            for parameter in nets[0].parameters():
                parameter.add_(0.05)
        actor.refresh()


def test_an_lstm_over_a_fragment_with_resets_equals_stepping_it():
    torch.manual_seed(2)
    steps, copies, size = 7, 5, 12
    net = PolicyNet((5,), 3, hidden_size=8, lstm_size=size)
    obs = torch.rand(steps, copies, 5)
    resets = torch.from_numpy(np.random.default_rng(0).random((steps, copies)) < 0.3)
    start = torch.randn(copies, 2 * size)
    whole, end = net.forward_sequence(obs, start, resets)
    state = start
    for t in range(steps):
        state = state * (~resets[t]).unsqueeze(-1)
        step, state = net.forward_sequence(obs[t : t + 1], state, torch.zeros(1, copies, dtype=torch.bool))
        assert torch.allclose(step.action_dist_inputs[0], whole.action_dist_inputs[t], atol=1e-6)
        assert torch.allclose(step.vf_preds[0], whole.vf_preds[t], atol=1e-6)
    assert torch.allclose(state, end, atol=1e-6)


def test_without_a_hidden_layer_one_hot_observations_are_looked_up_in_a_table():
    net = PolicyNet((5,), 3, hidden_size=None, lstm_size=None)
    output = net(torch.eye(5, dtype=torch.uint8))
    assert torch.allclose(output.action_dist_inputs, net.pi.weight.T)
    assert torch.allclose(output.vf_preds, net.vf.weight[0])


def test_an_lstm_layer_is_refused_where_there_is_none():
    net = PolicyNet((5,), 3, hidden_size=8, lstm_size=None)
    with pytest.raises(TypeError, match="use_lstm=True"):
        net.forward_sequence(torch.rand(1, 1, 5), torch.zeros(1, 4), torch.zeros(1, 1, dtype=torch.bool))
