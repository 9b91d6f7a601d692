"""Pictures: drawn from data, the same every time, in two themes."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from rllib_lase.registry import ALGORITHMS, STOCK
from rllib_lase.report import figures
from rllib_lase.report.crossplay import crossplay_svg, shown_metrics
from rllib_lase.report.curves import SeedCurves
from rllib_lase.report.figures import BarPanel, Bars, CurvePanel, HeatMap, Line, MatrixPanel
from rllib_lase.report.theme import DARK, LIGHT, algorithm_colours, in_dark, render_svg
from tests.interpreter import run_python


def curve_figure() -> Figure:
    curves = SeedCurves(np.array([0.0, 1e5, 2e6]), np.array([[0, 1, 2], [1, np.nan, 3.0]]))
    lines = [Line("lase (ppo)", 0, curves), Line("lase (a2c)", 0, curves, dashed=True)]
    return figures.draw_curves([CurvePanel("Reward", lines, ceiling=4.0)])


def texts(figure: Figure) -> list[str]:
    figure.draw_without_rendering()
    return [
        text.get_text()
        for axes in figure.axes
        for text in axes.findobj(match=lambda a: hasattr(a, "get_text"))
    ]


def test_curves_have_a_legend_a_ceiling_and_short_numbers() -> None:
    figure = curve_figure()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["lase (ppo)", "lase (a2c)"]
    assert {"ceiling 4", "Reward", "Environment steps", "400k", "2M"} <= set(texts(figure))


def test_heat_maps_have_the_giver_in_the_row() -> None:
    weights = np.array([[0.7, 0.3], [0.0, 1.0]])
    axes = figures.draw_heat_maps([HeatMap("", weights)], ["ann", "bob"]).axes[0]
    cells = {text.get_position(): text.get_text() for text in axes.texts}
    assert cells == {(0, 0): "0.70", (1, 0): "0.30", (0, 1): "0.00", (1, 1): "1.00"}
    assert (axes.get_ylabel(), axes.get_xlabel()) == ("giver", "receiver")
    bottom, top = axes.get_ylim()
    assert bottom > top, "the first giver is the top row"


def test_only_gifts_are_coloured_and_the_largest_fully() -> None:
    weights = np.array([[0.6, 0.3, 0.1], [np.nan] * 3, [0.0, 0.0, 1.0]])
    axes = figures.draw_heat_maps([HeatMap("", weights)], ["a", "b", "c"]).axes[0]
    alphas = axes.collections[0].get_facecolor()[:, 3].reshape(3, 3)  # type: ignore[index,call-overload]
    assert alphas[0, 1] == 1.0
    assert alphas[0, 2] == pytest.approx(0.05 + 0.95 / 3)
    assert [text.get_text() for text in axes.texts][3:6] == ["n/a"] * 3
    assert figures.largest_gift([HeatMap("", weights)]) == 0.3


def test_a_matrix_has_the_first_player_on_top_and_colours_from_its_lowest_to_its_highest_number() -> None:
    panel = MatrixPanel(
        "Return", np.array([[2.0, -1.0, 5.0], [np.nan, 2.0, 2.0]]), [["b", "a", "c"], ["n/a", "", ""]]
    )
    axes = figures.draw_matrices(
        [panel, panel], ["x", "y"], ["p", "q", "a long name"], "player", "played with"
    ).axes[0]
    assert [(text.get_position(), text.get_text()) for text in axes.texts][:4] == [
        ((0, 0), "b"), ((1, 0), "a"), ((2, 0), "c"), ((0, 1), "n/a"),
    ]  # fmt: skip
    alphas = axes.collections[0].get_facecolor()[:, 3].reshape(2, 3)  # type: ignore[index,call-overload]
    np.testing.assert_allclose(alphas[0], [0.05 + 0.95 / 2, 0.05, 1.0])
    assert [label.get_text() for label in axes.get_yticklabels()] == ["x", "y"]
    assert (axes.get_ylabel(), axes.get_xlabel()) == ("player", "played with")
    bottom, top = axes.get_ylim()
    assert bottom > top


def test_a_cross_plays_picture_shows_what_says_something_of_its_own() -> None:
    frame = pd.DataFrame(
        {
            "player": ["a", "a", "b", "b"], "opponent": ["a", "b", "a", "b"], "reward": [1.0, 2, 3, 4],
            "opponent_reward": [1.0, 3, 2, 4], "reward_after_gifting": [1.0, 2, 3, 4],
            "collective_reward": [2.0, 5, 5, 8], "equality": [np.nan] * 4,
        }
    )  # fmt: skip
    assert list(shown_metrics(frame, with_background=False)) == ["reward", "collective_reward"]
    gifts = frame.assign(reward_after_gifting=[1.0, 3, 2, 4], num_held=1, mode="visitor")
    assert list(shown_metrics(gifts, with_background=True)) == [
        "reward", "opponent_reward", "reward_after_gifting", "collective_reward",
    ]  # fmt: skip
    assert crossplay_svg(gifts, with_background=True) == crossplay_svg(gifts, with_background=True)
    assert "<svg" in in_dark(crossplay_svg(frame, with_background=False))


@pytest.mark.parametrize("num_agents", [2, 8, 64])
def test_heat_maps_of_many_agents_are_drawn(num_agents: int) -> None:
    maps = [HeatMap(f"seed {seed}", np.full((num_agents,) * 2, 1 / num_agents)) for seed in range(2)]
    figure = figures.draw_heat_maps(maps, [str(index) for index in range(num_agents)])
    assert bool(figure.axes[0].texts) == (num_agents <= 12)


def test_bars_are_one_per_agent_with_whiskers() -> None:
    values = np.array([1.0, 2.0, 3.0])
    bars = [
        Bars("before", values, values - 1, values + 1),
        Bars("after", values, values * np.nan, values * np.nan),
    ]
    figure = figures.draw_bars(
        [BarPanel("Reward", "", ["1", "2", "3"], bars, 0)], columns=1, share_rows=False
    )
    axes = figure.axes[0]
    assert [patch.get_height() for patch in axes.patches] == [1, 2, 3, 1, 2, 3]
    assert len(axes.containers) == 3
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["before", "after"]


def test_a_picture_is_the_same_every_time() -> None:
    assert render_svg(curve_figure) == render_svg(curve_figure)


def test_the_dark_picture_has_no_colour_of_the_light_one() -> None:
    svg = render_svg(curve_figure)
    dark = in_dark(svg)
    assert LIGHT.palette[0] in svg
    assert DARK.palette[0] in dark
    assert not [colour for colour in LIGHT.colours if colour in dark]


def test_a_colour_from_elsewhere_is_found_out() -> None:
    with pytest.raises(KeyError, match="#123456"):
        in_dark('<path style="fill: #123456"/>')


def _luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_text_stands_out_from_the_ground(theme: object) -> None:
    for name in ("ink", "muted"):
        high, low = sorted((_luminance(getattr(theme, name)), _luminance(theme.ground)), reverse=True)  # type: ignore[attr-defined]
        assert (high + 0.05) / (low + 0.05) >= 4.5, name


def test_up_to_eight_algorithms_of_a_picture_have_colours_of_their_own() -> None:
    algos = [*ALGORITHMS, *STOCK, "unheard_of"]
    rng = np.random.default_rng(0)
    for size in range(1, len(LIGHT.palette) + 1):
        for _ in range(20):
            chosen = [str(algo) for algo in rng.choice(algos, min(size, len(algos)), replace=False)]
            places = algorithm_colours(chosen)
            assert sorted(places) == sorted(chosen)
            assert len(set(places.values())) == len(chosen)
            assert algorithm_colours(reversed(chosen)) == places


def test_the_first_algorithms_have_the_same_colour_on_every_page() -> None:
    for place, algo in enumerate(list(ALGORITHMS)[: len(LIGHT.palette)]):
        assert algorithm_colours([algo]) == {algo: place}
        assert algorithm_colours([algo, "rllib:PPO"])[algo] == place


def test_more_algorithms_than_colours_share_them() -> None:
    places = algorithm_colours([f"algorithm_{index}" for index in range(11)])
    assert set(places.values()) == set(range(len(LIGHT.palette)))


def test_drawing_leaves_no_trace_in_matplotlibs_global_state() -> None:
    code = (
        "import sys, matplotlib; before = matplotlib.rcParams.copy()\n"
        "from tests.report.test_figures import curve_figure, render_svg; render_svg(curve_figure)\n"
        "print(matplotlib.rcParams.copy() == before, 'matplotlib.pyplot' in sys.modules)"
    )
    assert run_python(code).split() == ["True", "False"]
