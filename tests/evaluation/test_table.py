"""The comparison table over synthetic run folders."""

import io
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from rllib_lase.evaluation import t_interval
from rllib_lase.evaluation.table import comparison_frame, display_frame, format_number, rich_table
from rllib_lase.runs import RunError, RunFolder, find_runs
from tests.synthetic_runs import rewrite_summary, write_run


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[RunFolder]:
    folder = tmp_path_factory.mktemp("comparison")
    for algo, optimizer in (("independent", "ppo"), ("independent", "a2c"), ("go", "ppo"), ("lase", "ppo")):
        for seed in range(3):
            write_run(folder / f"{algo}-{optimizer}-seed{seed}", algo, optimizer, seed, iterations=2)
    return find_runs(folder)


def test_there_is_one_row_per_algorithm_and_optimiser(runs: list[RunFolder]) -> None:
    frame = comparison_frame(runs)
    expected = ["lase (ppo)", "go (ppo)", "independent (a2c)", "independent (ppo)"]
    assert list(frame["algorithm"]) == expected
    assert list(frame["seeds"]) == [3, 3, 3, 3]
    assert not frame["variant"].any()


def test_a_row_is_the_mean_and_interval_over_its_seeds(runs: list[RunFolder]) -> None:
    row = comparison_frame(runs).iloc[0]
    summaries = [run.summary() for run in runs if run.config["algo"] == "lase"]
    interval = t_interval([summary["collective_reward"] for summary in summaries])
    assert row["collective_reward"] == pytest.approx(interval.estimate)
    assert row["collective_reward_high"] == pytest.approx(interval.high)
    assert row["wall_seconds"] == pytest.approx(17.5)
    assert row["share_given"] == pytest.approx(np.mean([0.26, 0.22, 0.07, 0.19]))
    assert row["counts/waste_cleaned"] == pytest.approx(48)


def test_algorithms_without_gifts_give_nothing_away(runs: list[RunFolder]) -> None:
    frame = comparison_frame(runs).set_index("algorithm")
    assert frame.loc["go (ppo)", "share_given"] == 0
    assert frame.loc["go (ppo)", "equality"] == frame.loc["go (ppo)", "equality_after_gifting"]


def test_people_read_labels_and_plus_minus(runs: list[RunFolder]) -> None:
    shown = display_frame(comparison_frame(runs))
    assert list(shown.columns[:4]) == ["Algorithm", "Seeds", "Collective reward", "Equality before gifting"]
    assert {"Apples", "Waste cleaned", "Speed (env steps/s)"} <= set(shown.columns)
    assert "±" in shown["Collective reward"][0]


def test_a_terminal_shows_every_row(runs: list[RunFolder]) -> None:
    console = Console(width=160, file=io.StringIO(), record=True)
    console.print(rich_table(comparison_frame(runs), "cleanup", 160))
    text = console.export_text()
    assert "independent (ppo)" in text
    assert "95 % interval" in text
    assert "left out" not in text
    assert "Apples" in text


def test_a_narrow_terminal_shows_fewer_columns_and_says_so(runs: list[RunFolder]) -> None:
    console = Console(width=90, file=io.StringIO(), record=True)
    console.print(rich_table(comparison_frame(runs), "cleanup", 90))
    text = console.export_text()
    assert "columns left out for want of room: " in " ".join(text.split())
    assert "…" not in text
    assert "Wall" not in text


def test_runs_with_other_settings_are_not_mixed(tmp_path: Path) -> None:
    runs = [
        write_run(tmp_path / "a", seed=0, iterations=1, settings={"delta": 0.1}),
        write_run(tmp_path / "b", seed=1, iterations=1, settings={"delta": 0.1}),
        write_run(tmp_path / "c", seed=0, iterations=1, settings={"delta": 0.2}),
    ]
    frame = comparison_frame(runs)
    assert list(frame["variant"]) == ["delta=0.1", "delta=0.2"]
    assert list(frame["seeds"]) == [2, 1]
    assert display_frame(frame)["Algorithm"][1] == "lase (ppo), delta=0.2"


def test_games_are_named_where_there_are_several(tmp_path: Path) -> None:
    runs = [
        write_run(tmp_path / "a", "go", iterations=1),
        write_run(tmp_path / "b", "go", iterations=1, game="matrix", preset=None),
    ]
    assert list(display_frame(comparison_frame(runs))["Game"]) == ["cleanup (lase)", "matrix"]


def test_the_same_seed_twice_is_refused(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / name, iterations=1) for name in ("a", "b")]
    with pytest.raises(RunError, match=r"b: same seed 0 and same settings as .*a; expected different seeds"):
        comparison_frame(runs)


def test_seeds_without_a_defined_value_are_told(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / str(seed), seed=seed, iterations=1) for seed in range(3)]
    rewrite_summary(runs[1], runs[1].summary() | {"equality": None})
    shown = display_frame(comparison_frame(runs))
    assert shown["Equality before gifting"][0].endswith("(2 of 3)")
    for run in runs:
        rewrite_summary(run, run.summary() | {"equality": None})
    assert display_frame(comparison_frame(runs))["Equality before gifting"][0] == "n/a"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (float("nan"), "n/a"),
        (1234.5, "1,234"),
        (56.78, "56.8"),
        (0.805, "0.81"),
        (-0.001, "0.00"),
        (-2, "-2.00"),
    ],
)
def test_numbers_have_a_precision_that_fits_a_table(value: float, text: str) -> None:
    assert format_number(value) == text
