"""The training benchmark end to end, with turns so short that its numbers mean nothing."""

import json
import math

import pytest

from benchmarks import timing, training


@pytest.fixture
def short_turns(monkeypatch):
    monkeypatch.setattr(training, "COPIES", 16)
    monkeypatch.setattr(training, "FRAGMENT", 2)
    monkeypatch.setattr(training, "FROZEN_ROUNDS", {"a2c": 3})


@pytest.mark.usefixtures("short_turns")
@pytest.mark.filterwarnings("ignore:PYTHONHASHSEED")
def test_the_benchmark_reports_every_ratio_and_keeps_its_checkpoint(tmp_path, capsys):
    arguments = ["--repeats", "1", "--rounds", "2", "--train-steps", "1600", "--min-reward", "-1000"]
    path, checkpoint = tmp_path / "training.json", tmp_path / "checkpoint"

    results = training.main([*arguments, "--json", str(path), "--checkpoint", str(checkpoint)])

    printed = capsys.readouterr().out
    assert json.loads(path.read_text()).keys() == results.keys()
    for name in (
        "ratio_stock_1",
        "ratio_stock_16",
        "share_of_torch",
        "lase_over_independent_a2c",
    ):
        assert math.isfinite(results[name])
        assert name in printed
    assert len(results["contestants"]) == 6
    for shares in results["time_shares"].values():
        assert sum(shares.values()) == pytest.approx(1)
    assert checkpoint.is_dir()


def test_ratios_are_medians_over_neighbouring_turns():
    slow = [timing.Turn(10, cpu, 2 * cpu) for cpu in (2.0, 8.0, 3.0)]
    fast = [timing.Turn(20, cpu, cpu) for cpu in (1.0, 4.0, 1.0)]

    assert timing.ratio(slow, fast) == 4.0
    assert timing.ratio(slow, fast, "wall") == 8.0
    assert timing.spread(slow, fast) == pytest.approx((4.0, 6.0))


def test_time_of_a_nested_part_counts_for_that_part_alone(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(timing.time, "process_time", lambda: now[0])

    class Work:
        def inner(self):
            now[0] += 3

        def outer(self):
            now[0] += 1
            self.inner()
            now[0] += 1

    work, clock = Work(), timing.PartClock()
    clock.watch(work, "inner", "inner")
    clock.watch(work, "outer", lambda: "outer")
    work.outer()

    assert clock.seconds == {"inner": 3, "outer": 2}
