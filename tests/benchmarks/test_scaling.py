"""The benchmarks of scale: arithmetic and tables, with work so small that no time means anything."""

import json
import math

import numpy as np
import pytest
import torch

from benchmarks import decentralised, gpu, remote_runners
from benchmarks.remote_runners import Call


def test_the_device_benchmark_reports_every_combination(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(gpu, "MIN_SECONDS", 1e-6)
    path = tmp_path / "gpu.json"
    words = ["--device", "cpu", "--batches", "2", "4", "--agents", "2", "--steps", "1", "--json", str(path)]
    results = gpu.main(words)
    assert json.loads(path.read_text()).keys() == results.keys()
    found = [(row["precision"], row["agents"], row["batch"]) for row in results["rates"]]
    assert found == [("fp32", 2, 2), ("fp32", 2, 4), ("bf16", 2, 2), ("bf16", 2, 4)]
    for row in results["rates"]:
        assert row["sampling_agent_steps_per_second"] > 0
        assert row["training_agent_steps_per_second"] > 0
        assert "sampling_gpu_share" not in row, "a CPU has none"
    assert "device cpu" in capsys.readouterr().out


def test_agent_steps_per_second_are_those_of_all_agents(monkeypatch):
    monkeypatch.setattr(gpu, "measure", lambda work, device: (0.5, 0.25))
    row = gpu.rates(3, 4, "fp32", torch.device("cpu"))
    assert row["sampling_agent_steps_per_second"] == row["training_agent_steps_per_second"] == 24
    assert row["sampling_gpu_share"] == row["training_gpu_share"] == 0.25


def test_the_learning_check_learns():
    before, after = (gpu.accuracy("fp32", torch.device("cpu"), steps) for steps in (0, 5))
    assert after > before


def test_what_is_neither_sampling_nor_learning_is_calls_and_transfer():
    call = Call(total=2.0, sampling=1.2, learning=0.3)
    assert math.isclose(call.rest, 0.5)
    assert math.isclose(call.share, 0.25)


def test_the_table_of_remote_runners_is_in_percent():
    own = {"rounds_per_call": 8, "env_steps_per_round": 160, "calls_and_transfer": 0.018}
    own |= {
        "calls_and_transfer_all": 0.031,
        "sampling": 0.7,
        "learning": 0.282,
        "milliseconds_per_call": 55.4,
    }
    heading, row = remote_runners.table({"snowdrift": own}).splitlines()
    assert row.split() == ["snowdrift", "8", "x", "160", "1.8", "3.1", "70.0", "28.2", "55"]
    assert len(heading) == len(row)


def test_the_largest_difference_is_looked_for_in_all_weights_of_all_agents():
    first = {"a": {"w": np.zeros(2), "b": np.zeros(1)}, "b": {"w": np.ones(2)}}
    second = {"a": {"w": np.array([0.0, -0.25]), "b": np.zeros(1)}, "b": {"w": np.array([1.5, 1.0])}}
    assert decentralised.largest_difference(first, second) == pytest.approx(0.5)
    assert decentralised.largest_difference(first, first) == 0
