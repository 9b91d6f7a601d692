"""Pictures of many configurations: each has a colour of its own, and they stand in rows of four."""

import warnings
from pathlib import Path

from matplotlib.figure import Figure

from rllib_lase.report.groups import Group
from rllib_lase.report.pictures import comparison_pictures
from rllib_lase.report.theme import render_svg
from tests.synthetic_runs import write_run


def groups(folder: Path, algos: list[str]) -> list[Group]:
    return [
        Group(
            f"{algo} (ppo), delta={place}, epsilon_start=0.3",
            [write_run(folder / str(place), algo, iterations=2)],
        )
        for place, algo in enumerate(algos)
    ]


def drawn(folder: Path, algos: list[str], title: str) -> Figure:
    pictures = comparison_pictures(groups(folder, algos))
    figure = next(picture for picture in pictures if picture.title == title).draw()
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # such as axes that have no room left
        render_svg(lambda: figure)
    return figure


def test_configurations_of_one_algorithm_have_different_colours(tmp_path: Path) -> None:
    (axes,) = drawn(tmp_path, ["lase"] * 6, "Learning curves").axes
    labelled = [line for line in axes.lines if not str(line.get_label()).startswith("_")]
    assert len({line.get_color() for line in labelled}) == 6


def test_the_second_of_two_configurations_is_dashed_in_its_algorithms_colour(tmp_path: Path) -> None:
    (axes,) = drawn(tmp_path, ["lase", "go", "lase"], "Learning curves").axes
    first, go, second = (line for line in axes.lines if not str(line.get_label()).startswith("_"))
    assert first.get_color() == second.get_color() != go.get_color()
    assert first.get_linestyle() == "-"
    assert second.get_linestyle() == "--"


def test_more_than_four_groups_go_on_in_further_rows(tmp_path: Path) -> None:
    figure = drawn(tmp_path, ["lase"] * 6, "Who does what, and who gets what")
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert [title.split(",")[1].strip() for title in titles] == [f"delta={place}" for place in range(6)]
    rows = {round(axes.get_position().y0, 3) for axes in figure.axes if axes.get_title()}
    assert len(rows) == 2
    assert sum(not axes.get_visible() for axes in figure.axes) == 2 * 3, "two places, three quantities"
