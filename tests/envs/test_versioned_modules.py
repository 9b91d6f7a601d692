"""What help() and an editor find in the `GAME_v0` modules."""

import dataclasses
import inspect
import pickle
import pydoc

import pytest

import mixed_motive
from mixed_motive import GameError

FACES = [(game_id, name) for game_id in mixed_motive.GAMES for name in ("parallel_env", "env", "raw_env")]
COMMON = ["preset", "render_mode", "obs", "first_env_index", "max_cycles"]


def face_of(game_id, name):
    return getattr(getattr(mixed_motive, f"{game_id}_v0"), name)


def parameters_of(game_id):
    classes = mixed_motive.GAMES[game_id].classes
    return {field.name: field for params in classes for field in dataclasses.fields(params)}


@pytest.mark.parametrize(("game_id", "name"), FACES)
def test_the_signature_names_every_argument_and_parameter(game_id, name):
    face = face_of(game_id, name)
    signature = inspect.signature(face)
    assert list(signature.parameters) == [*COMMON, *parameters_of(game_id)]
    assert face.__name__ == name
    common = inspect.signature(mixed_motive.parallel_env, eval_str=True).parameters
    assert [signature.parameters[key] for key in COMMON] == [common[key] for key in COMMON]


@pytest.mark.parametrize(("game_id", "name"), FACES)
def test_help_tells_what_the_game_is_and_what_each_argument_means(game_id, name):
    text = pydoc.plain(pydoc.render_doc(face_of(game_id, name)))
    assert mixed_motive.GAMES[game_id].title in text
    assert "partial" not in text
    assert all(f"        {key}: " in text for key in [*COMMON, *parameters_of(game_id)])
    assert all(field.metadata["doc"] in text for field in parameters_of(game_id).values())
    assert all(preset in text for preset in mixed_motive.GAMES[game_id].presets)


@pytest.mark.parametrize(("game_id", "name"), FACES)
def test_a_pickled_face_is_the_same_function(game_id, name):
    face = face_of(game_id, name)
    assert pickle.loads(pickle.dumps(face)) is face


def test_arguments_reach_the_environment_and_unknown_ones_are_named():
    env = mixed_motive.cleanup_v0.raw_env("ssdg", num_agents=3, obs="code", max_cycles=7)
    assert len(env.possible_agents) == 3
    assert env.observation_space("agent_0").shape == (15, 15)
    game = mixed_motive.cleanup_v0.parallel_env("ssdg", max_cycles=7).game
    assert (game.preset, game.horizon) == ("ssdg", 7)
    with pytest.raises(GameError, match="unknown parameter 'num_agent'; did you mean 'num_agents'"):
        mixed_motive.cleanup_v0.env(num_agent=3)
