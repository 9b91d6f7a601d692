"""Calls of a batched game with what is no array, no buffer and no state; nothing has changed afterwards."""

import dataclasses
from fractions import Fraction

import numpy as np
import pytest

import mixed_motive
from mixed_motive import GameError, StepBuffers, make
from tests.envs.scenes import assert_unchanged

FIELDS = [field.name for field in dataclasses.fields(StepBuffers) if field.init]


def started(**arguments):
    """A game of four copies after its reset, and its state."""
    game = make("snowdrift", 4, **arguments)
    game.reset(seed=0)
    return game, game.get_state()


def stay(game):
    return np.zeros((game.num_envs, game.num_agents), int)


@pytest.mark.parametrize("out", [3, {}, (), "out"])
def test_results_go_into_step_buffers_only(out):
    game, before = started()
    with pytest.raises(GameError, match=rf"out=.* \({type(out).__name__}\): expected StepBuffers"):
        game.step(stay(game), out)
    assert_unchanged(game, before)


def test_one_array_for_two_results_is_refused():
    game, before = started()
    out = game.new_buffers()
    twice = dataclasses.replace(out, truncations=out.terminations)
    with pytest.raises(GameError, match=r"out.terminations and out.truncations share memory; expected"):
        game.step(stay(game), twice)
    assert_unchanged(game, before)


def test_results_whose_memory_overlaps_are_refused_and_neighbours_in_one_array_are_not():
    game, before = started()
    out, size = game.new_buffers(), game.new_buffers().terminations.size
    shape = out.terminations.shape
    memory = np.zeros(2 * size, bool)
    ends, overlapping = memory[:size].reshape(shape), memory[size - 1 : -1].reshape(shape)
    with pytest.raises(GameError, match=r"out.terminations and out.truncations share memory"):
        game.step(stay(game), dataclasses.replace(out, terminations=ends, truncations=overlapping))
    assert_unchanged(game, before)
    neighbours = dataclasses.replace(out, terminations=ends, truncations=memory[size:].reshape(shape))
    assert game.step(stay(game), neighbours) is neighbours


@pytest.mark.parametrize("arguments", [{}, {"obs": "float32"}, {"num_threads": 2}], ids=str)
@pytest.mark.parametrize("name", [name for name in FIELDS if name not in ("obs", "final_obs")])
def test_a_buffer_that_was_made_read_only_is_named_and_nothing_moves(name, arguments):
    game, before = started(**arguments)
    out = game.new_buffers()
    getattr(out, name).flags.writeable = False
    with pytest.raises(GameError, match=rf"out.{name} is .*'read-only'.*, expected .*'writeable'") as caught:
        game.step(stay(game), out)
    assert len(str(caught.value)) < 300
    assert_unchanged(game, before)
    getattr(out, name).flags.writeable = True
    game.step(stay(game), out)
    assert not np.array_equal(game.get_state()["step"], before["step"])


@pytest.mark.parametrize("name", ["rewards", "done", "counts"])
def test_the_games_own_arrays_made_read_only_are_named_too(name):
    game, before = started()
    getattr(game.step(stay(game)), name).flags.writeable = False
    before = game.get_state()
    with pytest.raises(GameError, match=rf"out.{name} is .*'read-only'"):
        game.step(stay(game))
    assert_unchanged(game, before)


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (None, r"state=None \(NoneType\): expected a dict of arrays by name, as from get_state"),
        ([1, 2], r"state=\[1, 2\] \(list\): expected a dict"),
        ({"step": [[1], [2, 3]]}, "values of 'step' are no array: "),
        ({"step": None}, "(?s)array 'map' is missing.*'step' is object"),
    ],
)
def test_what_is_no_state_is_refused(state, message):
    game, before = started()
    with pytest.raises(GameError, match=message):
        game.set_state(state)
    assert_unchanged(game, before)


@pytest.mark.parametrize(
    ("game", "cure"),
    [
        (lambda: "ipd", r"game='ipd' \(str\): .*, not its id: player\(kind, mixed_motive.make\('ipd'\)\)"),
        (lambda: mixed_motive.parallel_env("ipd"), r"game=.* that it has inside: player\(kind, env.game\)"),
        (lambda: mixed_motive.ipd_v0.parallel_env, "expected the batched game, from mixed_motive.make"),
        (lambda: None, r"game=None \(NoneType\): expected the batched game, from mixed_motive.make"),
    ],
    ids=["id", "ParallelEnv", "function", "None"],
)
def test_a_player_plays_a_batched_game_only(game, cure):
    with pytest.raises(GameError, match=cure) as caught:
        mixed_motive.player("cooperator", game())
    assert len(caught.value.problems) == 1


def test_everything_wrong_with_a_player_is_said_at_once():
    with pytest.raises(GameError) as caught:
        mixed_motive.player(["cooperator"], None, seed="0")
    assert [problem.split()[0] for problem in caught.value.problems] == ["unknown", "game=None", "seed='0':"]
    with pytest.raises(GameError, match="agents are no array"):
        mixed_motive.player("cooperator", started()[0]).act([[0], [1, 2]])


@pytest.mark.parametrize("call", ["get_state", "render", "ansi"])
def test_positions_of_different_depths_are_refused(call):
    game, _ = started()
    with pytest.raises(GameError, match=f"{call}: env_indices are no array"):
        getattr(game, call)([[0], [1, 2]])


def test_gifts_of_different_lengths_are_refused():
    game, _ = started()
    with pytest.raises(GameError, match="render: gifts are no array"):
        game.render(gifts=[[1], [1, 2]])


def test_buffers_of_arrays_that_were_read_only_are_to_be_made_anew():
    game, _ = started()
    arrays = {name: getattr(game.new_buffers(), name) for name in FIELDS}
    arrays["obs"].flags.writeable = False
    out = StepBuffers(**arrays)
    arrays["obs"].flags.writeable = True
    with pytest.raises(GameError, match=r"out.obs was made .*'read-only'"):
        game.step(stay(game), out)
    assert game.step(stay(game), StepBuffers(**arrays)).obs is arrays["obs"]


# What no call takes, for most of their arguments; some are right for one or another.
ODD = {
    "None": None,
    "True": True,
    "text": "x",
    "list": [1],
    "ragged": [[1], [1, 2]],
    "dict": {},
    "set": {1},
    "fraction": Fraction(1, 3),
    "nan": float("nan"),
    "huge float": 1e300,
    "huge integer": 10**5000,
    "negative": -1,
    "array": np.zeros(3),
    "array of text": np.array("x"),
    "complex": 1j,
    "time": np.datetime64("2020-01-01"),
    "class": int,
}


def calls_with(odd):
    """Calls with one odd argument each."""
    game, state = started()
    actions, alone = stay(game), mixed_motive.snowdrift_v0.parallel_env()
    shares = mixed_motive.continuous_public_goods_v0.parallel_env()
    alone.reset(seed=0), shares.reset()
    for name in ("preset", "obs", "first_env_index", "auto_reset", "num_threads", "horizon", "num_agents"):
        yield name, lambda name=name: make("snowdrift", **{name: odd})
    yield "game_id", lambda: make(odd)
    for name in ("preset", "render_mode", "max_cycles", "num_agents"):
        yield f"{name} of a face", lambda name=name: mixed_motive.snowdrift_v0.parallel_env(**{name: odd})
        face = mixed_motive.continuous_public_goods_v0.parallel_env
        yield f"{name} of shares", lambda name=name, face=face: face(**{name: odd})
    for name in ("step", "reset", "set_state", "get_state", "render", "ansi", "in_game"):
        yield name, lambda name=name: getattr(game, name)(odd)
    yield "out", lambda: game.step(actions, odd)
    yield "gifts", lambda: game.render(gifts=odd)
    yield "env_indices", lambda: game.set_state(state, odd)
    for name in state:
        yield f"state {name}", lambda name=name: game.set_state(state | {name: odd})
    yield "actions of a face", lambda: alone.step(odd)
    yield "action of a face", lambda: alone.step(dict.fromkeys(alone.agents, odd))
    yield "shares", lambda: shares.step(odd)
    yield "share", lambda: shares.step(dict.fromkeys(shares.agents, odd))
    yield "player", lambda: mixed_motive.player(odd, game)
    yield "player's game", lambda: mixed_motive.player("random", odd)
    yield "player's seed", lambda: mixed_motive.player("random", game, odd)
    yield "player's agents", lambda: mixed_motive.player("random", game).act(odd)
    for name in ("preset", "seed", "confidence"):
        yield (
            f"{name} of a diagram",
            lambda name=name: mixed_motive.schelling("ipd", **{"num_episodes": 2, name: odd}),
        )


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_no_argument_leads_to_another_error_than_ours(odd):
    refused, other = 0, []
    for name, call in calls_with(odd):
        try:
            call()
        except GameError:
            refused += 1
        except Exception as error:
            other.append(f"{name}: {type(error).__name__}: {error}")
    assert other == []
    assert refused > 25
