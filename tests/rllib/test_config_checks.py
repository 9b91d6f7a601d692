import pytest

from rllib_lase.rllib.algorithms import LASEConfig
from rllib_lase.settings import SettingsError


def divided(**settings):
    return LASEConfig().environment("cleanup").training(decentralised_learners=2, **settings)


def test_more_actors_than_agents_are_refused_by_the_config_and_as_many_are_not():
    config = divided()
    config.training(decentralised_learners=5)
    with pytest.raises(SettingsError, match=r"5 actors for 4 agents.*choose at most 4"):
        config.validate()
    config.environment(env_config={"num_agents": 5})
    assert config.settings().decentralised_learners == 5


@pytest.mark.parametrize("name", ["num_gpus_per_env_runner", "num_gpus_per_learner"])
def test_agents_in_processes_of_their_own_have_no_gpus(name):
    with pytest.raises(SettingsError, match=f"{name}: 0.5 asked for.*leave {name} or decentralised_learners"):
        divided(**{name: 0.5}).validate()
