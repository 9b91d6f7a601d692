"""LOLA's effect with the shipped defaults: both cooperate in the iterated prisoner's dilemma."""

import sys
from pathlib import Path

import pytest

from rllib_lase.train_spec import TrainSpec
from rllib_lase.training import train

pytestmark = [
    pytest.mark.learning,
    pytest.mark.filterwarnings("ignore:PYTHONHASHSEED is not fixed"),
]


@pytest.mark.parametrize("seed", range(5))
def test_lola_cooperates_in_the_prisoners_dilemma(tmp_path: Path, seed: int) -> None:
    summary = train(TrainSpec(game="ipd", algo="lola", out=tmp_path / "run", seed=seed)).summary()
    rates = summary["cooperation_rate_per_agent"]
    sys.stdout.write(f"ipd lola seed {seed}, {summary['env_steps']:,} env steps: cooperation {rates}\n")
    assert min(rates) >= 0.8


def test_without_the_lookahead_the_same_learners_defect(tmp_path: Path) -> None:
    spec = TrainSpec(game="ipd", algo="lola", out=tmp_path / "run", seed=0, settings={"lookahead_lr": 0.0})
    rates = train(spec).summary()["cooperation_rate_per_agent"]
    sys.stdout.write(f"ipd lola without lookahead, seed 0: cooperation {rates}\n")
    assert max(rates) < 0.2
