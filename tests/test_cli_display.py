"""How progress is shown: seldom, to the end, as a clock, and as JSON that programs can read."""

import json

import pytest

from rllib_lase.cli.display import JsonDisplay, LineDisplay, clock, progress_line
from tests.lase_command import Capture
from tests.synthetic_runs import progress


def test_lines_are_rare_but_the_last_one_always_comes(capsys: Capture) -> None:
    display = LineDisplay("title")
    for env_steps in (100, 200, 300, 1000):
        display.update(progress(env_steps))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["title", "100", "1,000", "Evaluating"]


def test_an_unknown_end_is_null_for_programs(capsys: Capture) -> None:
    never = progress(0)
    never.seconds_left = float("inf")
    JsonDisplay().update(never)
    assert json.loads(capsys.readouterr().out, parse_constant=pytest.fail)["seconds_left"] is None


def test_a_budget_that_is_overrun_reads_as_done_with_the_length_of_an_iteration() -> None:
    assert "1,200 of 1,000 env steps (100%; 600 an iteration)" in progress_line(progress(1200))


@pytest.mark.parametrize(
    ("seconds", "text"), [(7.4, "0:07"), (247, "4:07"), (3729, "1:02:09"), (float("inf"), "?")]
)
def test_times_read_as_a_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text
