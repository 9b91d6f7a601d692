"""ASHA against random search: what its table makes of trials. The searches themselves take minutes."""

import pandas as pd
import pytest

from benchmarks.asha import search, summary


def test_both_searches_can_start_and_draw_from_the_same_ranges():
    asha, random = (search(name, 0, 90_000) for name in ("ASHA", "random"))
    assert asha.problems() == random.problems() == []
    settings = [
        {name: text for name, text in each.description().items() if "settings/" in name}
        for each in (asha, random)
    ]
    assert settings[0] == settings[1]


def test_the_time_per_good_configuration_counts_what_was_stopped():
    rows = [("random", 50.0, "finished", 9.0), ("random", 100.0, "finished", 9.0)]
    rows += [("ASHA", 95.0, "finished", 9.0), ("ASHA", 99.0, "stopped", 1.0), ("ASHA", 93.0, "finished", 8.0)]
    trials = pd.DataFrame(rows, columns=["search", "objective", "status", "seconds"]).assign(
        repeat=0, env_steps=10
    )
    found = summary(trials).set_index("search")
    assert found["good"].to_dict() == {"ASHA": 2, "random": 1}
    assert found["best"].to_dict() == {"ASHA": 95.0, "random": 100.0}
    assert found["seconds_per_good"].to_dict() == pytest.approx({"ASHA": 9.0, "random": 18.0})
