"""Cross-play without playing: who meets whom, and the numbers that come of episodes."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest

from rllib_lase.evaluation.crossplay import (
    MAX_ASSIGNMENTS,
    Match,
    focal_frame,
    focal_matches,
    matrix,
    pairings_frame,
    round_robin,
    seat_assignments,
    sides_frame,
)


def table(
    match: int, players: list[str], rewards: list[list[float]], **counts: list[list[int]]
) -> pd.DataFrame:
    """Episodes of 10 steps with these rewards, a row per episode; gifts would double everything."""
    episodes, agents = np.shape(rewards)
    return pd.DataFrame(
        {
            "match": match,
            "episode": np.repeat(np.arange(episodes), agents),
            "agent_id": [f"agent_{i}" for i in range(agents)] * episodes,
            "player": players * episodes,
            "length": 10,
            "reward": np.ravel(rewards),
            "reward_after_gifting": 2 * np.ravel(rewards),
            **{name: np.ravel(values) for name, values in counts.items()},
        }
    )


def held(seats: list[tuple[int, ...]]) -> set[int]:
    """How often seats are held; one number if all are held alike."""
    return set(Counter(seat for hand in seats for seat in hand).values())


@pytest.mark.parametrize("num_seats", range(2, 12))
def test_every_seat_is_focal_equally_often_and_no_assignment_comes_twice(num_seats: int) -> None:
    for num_focal in range(1, num_seats):
        assignments = seat_assignments(num_seats, num_focal, seed=3)
        assert len(set(assignments)) == len(assignments)
        assert {len(seats) for seats in assignments} == {num_focal}
        assert all(list(seats) == sorted(set(seats)) for seats in assignments)
        assert set().union(*assignments) == set(range(num_seats))
        assert len(held(assignments)) == 1
        assert len(assignments) <= max(MAX_ASSIGNMENTS, num_seats)


def test_few_assignments_are_all_played_and_many_are_drawn_by_seed() -> None:
    assert seat_assignments(2, 1, seed=0) == [(0,), (1,)]
    assert len(seat_assignments(4, 2, seed=0)) == 6
    drawn = seat_assignments(8, 4, seed=0)
    assert len(drawn) == 8
    assert seat_assignments(8, 4, seed=0) == drawn
    assert seat_assignments(8, 4, seed=1) != drawn


def test_two_players_meet_in_both_orders_and_everybody_meets_itself() -> None:
    assert round_robin(["a", "b"], 2, seed=0) == [
        Match("a", "a", (0, 1), 2),
        Match("a", "b", (0,), 2),
        Match("a", "b", (1,), 2),
        Match("b", "b", (0, 1), 2),
    ]


@pytest.mark.parametrize("num_seats", [3, 4, 5, 7])
def test_both_players_of_a_pair_hold_the_same_seats_equally_often(num_seats: int) -> None:
    matches = [match for match in round_robin(["a", "b"], num_seats, seed=0) if match.mode != "self-play"]
    focal, background = ([match.seats(side) for match in matches] for side in ("focal", "background"))
    assert sorted(focal) == sorted(background)
    assert len(held(focal)) == 1
    assert {len(seats) for seats in focal} == {num_seats // 2, num_seats - num_seats // 2}


def test_modes_are_those_of_melting_pot() -> None:
    matches = focal_matches(["a"], ["b"], 4, [1, 2, 3], seed=0)
    assert Counter(match.mode for match in matches) == {"visitor": 4, "even": 6, "resident": 4}
    assert Match("a", "a", (0, 1, 2, 3), 4).mode == "self-play"
    assert [matches[0].player(seat) for seat in range(4)] == ["a", "b", "b", "b"]


def test_rewards_are_per_capita_of_a_side_and_interval_and_equality_are_of_episodes() -> None:
    match = Match("a", "b", (1,), 3)
    episodes = table(
        0,
        ["b", "a", "b"],
        [[1, 6, 3], [3, 8, 5]],
        cooperated=[[10, 5, 0], [10, 7, 0]],
        apples=[[1, 2, 3]] * 2,
    )
    focal, background = (row for _, row in sides_frame([match], episodes).iterrows())
    assert (focal["player"], focal["opponent"], focal["side"], focal["seats"]) == ("a", "b", "focal", "1")
    assert (background["player"], background["seats"], background["num_held"]) == ("b", "0,2", 2)
    assert focal["mode"] == background["mode"] == "visitor"
    assert (focal["reward"], focal["opponent_reward"], focal["collective_reward"]) == (7, 3, 13)
    assert (background["reward"], background["opponent_reward"]) == (3, 7)
    assert focal["reward_after_gifting"] == 14
    # Two values 2 apart: t(0.975; 1) = 12.706, times std / sqrt(2) = 1.
    assert focal["reward_high"] - focal["reward"] == pytest.approx(12.706, abs=1e-3)
    # Mean rewards 2, 7 and 4: differences sum to 2 * (5 + 2 + 3).
    assert focal["equality"] == background["equality"] == pytest.approx(1 - 20 / (2 * 3 * 13))
    assert (focal["cooperation_rate"], background["cooperation_rate"]) == (0.6, 0.5)
    assert (focal["counts/apples"], background["counts/apples"]) == (2, 2)


def test_in_self_play_there_is_one_side_and_it_is_its_own_opponent() -> None:
    rows = sides_frame([Match("a", "a", (0, 1), 2)], table(0, ["a", "a"], [[1, 5]]))
    assert len(rows) == 1
    assert (rows["reward"][0], rows["opponent_reward"][0], rows["mode"][0]) == (3, 3, "self-play")


def test_a_pairing_is_the_mean_over_both_orders_and_the_matrix_keeps_the_players_order() -> None:
    matches = round_robin(["z", "a"], 2, seed=0)
    parts = [
        table(0, ["z", "z"], [[1, 1]] * 2),
        table(1, ["z", "a"], [[0, 4]] * 2),
        table(2, ["a", "z"], [[6, 2]] * 2),
        table(3, ["a", "a"], [[3, 3]] * 2),
    ]
    pairings = pairings_frame(matches, pd.concat(parts))
    shown = matrix(pairings, "reward")
    assert list(shown.index) == list(shown.columns) == ["z", "a"]
    assert shown.to_numpy().tolist() == [[1, 1], [5, 3]]
    assert matrix(pairings, "assignments").to_numpy().tolist() == [[1, 2], [2, 1]]
    row = pairings.set_index(["player", "opponent"]).loc[("z", "a")]
    assert row["episodes"] == 4
    assert row["equality"] == pytest.approx(np.mean([0.5, 1 - 8 / (4 * 8)]))
    assert row["reward_low"] < 0 < row["reward_high"], "the orders' difference counts as spread"


def test_numbers_of_focal_seats_are_kept_apart_and_rewards_that_are_unknown_stay_so() -> None:
    matches = focal_matches(["a"], ["b", "a"], 3, [1, 2], seed=0)
    parts = [
        table(number, [match.player(seat) for seat in range(3)], [[len(match.focal_seats)] * 3])
        for number, match in enumerate(matches)
    ]
    frame = focal_frame(matches, pd.concat(parts).assign(reward_after_gifting=np.nan))
    found = frame[["player", "opponent", "num_held", "mode", "assignments", "reward"]]
    assert found.to_numpy().tolist() == [
        ["a", opponent, held_seats, mode, 3, held_seats]
        for opponent in ("b", "a")
        for held_seats, mode in ((1, "visitor"), (2, "resident"))
    ]
    assert frame["reward_after_gifting"].isna().all()
    assert frame["equality_after_gifting"].isna().all()
