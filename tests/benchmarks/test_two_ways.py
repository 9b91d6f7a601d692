"""The benchmark of gifts on RLlib's PPO end to end, with turns so short that its numbers mean nothing."""

import json
import math

import pytest

from benchmarks import two_ways


@pytest.mark.filterwarnings("ignore:PYTHONHASHSEED")
def test_the_benchmark_reports_every_ratio(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(two_ways, "COPIES", 16)
    monkeypatch.setattr(two_ways, "FRAGMENT", 2)
    path = tmp_path / "two_ways.json"
    results = two_ways.main(["--repeats", "1", "--rounds", "1", "--json", str(path)])
    printed = capsys.readouterr().out
    assert json.loads(path.read_text()).keys() == results.keys()
    assert len(results["env_steps_per_cpu_second"]) == 4
    for name, value in results["ratios"].items():
        assert math.isfinite(value["median"])
        assert name in printed
