"""The paper's effects with the shipped defaults: who cooperates, and what it does to rewards and equality.

Minutes per test; `make test-learning` runs them and shows what each printed.
"""

import sys
from pathlib import Path
from typing import Any

import pytest

from rllib_lase.train_spec import TrainSpec
from rllib_lase.training import train

pytestmark = [
    pytest.mark.learning,
    pytest.mark.filterwarnings("ignore:PYTHONHASHSEED is not fixed"),
]


def trained(
    folder: Path, game: str, algo: str, seed: int, env_steps: int | None = None, **game_params: Any
) -> dict[str, Any]:
    """The summary of a run with the game's own settings and, unless given, the game's own budget."""
    out = folder / f"{algo}-{seed}"
    spec = TrainSpec(game=game, algo=algo, out=out, seed=seed, env_steps=env_steps, game_params=game_params)
    summary = train(spec).summary()
    seen = {
        name: summary[name]
        for name in ("collective_reward", "equality_after_gifting", "cooperation_rate_per_agent")
        if name in summary
    }
    sys.stdout.write(f"{game} {algo} seed {seed}, {summary['env_steps']:,} env steps: {seen}\n")
    return summary


@pytest.mark.parametrize("seed", [3, 4])
def test_lase_clears_more_snowdrifts_than_independent_learners(tmp_path: Path, seed: int) -> None:
    lase = trained(tmp_path, "snowdrift", "lase", seed, 600_000)
    independent = trained(tmp_path, "snowdrift", "independent", seed, 600_000)
    assert lase["collective_reward"] >= 105
    assert lase["collective_reward"] > independent["collective_reward"]


@pytest.mark.parametrize("seed", [3, 4, 5])
def test_lase_cooperates_in_the_prisoners_dilemma_where_independent_learners_defect(
    tmp_path: Path, seed: int
) -> None:
    lase = trained(tmp_path, "ipd", "lase", seed)
    independent = trained(tmp_path, "ipd", "independent", seed)
    assert min(lase["cooperation_rate_per_agent"]) >= 0.85
    assert max(independent["cooperation_rate_per_agent"]) < 0.2


@pytest.mark.parametrize("seed", [3, 4])
def test_lase_cleans_the_river_and_shares_the_apples(tmp_path: Path, seed: int) -> None:
    lase = trained(tmp_path, "cleanup", "lase", seed)
    independent = trained(tmp_path, "cleanup", "independent", seed)
    assert lase["collective_reward"] >= 40
    assert lase["equality_after_gifting"] >= 0.70
    assert independent["collective_reward"] < 5


@pytest.mark.parametrize("seed", [3, 4])
def test_lase_leaves_coins_to_their_owners_more_often_than_independent_learners(
    tmp_path: Path, seed: int
) -> None:
    lase = trained(tmp_path, "coingame", "lase", seed)
    independent = trained(tmp_path, "coingame", "independent", seed)
    assert lase["collective_reward"] >= 9
    assert lase["collective_reward"] > independent["collective_reward"]


@pytest.mark.parametrize("seed", [0, 1])
def test_lase_hunts_stags_where_independent_learners_settle_for_hares(tmp_path: Path, seed: int) -> None:
    lase = trained(tmp_path, "stag_hunt", "lase", seed, preset="lase_repository")
    independent = trained(tmp_path, "stag_hunt", "independent", seed, preset="lase_repository")
    assert lase["collective_reward"] >= 16
    assert independent["collective_reward"] < 8


@pytest.mark.parametrize("seed", [3, 4])
def test_lio_pays_for_the_lever_and_leaves_the_escape_room_where_independent_learners_stay(
    tmp_path: Path, seed: int
) -> None:
    lio = trained(tmp_path, "escape_room", "lio", seed)
    independent = trained(tmp_path, "escape_room", "independent", seed)
    assert lio["collective_reward"] >= 0.8 * lio["max_collective_reward"]
    assert independent["collective_reward"] <= 0.5 * independent["max_collective_reward"]
