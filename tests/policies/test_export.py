"""Exports: what they hold, that they play as the run does, and what is refused."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import rllib_lase
from rllib_lase.cli import entry
from rllib_lase.policies import PolicyError
from rllib_lase.policies.export import export_run
from rllib_lase.rllib.checkpoints import CheckpointError
from rllib_lase.run_schema import RunError
from tests.interpreter import run_python
from tests.policies.saved import add_checkpoint, make_runner
from tests.synthetic_runs import AGENTS, write_run


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of LASE on Cleanup, with a checkpoint."""
    folder = tmp_path_factory.mktemp("runs") / "cleanup"
    write_run(folder, "lase", iterations=2)
    add_checkpoint(folder, make_runner("lase"), 99_840)
    return folder


@pytest.fixture
def exported(trained: Path, tmp_path: Path) -> Path:
    return export_run(trained, tmp_path / "export")


def test_an_export_is_a_card_and_policies_without_pickles(exported):
    files = sorted(str(path.relative_to(exported)) for path in exported.rglob("*") if path.is_file())
    assert files == [
        "README.md",
        "policies/arrays.safetensors",
        "policies/manifest.json",
        "policies/structure.json",
    ]


@pytest.mark.parametrize("agent", AGENTS)
def test_an_export_plays_as_the_run_does(trained, exported, agent):
    one, other = (rllib_lase.load_policy(folder, agent, seed=4) for folder in (trained, exported))
    for _ in range(200):
        obs = one.observation_space.sample()
        assert one.act(obs) == other.act(obs)


def test_an_export_needs_neither_the_run_nor_ray(exported):
    code = f"""
import sys
for name in ("ray", "pandas", "pyarrow", "numba", "matplotlib"):
    sys.modules[name] = None  # importing it fails
import rllib_lase
policy = rllib_lase.load_policy({str(exported)!r}, "agent_2")
print(policy.action_space.contains(policy.act(policy.observation_space.sample())))
"""
    assert run_python(code) == "True"


def test_the_card_says_what_the_policies_are_and_how_they_play(trained, exported):
    card = (exported / "README.md").read_text()
    head, body = card.split("---\n", 2)[1:]
    assert "library_name: rllib-lase" in head
    assert body.startswith("# cleanup (lase): lase (ppo), seed 0\n\nLASE: gifts by inferred social")
    assert "4 agents, trained for 99,840 env steps with one seed." in body
    for row in (
        "| game | `cleanup` |",
        "| seed of the evaluation | 10000 |",
        "| parameter num_agents | 4 |",
        "| `gamma` | 0.98 |",
        "| torch | ",
    ):
        assert row in body, row
    assert "lase train cleanup --algo lase --optimizer ppo --seed 0" in body
    assert body.count("| `agent_1` |") == 2
    assert all(words in body for words in ("## Intended use and limits", "sample their actions", "One seed"))

    episodes = json.loads(rllib_episodes(trained))
    rewards = np.array(episodes).reshape(-1, 4).sum(1)
    low, high = stats.t.interval(0.95, len(rewards) - 1, rewards.mean(), stats.sem(rewards))
    found = re.search(r"\| Collective reward \| ([\d.]+) \[([\d.]+), ([\d.]+)\] \|", body)
    assert found is not None
    assert [float(number) for number in found.groups()] == pytest.approx(
        [rewards.mean(), low, high], abs=0.051
    )
    assert re.search(r"\| Equality after gifting \| 0\.\d\d \[0\.\d\d, 0\.\d\d\] \|", body)


def rllib_episodes(run: Path) -> str:
    from rllib_lase.runs import RunFolder

    return str(RunFolder.open(run).episodes()["reward"].to_json(orient="values"))


def test_the_card_of_an_interrupted_run_says_so(trained, tmp_path):
    run = tmp_path / "interrupted"
    shutil.copytree(trained, run)
    summary = json.loads((run / "summary.json").read_text())
    (run / "summary.json").write_text(json.dumps(summary | {"status": "interrupted"}))
    card = (export_run(run, tmp_path / "out") / "README.md").read_text()
    assert "**Training was interrupted; 100,000 env steps were planned.**" in card


def test_what_cannot_be_exported_is_told_and_leaves_nothing_behind(trained, tmp_path):
    with pytest.raises(RunError, match="holds no run"):
        export_run(tmp_path / "nowhere", tmp_path / "out")
    write_run(tmp_path / "unfinished", iterations=1, finished=False)
    with pytest.raises(RunError, match=r"was not finished: there is no summary\.json"):
        export_run(tmp_path / "unfinished", tmp_path / "out")
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "file").touch()
    with pytest.raises(RunError, match="used: exists and is not an empty folder"):
        export_run(trained, tmp_path / "used")
    damaged = tmp_path / "damaged"
    shutil.copytree(trained, damaged)
    next(damaged.glob("checkpoints/*/arrays.safetensors")).write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"arrays\.safetensors: 0 bytes"):
        export_run(damaged, tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["damaged", "unfinished", "used"]


def test_a_damaged_export_or_a_wrong_question_to_it_is_refused(exported):
    with pytest.raises(PolicyError, match=r"no agent 'agent_9': did you mean 'agent_\d'\?"):
        rllib_lase.load_policy(exported, "agent_9")
    with pytest.raises(PolicyError, match="is no run that has several checkpoints"):
        rllib_lase.load_policy(exported, checkpoint=99840)
    structure = exported / "policies" / "structure.json"
    structure.write_text(structure.read_text().replace("99840", "99841"))
    with pytest.raises(CheckpointError, match=r"structure\.json: its SHA-256"):
        rllib_lase.load_policy(exported)


def test_the_command_exports_into_a_new_folder(trained, tmp_path, capsys):
    assert entry.run(["export", str(trained), "--out", str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'out'}\n"
    assert rllib_lase.load_policy(tmp_path / "out", "agent_3").agent_id == "agent_3"
    assert entry.run(["export", str(trained), "--out", str(tmp_path / "out")]) == entry.USAGE_ERROR
    assert "exists and is not an empty folder" in capsys.readouterr().err
    assert entry.run(["export", str(tmp_path)]) == entry.USAGE_ERROR
    complaint = capsys.readouterr().err
    assert "RUN: " in complaint
    assert "--out: missing" in complaint


def test_of_a_mixed_population_the_learners_are_exported_and_the_card_says_who_played(tmp_path):
    out = tmp_path / "mixed"
    words = "train ipd --population lase,cooperator --switch 600:1=defector --env-steps 1200"
    assert entry.run([*words.split(), "--evaluation-episodes", "8", "--out", str(out)]) == 0
    exported = export_run(out, tmp_path / "export")
    card = (exported / "README.md").read_text()
    assert "A mixed population. agent_0 (lase), agent_1 (cooperator, changes), with the policies of" in card
    assert "| changes | 600:1=defector |" in card
    for folder in (out, exported):
        assert rllib_lase.load_policy(folder, "agent_0").agent_id == "agent_0"
        with pytest.raises(PolicyError, match="no policy of 'agent_1': this population was lase, cooperator"):
            rllib_lase.load_policy(folder, "agent_1")
