"""Starting the actors of agents, without Ray."""

from types import SimpleNamespace

import pytest

from rllib_lase.rllib import agent_nodes
from rllib_lase.rllib.agent_nodes import AgentNodes


@pytest.mark.parametrize(("failure", "num_started"), [("when it is made", 1), ("at its first call", 2)])
def test_no_actor_stays_if_one_cannot_be_started(failure, num_started, monkeypatch):
    started, killed = [], []

    def start(config, spaces, home):
        if failure == "when it is made" and started:
            raise ValueError(failure)
        started.append(SimpleNamespace(ask=SimpleNamespace(remote=lambda question: "answer")))
        return started[-1]

    def get(references):
        assert references == ["answer", "answer"]
        raise ValueError(failure)

    monkeypatch.setattr(agent_nodes, "start_node", start)
    monkeypatch.setattr(agent_nodes.ray, "get", get)
    monkeypatch.setattr(agent_nodes.ray, "kill", killed.append)
    settings = SimpleNamespace(decentralised_learners=2)
    config = SimpleNamespace(settings=lambda: settings, make_hook=lambda spaces: None)
    with pytest.raises(ValueError, match=failure):
        AgentNodes(config, SimpleNamespace(num_agents=4))
    assert len(started) == num_started
    assert killed == started
