from pathlib import Path

import pandas as pd
import pytest

import mixed_motive
from rllib_lase.defaults import default_settings
from rllib_lase.registry import ALGORITHMS
from tune_configs.fair_tuning import (
    ENV_STEPS,
    OWN,
    PRESETS,
    TUNING_SEEDS,
    choose,
    draw_points,
    main,
    space_of,
)

TABLES = Path(__file__).parents[2] / "docs" / "tuning"


@pytest.mark.parametrize("algo", ALGORITHMS)
def test_whatever_is_searched_is_a_setting_in_its_range(algo):
    space, spec = space_of(algo), ALGORITHMS[algo]
    assert set(OWN) <= set(ALGORITHMS)
    assert set(PRESETS) <= set(ENV_STEPS) <= set(mixed_motive.GAMES)
    for name, values in space.items():
        for value in values:
            assert getattr(default_settings("ipd", spec).replace(**{name: value}), name) == value


def test_configurations_differ_begin_with_the_shipped_one_and_are_the_same_in_every_search():
    space, shipped = {"lr": (1e-3, 2e-3), "delta": (0.1, 0.2, 0.3)}, {"lr": 5e-4, "delta": 0.1}
    points = draw_points(space, shipped, 5)
    assert points[0] == shipped
    assert len({tuple(point.values()) for point in points}) == 5
    assert points == draw_points(space, shipped, 5)
    assert len(draw_points(space, shipped, 100)) == 9, "there are no more"


@pytest.mark.parametrize(
    ("scores_of_another", "expected"), [((9.0, -9.0), 0), ((5.0, 4.9), 0), ((0.0, 12.0), 2)]
)
def test_the_best_mean_is_chosen_if_it_is_above_every_seed_of_the_shipped_settings(
    scores_of_another, expected
):
    frame = pd.DataFrame(
        [
            {"algo": "go", "config": config, "seed": seed, "score": score, "lr": 10.0**-config}
            for config, scores in enumerate([(3.0, 5.0), (0.0, 8.0), scores_of_another])
            for seed, score in enumerate(scores)
        ]
    )
    chosen = choose(frame)
    assert chosen[["algo", "config", "lr"]].to_numpy().tolist() == [["go", expected, 10.0**-expected]]
    assert chosen["score"].tolist() == [frame.loc[frame["config"] == expected, "score"].mean()]


@pytest.mark.learning  # half a minute of eight trials
def test_a_search_tries_every_configuration_with_every_seed_and_two_searches_find_the_same(tmp_path):
    words = ["ipd", "--algos", "independent", "--env-steps", "4000", "--configs", "2"]
    tables = []
    for name in ("first", "second"):
        main([*words, "--out", str(tmp_path / name)])
        tables.append(pd.read_csv(tmp_path / name / "ipd.csv"))
    assert sorted(zip(tables[0]["config"], tables[0]["seed"], strict=True)) == [
        (config, seed) for config in range(2) for seed in TUNING_SEEDS
    ]
    assert tables[0]["score"].notna().all()
    pd.testing.assert_frame_equal(*tables)


@pytest.mark.parametrize("path", sorted(TABLES.glob("*.csv")), ids=lambda path: path.stem)
def test_the_shipped_settings_are_those_that_the_searches_chose(path):
    for _, row in choose(pd.read_csv(path)).iterrows():
        algo = row["algo"]
        if algo.startswith("lase_"):
            continue
        shipped = default_settings(path.stem, ALGORITHMS[algo])
        for name in space_of(algo):
            assert row[name] == getattr(shipped, name), f"{algo}: {name}"


@pytest.mark.parametrize("game", ENV_STEPS)
def test_variants_of_lase_play_with_its_values(game):
    lase = default_settings(game, ALGORITHMS["lase"])
    for algo in ("lase_uniform", "lase_oracle", "lase_shared"):
        variant = default_settings(game, ALGORITHMS[algo])
        for name in space_of("lase"):
            assert getattr(variant, name) == getattr(lase, name), f"{algo}: {name}"


def test_an_unknown_algorithm_is_named(capsys):
    with pytest.raises(SystemExit):
        main(["ipd", "--algos", "go,goo"])
    assert "unknown algorithms goo; known: lase" in capsys.readouterr().err
