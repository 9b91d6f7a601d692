"""Mixed populations on the command line: what is refused, what a run's folder says, frozen partners."""

import json
import shlex
from pathlib import Path

import pytest

from rllib_lase.cli import entry
from rllib_lase.cli.train import read_plan
from rllib_lase.command_lines import run_command, train_command
from rllib_lase.frozen_runs import frozen_problems
from rllib_lase.registry.mixing import seating_problems
from rllib_lase.registry.seating import Seating
from rllib_lase.runs import RunFolder
from rllib_lase.train_spec import TrainSpec
from rllib_lase.training import train
from tests.synthetic_runs import write_run

Capture = pytest.CaptureFixture[str]


def refused(capsys: Capture, *words: str) -> list[str]:
    assert entry.run(words) == 2
    return capsys.readouterr().err.splitlines()[1:-1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("cleanup --population lase,a2c", "--population: 2 players for the 4 agents of cleanup; name one"),
        ("cleanup --population lase,,a2c,a2c", "--population: expected names with commas between"),
        (
            "cleanup --population lase,coperator,random,random",
            "--population: unknown partner 'coperator'; did you mean 'cooperator'? Known: cooperator, "
            "defector, random, lase, lase_uniform, lase_oracle, go, ia, svo, fixed_share, independent, si, "
            "a2c, ppo, and run:",
        ),
        (
            "cleanup --population a2c,ppo,random,random",
            "--population: a2c and ppo: all learners have one optimiser",
        ),
        (
            "cleanup --population a2c,lase,random,random --optimizer ppo",
            "--optimizer: a player named a2c learns with it, and so do all, found 'ppo'",
        ),
        ("cleanup --population lase_shared,a2c,a2c,a2c", "lase_shared cannot be mixed with others: all its"),
        (
            "cleanup --population gifting,a2c,a2c,a2c",
            "gifting cannot be mixed with others: it adds an action",
        ),
        ("ipd --population lola,a2c", "lola cannot be mixed with others: it differentiates through its"),
        ("cleanup --population lio,a2c,a2c,a2c", "lio cannot be mixed with others: it differentiates"),
        ("ipd --population si,a2c --only-when-visible", "--only-when-visible: ipd has no map"),
        ("cleanup --population random,random,random,cooperator", "--population: nobody of random, random"),
        ("cleanup --population lase,a2c,a2c,a2c --algo go", "--algo: --population says who learns; leave"),
        ("cleanup --switch 100:2=leave", "--switch: belongs to a mixed population; say who plays with"),
        ("cleanup --shuffle-seats", "--shuffle-seats: belongs to a mixed population; say who plays with"),
        ("cleanup --population lase,a2c,a2c,random --switch 9:1=leave", "9:1=leave: a2c in seat 1 learns;"),
        ("cleanup --population lase,a2c,a2c,random --switch 9:4=leave", "there is no seat 4, only 0 to 3"),
        ("cleanup --population lase,a2c,a2c,random --switch 9:3=return", "random in seat 3 has not left"),
        ("cleanup --population lase,a2c,a2c,random --switch 9:3=random", "random is in seat 3 already"),
        ("cleanup --population lase,a2c,a2c,random --switch 9:3=a2c", "a2c would begin to learn; name"),
        (
            "cleanup --population lase,a2c,a2c,random --switch 9:3=defector->random",
            "9:3=defector->random: defector is not in seat 3 then, random is",
        ),
        (
            "cleanup --population lase,a2c,a2c,random --switch 9:3=random-",
            "quote it, as a shell takes > for itself",
        ),
        ("ipd --population lase,random --switch 9:1=leave", "plays 'stay', and ipd has no such action, only"),
        ("public_goods --population lase,a2c,a2c,a2c --shuffle-seats", "shows co-players in the order of"),
        (
            "cleanup --population lase,a2c,a2c,a2c --ia-alpha 2",
            "--ia-alpha: lase and independent has no such",
        ),
        ("cleanup --population lase,a2c,a2c,a2c --refuse-gifts", "--refuse-gifts: it adds actions to every"),
        ("cleanup --population lase,run:/nowhere,a2c,a2c", "run:/nowhere in seat 1: /nowhere: holds no run"),
    ],
)
def test_a_population_that_cannot_play_is_refused_in_one_line(
    capsys: Capture, words: str, message: str
) -> None:
    lines = refused(capsys, "train", *words.split())
    assert len(lines) == 1, lines
    assert message in lines[0]


def test_faulty_parameters_of_the_game_are_not_told_as_faults_of_the_population(capsys: Capture) -> None:
    words = "train cleanup --population lase,random,a2c,a2c --switch 9:1=leave --shuffle-seats"
    lines = refused(capsys, *words.split(), "--game-params", "num_agent=4")
    assert len(lines) == 1
    assert "unknown parameter 'num_agent'" in lines[0]


def test_who_would_play_nowhere_else_is_refused() -> None:
    problems = seating_problems(Seating.read(["lase", "random"], (), True), "their_env", {})
    assert [problem.split(":")[0] for problem in problems] == ["population", "shuffle_seats"]
    assert "random: scripted players play only cleanup" in problems[0]


def test_a_seating_follows_its_switches_in_order_of_time() -> None:
    switches = ["30:1=return", "10:1=random->defector", "20:1=leave"]
    seating = Seating.read(["lase", "random"], switches)
    assert list(map(str, seating.switches)) == ["10:1=random->defector", "20:1=leave", "30:1=return"]
    states = [(now.names[1], sorted(now.away)) for now in map(seating.at, (9, 10, 19, 20, 29, 30, 99))]
    assert states == [
        ("random", []), ("defector", []), ("defector", []), ("defector", [1]), ("defector", [1]),
        ("defector", []), ("defector", []),
    ]  # fmt: skip
    assert seating.labels == ["lase", "random, then defector, then away, then back"]
    assert Seating.described(seating.description()) == seating
    names = ["lase", "a2c", "a2c", "run:/x/pop-1:agent_2"]
    assert Seating.read(names).title == "lase, a2c x2, run:pop-1:agent_2"


def test_the_command_of_a_population_repeats_it() -> None:
    words = (
        "cleanup --population lase,random,si,si --switch 100:1=leave '200:1=return' --shuffle-seats --seed 3 "
        "--sr-num-updates 7 --moa-lr 0.01 --game-params view_radius=1"
    )
    plan, out, *_ = read_plan(shlex.split(words))
    assert out == Path("runs/cleanup/lase+random+six2-ppo-seed3")
    again, *_ = read_plan(shlex.split(train_command(plan.config(), out))[2:])
    assert again.config() == plan.config()
    assert again.seating == plan.seating


def test_an_option_that_takes_many_values_may_be_given_several_times() -> None:
    words = "cleanup --population lase,random,a2c,a2c --switch 100:1=leave --switch 200:1=return"
    plan, *_ = read_plan(words.split())
    assert plan.seating is not None
    assert list(map(str, plan.seating.switches)) == ["100:1=leave", "200:1=return"]


@pytest.mark.parametrize(
    ("name", "config", "message"),
    [
        ("run:{}", {"game": "snowdrift"}, "it was trained on snowdrift, not on cleanup"),
        (
            "run:{}",
            {"game_params": {"view_radius": 1}},
            "trained on cleanup with view_radius=1, here 2; play",
        ),
        ("run:{}:agent_7", {}, "that run has no agent 'agent_7'; did you mean 'agent_3'? It has agent_0"),
        ("run:{}", {"algo": "gifting"}, "it plays actions that were added to the game's"),
        ("run:{}", {"settings": {"refuse_gifts": True}}, "it plays actions that were added to the game's"),
        ("run:{}", {"algo": "rllib:PPO"}, "it was trained by rllib:PPO; only agents of our own algorithms"),
    ],
)
def test_frozen_partners_that_do_not_fit_are_refused(tmp_path, name, config, message) -> None:
    given = {"algo": "lase", "game_params": {}, "settings": {}, **config}
    algo = given.pop("algo")
    run = write_run(tmp_path / "run", "go", iterations=2, **given)
    saved = json.loads((run.path / "config.json").read_text())
    (run.path / "config.json").write_text(json.dumps({**saved, "algo": algo}))
    (run.checkpoints_path / "env_steps_1").mkdir(parents=True)
    seating = Seating.read(["lase", name.format(run.path), "a2c", "a2c"])
    (problem,) = frozen_problems(seating, "cleanup", {"preset": "lase", "num_threads": 2})
    assert message in problem


def test_a_run_without_a_checkpoint_has_no_frozen_agents(tmp_path) -> None:
    run = write_run(tmp_path / "run", iterations=2, game_params={})
    seating = Seating.read(["a2c", f"run:{run.path}"])
    (problem,) = frozen_problems(seating, "cleanup", {})
    assert "holds no checkpoint. Likely cause: the run was stopped before one was saved" in problem


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunFolder, RunFolder]:
    """A mixed population in the prisoner's dilemma; and one whose second agent is the first one's learner."""
    folder = tmp_path_factory.mktemp("runs")
    small = {"rounds_per_iteration": 1, "num_envs_per_env_runner": 2, "hidden_size": 8}
    settings = {**small, "record_fraction": 1.0}
    common = {"game": "ipd", "algo": "population", "env_steps": 40, "evaluation_episodes": 3}
    first = train(
        TrainSpec(
            **common,
            out=folder / "first",
            settings={**settings, "use_lstm": True, "lstm_size": 4, "sr_update_frequency": 1},
            seating=Seating.read(["lase", "defector"], ["20:1=cooperator"]),
        )
    )
    second = train(
        TrainSpec(
            **common,
            out=folder / "second",
            settings=settings,
            seating=Seating.read(["a2c", f"run:{first.path}:agent_0"], shuffle_seats=True),
        )
    )
    return first, second


def test_a_runs_folder_says_who_played(runs: tuple[RunFolder, RunFolder]) -> None:
    first, second = runs
    assert first.config["population"] == ["lase", "defector"]
    assert first.summary()["population"] == ["lase", "cooperator"], "in the evaluation, after the switch"
    assert first.summary()["cooperation_rate_per_agent"][1] == 1.0
    assert first.algorithm == "lase, defector (a2c)"
    assert first.agent_labels == {"agent_0": "agent_0 (lase)", "agent_1": "agent_1 (defector, changes)"}
    assert second.algorithm == "a2c, run:first:agent_0 (a2c)"
    progress = first.progress()
    assert progress["learner/agent_0/sr_loss"].notna().all()
    assert progress["learner/agent_1/sr_loss"].isna().all()
    weights = first.gifts().query("giver == 'agent_1'")
    assert (weights["gift_weight"] == (weights["receiver"] == "agent_1")).all()
    page = first.report_path.read_text()
    assert "agent_0 is lase; agent_1 is defector." in page
    assert "Changes, by env steps of the training and seat: 20:1=cooperator." in page
    assert "--population lase,defector --switch 20:1=cooperator" in run_command(first, first.path)


def test_trained_populations_are_evaluated_with_changes_within_the_episodes(
    runs: tuple[RunFolder, RunFolder], tmp_path: Path, capsys: Capture
) -> None:
    out = tmp_path / "evaluation.json"
    words = ("evaluate", str(runs[0].path), "--episodes", "2", "--out", str(out))
    assert entry.run([*words, "--switch", "25:1=defector"]) == 0
    found = json.loads(out.read_text())
    assert found["population"] == ["lase", "cooperator"]
    assert found["cooperation_rate_per_agent"][1] == 0.25, "25 of 100 steps"
    assert "then defector" in capsys.readouterr().out
    assert "lase in seat 0 learns" in refused(capsys, *words, "--switch", "25:0=defector")[0]


def test_a_frozen_partner_needs_its_run_no_more_once_it_has_played(
    runs: tuple[RunFolder, RunFolder], tmp_path: Path
) -> None:
    first, second = runs
    away = first.path.rename(tmp_path / "away")
    try:
        out = tmp_path / "evaluation.json"
        assert entry.run(["evaluate", str(second.path), "--episodes", "3", "--out", str(out)]) == 0
    finally:
        away.rename(first.path)
    assert json.loads(out.read_text())["reward_per_agent"] == second.summary()["reward_per_agent"]


def test_a_frozen_partners_frozen_partner_is_the_same_agent(
    runs: tuple[RunFolder, RunFolder], tmp_path: Path, capsys: Capture
) -> None:
    settings = "--rounds-per-iteration 1 --num-envs-per-env-runner 2 --env-steps 20 --evaluation-episodes 2"
    out = tmp_path / "third"
    words = ("train", "ipd", "--population", f"a2c,run:{runs[1].path}", *settings.split(), "--out", str(out))
    assert entry.run(words) == 0
    from rllib_lase.registry.seating import Partner
    from rllib_lase.rllib.frozen import FrozenPolicy

    nested = FrozenPolicy.load(Partner.read(f"run:{out}"), 1)
    original = FrozenPolicy.load(Partner.read(f"run:{runs[0].path}:agent_0"), 1)
    assert nested.weights.keys() == original.weights.keys()
    assert all((nested.weights[name] == original.weights[name]).all() for name in original.weights)
    assert nested.config["algo_id"] == "lase"
    capsys.readouterr()
    words = ("train", "ipd", "--population", f"a2c,run:{runs[0].path}", "--out", str(tmp_path / "no"))
    assert "agent_1 is a scripted defector there; name defector" in refused(capsys, *words)[0]
