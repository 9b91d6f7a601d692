"""What a search comes to: means over seeds, the best configuration, and trials that did not finish."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from ray import tune

from rllib_lase.cli.train import read_plan
from rllib_lase.evaluation.search_table import shown_tables
from rllib_lase.tuning import Search
from rllib_lase.tuning.outcome import (
    Outcome,
    best_path,
    differences,
    read_outcome,
    send_tables,
    write_description,
    write_outcome,
)

OBJECTIVE = {"collective_reward": 1.0}


def result(
    number: int,
    run: dict[str, str],
    seed: int,
    reward: float | None,
    state: str = "finished",
    **settings: Any,
) -> SimpleNamespace:
    """A trial's result as Tune gives it."""
    plan = {"optimizer": None, "env_steps": 5_000}
    config = {"run": run, "seed": seed, "settings": settings, "game_params": {}, "plan": plan}
    metrics = {"objective": reward, "collective_reward": reward, "env_steps": 5_000, "time_total_s": 2.0}
    metrics |= {"done": state in ("finished", "stopped"), "evaluated": int(state == "finished")}
    error = RuntimeError("trace\nOSError: no room") if state == "failed" else None
    path = f"/somewhere/{number:04d}"
    return SimpleNamespace(path=path, config=config, error=error, metrics=metrics if reward else None)


RUN = {"game": "cleanup", "algo": "lase"}
SEARCH = Search(
    games=["cleanup"], seeds=[1, 2], settings={"lr": tune.grid_search([1e-3, 2e-3, 3e-3]), "delta": 0.2}
)


@pytest.fixture
def outcome() -> Outcome:
    rows = [(1e-3, 1, 4.0, "finished"), (1e-3, 2, 6.0, "finished"), (2e-3, 1, 9.0, "finished")]
    rows += [(2e-3, 2, 8.0, "stopped"), (3e-3, 1, None, "failed"), (3e-3, 2, 1.0, "unfinished")]
    return read_outcome(
        SEARCH,
        [
            result(i, RUN, seed, reward, state, lr=lr, delta=0.2)
            for i, (lr, seed, reward, state) in enumerate(rows)
        ],
    )


def test_every_trial_has_a_row_and_failures_say_why(outcome: Outcome) -> None:
    states = ["finished", "finished", "finished", "stopped", "failed", "unfinished"]
    assert list(outcome.trials["status"]) == states
    assert outcome.failed[["trial", "error"]].to_numpy().tolist() == [["0004", "OSError: no room"]]
    assert outcome.num_unfinished == 1


def test_the_table_has_means_over_seeds_of_what_was_finished_best_first(outcome: Outcome) -> None:
    table = outcome.table
    assert table["objective"].tolist() == [9.0, 5.0]
    assert table["seeds"].tolist() == [1, 2]
    assert table["trials"].tolist() == ["0002", "0000,0001"]
    assert table.loc[1, "collective_reward_low"] < 5.0 < table.loc[1, "collective_reward_high"]


def test_the_best_was_finished_with_every_seed_and_lase_train_takes_it(
    outcome: Outcome, tmp_path: Path
) -> None:
    write_outcome(outcome, tmp_path)
    path = tmp_path / "best-cleanup.json"
    assert json.loads(path.read_text())["settings"]["lr"] == 1e-3
    plan = read_plan(["--config", str(path), "--seed", "5", "--out", str(tmp_path / "run")])[0]
    assert (plan.game, plan.algo, plan.seed, plan.env_steps) == ("cleanup", "lase", 5, 5_000)
    assert (plan.settings["lr"], plan.settings["delta"]) == (1e-3, 0.2)
    assert pd.read_csv(tmp_path / "trials.csv")["trial"].size == 6


def test_configurations_are_shown_by_rank_and_comparisons_as_algorithms_by_games(outcome: Outcome) -> None:
    ((heading, shown),) = shown_tables(outcome.table, ["settings/lr"])
    assert heading == "Configurations, best first"
    assert shown["lr"].tolist() == ["0.002", "0.001"]
    comparison = Search(games=["ipd", "cleanup"], algos=["go", "lola"], seeds=[1])
    pairs = [("ipd", "go", 1.0), ("ipd", "lola", 2.0), ("cleanup", "go", 3.0)]
    found = [result(i, {"game": g, "algo": a}, 1, r) for i, (g, a, r) in enumerate(pairs)]
    heading, shown = shown_tables(read_outcome(comparison, found).table, [])[0]
    assert heading == "Collective reward"
    assert list(shown.columns) == ["Algorithm", "ipd", "cleanup"]
    assert shown.to_numpy().tolist() == [["go", "1.00", "3.00"], ["lola", "2.00", "-"]]


def test_a_folder_tells_its_search_from_another(tmp_path: Path) -> None:
    search = Search(games=["cleanup"], settings={"delta": 0.2})
    write_description(search, OBJECTIVE, "title", "lase tune", tmp_path)
    assert differences(search, OBJECTIVE, tmp_path) == []
    assert len(differences(search, {"min_reward": 1.0}, tmp_path)) == 1
    assert len(differences(Search(games=["ipd"]), {"min_reward": 1.0}, tmp_path)) == 2


def test_a_search_that_was_stopped_before_its_first_trial_has_an_empty_outcome(
    outcome: Outcome, tmp_path: Path
) -> None:
    empty = read_outcome(SEARCH, [])
    assert list(empty.trials.columns) == list(outcome.trials.columns)
    assert (len(empty.trials), len(empty.table), dict(empty.best), empty.num_unfinished) == (0, 0, {}, 0)
    write_outcome(empty, tmp_path)
    assert pd.read_csv(tmp_path / "trials.csv").empty


def test_tables_and_the_best_are_sent_to_the_storage(outcome: Outcome, tmp_path: Path) -> None:
    out, storage = tmp_path / "out", tmp_path / "storage"
    out.mkdir()
    storage.mkdir()
    (out / "0000").mkdir()
    write_outcome(outcome, out)
    send_tables(out, storage.as_uri())
    sent = {"table.csv", "table.parquet", "trials.csv", "trials.parquet", "best-cleanup.json"}
    assert {path.name for path in storage.iterdir()} == sent
    assert (storage / "table.csv").read_bytes() == (out / "table.csv").read_bytes()


def test_the_best_of_a_game_of_others_has_a_file_name_that_every_system_takes(tmp_path: Path) -> None:
    assert best_path(tmp_path, "my_package.my_env:make").name == "best-my_package.my_env-make.json"
