import dataclasses
import functools
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import mixed_motive
from mixed_motive import GameError
from mixed_motive.schelling import Finding
from mixed_motive.schelling.__main__ import main
from mixed_motive.schelling.picture import diagram_figure
from mixed_motive.schelling.statistics import mean_band, t_quantile


@functools.cache
def diagram_of(game_id, preset):
    """The diagram of a preset, made once."""
    return mixed_motive.schelling(game_id, preset)


@pytest.mark.parametrize(
    ("game_id", "preset", "verdict"),
    [
        ("cleanup", "lase", "greed"),
        ("cleanup", "lase_extended", "greed"),
        ("cleanup", "lio_7x7", "greed"),
        ("snowdrift", "lase", "greed"),
        ("snowdrift", "lase_extended", "greed"),
        ("stag_hunt", "lase", "fear"),
        ("stag_hunt", "lase_repository", "fear"),
        ("stag_hunt", "hop", "fear"),
        ("coingame", "lase", "both"),
        ("coingame", "lola", "both"),
        ("public_goods", "standard", "both"),
        ("escape_room", "lio_2_1", "greed"),
        ("escape_room", "lio_3_2", "greed"),
        ("harvest", "small", "both"),
        ("matrix", "ipd", "both"),
        ("matrix", "stag_hunt", "fear"),
        ("matrix", "chicken", "greed"),
        ("matrix", "harmony", "no dilemma"),
    ],
)
def test_games_are_the_dilemmas_that_they_are_known_as(game_id, preset, verdict):
    diagram = diagram_of(game_id, preset)
    assert diagram.verdict == verdict, diagram.to_text()


def test_public_goods_are_no_dilemma_where_giving_pays_or_is_lost():
    assert mixed_motive.schelling("public_goods", num_episodes=2, multiplier=5.0).verdict == "no dilemma"
    assert mixed_motive.schelling("public_goods", num_episodes=2, multiplier=0.5).verdict == "no dilemma"


def test_curves_of_public_goods_are_those_of_the_formula():
    diagram = mixed_motive.schelling("public_goods", "standard", num_episodes=40)
    others = np.arange(4)
    np.testing.assert_allclose(diagram.cooperator.mean, 100 * 0.4 * (others + 1), rtol=1e-5)
    np.testing.assert_allclose(diagram.defector.mean, 100 * (1 + 0.4 * others), rtol=1e-5)
    np.testing.assert_allclose(diagram.everybody.mean, 100 + 15 * np.arange(5), rtol=1e-5)


def test_everybody_is_cooperators_and_defectors_by_their_number():
    diagram = mixed_motive.schelling("cleanup", num_episodes=50)
    k = np.arange(1, 4)
    mixed = (k * diagram.cooperator.mean[:-1] + (4 - k) * diagram.defector.mean[1:]) / 4
    np.testing.assert_allclose(diagram.everybody.mean[1:-1], mixed)
    assert diagram.everybody.mean[0] == diagram.defector.mean[0]
    assert diagram.everybody.mean[-1] == pytest.approx(diagram.cooperator.mean[-1])


def test_the_same_seed_gives_the_same_diagram_and_another_seed_another():
    text = mixed_motive.schelling("coingame", num_episodes=40, seed=3).to_text()
    assert mixed_motive.schelling("coingame", num_episodes=40, seed=3).to_text() == text
    assert mixed_motive.schelling("coingame", num_episodes=40, seed=4).to_text() != text


def test_bands_cover_the_mean_as_often_as_they_say():
    samples = np.random.default_rng(0).normal(2.0, 3.0, (4000, 8))
    band = mean_band(samples, 0.9)
    assert ((band.low < 2) & (band.high > 2)).mean() == pytest.approx(0.9, abs=0.015)
    assert band.mean == pytest.approx(samples.mean(axis=1))


@pytest.mark.parametrize("dof", [1, 2, 3, 4, 7, 30, 199])
@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
def test_quantiles_are_students(dof, confidence):
    expected = stats.t.ppf((1 + confidence) / 2, dof)
    assert t_quantile(confidence, dof) == pytest.approx(expected, rel=1e-9)


# The verdict

YES, NO, UNDECIDED = (1.0, 2.0), (-2.0, -1.0), (-1.0, 1.0)


def verdict_of(cooperation_pays, exploitation_hurts, fear, greed):
    diagram = mixed_motive.schelling("ipd", num_episodes=2)
    intervals = {
        "cooperation_pays": cooperation_pays,
        "exploitation_hurts": exploitation_hurts,
        "fear": fear,
        "greed": greed,
    }
    return dataclasses.replace(
        diagram, **{name: Finding(name, 0.0, 0.0, *ends) for name, ends in intervals.items()}
    ).verdict


@pytest.mark.parametrize(
    ("findings", "verdict"),
    [
        ((YES, YES, YES, YES), "both"),
        ((YES, YES, YES, NO), "fear"),
        ((YES, YES, NO, YES), "greed"),
        ((YES, YES, NO, NO), "no dilemma"),
        ((NO, YES, YES, YES), "no dilemma"),
        ((YES, NO, YES, YES), "no dilemma"),
        ((UNDECIDED, YES, YES, YES), "undecided"),
        ((YES, UNDECIDED, YES, YES), "undecided"),
        ((YES, YES, UNDECIDED, YES), "undecided"),
        ((YES, YES, NO, UNDECIDED), "undecided"),
        ((UNDECIDED, UNDECIDED, NO, NO), "no dilemma"),
        ((NO, UNDECIDED, UNDECIDED, YES), "no dilemma"),
    ],
)
def test_a_verdict_is_given_only_where_all_that_it_needs_is_decided(findings, verdict):
    assert verdict_of(*findings) == verdict


def test_what_is_equal_is_not_larger():
    assert Finding("", 1.0, 1.0, 0.0, 0.0).holds is False


def test_a_difference_within_its_band_is_undecided():
    diagram = mixed_motive.schelling("coingame", num_episodes=3, horizon=6, confidence=0.999)
    assert diagram.verdict == "undecided"
    assert ": undecided (" in diagram.to_text()


# Text, picture, command


def test_the_text_shows_every_row_the_verdict_and_its_reasons():
    lines = mixed_motive.schelling("cleanup", num_episodes=32, max_waste=10).to_text().splitlines()
    assert lines[0] == "Cleanup (lase, max_waste=10): greed"
    assert [line.split()[0] for line in lines[3:8]] == ["0", "1", "2", "3", "4"]
    assert "32 episodes" in lines[10]
    assert "95%" in lines[10]
    assert len(lines[12:]) == 4
    assert max(map(len, lines)) < 130


def test_the_picture_has_both_curves_their_bands_and_the_verdict():
    diagram = mixed_motive.schelling("ipd", num_episodes=2)
    figure = diagram_figure(diagram)
    curves, average = figure.axes
    assert figure.get_suptitle() == "Iterated prisoner's dilemma (lase): both"
    assert [line.get_label() for line in curves.lines] == ["a cooperator", "a defector"]
    np.testing.assert_array_equal(curves.lines[1].get_ydata(), diagram.defector.mean)
    assert len(curves.collections) == 2
    np.testing.assert_array_equal(average.lines[0].get_ydata(), diagram.everybody.mean)
    assert all((curves.get_xlabel(), curves.get_ylabel(), average.get_xlabel()))


def test_the_command_prints_the_table_and_draws_the_picture(tmp_path, capsys):
    picture = tmp_path / "ipd.png"
    assert main(["matrix", "--preset", "chicken", "--episodes", "2", "--picture", str(picture)]) == 0
    expected = mixed_motive.schelling("matrix", "chicken", num_episodes=2).to_text()
    assert capsys.readouterr().out == expected + "\n"
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_the_command_changes_parameters(capsys):
    assert main(["cleanup", "--episodes", "2", "--set", "num_agents=2", "--set", "view_radius=None"]) == 0
    assert capsys.readouterr().out.startswith("Cleanup (lase, num_agents=2, view_radius=None): ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["clenup"], "did you mean 'cleanup'?"),
        (["cleanup", "--preset", "las"], "did you mean 'lase'?"),
        (["cleanup", "--set", "num_agents=many"], "num_agents='many'"),
        (["cleanup", "--set", "num_agents"], "--set: 'num_agents': expected NAME=VALUE, e.g. num_agents=8"),
        (["cleanup", "--set", "=8"], "--set: '=8': expected NAME=VALUE"),
        (["cleanup", "--set", "seed=8"], "'seed=8': expected a parameter of the game; --seed sets this"),
        (["cleanup", "--episodes", "1"], "num_episodes=1: expected an integer of at least 2"),
        (["cleanup", "--confidence", "95"], "confidence=95.0: expected a number between 0 and 1"),
        (["cleanup", "--seed", "-1", "--episodes", "2"], "seed=-1"),
    ],
)
def test_the_command_says_what_is_wrong(arguments, message, capsys):
    assert main(arguments) == 2
    assert message in capsys.readouterr().err


def test_without_matplotlib_the_command_says_so_before_it_plays(capsys, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(["cleanup", "--picture", str(tmp_path / "x.png")]) == 2
    captured = capsys.readouterr()
    assert "pip install matplotlib" in captured.err
    assert not captured.out


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("x.bmpp", "'x.bmpp' has no known ending; expected one of: ."),
        ("x", "'x' has no known ending"),
        ("nowhere/x.png", "there is no folder "),
        ("folder.png", "folder.png is a folder; expected a file"),
    ],
)
def test_a_picture_that_cannot_be_saved_is_refused_before_anything_is_played(
    name, message, capsys, monkeypatch, tmp_path
):
    (tmp_path / "folder.png").mkdir()
    monkeypatch.setattr(sys.modules[main.__module__], "schelling", None)  # a call would raise
    assert main(["ipd", "--picture", str(tmp_path / name)]) == 2
    assert message in capsys.readouterr().err
    with pytest.raises(GameError, match=re.escape(message)):
        mixed_motive.schelling("ipd", num_episodes=2).save_picture(tmp_path / name)


def test_everything_wrong_with_a_diagram_is_said_at_once():
    with pytest.raises(GameError) as caught:
        mixed_motive.schelling(
            "cleanup", num_episodes="3", seed=-1, confidence="x", num_envs=4, view_radius=99
        )
    starts = [re.split("[ :;]", problem)[0] for problem in caught.value.problems]
    assert starts == ["num_envs", "view_radius=99", "num_episodes='3'", "seed=-1", "confidence='x'"]


def test_progress_is_a_line_for_each_point_and_shown_on_a_terminal_only(capsys, monkeypatch):
    lines = []
    diagram = mixed_motive.schelling("ipd", num_episodes=40, progress=lines.append)
    assert lines == [
        f"{k} of 2 cooperate: all earn {mean:.2f} on average" for k, mean in enumerate(diagram.everybody.mean)
    ]
    assert main(["ipd", "--episodes", "40"]) == 0
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert main(["ipd", "--episodes", "40"]) == 0
    assert capsys.readouterr().err.splitlines() == lines


def test_the_module_runs_as_a_command_and_the_function_keeps_its_name():
    code = (
        "import mixed_motive, mixed_motive.schelling.diagram; print(callable(mixed_motive.schelling)); "
        "import runpy, sys; sys.argv = ['schelling', 'ipd', '--episodes', '2']; "
        "runpy.run_module('mixed_motive.schelling', run_name='__main__')"
    )
    found = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr
    assert found.stdout.startswith("True\nIterated prisoner's dilemma (lase): both")


# The page


def rows_of_the_page():
    """Game, preset and what the table in docs/schelling.md says of them."""
    lines = (Path(__file__).parents[2] / "docs" / "schelling.md").read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line[1:-1].split("|")] for line in lines if line.startswith("| `")]
    return {tuple(row[0].strip("`").split(" --preset ")): row[1:] for row in rows}


def test_the_page_has_a_row_for_every_game_and_preset():
    every = {(game_id, preset) for game_id, spec in mixed_motive.GAMES.items() for preset in spec.presets}
    assert set(rows_of_the_page()) == every - {("ipd", "lase")}  # which is the matrix game's first preset


def row_to_check(game_id, preset):
    """A row, with those of long episodes, which take up to a minute, left to the long tests."""
    long = mixed_motive.GAMES[game_id].presets[preset].horizon >= 1000
    return pytest.param(game_id, preset, marks=[pytest.mark.learning] if long else [])


@pytest.mark.parametrize(("game_id", "preset"), [row_to_check(*row) for row in rows_of_the_page()])
def test_the_page_says_what_the_command_says(game_id, preset):
    diagram = diagram_of(game_id, preset)
    ends = [curve.mean[k] for k in (0, -1) for curve in (diagram.cooperator, diagram.defector)]
    assert rows_of_the_page()[game_id, preset] == [*(f"{end:.2f}" for end in ends), diagram.verdict]


def test_the_table_on_the_page_is_that_of_the_command():
    page = (Path(__file__).parents[2] / "docs" / "schelling.md").read_text(encoding="utf-8")
    assert diagram_of("cleanup", "lase").to_text() in page
