"""The run folder: what is written is read back, nothing is lost, errors name the file and the key."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from rllib_lase import runs
from rllib_lase.run_schema import SUMMARY_KEYS
from rllib_lase.runs import RunError, RunFolder, find_runs
from tests.interpreter import run_python
from tests.synthetic_runs import AGENTS, progress_row, rewrite_summary, run_config, write_run


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return write_run(tmp_path / "run", iterations=5)


def test_a_run_reads_back_as_it_was_written(run: RunFolder) -> None:
    read = RunFolder.open(run.path)
    assert read.config == run.config
    assert read.config["format"] == 1
    assert read.config["versions"]["python"]
    assert read.is_finished
    assert read.agent_ids == AGENTS
    progress = read.progress()
    assert list(progress["iteration"]) == [1, 2, 3, 4, 5]
    assert progress["env_steps"].dtype == np.int64
    assert list(progress.columns[:3]) == ["iteration", "env_steps", "num_episodes"]
    assert set(read.summary()) >= set(SUMMARY_KEYS)
    assert len(read.episodes()) == 128 * 4


def test_gifts_keep_giver_and_receiver_apart(tmp_path: Path) -> None:
    weights = np.array([[0.7, 0.2, 0.1], [0.0, 1.0, 0.0], [np.nan] * 3])
    with RunFolder.create(tmp_path, run_config()) as run:
        run.append_gifts(1, 100, ("a", "b", "c"), np.eye(3), np.ones(3))
        run.append_gifts(2, 200, ("a", "b", "c"), weights, np.array([5, 6, 0]))
    gifts = RunFolder.open(tmp_path).gifts()
    last = gifts[gifts["iteration"] == 2]
    matrix = last.pivot(index="giver", columns="receiver", values="gift_weight").to_numpy()
    np.testing.assert_array_equal(matrix, weights)
    assert list(last["recorded_steps"]) == [5, 5, 5, 6, 6, 6, 0, 0, 0]
    assert list(last["env_steps"].unique()) == [200]


def test_gifts_are_an_empty_table_where_nobody_gives(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, run_config("go"))
    assert run.gifts().empty
    assert "giver" in run.gifts().columns


def test_an_interrupted_run_keeps_every_row(tmp_path: Path) -> None:
    def train() -> None:
        with RunFolder.create(tmp_path, run_config()) as run:
            for i in range(1, 8):
                run.append_progress(progress_row(i, i * 100))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train()
    read = RunFolder.open(tmp_path)
    assert len(read.progress()) == 7
    assert not read.is_finished
    assert not list(tmp_path.glob(".*"))


def test_rows_are_published_while_training_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(runs.time, "monotonic", lambda: now)
    run = RunFolder.create(tmp_path, run_config())
    run.append_progress(progress_row(1, 100))
    assert not (tmp_path / "progress.parquet").exists()
    now = 6.0
    run.append_progress(progress_row(2, 200))
    assert len(RunFolder.open(tmp_path).progress()) == 2


def test_whoever_reads_a_summary_finds_every_row_beside_it(run: RunFolder, tmp_path: Path) -> None:
    with RunFolder.create(tmp_path / "new", run_config()) as new:
        new.append_progress(progress_row(1, 100))
        new.append_gifts(1, 100, AGENTS, np.eye(4), np.ones(4))
        new.write_summary(run.summary())
        assert len(RunFolder.open(new.path).progress()) == 1
        assert len(RunFolder.open(new.path).gifts()) == 16


def test_a_column_may_come_late_and_have_gaps(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path, run_config()) as run:
        run.append_progress(progress_row(1, 100))
        run.append_progress(progress_row(2, 200) | {"learner/agent_0/sr_loss": 0.5})
        run.append_progress(progress_row(3, 300))
    np.testing.assert_array_equal(run.progress()["learner/agent_0/sr_loss"], [np.nan, 0.5, np.nan])


def test_undefined_numbers_are_null_and_the_json_is_strict(run: RunFolder) -> None:
    summary = run.summary() | {"equality": float("nan"), "collective_reward": np.float32(np.inf)}
    rewrite_summary(run, summary)
    text = (run.path / "summary.json").read_text()
    assert not re.search(r"NaN|Infinity", text)
    read = run.summary()
    assert (read["equality"], read["collective_reward"]) == (None, None)


def test_a_nan_token_in_the_file_is_refused(run: RunFolder) -> None:
    path = run.path / "summary.json"
    path.write_text(path.read_text().replace('"equality": 0', '"equality": NaN, "x": 0'))
    with pytest.raises(RunError, match=r"summary\.json.*NaN is not JSON; write null"):
        run.summary()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"equality": "high"}, r"'equality' holds 'high' \(str\); expected a number, or null"),
        ({"env_steps": 1.5}, r"'env_steps' holds 1.5 \(float\); expected a whole number, 0 or more"),
        ({"status": "done"}, r"'status' holds 'done' \(str\); expected \"finished\" or \"interrupted\""),
        ({"reward_per_agent": 3}, r"'reward_per_agent' holds 3 \(int\); expected a list with one number"),
        ({"reward_after_gifting_per_agent": [1, 2]}, r"has 2 entries, 'reward_per_agent' has 4"),
        ({"counts_per_agent": {"apples": [1]}}, r"'counts_per_agent.apples' has 1 entries"),
        ({"cooperation_rate_per_agent": "x"}, r"'cooperation_rate_per_agent' holds 'x'"),
        (
            {"gift_weights": np.full((4, 4), 0.5)},
            r"row 0 is .*sum 2; expected shares .* giver belongs in the row",
        ),
    ],
)
def test_a_wrong_summary_is_refused_when_written_and_when_read(
    run: RunFolder, changes: dict[str, Any], message: str
) -> None:
    summary = run.summary() | changes
    with pytest.raises(RunError, match=message):
        rewrite_summary(run, summary)
    plain = json.loads(json.dumps(summary, default=lambda array: array.tolist()))
    (run.path / "summary.json").write_text(json.dumps(plain))
    with pytest.raises(RunError, match=r"summary\.json"):
        run.summary()


def test_all_faults_of_a_file_come_in_one_message(run: RunFolder) -> None:
    summary = run.summary() | {"equality": "x", "seed": "y"}
    del summary["preset"]
    with pytest.raises(RunError) as error:
        rewrite_summary(run, summary)
    assert len(str(error.value).splitlines()) == 3
    assert "key 'preset' is missing" in str(error.value)


def test_a_config_without_its_keys_is_refused(tmp_path: Path) -> None:
    config = run_config()
    del config["seed"]
    with pytest.raises(RunError, match=r"config\.json: key 'seed' is missing"):
        RunFolder.create(tmp_path / "new", config)
    assert not (tmp_path / "new").exists()


def test_a_folder_of_another_format_is_refused(run: RunFolder) -> None:
    path = run.path / "config.json"
    path.write_text(path.read_text().replace('"format": 1', '"format": 99'))
    with pytest.raises(RunError, match="'format' holds 99"):
        RunFolder.open(run.path)


def test_a_finished_run_is_not_overwritten_unless_told_so(run: RunFolder) -> None:
    with pytest.raises(RunError, match=r"already holds a finished run\. .*--overwrite"):
        RunFolder.create(run.path, run_config())
    (run.path / "notes.txt").write_text("mine")
    run.checkpoints_path.mkdir()
    (run.checkpoints_path / "weights").touch()
    with RunFolder.create(run.path, run_config(seed=9), overwrite=True) as new:
        assert new.config["seed"] == 9
    assert sorted(path.name for path in run.path.iterdir()) == ["config.json", "notes.txt"]


def test_a_run_that_was_cut_off_is_not_overwritten_either(tmp_path: Path) -> None:
    write_run(tmp_path / "run", iterations=2, finished=False)
    with pytest.raises(RunError, match="a run that was not finished"):
        RunFolder.create(tmp_path / "run", run_config())


def test_a_run_that_never_got_anywhere_is_replaced(tmp_path: Path) -> None:
    RunFolder.create(tmp_path, run_config())
    assert RunFolder.create(tmp_path, run_config(seed=1)).config["seed"] == 1


def test_somebody_elses_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    for overwrite in (False, True):
        with pytest.raises(RunError, match=r"thesis\.tex.* but no run"):
            RunFolder.create(tmp_path, run_config(), overwrite=overwrite)
    with pytest.raises(RunError, match="is a file"):
        RunFolder.create(tmp_path / "thesis.tex", run_config())


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"iteration": 3}, "column 'env_steps' is missing"),
        (progress_row(1, 100) | {"equality": "high"}, "column 'equality' holds 'high'; expected a number"),
        (progress_row(1, 100, num_episodes=1.5), "'num_episodes' holds 1.5; expected a whole number"),
        (
            progress_row(1, 100) | {"env_steps": float("nan")},
            "'env_steps' holds nan; expected a whole number",
        ),
        (progress_row(0, 100), "iteration 0 comes after 0; expected it to rise"),
    ],
)
def test_a_bad_progress_row_is_refused(tmp_path: Path, row: dict[str, float], message: str) -> None:
    run = RunFolder.create(tmp_path, run_config())
    run.append_progress(progress_row(0, 0))
    with pytest.raises(RunError, match=re.escape(message)):
        run.append_progress(row)
    assert len(run.progress()) == 1


def test_gift_weights_that_do_not_fit_the_agents_are_refused(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, run_config())
    with pytest.raises(RunError, match=r"shape \(2, 2\) .* expected \(3, 3\) and \(3,\) for agents a, b, c"):
        run.append_gifts(1, 100, ("a", "b", "c"), np.eye(2), np.ones(2))
    run.append_gifts(1, 100, ("a", "b"), np.eye(2), np.ones(2))
    with pytest.raises(RunError, match="agents b, a after a, b"):
        run.append_gifts(2, 200, ("b", "a"), np.eye(2), np.ones(2))


def test_episodes_without_a_column_are_refused(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, run_config())
    with pytest.raises(RunError, match=r"episodes\.parquet: column 'length' is missing"):
        run.write_episodes(pd.DataFrame({"episode": [0], "agent_id": ["a"], "reward": [0.0]}))


def test_missing_and_broken_files_are_named(run: RunFolder) -> None:
    read = RunFolder.open(run.path)
    (run.path / "episodes.parquet").unlink()
    with pytest.raises(RunError, match=r"episodes\.parquet: no such file"):
        read.episodes()
    (run.path / "progress.parquet").write_bytes(b"not parquet")
    with pytest.raises(RunError, match=r"progress\.parquet: not a parquet file"):
        read.progress()
    (run.path / "summary.json").write_text("[]")
    with pytest.raises(RunError, match=r"summary\.json: holds \[\] \(list\); expected a JSON object"):
        read.summary()


def test_a_run_opened_to_be_read_cannot_be_written(run: RunFolder) -> None:
    with pytest.raises(RunError, match="opened for reading"):
        RunFolder.open(run.path).append_progress(progress_row(9, 900))


def test_runs_are_found_in_natural_order(tmp_path: Path) -> None:
    for seed in (10, 2, 1):
        RunFolder.create(tmp_path / f"go-ppo-seed{seed}", run_config("go", seed=seed))
    (tmp_path / "logs").mkdir()
    assert [run.config["seed"] for run in find_runs(tmp_path)] == [1, 2, 10]
    assert len(find_runs(tmp_path / "go-ppo-seed2")) == 1
    with pytest.raises(RunError, match=r"holds no run .* did you mean .*go-ppo-seed1\?"):
        RunFolder.open(tmp_path)


def test_reading_and_writing_runs_imports_neither_ray_nor_torch() -> None:
    code = "import sys, rllib_lase.runs, rllib_lase.evaluation; print({'ray', 'torch'} & set(sys.modules))"
    assert run_python(code) == "set()"
