"""The games' benchmark end to end, with turns so short that its numbers mean nothing."""

import json

import pytest

import mixed_motive
from benchmarks import games


def test_the_benchmark_has_a_row_for_every_face(tmp_path, capsys):
    path = tmp_path / "games.json"
    arguments = ["--games", "snowdrift,ipd", "--batches", "1,3", "--repeats", "1", "--seconds", "0.002"]
    results = games.main([*arguments, "--json", str(path)])
    assert json.loads(path.read_text()) == results
    names = [row["name"] for row in results["games"]]
    assert names == [
        "snowdrift lase, planes, B=1",
        "snowdrift lase, planes, B=3",
        "snowdrift lase, code, B=3",
        "snowdrift lase, float32, B=3",
        "snowdrift lase, rgb, B=3",
        "snowdrift, ParallelEnv",
        "snowdrift, MultiAgentEnv",
        "ipd lase, planes, B=1",
        "ipd lase, planes, B=3",
        "ipd lase, float32, B=3",
        "ipd, ParallelEnv",
        "ipd, MultiAgentEnv",
    ]
    printed = capsys.readouterr().out
    for row in results["games"]:
        (line,) = [line for line in printed.splitlines() if line.startswith(row["name"] + " ")]
        assert row["env_steps_per_second"] > 0
        if "B=3" in row["name"]:
            assert row["share_of_memcpy"] > 0
        else:
            assert "share_of_memcpy" not in row
        assert line.endswith(" -") == ("share_of_memcpy" not in row)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--games", "clenup,ipd"], "argument --games: unknown: 'clenup'; known: cleanup, harvest, coingame"),
        (["--repeats", "0"], "argument --repeats: '0' is no integer of at least 1"),
        (["--batches", "1,x"], "argument --batches: 'x' is no integer of at least 1"),
        (["--batches", "0"], "argument --batches: '0' is no integer of at least 1"),
        (["--seconds", "nan"], "argument --seconds: 'nan' is no number of seconds above 0"),
        (["--json", "."], "argument --json: '.' is a folder, expected a file"),
    ],
)
def test_wrong_arguments_are_refused_by_name(arguments, message, tmp_path, capsys):
    with pytest.raises(SystemExit):
        games.main(["--json", str(tmp_path / "games.json"), *arguments])
    said = capsys.readouterr().err
    assert message in said
    assert said.startswith("usage: python -m benchmarks.games ")


def test_the_help_shows_the_defaults(capsys):
    with pytest.raises(SystemExit):
        games.main(["--help"])
    words = " ".join(capsys.readouterr().out.split())
    for default in ("stag_hunt,snowdrift,", "(default: 1,64,1024)", "(default: 5)", "(default: 0.1)"):
        assert default in words


def test_a_game_that_stands_still_is_noticed():
    game = mixed_motive.make("snowdrift", 2)
    game.reset(seed=0)
    still = games.Played("still", lambda _: None, game, 0.001)
    with pytest.raises(AssertionError, match=r"still: copies \[0, 1\] did not move in 64 steps"):
        still.check()
