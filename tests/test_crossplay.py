"""What a cross-play refuses, all together and before anything is loaded, and what its players are called."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest

from rllib_lase import crossplay
from rllib_lase.cli import entry
from rllib_lase.crossplay_plan import CrossPlay, CrossPlayError, CrossPlaySpec, check
from rllib_lase.run_checkpoints import checkpoint_folder
from rllib_lase.runs import RunFolder
from tests.synthetic_runs import write_run

Capture = pytest.CaptureFixture[str]


def trained(path: Path, algo: str = "lase", checkpoints: Sequence[int] = (1,), **config: object) -> str:
    """A finished run with something that looks like a checkpoint."""
    run = write_run(path, algo, iterations=1, **config)
    for env_steps in checkpoints:
        (run.checkpoints_path / checkpoint_folder(env_steps)).mkdir(parents=True)
    return str(path)


def plan(tmp_path: Path, *runs: str, **more: object) -> CrossPlay:
    return check(CrossPlaySpec(runs, tmp_path / "out", **more))  # type: ignore[arg-type]


def problems(tmp_path: Path, *runs: str, **more: object) -> list[str]:
    """The lines with which it is refused."""
    with pytest.raises(CrossPlayError) as refusal:
        plan(tmp_path, *runs, **more)
    return str(refusal.value).splitlines()


def test_different_games_are_named_with_every_value_that_differs(tmp_path: Path) -> None:
    runs = [
        trained(tmp_path / "a"),
        trained(tmp_path / "b", game_params={"num_agents": 5, "view_radius": 2, "obs": "float32"}),
        trained(tmp_path / "c"),
    ]
    assert problems(tmp_path, *runs) == [
        "runs: the runs play different games, and a cross-play has one. num_agents: 4 (a, c); 5 (b). "
        "Leave some out, or train them on the same game"
    ]
    (line,) = problems(tmp_path, runs[0], trained(tmp_path / "d", game="harvest", preset="small"))
    assert "game: cleanup (a); harvest (d). preset: lase (a); small (d). " in line


def test_equal_games_may_be_spelled_differently(tmp_path: Path) -> None:
    spelled = {"preset": "lase", "num_agents": 4, "view_radius": 2, "num_threads": 1, "obs": "float32"}
    runs = [
        trained(tmp_path / "a"),
        trained(tmp_path / "b", "rllib:PPO", optimizer=None, game_params=spelled),
    ]
    assert len(plan(tmp_path, *runs).matches) == 2 + 6


def test_everything_that_is_wrong_comes_together_and_nothing_is_written(
    tmp_path: Path, capsys: Capture
) -> None:
    good = trained(tmp_path / "good")
    write_run(tmp_path / "bare", iterations=1)
    write_run(tmp_path / "cut", iterations=1, finished=False)
    mixed = trained(tmp_path / "mixed", algo="lase")
    config = tmp_path / "mixed" / "config.json"
    config.write_text(config.read_text().replace('"algo": "lase"', '"algo": "population"'))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").touch()
    words = ["crossplay", good, good, str(tmp_path / "bare"), str(tmp_path / "cut"), "--focal", "2,4"]
    words += ["--background", mixed, "nowhere", "random", "random", "--out", str(tmp_path / "out")]
    assert entry.run([*words, "--episodes", "0"]) == 2
    lines = [line.strip() for line in capsys.readouterr().err.splitlines()[1:-1]]
    starts = [
        "--episodes: expected 1 or more, found '0'",
        f"RUN: {good}: is there twice",
        f"RUN: {tmp_path / 'bare' / 'checkpoints'}: holds no checkpoint",
        f"RUN: {tmp_path / 'cut'}: was not finished",
        f"--background: {mixed}: a mixed population",
        "--background: nowhere: holds no run",
        "--background: random: is there twice",
        "--focal: 4 of 4 seats cannot be focal, as both sides need one at least; expected 1 to 3",
        f"--out: {tmp_path / 'out'}: holds other things (notes.txt)",
    ]
    assert len(lines) == len(starts)
    for line, start in zip(lines, starts, strict=True):
        assert line.startswith(start)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["notes.txt"]


@pytest.mark.parametrize(
    ("runs", "background", "focal", "message"),
    [
        ([], [], [], "runs: missing; give the folders of finished runs, their --out"),
        (["RUN"], [], [], "alone has nobody to play with; add a run, cooperator, defector, random, a -"),
        (["random", "defector"], [], [], "runs: only scripted players; one run at least must say which game"),
        (["RUN", "random"], [], [1], "focal: says how many seats face a background; give one, too"),
    ],
)
def test_too_few_players_are_refused(
    tmp_path: Path, runs: Sequence[str], background: Sequence[str], focal: Sequence[int], message: str
) -> None:
    run = trained(tmp_path / "run")
    words = [run if word == "RUN" else word for word in runs]
    (line,) = problems(tmp_path, *words, background=background, focal=focal)
    assert message in line


def test_who_reads_other_observations_cannot_be_shown_the_same(tmp_path: Path) -> None:
    params = {"num_agents": 4, "view_radius": 2, "obs": "rgb"}
    pixels = trained(tmp_path / "pixels", "rllib:PPO", optimizer=None, game_params=params)
    (line,) = problems(tmp_path, trained(tmp_path / "a"), pixels)
    assert f"{pixels}: reads observations as obs=rgb" in line


def test_a_cross_play_is_replaced_only_if_asked(tmp_path: Path) -> None:
    run = trained(tmp_path / "run")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "crossplay.json").touch()
    (line,) = problems(tmp_path, run, "random")
    assert (
        line == f"out: {tmp_path / 'out'}: already holds a cross-play. Choose another folder, or --overwrite"
    )
    assert plan(tmp_path, run, "random", overwrite=True).focal == ("run", "random")


def test_names_are_as_short_as_tells_the_folders_apart(tmp_path: Path) -> None:
    places = ("one/seed0", "two/seed0", "two/seed1", "random")
    runs = [trained(tmp_path / place) for place in places]
    found = plan(tmp_path, *runs, "random")
    assert found.focal == ("one/seed0", "two/seed0", "seed1", "./random", "random")


def test_every_checkpoint_is_a_player_if_asked_and_the_latest_one_else(tmp_path: Path) -> None:
    first = trained(tmp_path / "first", checkpoints=[9, 100, 1_000_000_000])
    second = trained(tmp_path / "second", checkpoints=[50])
    found = plan(tmp_path, first, second, "random", checkpoints="all")
    assert found.focal == ("first@9", "first@100", "first@1000000000", "second", "random")
    assert [each.env_steps for each in found.entrants] == [9, 100, 1_000_000_000, 50, None]
    assert [each.run for each in found.entrants] == ["first"] * 3 + ["second", "random"]
    assert "--checkpoints all" in found.spec.command()
    assert plan(tmp_path, first, second).focal == ("first", "second")
    assert len(plan(tmp_path, first, checkpoints="all").matches) == 3 + 3 * 6


def test_a_named_checkpoint_is_written_behind_its_run(tmp_path: Path) -> None:
    run = trained(tmp_path / "run", checkpoints=[9, 100])
    assert plan(tmp_path, f"{run}@9", "random").focal == ("run@9", "random")
    found = plan(tmp_path, f"{run}@9", background=[run, "random"], checkpoints="all")
    assert (found.focal, found.background) == (("run@9",), ("run@9", "run@100", "random"))
    assert len(found.entrants) == 3
    assert problems(tmp_path, run, f"{run}@100") == [f"runs: {run}@100: is there twice; leave one out"]
    assert problems(tmp_path, f"{run}@50", "random") == [
        f"runs: {run}: has no checkpoint '50'. It has those after 9, 100 env steps; name one by this number, "
        f"such as {run}@100"
    ]


def test_focal_seats_are_visitors_and_residents_unless_told_and_who_is_on_both_sides_is_loaded_once(
    tmp_path: Path,
) -> None:
    run = trained(tmp_path / "run")
    found = plan(tmp_path, run, background=[run, "random"])
    assert [entrant.name for entrant in found.entrants] == ["run", "random"]
    assert found.num_focal == (1, 3)
    assert {match.mode for match in found.matches} == {"visitor", "resident"}
    assert len(found.matches) == 2 * (4 + 4)
    assert plan(tmp_path, run, background=["random"], focal=[2, 2]).num_focal == (2,)


@pytest.mark.parametrize("background", [[], ["random"]])
def test_the_command_prints_the_table_and_says_where_the_rest_is(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch, background: list[str]
) -> None:
    run = RunFolder.open(trained(tmp_path / "run"))
    other = trained(tmp_path / "other")

    def table(number: int) -> pd.DataFrame:
        match = crossplay._LOADED["plan"].matches[number]
        episodes = run.episodes().head(8)
        names = [match.player(seat) for seat in range(4)] * 2
        return pd.concat([pd.DataFrame({"match": [number] * 8, "player": names}), episodes], axis=1)

    monkeypatch.setattr(crossplay, "_play", table)
    monkeypatch.setattr(crossplay, "_load", lambda plan: crossplay._LOADED.update(plan=plan))
    monkeypatch.setattr(crossplay, "_write", lambda outcome: None)
    words = ["crossplay", str(run.path), other, "--episodes", "2", "--out", str(tmp_path / "x")]
    assert entry.run([*words, *(["--background", *background] if background else [])]) == 0
    shown = capsys.readouterr().out
    assert "run" in shown
    assert "other" in shown
    caption = "2 episodes in each of up to 6 assignments of 2 of 4 seats, seed 0"
    assert (caption in " ".join(shown.split())) != bool(background)
    assert ("resident" in shown) == bool(background)
    assert shown.splitlines()[-2:] == [
        f"picture {tmp_path / 'x' / 'crossplay.svg'}",
        f"tables  {tmp_path / 'x'}",
    ]
