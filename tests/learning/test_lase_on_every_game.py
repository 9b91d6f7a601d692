"""`lase train` with LASE on every preset of every game, short: a run folder with everything in it."""

import math
from pathlib import Path

import pytest

import mixed_motive
from rllib_lase.runs import RunFolder
from tests.lase_command import lase

PRESETS = [(game, preset) for game, spec in mixed_motive.GAMES.items() for preset in spec.presets]


@pytest.mark.learning
@pytest.mark.parametrize(("game", "preset"), PRESETS)
def test_lase_trains_on_it_and_leaves_a_whole_run(game: str, preset: str, tmp_path: Path) -> None:
    words = (
        f"train {game} --preset {preset} --env-steps 100 --num-envs-per-env-runner 2 --evaluation-episodes 2"
    )
    sampling = "--rollout-fragment-length 25 --rounds-per-iteration 1"
    assert lase(*words.split(), *sampling.split(), "--out", str(tmp_path)) == 0
    run = RunFolder.open(tmp_path)
    progress = run.progress()
    assert progress["env_steps"].iloc[-1] >= 100
    losses = progress.filter(regex=r"learner/agent_\d+/.*loss").iloc[-1]
    assert len(losses) >= mixed_motive.GAMES[game].presets[preset].num_agents
    assert losses.map(math.isfinite).all()
    gifts = run.gifts()
    assert set(gifts["giver"]) == set(gifts["receiver"])
    assert len(set(gifts["giver"])) >= 2
    assert {"summary.json", "report.html", "episode.gif"} <= {path.name for path in tmp_path.iterdir()}
