"""`lase crossplay`: trained and scripted players against each other, or focal against background players."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rllib_lase.cli.options import Option, UsageError, Words, one_of, print_help, read_words, whole_number
from rllib_lase.defaults import EVALUATION_EPISODES
from rllib_lase.settings import MAX_SEED

if TYPE_CHECKING:
    from rich.table import Table

    from rllib_lase.crossplay import Outcome
    from rllib_lase.crossplay_plan import CrossPlaySpec


def _counts(word: str) -> list[int]:
    return [whole_number(1)(part) for part in word.split(",")]


_OPTIONS = [
    Option("RUN", "finished run, as DIR, its --out, or DIR@ENV_STEPS for an earlier checkpoint; or "
           "cooperator, defector, random", many=True),
    Option("--background", "players of the same kinds who hold all seats that a RUN, now the focal player, "
           "does not hold [none: all play each other]", metavar="RUN", many=True),
    Option("--checkpoints", "which ones of every DIR play, latest or all, each as a player of its own; "
           "lase train --checkpoint-interval keeps several [latest]", one_of("latest", "all"), "WHICH"),
    Option("--focal", "numbers of focal seats, such as 1,3: visitor mode where they are few, resident mode "
           "where they are most [1 and all but one]", _counts, "N,N,.."),
    Option("--episodes", f"episodes of every match, which is two players in one assignment of seats "
           f"[{EVALUATION_EPISODES}]", whole_number(1), "N"),
    Option("--seed", "seed of games, actions and drawn seat assignments [0]", whole_number(0, MAX_SEED), "N"),
    Option("--jobs", "processes that play at a time [1]", whole_number(1), "N"),
    Option("--out", "folder of the cross-play [runs/crossplay]", str, "DIR"),
    Option("--overwrite", "replace a cross-play that is already there"),
]  # fmt: skip
_DESCRIPTION = """Plays every RUN's agents with every other's, or with a --background, in the runs' own game.
Whoever holds seat i plays it as its own agent i. A number of the matrix is what the row's agents got per
capita where the column's held the other seats: in both orders, or in several assignments of half of them."""
_WORDS = {"runs": "RUN", "background": "--background", "focal": "--focal", "out": "--out"}


def run(words: Sequence[str]) -> int:
    """Runs the command; returns its exit code."""
    if {"-h", "--help"} & set(words):
        print_help("lase crossplay", _DESCRIPTION, _OPTIONS)
        return 0
    spec = _spec(read_words(words, _OPTIONS))
    from rllib_lase.crossplay import cross_play

    outcome = cross_play(spec, _tell)
    _conclude(outcome)
    return 0


def _spec(given: Words) -> CrossPlaySpec:
    """What to play.

    Raises:
        UsageError: with everything that is wrong.
    """
    from rllib_lase.crossplay_plan import CrossPlayError, CrossPlaySpec, check

    values = {name: value for name, value in given.values.items() if name not in ("run", "out")}
    out = Path(given.values.get("out", "runs/crossplay"))
    spec = CrossPlaySpec(given.values.get("run", []), out, **values)
    try:
        check(spec)
    except CrossPlayError as error:
        given.problems += [f"{_WORDS[word]}: {problem}" for word, problem in error.problems]
    if given.problems:
        raise UsageError(given.problems)
    return spec


def _tell(played: int, total: int) -> None:
    """One line at every tenth of the matches."""
    if played == total or played * 10 // total > (played - 1) * 10 // total:
        sys.stdout.write(f"{played} of {total} matches played\n")
        sys.stdout.flush()


def _conclude(outcome: Outcome) -> None:
    from rllib_lase.cli.console import table_console

    console = table_console()
    for table in _focal_tables(outcome) if outcome.plan.background else _matrices(outcome):
        console.print(table)
    out = outcome.plan.spec.out
    sys.stdout.write(f"picture {out / 'crossplay.svg'}\ntables  {out}\n")


def _matrices(outcome: Outcome) -> list[Table]:
    """Two matrices: what the row's agents got, and what became of all."""
    from rllib_lase.evaluation.table import format_interval, format_number

    rows = [row for _, row in outcome.pairings.iterrows()]
    returns = [format_interval(row, "reward") for row in rows]
    together = [
        f"{format_number(row['collective_reward'])}, {format_number(row['equality'])}" for row in rows
    ]
    return [
        _matrix(
            outcome,
            returns,
            f"{outcome.plan.game}: return per capita of the row's agents, played with the column's",
            f"{_played(outcome)}; mean ± half of the 95 % interval over episodes; diagonal: self-play",
        ),
        _matrix(
            outcome,
            together,
            "Collective reward, and equality before gifting",
            "equality n/a: undefined, as the sum of rewards is not positive",
        ),
    ]


def _matrix(outcome: Outcome, texts: Sequence[str], title: str, caption: str) -> Table:
    pairs = zip(outcome.pairings["player"], outcome.pairings["opponent"], strict=True)
    cells = dict(zip(pairs, texts, strict=True))
    table = _table(title, caption, ["", *outcome.plan.focal])
    for player in outcome.plan.focal:
        table.add_row(player, *(cells[player, opponent] for opponent in outcome.plan.focal))
    return table


def _focal_tables(outcome: Outcome) -> list[Table]:
    """One row per focal and background player and number of focal seats."""
    from rllib_lase.evaluation.table import format_interval, format_number

    heads = ["Focal", "Background", "Focal seats", "Mode", "Focal per capita", "Background per capita",
             "Collective reward", "Equality"]  # fmt: skip
    caption = f"{_played(outcome)}; mean ± half of the 95 % interval over episodes; equality before gifting"
    table = _table(f"{outcome.plan.game}: focal against background players", caption, heads, texts=4)
    for _, row in outcome.pairings.iterrows():
        numbers = [format_interval(row, name) for name in ("reward", "opponent_reward", "collective_reward")]
        seats = f"{row['num_held']} of {outcome.plan.matches[0].num_seats}"
        table.add_row(
            row["player"], row["opponent"], seats, row["mode"], *numbers, format_number(row["equality"])
        )
    return [table]


def _table(title: str, caption: str, heads: Sequence[str], texts: int = 1) -> Table:
    from rich.table import Table

    table = Table(title=title, caption=caption)
    for index, head in enumerate(heads):
        table.add_column(head, justify="left" if index < texts else "right")
    return table


def _played(outcome: Outcome) -> str:
    """How much was played, and with which seed."""
    plan = outcome.plan
    assignments = {len(match.focal_seats) for match in plan.matches if match.mode != "self-play"}
    seats = " or ".join(map(str, sorted(assignments)))
    most = int(outcome.pairings["assignments"].max())
    return (
        f"{plan.spec.episodes} episodes in each of up to {most} assignments of {seats} of "
        f"{plan.matches[0].num_seats} seats, seed {plan.spec.seed}"
    )
