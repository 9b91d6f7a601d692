"""The adapter of Melting Pot's substrates, on a small stand-in for Melting Pot's and dmlab2d's interface."""

from __future__ import annotations

import random
import sys
import types
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mixed_motive.testing import check_env
from rllib_lase.melting_pot import parallel_env

NAME = "orchard"


@dataclass
class Spec:
    shape: tuple[int, ...]
    minimum: float = 0
    maximum: float = 0
    num_values: int = 0


@dataclass
class TimeStep:
    observation: list[dict[str, Any]]
    reward: list[Any]
    discount: float
    is_last: bool

    def last(self) -> bool:
        return self.is_last


class Orchard:
    """A substrate of 16 x 24 pixels a player, seeded where it is built, as Melting Pot's are."""

    def __init__(self, roles: tuple[str, ...]) -> None:
        self.roles, self.seed = roles, random.randint(1, 2**31)
        self.closed = False

    def observation_spec(self) -> list[dict[str, Any]]:
        return [
            {
                "RGB": Spec((16, 24, 3), 0, 255),
                "READY_TO_SHOOT": Spec((), 0, 1),
                "INVENTORY": SimpleNamespace(shape=(2,)),  # an unbounded array
                "WORLD.RGB": Spec((32, 32, 3), 0, 255),
                "COLLECTIVE_REWARD": Spec((), 0, 9),
            }
        ] * len(self.roles)

    def action_spec(self) -> list[Spec]:
        return [Spec((), num_values=3)] * len(self.roles)

    def reset(self) -> TimeStep:
        self.rng, self.time = np.random.default_rng(self.seed), 0
        self.seed += 1
        return self._timestep([0.0] * len(self.roles))

    def step(self, actions: list[int]) -> TimeStep:
        self.time += 1
        assert all(type(action) is int for action in actions)
        return self._timestep([np.float64(action) for action in actions])

    def _timestep(self, reward: list[Any]) -> TimeStep:
        shown = [
            {
                "RGB": self.rng.integers(0, 256, (16, 24, 3)).astype(np.uint8),
                "READY_TO_SHOOT": np.float64(player % 2),
                "INVENTORY": np.array([player, self.time], np.float64),
                "WORLD.RGB": np.full((32, 32, 3), self.time, np.uint8),
                "COLLECTIVE_REWARD": np.float64(77),
            }
            for player in range(len(self.roles))
        ]
        return TimeStep(shown, reward, 0.0 if self.time == 9 else 1.0, self.time == 9)

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[Orchard]:
    """What was built since; Melting Pot is replaced by the stand-in."""
    made: list[Orchard] = []
    config = SimpleNamespace(
        default_player_roles=("picker", "picker", "guard"),
        valid_roles={"picker", "guard"},
        individual_observation_names=["RGB", "READY_TO_SHOOT", "INVENTORY"],
    )

    def build(name: str, *, roles: tuple[str, ...]) -> Orchard:
        assert name == NAME
        made.append(Orchard(roles))
        return made[-1]

    module: Any = types.ModuleType("meltingpot.substrate")
    module.SUBSTRATES, module.get_config, module.build = frozenset({NAME}), lambda name: config, build
    monkeypatch.setitem(sys.modules, "meltingpot", types.ModuleType("meltingpot"))
    monkeypatch.setitem(sys.modules, "meltingpot.substrate", module)
    return made


def test_a_player_sees_its_pooled_picture_and_its_own_numbers_as_planes(built: list[Orchard]) -> None:
    env = parallel_env(NAME)
    obs, _ = env.reset(seed=3)
    assert env.possible_agents == ["player_0", "player_1", "player_2"]
    assert obs["player_1"].shape == env.observation_space("player_1").shape == (6, 2, 3)
    picture = np.random.default_rng(built[-1].seed - 1).integers(0, 256, (16, 24, 3)) / 255
    np.testing.assert_allclose(obs["player_0"][:3, 1, 2], picture[8:, 16:].mean((0, 1)), atol=1e-6)
    assert (obs["player_1"][3] == 1).all(), "INVENTORY, first of its two numbers"
    assert (obs["player_1"][4] == 0).all()
    assert (obs["player_1"][5] == 1).all(), "READY_TO_SHOOT"
    space = env.observation_space("player_0")
    assert (space.low[:3].max(), space.high[:3].min()) == (0, 1)
    assert np.isinf(space.high[3]).all()
    assert (space.low[5].max(), space.high[5].min()) == (0, 1)


def test_what_the_substrate_says_of_all_reaches_no_player(built: list[Orchard]) -> None:
    obs, infos = parallel_env(NAME).reset(seed=0)
    assert len(built) == 2
    assert not any((own == 77).any() for own in obs.values())
    assert infos == {f"player_{player}": {} for player in range(3)}


def test_a_seed_fixes_the_episodes_and_leaves_pythons_generator_alone(built: list[Orchard]) -> None:
    env = parallel_env(NAME)
    random.seed(5)
    before = random.getstate()
    first, _ = env.reset(seed=1)
    second, _ = env.reset()
    assert random.getstate() == before
    assert built[0].closed
    again, _ = env.reset(seed=1)
    following, _ = env.reset()
    np.testing.assert_array_equal(first["player_0"], again["player_0"])
    np.testing.assert_array_equal(second["player_0"], following["player_0"])
    assert not np.array_equal(first["player_0"], second["player_0"])
    assert not np.array_equal(env.reset(seed=2)[0]["player_0"], first["player_0"])


def test_the_substrates_end_is_a_termination_and_ours_a_truncation(built: list[Orchard]) -> None:
    for horizon, length, terminated in ((None, 9, True), (4, 4, False), (9, 9, True)):
        env = parallel_env(NAME, max_cycles=horizon)
        env.reset(seed=0)
        for _ in range(length):
            assert env.agents
            _, rewards, terminations, truncations, _ = env.step({a: k for k, a in enumerate(env.agents)})
        assert not env.agents
        assert rewards == {"player_0": 0.0, "player_1": 1.0, "player_2": 2.0}
        assert set(terminations.values()) == {terminated}
        assert set(truncations.values()) == {not terminated}
    assert built


def test_roles_are_passed_on_and_say_how_many_play(built: list[Orchard]) -> None:
    assert parallel_env(NAME, roles=["guard"] * 2).possible_agents == ["player_0", "player_1"]
    assert built[-1].roles == ("guard", "guard")
    parallel_env(NAME)
    assert built[-1].roles == ("picker", "picker", "guard")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"substrate": "no_such"}, "unknown substrate 'no_such'; choose one of orchard"),
        ({"substrate": NAME, "roles": ["thief"]}, "no role 'thief'; choose from guard, picker"),
        ({"substrate": NAME, "pool": 5}, "pool=5 does not divide .* 16 x 24 pixels"),
    ],
)
@pytest.mark.usefixtures("built")
def test_wrong_arguments_are_explained(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parallel_env(**arguments)


@pytest.mark.usefixtures("built")
def test_the_world_is_drawn_and_the_contract_is_kept() -> None:
    env = parallel_env(NAME, render_mode="rgb_array")
    env.reset(seed=0)
    env.step(dict.fromkeys(env.agents, 1))
    assert (env.render() == 1).all()
    assert parallel_env(NAME).render() is None
    check_env(lambda: parallel_env(NAME), max_steps=20)


def test_without_melting_pot_the_message_says_what_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "meltingpot", None)
    with pytest.raises(ImportError, match=r"needs Melting Pot.*pip install dm-meltingpot.*environments\.md"):
        parallel_env(NAME)
