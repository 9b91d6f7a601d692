"""Curves of several seeds on one grid."""

import numpy as np
import pandas as pd

from rllib_lase.report.curves import MAX_POINTS, seed_curves


def table(env_steps: list[float], values: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"env_steps": env_steps, "reward": values})


def test_equal_steps_stay_as_they_are() -> None:
    curves = seed_curves([table([10, 20, 30], [1, 2, 3]), table([10, 20, 30], [3, 2, 1])], "reward")
    np.testing.assert_allclose(curves.env_steps, [10, 20, 30])
    np.testing.assert_allclose(curves.values, [[1, 2, 3], [3, 2, 1]])
    np.testing.assert_allclose(curves.mean, [2, 2, 2])
    np.testing.assert_allclose(curves.std, [np.sqrt(2), 0, np.sqrt(2)])


def test_the_grid_spans_what_all_seeds_have_in_common() -> None:
    curves = seed_curves([table([10, 20, 30, 40], [1, 2, 3, 4]), table([20, 30], [7, 8])], "reward")
    np.testing.assert_allclose(curves.env_steps, [20, 30])
    np.testing.assert_allclose(curves.values, [[1.5, 3], [7, 8]])


def test_long_curves_are_averaged_span_by_span() -> None:
    steps = np.arange(1, 1001)
    curves = seed_curves([table(list(steps), list(steps % 2))], "reward")
    assert curves.env_steps.size == MAX_POINTS
    np.testing.assert_allclose(curves.values[0, 1:], 0.5, atol=0.06)


def test_undefined_values_leave_gaps_and_absent_rows_do_not() -> None:
    undefined = seed_curves([table([10, 20, 30], [1, np.nan, 3])], "reward")
    np.testing.assert_array_equal(undefined.values, [[1, np.nan, 3]])
    absent = seed_curves([table([10, 12, 40], [1, 3, 5])], "reward")
    np.testing.assert_allclose(absent.env_steps, [10, 25, 40])
    np.testing.assert_allclose(absent.values, [[1, 3, 5]])
    uneven = seed_curves([table([10, 35, 40], [1, 6, 7])], "reward")
    np.testing.assert_allclose(uneven.values, [[1, 4, 6.5]])


def test_mean_and_spread_are_over_the_seeds_that_are_defined() -> None:
    curves = seed_curves([table([1, 2], [1, np.nan]), table([1, 2], [np.nan, np.nan])], "reward")
    np.testing.assert_array_equal(curves.mean, [1, np.nan])
    assert np.isnan(curves.std).all()


def test_a_single_row_and_an_absent_column_are_no_failure() -> None:
    np.testing.assert_allclose(seed_curves([table([10], [4])], "reward").mean, [4])
    assert np.isnan(seed_curves([table([10, 20], [4, 5])], "other").mean).all()
