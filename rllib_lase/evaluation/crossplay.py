"""Cross-play: who meets whom, in which seats, and what the episodes came to. Knows of neither Ray nor torch.

A player is a run's agents, one per seat, or a scripted player in every seat: whoever holds seat i plays it as
its own agent i. A focal player holds some seats of a match, a background player all others.

Source: Agapiou et al. 2022 (Melting Pot 2.0, arXiv 2211.13746) for focal and background, resident and visitor
mode and returns per capita.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from rllib_lase.evaluation.metrics import collective_reward, equality
from rllib_lase.evaluation.statistics import t_interval

FloatArray = npt.NDArray[np.float64]
Seats = tuple[int, ...]
Side = Literal["focal", "background"]
Mode = Literal["self-play", "resident", "visitor", "even"]

MAX_ASSIGNMENTS = 8
"""Up to so many seat assignments all are played; of more, balanced ones are drawn."""

INTERVAL_METRICS = ("reward", "opponent_reward", "reward_after_gifting", "collective_reward")
"""Metrics with an interval over episodes, `<metric>_low` and `<metric>_high`."""

_EPISODE_COLUMNS = ("match", "episode", "agent_id", "player", "length", "reward", "reward_after_gifting")
_SEATS_STREAM = 13


@dataclass(frozen=True)
class Match:
    """Two players in the seats of one game.

    Attributes:
        focal: Who holds `focal_seats`.
        background: Who holds the others.
        focal_seats: Positions of agents, rising; all of them in self-play.
        num_seats: N.
    """

    focal: str
    background: str
    focal_seats: Seats
    num_seats: int

    def seats(self, side: Side) -> Seats:
        """The seats of one side."""
        return self.focal_seats if side == "focal" else _others(self.focal_seats, self.num_seats)

    def player(self, seat: int) -> str:
        """Who holds a seat."""
        return self.focal if seat in self.focal_seats else self.background

    @property
    def mode(self) -> Mode:
        """Whether the focal player's agents are most (resident), few (visitor), half (even) or all."""
        others = self.num_seats - len(self.focal_seats)
        if not others:
            return "self-play"
        balance = len(self.focal_seats) - others
        return "resident" if balance > 0 else "visitor" if balance < 0 else "even"


def seat_assignments(num_seats: int, num_focal: int, seed: int) -> list[Seats]:
    """Which seats the focal player holds: in all assignments together every seat equally often.

    All assignments, where there are at most `MAX_ASSIGNMENTS`. Else as many different ones as fit into that
    number (one draw at least), a draw being a random cycle of the seats from which neighbours are dealt
    until everybody has held every seat equally often.

    Args:
        num_seats: N.
        num_focal: Seats that the focal player holds, 1 to N - 1.
        seed: Of the draws.

    Returns:
        Seats, rising, of each assignment; in order if they are all.
    """
    if math.comb(num_seats, num_focal) <= MAX_ASSIGNMENTS:
        return list(combinations(range(num_seats), num_focal))
    per_draw = num_seats // math.gcd(num_seats, num_focal)
    generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_SEATS_STREAM, num_focal)))
    drawn: list[Seats] = []
    while not drawn or len(drawn) + per_draw <= MAX_ASSIGNMENTS:
        cycle = np.tile(generator.permutation(num_seats), 2)
        starts = (num_focal * deal % num_seats for deal in range(per_draw))
        hands = [tuple(sorted(cycle[start : start + num_focal].tolist())) for start in starts]
        if not set(hands) & set(drawn):
            drawn += hands
    return drawn


def round_robin(players: Sequence[str], num_seats: int, seed: int) -> list[Match]:
    """Everybody with itself and with everybody else.

    Each pair plays the seat assignments of half of the seats, and the same with sides exchanged: for two
    agents both orders; of an odd number of agents either side holds once the larger half.

    Args:
        players: Their names.
        num_seats: N.
        seed: Of drawn seat assignments.
    """
    half = seat_assignments(num_seats, num_seats // 2, seed)
    splits = list(dict.fromkeys([*half, *(_others(seats, num_seats) for seats in half)]))
    matches = []
    for position, player in enumerate(players):
        matches.append(Match(player, player, tuple(range(num_seats)), num_seats))
        for other in players[position + 1 :]:
            matches += [Match(player, other, seats, num_seats) for seats in splits]
    return matches


def focal_matches(
    focal: Sequence[str], background: Sequence[str], num_seats: int, num_focal: Sequence[int], seed: int
) -> list[Match]:
    """Every focal player against every background player, with each number of focal seats.

    Args:
        focal: Names.
        background: Names; who is also focal meets itself, which is self-play.
        num_seats: N.
        num_focal: Numbers of focal seats, each 1 to N - 1.
        seed: Of drawn seat assignments.
    """
    return [
        Match(player, other, seats, num_seats)
        for player in focal
        for other in background
        for count in num_focal
        for seats in seat_assignments(num_seats, count, seed)
    ]


def sides_frame(matches: Sequence[Match], episodes: pd.DataFrame) -> pd.DataFrame:
    """What each side of each match came to.

    Args:
        matches: In the order of their numbers.
        episodes: One row per match, episode and agent, agents in their order: `match`, `episode`, `agent_id`,
            `player`, `length`, `reward`, `reward_after_gifting` and one column per event counted.

    Returns:
        Two rows per match, one in self-play: `match`, `player`, `opponent`, `side`, `mode`, `seats` ("0,2"),
        `num_held`, `num_seats`, `episodes`; with their 95 % Student-t intervals over episodes `reward` and
        `reward_after_gifting` per capita of the side, `opponent_reward` per capita of the other one (in
        self-play the same), `collective_reward` of all; `equality` and `equality_after_gifting` of all
        agents' mean rewards; `counts/<event>` per capita and episode; `cooperation_rate` where the game
        counts `cooperated`. NaN where undefined or unknown.
    """
    return pd.DataFrame(
        [
            {
                "match": side.number,
                "player": side.player,
                "opponent": side.opponent,
                "side": side.name,
                "mode": side.match.mode,
                "seats": ",".join(map(str, side.seats)),
                "num_held": len(side.seats),
                "num_seats": side.match.num_seats,
                **_outcome([side]),
            }
            for side in _sides(matches, episodes)
        ]
    )


def pairings_frame(matches: Sequence[Match], episodes: pd.DataFrame) -> pd.DataFrame:
    """The matrix as rows: every player with every opponent, over all seat assignments.

    Args:
        matches: A round robin.
        episodes: As for `sides_frame`.

    Returns:
        One row per ordered pair: `player`, `opponent`, `assignments`, and the numbers of `sides_frame`;
        intervals are over the episodes of all assignments, equality is the mean over assignments.
    """
    return _pooled(_sides(matches, episodes), by_number=False)


def focal_frame(matches: Sequence[Match], episodes: pd.DataFrame) -> pd.DataFrame:
    """Focal against background players, over all seat assignments.

    Args:
        matches: As `focal_matches` makes them.
        episodes: As for `sides_frame`.

    Returns:
        One row per focal `player`, background `opponent` and number of focal seats `num_held`, with `mode`,
        and the rest as in `pairings_frame`; `opponent_reward` is the background's return per capita.
    """
    focal = [side for side in _sides(matches, episodes) if side.name == "focal"]
    return _pooled(focal, by_number=True)


def matrix(pairings: pd.DataFrame, value: str) -> pd.DataFrame:
    """One number of every pairing: players in the rows, opponents in the columns.

    Args:
        pairings: As `pairings_frame` returns them.
        value: The column.
    """
    players = list(dict.fromkeys(pairings["player"]))
    table = pairings.pivot(index="player", columns="opponent", values=value)
    return table.reindex(index=players, columns=players)


@dataclass(frozen=True)
class _Side:
    """One side of a match with its E episodes."""

    number: int
    match: Match
    name: Side
    lengths: FloatArray
    values: dict[str, FloatArray]
    equality: float
    equality_after_gifting: float

    @property
    def seats(self) -> Seats:
        return self.match.seats(self.name)

    @property
    def player(self) -> str:
        return self.match.focal if self.name == "focal" else self.match.background

    @property
    def opponent(self) -> str:
        return self.match.background if self.name == "focal" else self.match.focal


def _sides(matches: Sequence[Match], episodes: pd.DataFrame) -> list[_Side]:
    events = [name for name in episodes.columns if name not in _EPISODE_COLUMNS]
    by_match = dict(list(episodes.groupby("match", sort=False)))
    sides = []
    for number, match in enumerate(matches):
        rows = by_match[number]
        table = {
            name: rows[name].to_numpy(np.float64).reshape(-1, match.num_seats)
            for name in ("reward", "reward_after_gifting", *events)
        }
        names: tuple[Side, ...] = ("focal",) if match.mode == "self-play" else ("focal", "background")
        for name in names:
            own = list(match.seats(name))
            others = list(_others(tuple(own), match.num_seats)) or own
            values = {
                "reward": table["reward"][:, own].mean(1),
                "opponent_reward": table["reward"][:, others].mean(1),
                "reward_after_gifting": table["reward_after_gifting"][:, own].mean(1),
                "collective_reward": collective_reward(table["reward"]),
                **{f"counts/{event}": table[event][:, own].mean(1) for event in events},
            }
            lengths = rows["length"].to_numpy(np.float64)[:: match.num_seats]
            evenness = [equality(table[key].mean(0)) for key in ("reward", "reward_after_gifting")]
            sides.append(_Side(number, match, name, lengths, values, *map(float, evenness)))
    return sides


def _pooled(sides: Sequence[_Side], by_number: bool) -> pd.DataFrame:
    groups: dict[tuple[Any, ...], list[_Side]] = {}
    for side in sides:
        key = (side.player, side.opponent, *([len(side.seats), side.match.mode] if by_number else []))
        groups.setdefault(key, []).append(side)
    names = ("player", "opponent", "num_held", "mode")
    return pd.DataFrame(
        [
            {**dict(zip(names, key, strict=False)), "assignments": len(members), **_outcome(members)}
            for key, members in groups.items()
        ]
    )


def _outcome(sides: Sequence[_Side]) -> dict[str, Any]:
    """The numbers of one side, or of a side over several seat assignments."""
    values = {name: np.concatenate([side.values[name] for side in sides]) for name in sides[0].values}
    row: dict[str, Any] = {"episodes": sum(len(side.lengths) for side in sides)}
    for name in INTERVAL_METRICS:
        interval = t_interval(values[name])
        row |= {name: interval.estimate, f"{name}_low": interval.low, f"{name}_high": interval.high}
    row["equality"] = float(np.mean([side.equality for side in sides]))
    row["equality_after_gifting"] = float(np.mean([side.equality_after_gifting for side in sides]))
    counts = [name for name in values if name.startswith("counts/")]
    row |= {name: float(values[name].mean()) for name in counts}
    if "counts/cooperated" in values:
        steps = np.concatenate([side.lengths for side in sides]).sum()
        row["cooperation_rate"] = float(values["counts/cooperated"].sum() / steps)
    return row


def _others(seats: Seats, num_seats: int) -> Seats:
    return tuple(seat for seat in range(num_seats) if seat not in seats)
