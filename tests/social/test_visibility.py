import numpy as np
import pytest
import torch

import mixed_motive
from rllib_lase.registry.sight import sight_objection
from rllib_lase.social.visibility import visible_co_players


def test_a_co_player_is_seen_where_its_plane_has_a_set_cell():
    obs = torch.zeros(2, 5, 3, 3)
    obs[:, 0, 1, 1] = 1
    obs[0, 2, 0, 2] = 1
    obs[1, 3:] = 1  # objects and the outside
    assert visible_co_players(obs, 3).tolist() == [[True, False, True], [True, False, False]]


@pytest.mark.parametrize("preset", ["lase", "ssdg"])
def test_who_is_within_the_window_is_seen_and_nobody_else(preset):
    game = mixed_motive.make("cleanup", 20, preset, view_radius=2)
    obs, _ = game.reset(0), game.new_buffers()
    agents = game.num_agents
    rng = np.random.default_rng(0)
    seen_and_not = set()
    for _ in range(20):
        found = visible_co_players(torch.from_numpy(obs), agents).numpy()
        places = game.get_state()["positions"]
        apart = np.abs(places[:, :, None] - places[:, None]).max(-1)
        assert np.array_equal(found, apart <= 2)
        seen_and_not |= set(found[:, ~np.eye(agents, dtype=bool)].ravel().tolist())
        obs = game.step(rng.integers(0, len(game.action_names), (20, agents))).obs
    assert seen_and_not == {True, False}


def test_observations_without_planes_of_agents_are_refused():
    for shape in ((4, 5), (4, 2, 5, 5)):
        with pytest.raises(ValueError, match="do not have a plane of cells for each of 3 agents"):
            visible_co_players(torch.zeros(shape), 3)


def test_games_on_a_map_tell_who_is_in_sight_and_all_others_say_why_not():
    for game, params in (
        ("cleanup", {}),
        ("cleanup", {"preset": "meltingpot"}),
        ("harvest", {}),
        ("coingame", {"preset": None}),
        ("stag_hunt", {}),
        ("snowdrift", {}),
    ):
        assert sight_objection(game, params) is None
        made = mixed_motive.make(game, 2, params.get("preset"))
        assert visible_co_players(torch.from_numpy(made.reset(0)), made.num_agents).shape[0] == 2
    for game in ("ipd", "matrix", "public_goods", "escape_room"):
        assert sight_objection(game, {}) == (
            f"{game} has no map on which a co-player could be in or out of sight. Switch it off"
        )
    assert "found 'Line'" in sight_objection("Line", {})
