"""Gifts as actions through everything that a run goes through: sampling, learning, evaluation, pictures."""

import json

import numpy as np
import pytest

from rllib_lase import GiftingConfig
from rllib_lase.rllib.game_copies import GameCopies
from rllib_lase.rllib.recording import record_episode
from rllib_lase.settings import SettingsError
from rllib_lase.train_spec import TrainSpec
from rllib_lase.training import train
from tests.rllib.line_env import Line

pytestmark = [
    pytest.mark.usefixtures("local_ray"),
    pytest.mark.filterwarnings("ignore:PYTHONHASHSEED is not fixed"),
]

GIFT = 6  # after snowdrift's own six actions


def build(env="snowdrift", horizon=30, **settings):
    config = GiftingConfig().environment(env, env_config={"horizon": horizon} if env != Line else {})
    config.debugging(seed=0, log_level="ERROR")
    config.training(hidden_size=16, rounds_per_iteration=3, **settings)
    config.env_runners(num_env_runners=0, num_envs_per_env_runner=4, rollout_fragment_length=20)
    return config.build_algo()


def run_of(folder, budget):
    spec = TrainSpec(
        "snowdrift",
        "gifting",
        folder / "run",
        env_steps=1600,
        game_params={"horizon": 20},
        settings={"hidden_size": 16, "gift_budget": budget},
        evaluation_episodes=4,
    )
    return train(spec)


def test_a_run_whose_givers_pay_reports_rewards_after_gifting(tmp_path):
    run = run_of(tmp_path, "zero_sum")
    summary = json.loads((run.path / "summary.json").read_text())
    before, after = (np.array(summary[f"{key}_per_agent"]) for key in ("reward", "reward_after_gifting"))
    assert after.sum() == pytest.approx(before.sum(), abs=1e-3)
    assert not np.allclose(before, after)
    assert summary["equality"] != summary["equality_after_gifting"]
    assert summary["gift_weights"] == [[None] * 4] * 4, "a gift of a fixed value is no share of a reward"
    assert run.progress()["share_given"].isna().all()
    page = (run.path / "report.html").read_text()
    assert "An arrow is a gift" in page
    assert "Who gives to whom" not in page


def test_a_run_with_free_gifts_moves_no_rewards(tmp_path):
    run = run_of(tmp_path, "fixed")
    summary = json.loads((run.path / "summary.json").read_text())
    assert summary["reward_per_agent"] == summary["reward_after_gifting_per_agent"]
    assert summary["gift_weights"] == np.eye(4).tolist()
    assert (run.progress()["share_given"] == 0).all()
    assert run.gifts().empty


def test_pictures_show_what_was_paid_and_received(monkeypatch):
    shown = []
    render = GameCopies.render

    def keep(copies, env_index=0, gifts=None):
        shown.append(gifts)
        return render(copies, env_index, gifts)

    monkeypatch.setattr(GameCopies, "render", keep)
    algorithm = build(gift_budget="zero_sum", gift_value=3.0)
    record_episode(algorithm, seed=1)
    rollout = algorithm.evaluation_runner(1, 1).sample_rollout(30, 0.0)
    algorithm.stop()
    gives = rollout.actions[:, :, 0].T == GIFT
    assert 0 < gives.sum() < gives.size
    expected = gives[:, :, None] * (1 - np.eye(4))
    assert shown[0] is None
    assert np.allclose(shown[1:], expected)


def test_a_restored_run_has_the_budgets_that_it_had(tmp_path):
    algorithm = build(gift_budget="replenishable", horizon=70)
    algorithm.train()
    algorithm.save_to_path(tmp_path / "checkpoint")
    twin = type(algorithm).from_checkpoint(tmp_path / "checkpoint")
    kept = [each.learner_group._learner._carry.get_state() for each in (algorithm, twin)]
    assert kept[0]["rows"].any()
    assert all(np.array_equal(kept[0][name], kept[1][name]) for name in kept[0])
    expected, found = algorithm.train()["social"], twin.train()["social"]
    algorithm.stop()
    twin.stop()
    assert found == expected


def test_a_game_in_which_every_action_does_something_is_refused_before_anything_starts():
    with pytest.raises(SettingsError, match=r"env: gifting cannot play coingame: .* no action 'stay'"):
        GiftingConfig().environment("coingame").build_algo()


def test_an_environment_of_others_without_a_known_stay_is_refused():
    with pytest.raises(ValueError, match="gifting needs an action that does nothing"):
        build(env=Line)
