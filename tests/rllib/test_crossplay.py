"""Matches of hand-made and scripted players have known payoffs; trained ones play as they do alone."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

import mixed_motive
from mixed_motive.games.matrix import COOPERATE, DEFECT
from rllib_lase import GiftingConfig, IndependentConfig, LASEConfig, crossplay
from rllib_lase.core.gifting import rewards_after_gifting
from rllib_lase.crossplay import CrossPlaySpec, cross_play
from rllib_lase.evaluation.crossplay import (
    Match,
    focal_matches,
    matrix,
    pairings_frame,
    round_robin,
    sides_frame,
)
from rllib_lase.registry import ALGORITHMS
from rllib_lase.registry.fixed_share import FixedShareSettings
from rllib_lase.registry.lase import LASESettings
from rllib_lase.rllib.checkpoints import save_tree
from rllib_lase.rllib.crossplay import Arena, numbered, play_match
from rllib_lase.rllib.evaluate import evaluate
from rllib_lase.rllib.game_env import make_joint_env
from rllib_lase.rllib.joint_env import JointEnv
from rllib_lase.rllib.seat_agents import Giving, NetworkAgents, ScriptedAgents, SeatAgents, only_rewards_of
from rllib_lase.rllib.seats import SeatPlayer
from rllib_lase.run_schema import read_json
from rllib_lase.runs import RunFolder
from rllib_lase.social.fixed_share import FixedShareHook
from rllib_lase.social.hook import JointSpaces
from rllib_lase.social.lase import LASEHook
from rllib_lase.train_spec import TrainSpec
from rllib_lase.training import train
from tests.rollouts import random_rollout
from tests.social.fragments import spaces

IPD = Arena("ipd", {})
#: Payoffs of the preset, over its horizon of 100 steps.
R, S, T, P = 100.0, -20.0, 120.0, 0.0
SCRIPTED: dict[str, SeatAgents] = {
    kind: ScriptedAgents(kind) for kind in ("cooperator", "defector", "random")
}


class ByTable(SeatPlayer):
    """In a matrix game: an action for each of CC, CD, DC, DD (own action first) and start."""

    def __init__(self, actions: list[int]) -> None:
        self._actions = np.array(actions)

    def act(
        self, obs: NDArray[Any], state: Tensor | None, uniform: NDArray[np.float32]
    ) -> tuple[NDArray[Any], Tensor | None]:
        return self._actions[obs.argmax(1)], state


class Tables(SeatAgents):
    """One table per seat."""

    def __init__(self, *tables: list[int]) -> None:
        self._tables = tables

    def in_seat(self, env: JointEnv, seat: int, seed: int) -> SeatPlayer:
        return ByTable(self._tables[seat])


ALWAYS_C, ALWAYS_D = [COOPERATE] * 5, [DEFECT] * 5
TIT_FOR_TAT = [COOPERATE, DEFECT, COOPERATE, DEFECT, COOPERATE]


def play(arena: Arena, matches: list[Match], agents: dict[str, SeatAgents], episodes: int = 2, seed: int = 0):
    parts = [numbered(n, play_match(arena, match, agents, episodes, seed)) for n, match in enumerate(matches)]
    return pd.concat(parts)


def payoffs(agents: dict[str, SeatAgents]) -> list[list[float]]:
    """The matrix of a round robin in the prisoner's dilemma."""
    matches = round_robin(list(agents), 2, seed=0)
    values = matrix(pairings_frame(matches, play(IPD, matches, agents)), "reward").to_numpy()
    return np.round(values, 3).tolist()


def test_scripted_players_get_the_payoffs_of_the_matrix_in_both_orders() -> None:
    pair = {kind: SCRIPTED[kind] for kind in ("cooperator", "defector")}
    matches = round_robin(list(pair), 2, seed=0)
    rows = sides_frame(matches, play(IPD, matches, pair))
    focal = rows[rows["side"] == "focal"]
    for column, expected in (
        ("reward", [R, S, S, P]),
        ("opponent_reward", [R, T, T, P]),
        ("collective_reward", [2 * R, S + T, S + T, 2 * P]),
        ("cooperation_rate", [1, 1, 1, 0]),
    ):
        np.testing.assert_allclose(focal[column], expected, atol=1e-4)
    assert list(focal["seats"]) == ["0,1", "0", "1", "0,1"]
    np.testing.assert_allclose(focal["reward_high"], focal["reward_low"], atol=1e-6)


def test_tit_for_tat_loses_one_step_to_a_defector_and_none_to_a_cooperator() -> None:
    agents = {"tft": Tables(TIT_FOR_TAT, TIT_FOR_TAT), "defector": SCRIPTED["defector"]}
    assert payoffs(agents) == [[R, S / 100], [T / 100, P]]


def test_whoever_holds_seat_i_plays_it_as_its_own_agent_i() -> None:
    split = {"split": Tables(ALWAYS_C, ALWAYS_D), "cooperator": SCRIPTED["cooperator"]}
    matches = round_robin(list(split), 2, seed=0)
    rows = sides_frame(matches, play(IPD, matches, split)).set_index(["player", "opponent", "seats"])[
        "reward"
    ]
    assert rows["split", "cooperator", "0"] == pytest.approx(R)
    assert rows["split", "cooperator", "1"] == pytest.approx(T)
    assert rows["split", "split", "0,1"] == pytest.approx((S + T) / 2)


@pytest.mark.parametrize(("num_focal", "assignments"), [(1, 4), (2, 6), (3, 4)])
def test_four_seats_are_shared_out_and_returns_are_per_capita_of_both_sides(
    num_focal: int, assignments: int
) -> None:
    matches = focal_matches(["cooperator"], ["defector"], 4, [num_focal], seed=0)
    episodes = play(Arena("public_goods", {"horizon": 10}), matches, SCRIPTED)
    rows = sides_frame(matches, episodes)
    assert len(rows) == 2 * assignments
    pot = 1.6 * num_focal / 4 * 10
    for side, expected in (("focal", pot), ("background", 10 + pot)):
        np.testing.assert_allclose(rows.loc[rows["side"] == side, "reward"], expected, rtol=1e-5)
    givers = episodes[episodes["contributed"] > 0]
    assert set(givers["player"]) == {"cooperator"}
    assert set(givers["agent_id"].value_counts()) == {2 * num_focal * assignments // 4}


def test_in_coingame_a_cooperator_leaves_the_others_coins_and_pays_for_what_a_defector_takes() -> None:
    matches = round_robin(["cooperator", "defector"], 2, seed=0)
    rows = sides_frame(matches, play(Arena("coingame", {"obs": "float32"}), matches, SCRIPTED, 4))
    rows = rows.set_index(["player", "opponent"])
    nice, nasty = rows.loc[("cooperator", "defector")], rows.loc[("defector", "cooperator")]
    assert (nice["counts/other_coins"] == 0).all()
    assert (nasty["counts/other_coins"] > 0).all()
    np.testing.assert_allclose(
        nice["reward"], nice["counts/own_coins"].to_numpy() - 2 * nasty["counts/other_coins"].to_numpy()
    )
    assert rows.loc[("cooperator", "cooperator"), "reward"].max() > nice["reward"].max()


def test_a_match_depends_on_its_seed_and_on_no_other_match() -> None:
    match = Match("random", "defector", (1,), 2)
    alone = play_match(IPD, match, SCRIPTED, 8, seed=3)
    play_match(IPD, Match("random", "random", (0, 1), 2), SCRIPTED, 8, seed=5)
    pd.testing.assert_frame_equal(play_match(IPD, match, SCRIPTED, 8, seed=3), alone)
    assert not play_match(IPD, match, SCRIPTED, 8, seed=4)["reward"].equals(alone["reward"])


# --- gifts --------------------------------------------------------------------------------------------


def cooperating_givers(share: float) -> NetworkAgents:
    """Agents of the prisoner's dilemma that always cooperate and give this share."""
    game = mixed_motive.make("ipd", num_envs=1)
    joint = JointSpaces(tuple(game.agent_ids), (game.observation_space,) * 2, (game.action_space,) * 2)
    hook = FixedShareHook(FixedShareSettings(share=share, hidden_size=4), joint, 0)
    nets = [hook.make_policy(agent) for agent in range(2)]
    with torch.no_grad():
        for net in nets:
            for parameter in net.parameters():
                parameter.zero_()
            net.pi.bias[COOPERATE] = 100.0
    return NetworkAgents(nets, [None, None], Giving(hook, [{}, {}]))


def test_each_side_gives_of_its_own_rewards_and_everybody_receives() -> None:
    agents = {"giver": cooperating_givers(0.25), **SCRIPTED}
    matches = [Match("giver", other, (0,), 2) for other in ("cooperator", "defector")]
    rows = sides_frame(matches, play(IPD, matches, agents))
    np.testing.assert_allclose(rows["reward"], [R, R, S, T], rtol=1e-5)
    np.testing.assert_allclose(
        rows["reward_after_gifting"], [0.75 * R, 1.25 * R, 0.75 * S, T + 0.25 * S], rtol=1e-5
    )


def test_two_kinds_of_givers_each_give_by_their_own_rule() -> None:
    agents: dict[str, SeatAgents] = {"little": cooperating_givers(0.1), "much": cooperating_givers(0.6)}
    rows = sides_frame([match := Match("little", "much", (1,), 2)], play(IPD, [match], agents))
    np.testing.assert_allclose(
        rows["reward_after_gifting"], [0.9 * R + 0.6 * R, 0.4 * R + 0.1 * R], rtol=1e-5
    )


def test_gifts_that_are_known_only_among_their_own_kind_leave_rewards_after_gifting_unknown() -> None:
    unknown = cooperating_givers(0.5)
    unknown.gives = "unknown"
    agents = {"unknown": unknown, **SCRIPTED}
    rows = play_match(IPD, Match("unknown", "defector", (0,), 2), agents, 2, seed=0)
    assert rows["reward_after_gifting"].isna().all()
    assert rows["reward"].notna().all()


def test_lases_gifts_add_up_over_givers() -> None:
    """So that each side's may be taken from its own hook, on a rollout in which nobody else has a reward."""
    hook = LASEHook(LASESettings(hidden_size=8), spaces(3), 0)
    torch.manual_seed(0)
    networks = [hook.extra_modules(agent) for agent in range(3)]
    data = random_rollout(np.random.default_rng(0)).to_tensors()
    nowhere = torch.zeros_like(data.dones)
    whole = hook.rewards(data, networks, nowhere)
    parts = [hook.rewards(only_rewards_of(data, seats), networks, nowhere) for seats in ((0, 2), (1,))]
    torch.testing.assert_close(parts[0].rewards + parts[1].rewards, whole.rewards)
    assert whole.gift_weights is not None
    expected = rewards_after_gifting(data.rewards.permute(1, 2, 0), whole.gift_weights)
    torch.testing.assert_close(whole.rewards, expected.permute(2, 0, 1))
    assert not torch.equal(whole.rewards, data.rewards), "somebody gives"


# --- trained agents -----------------------------------------------------------------------------------


@pytest.mark.usefixtures("local_ray")
@pytest.mark.filterwarnings("ignore:PYTHONHASHSEED is not fixed")
@pytest.mark.parametrize(
    ("config_class", "settings"),
    [
        (LASEConfig, {"relationship_smoothing": 0.5}),
        (IndependentConfig, {"use_lstm": True, "lstm_size": 8}),
        (GiftingConfig, {"gift_budget": "zero_sum"}),
    ],
)
def test_self_play_is_the_algorithms_own_evaluation(
    tmp_path: Path, config_class: Any, settings: dict[str, Any]
) -> None:
    config = config_class().environment("snowdrift").debugging(seed=0, log_level="ERROR")
    config.training(hidden_size=16, rounds_per_iteration=2, num_minibatches=2, **settings)
    config.env_runners(num_envs_per_env_runner=4, rollout_fragment_length=20)
    algorithm = config.build_algo()
    algorithm.train()
    algorithm.save_to_path(tmp_path / "checkpoint")
    expected = evaluate(algorithm, 6, seed=7).table()
    algorithm.stop()
    agents = NetworkAgents.load(tmp_path / "checkpoint")
    match = Match("run", "run", (0, 1, 2, 3), 4)
    found = play_match(Arena("snowdrift", {}), match, {"run": agents}, 6, seed=7)
    assert found["reward"].abs().sum() > 0
    assert found["reward_after_gifting"].isna().all() == (config_class is GiftingConfig)
    known = [name for name in ("length", "reward", "reward_after_gifting") if found[name].notna().all()]
    for column in known:
        np.testing.assert_allclose(found[column], expected[column], rtol=1e-5, atol=1e-5)


def untrained(algo: str, settings: dict[str, Any], checkpoint: Path) -> None:
    """What agents need of a checkpoint, before any training."""
    config = ALGORITHMS[algo].config_class()().environment("ipd").training(**settings).debugging(seed=0)
    env = config.adapt_env(make_joint_env("ipd", {}, 1))
    spaces = {a: (env.observation_spaces[a], env.action_spaces[a]) for a in env.agent_ids}
    module = config.get_multi_rl_module_spec(spaces=spaces, inference_only=False).build()
    hook = config.make_hook(config.joint_spaces(spaces))
    learner = {"rl_module": module.get_state(), "social": {"hook": hook.get_state()}}
    save_tree(checkpoint, {"config": config.to_json(), "learner": learner}, kind="rllib-lase algorithm")


PLAYS_IPD = [algo for algo, spec in ALGORITHMS.items() if spec.unsupported("ipd") is None]
SHARES = {"lase", "lase_uniform", "lase_oracle", "lase_shared", "fixed_share"}


@pytest.mark.parametrize(
    ("algo", "settings", "gives"),
    [
        *((algo, {}, "shares" if algo in SHARES else "nothing") for algo in PLAYS_IPD),
        ("lase", {"refuse_gifts": True}, "unknown"),
        ("lio", {"givers_pay": True}, "unknown"),
    ],
)
def test_agents_of_every_algorithm_can_be_seated_with_others(
    tmp_path: Path, algo: str, settings: dict[str, Any], gives: str
) -> None:
    untrained(algo, settings, tmp_path / "checkpoint")
    agents = {"run": NetworkAgents.load(tmp_path / "checkpoint"), **SCRIPTED}
    assert agents["run"].gives == gives
    matches = [Match("run", "cooperator", (seat,), 2) for seat in range(2)]
    rows = sides_frame(matches, play(IPD, matches, agents))
    mine = rows[rows["side"] == "focal"]
    np.testing.assert_allclose(
        mine["reward"], mine["counts/cooperated"] + T / 100 * (100 - mine["counts/cooperated"]), rtol=1e-5
    )
    assert mine["reward_after_gifting"].isna().all() == (gives == "unknown")


@pytest.fixture(scope="module")
def runs(local_ray: None, tmp_path_factory: pytest.TempPathFactory) -> list[RunFolder]:
    folder = tmp_path_factory.mktemp("crossplay")
    ours = {"rounds_per_iteration": 2, "num_envs_per_env_runner": 4, "hidden_size": 8}
    rllibs = {"train_batch_size_per_learner": 400, "num_epochs": 1, "minibatch_size": 200}
    return [
        train(
            TrainSpec(
                game="ipd", algo=algo, out=folder / algo.replace(":", "-"), env_steps=100, settings=settings,
                evaluation_episodes=2,
            )
        )
        for algo, settings in (("lase", ours), ("rllib:PPO", rllibs))
    ]  # fmt: skip


@pytest.mark.filterwarnings("ignore:PYTHONHASHSEED is not fixed")
def test_a_whole_cross_play_leaves_tables_a_picture_and_what_repeats_it(
    runs: list[RunFolder], tmp_path: Path
) -> None:
    words = (*(str(run.path) for run in runs), "defector")
    outcome = cross_play(CrossPlaySpec(words, tmp_path / "a", episodes=8, seed=5))
    assert {path.name for path in (tmp_path / "a").iterdir()} == {
        "crossplay.json", "crossplay.parquet", "crossplay.svg", "episodes.parquet", "pairings.parquet",
    }  # fmt: skip
    names = ["lase", "rllib-PPO", "defector"]
    returns = matrix(pd.read_parquet(tmp_path / "a" / "pairings.parquet"), "reward")
    assert list(returns.index) == names
    assert returns.notna().all(axis=None)
    sides = pd.read_parquet(tmp_path / "a" / "crossplay.parquet")
    assert len(sides) == 3 + 2 * 6
    last = {run.path.name: run.summary()["env_steps"] for run in runs}
    assert list(sides["opponent_run"]) == list(sides["opponent"])
    assert [last.get(name) for name in sides["run"]] == [
        *sides["checkpoint"].astype(object).replace(pd.NA, None)
    ]
    assert len(pd.read_parquet(tmp_path / "a" / "episodes.parquet")) == (3 + 6) * 8 * 2
    described = read_json(tmp_path / "a" / "crossplay.json")
    assert [player["name"] for player in described["players"]] == names
    assert described["game_params"]["horizon"] == 100
    assert described["command"].endswith(f"defector --episodes 8 --seed 5 --out {tmp_path / 'a'}")
    again = cross_play(CrossPlaySpec(words, tmp_path / "b", episodes=8, seed=5))
    pd.testing.assert_frame_equal(again.episodes, outcome.episodes)
    assert (tmp_path / "a" / "crossplay.svg").read_bytes() == (tmp_path / "b" / "crossplay.svg").read_bytes()


class PoolOfThisProcess:
    """What a pool of processes does, without waiting for them: the plan comes pickled."""

    def __init__(self, jobs: int, context: Any, load: Any, args: Any) -> None:
        assert jobs == 2
        load(*pickle.loads(pickle.dumps(args)))

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *error: object) -> None:
        crossplay._LOADED.clear()

    def map(self, play_number: Any, numbers: Any) -> Any:
        return map(play_number, numbers)


@pytest.mark.filterwarnings("ignore:PYTHONHASHSEED is not fixed")
def test_other_processes_play_the_same_episodes(
    runs: list[RunFolder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crossplay, "ProcessPoolExecutor", PoolOfThisProcess)
    specs = [
        CrossPlaySpec([str(runs[0].path)], tmp_path / str(jobs), background=["random"], episodes=4, jobs=jobs)
        for jobs in (1, 2)
    ]
    pd.testing.assert_frame_equal(*(cross_play(spec).episodes for spec in specs))
