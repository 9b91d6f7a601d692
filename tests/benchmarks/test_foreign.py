"""The benchmark of environments of others end to end, with one turn each: its numbers mean nothing."""

import json
import math

from benchmarks import foreign


def test_the_benchmark_reports_both_runners_and_the_bare_environment(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(foreign, "FRAGMENT", 4)
    monkeypatch.setattr(foreign, "COPIES", 2)
    path = tmp_path / "foreign.json"

    results = foreign.main(["--json", str(path), "--repeats", "1", "--environments", "cart_poles"])

    assert "cart_poles" in capsys.readouterr().out
    found = json.loads(path.read_text())["environments"]["cart_poles"]
    assert found == results["environments"]["cart_poles"]
    assert found["agents"] == 4
    assert len(found["env_steps_per_cpu_second"]) == 3
    assert all(rate > 0 for rate in found["env_steps_per_cpu_second"].values())
    assert math.isfinite(found["ratio"])
