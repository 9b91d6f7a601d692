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
        "snowdrift, ParallelEnv",
        "snowdrift, MultiAgentEnv",
        "ipd lase, planes, B=1",
        "ipd lase, planes, B=3",
        "ipd, ParallelEnv",
        "ipd, MultiAgentEnv",
    ]
    printed = capsys.readouterr().out
    for row in results["games"]:
        assert row["name"] in printed
        assert row["env_steps_per_second"] > 0
        assert row["share_of_memcpy"] > 0


def test_a_game_that_stands_still_is_noticed():
    game = mixed_motive.make("snowdrift", 2)
    game.reset(seed=0)
    still = games.Played("still", lambda _: None, game, 0.001)
    with pytest.raises(AssertionError, match=r"still: copies \[0, 1\] did not move in 64 steps"):
        still.check()
