import numpy as np
import pytest
import torch

from rllib_lase.networks import (
    ActorHead,
    ConversionNet,
    Encoder,
    GaussianActorHead,
    Identity,
    PolicyNet,
    RefusingActorHead,
    SRNet,
    share_parameters,
)
from rllib_lase.rllib.acting import GroupActor


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("obs_shape", [(7, 5, 5), (6, 7, 9), (5,), (7, 3, 3)])
def test_sweep_over_swapped_actions_equals_running_the_whole_network_again(obs_shape, shared):
    torch.manual_seed(0)
    agents, actions, batch = 4, 6, 9
    net = SRNet(obs_shape, (actions,) * agents, own=1, hidden_size=32, shared=shared).double()
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


def shared_sr_nets(num_agents=3, num_actions=2):
    torch.manual_seed(0)
    nets = [SRNet((4,), (num_actions,) * num_agents, own, 8, shared=True) for own in range(num_agents)]
    share_parameters(nets)
    with torch.no_grad():
        nets[0].q_obs.biases[:] = 0  # nobody knows who it is
    return nets


def test_the_own_action_means_the_same_to_all_agents_with_shared_networks():
    nets = shared_sr_nets()
    with torch.no_grad():
        nets[0].q_actions[:-1] = 0  # nobody's action counts but the own one
    features, joint = torch.rand(1, 4), torch.tensor([[0, 1, 1]])
    values = [net.q_joint(features, joint).item() for net in nets]
    assert values[1] == values[2] != values[0]
    with torch.no_grad():
        swapped = nets[0].q_joint(features, torch.tensor([[1, 0, 0]])).item()
    assert swapped == values[1]


def test_a_co_players_action_means_the_same_to_all_others_with_shared_networks():
    nets = shared_sr_nets()
    with torch.no_grad():
        nets[0].q_actions[[0, 1, 3]] = 0  # nobody's action counts but agent 2's, seen by others
    features, first, second = torch.rand(1, 4), torch.tensor([[0, 1, 0]]), torch.tensor([[0, 1, 1]])
    before = [net.q_joint(features, first).item() for net in nets]
    after = [net.q_joint(features, second).item() for net in nets]
    assert before[0] == before[1] != after[0] == after[1]
    assert before[2] == after[2]


@pytest.mark.parametrize("lstm_size", [None, 6])
def test_networks_with_shared_parameters_hold_the_same_tensors_and_act_alike_but_for_their_identity(
    lstm_size,
):
    torch.manual_seed(0)
    nets = [PolicyNet((7, 5, 5), 6, 16, lstm_size, identity=Identity(3, own)) for own in range(3)]
    share_parameters(nets)
    owned = dict(nets[0].named_parameters())
    assert all(owned[name] is value for net in nets[1:] for name, value in net.named_parameters())
    with torch.no_grad():
        nets[2].pi.weight.mul_(100)  # moves all
    obs = torch.rand(4, 7, 5, 5)
    state = None if lstm_size is None else torch.randn(3, 4, 2 * lstm_size)
    actor = GroupActor(nets, (7, 5, 5))
    for alike in (False, True):
        if alike:
            with torch.no_grad():
                nets[1].fc.biases[:] = nets[1].fc.biases[0].clone()
            state = None if state is None else state[:1].expand(3, -1, -1)
        actor.refresh()
        heads, _ = actor(obs.expand(3, -1, -1, -1, -1), state)
        assert torch.allclose(heads[0], heads[2], atol=1e-6) == alike
        no_dones = torch.zeros(1, 4, dtype=torch.bool)
        for row, net in enumerate(nets):
            alone = net.forward_fragment(obs.unsqueeze(0), None if state is None else state[row], no_dones)
            assert torch.allclose(heads[row, :, :-1], alone.action_dist_inputs[0], atol=1e-5)


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
    net = ConversionNet((6, 5, 5), num_agents=3, hidden_size=16, unit_range=True).double()
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
    logits = net.policy_inputs(net.encoder(torch.randn(20, 7, 5, 5) * 1e6))
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
@pytest.mark.parametrize("head", [ActorHead, RefusingActorHead, GaussianActorHead])
@pytest.mark.parametrize("obs_shape", [(7, 5, 5), (5,), (4, 15, 15), (3, 6, 8)])
def test_stacked_acting_equals_each_network_alone(obs_shape, head, lstm_size, hidden_size):
    torch.manual_seed(1)
    nets = [PolicyNet(obs_shape, 6, hidden_size, lstm_size, head=head) for _ in range(3)]
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


def test_what_is_played_and_whether_gifts_are_refused_are_independent_and_refusals_start_rare():
    torch.manual_seed(1)
    net = PolicyNet((5,), 6, hidden_size=8, lstm_size=None, head=RefusingActorHead)
    untrained = net(torch.rand(20, 5)).action_dist_inputs.softmax(-1)
    assert untrained.shape == (20, 6)
    assert torch.allclose(untrained[:, 3:].sum(1), torch.tensor(0.1), atol=0.01)
    with torch.no_grad():
        net.pi.weight.mul_(300)
    probs = net(torch.rand(20, 5)).action_dist_inputs.softmax(-1).view(20, 2, 3)
    refusal, action = probs.sum(2), probs.sum(1)
    assert torch.allclose(probs, refusal.unsqueeze(2) * action.unsqueeze(1), atol=1e-6)
    assert refusal.std(0).min() > 0.01
    assert action.std(0).min() > 0.01


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
