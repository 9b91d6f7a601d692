import numpy as np
import pytest
from PIL import Image

from mixed_motive.rendering.gifts import visible_gifts
from rllib_lase import GOConfig, IndependentConfig, LASEConfig
from rllib_lase.cli import entry
from rllib_lase.rllib.game_copies import GameCopies
from rllib_lase.rllib.recording import END_SECONDS, GIFT_SECONDS, SECONDS, record_episode
from rllib_lase.train_spec import TrainSpec
from rllib_lase.training import train
from tests.rllib.line_env import Line

pytestmark = [
    pytest.mark.usefixtures("local_ray"),
    pytest.mark.filterwarnings("ignore:PYTHONHASHSEED is not fixed"),
]


def build(config_class=LASEConfig, game="snowdrift", **params):
    config = config_class().environment(game, env_config=params).debugging(seed=0, log_level="ERROR")
    config.training(hidden_size=16).env_runners(num_env_runners=0, num_envs_per_env_runner=4)
    return config.build_algo()


@pytest.fixture
def shown(monkeypatch):
    """Gifts of every picture that is drawn, and the game's step at that time."""
    pictures = []
    render = GameCopies.render

    def keep(copies, env_index=0, gifts=None):
        pictures.append((int(copies.get_state()["step"][0]), gifts))
        return render(copies, env_index, gifts)

    monkeypatch.setattr(GameCopies, "render", keep)
    return pictures


def test_pictures_show_the_gifts_of_the_step_that_led_to_them(shown):
    algorithm = build(horizon=30)
    recording = record_episode(algorithm, seed=1)
    rollout = algorithm.evaluation_runner(1, 1).sample_rollout(30, 0.0)
    gifts = algorithm.judge(rollout).gift_weights[:, 0].numpy() * rollout.rewards[:, :, 0].T[..., None]
    algorithm.stop()
    assert [step for step, _ in shown] == list(range(31))
    assert shown[0][1] is None
    assert np.allclose([given for _, given in shown[1:]], gifts, atol=1e-6)
    given = [bool(visible_gifts(one.astype(float))) for one in gifts]
    assert 0 < sum(given) < 30
    assert recording.seconds == [SECONDS] + [GIFT_SECONDS if g else SECONDS for g in given[:-1]] + [
        END_SECONDS
    ]
    assert {frame.shape for frame in recording.frames} == {recording.frames[0].shape}
    assert len(recording.frames) == 31


def test_a_recording_repeats_itself_and_may_be_cut():
    algorithm = build(horizon=8)
    first, again, other = (record_episode(algorithm, seed) for seed in (1, 1, 2))
    short = record_episode(algorithm, 1, max_steps=3)
    algorithm.stop()
    assert np.array_equal(first.frames, again.frames)
    assert not np.array_equal(first.frames, other.frames)
    assert len(short.frames) == len(short.seconds) == 4
    assert np.array_equal(short.frames, first.frames[:4])


@pytest.mark.parametrize("config_class", [GOConfig, IndependentConfig])
def test_without_gifts_none_are_drawn(shown, config_class):
    algorithm = build(config_class, horizon=5)
    recording = record_episode(algorithm, seed=1)
    algorithm.stop()
    assert [gifts for _, gifts in shown] == [None] * 6
    assert recording.seconds == [SECONDS] * 5 + [END_SECONDS]


def test_the_end_of_an_episode_that_agents_leave_is_shown(shown):
    algorithm = build(game="escape_room", horizon=40)
    recording = record_episode(algorithm, seed=3)
    algorithm.stop()
    steps = [step for step, _ in shown]
    assert steps == list(range(len(recording.frames)))


class Painter(Line):
    """Draws its step as a shade."""

    def render(self):
        return np.full((40, 30, 3), self.time, np.uint8)


def test_environments_of_others_show_rewards_and_no_next_episode():
    algorithm = build(game=Painter)
    recording = record_episode(algorithm, seed=1)
    algorithm.stop()
    shades = [frame[0, frame.shape[1] // 2, 0] for frame in recording.frames]
    assert shades == [0, 1, 2, 3]
    assert recording.frames[0].shape[0] > 40


def test_an_environment_without_pictures_has_no_recording():
    algorithm = build(game=Line)
    assert record_episode(algorithm, seed=1) is None
    algorithm.stop()


def test_the_command_draws_a_run_and_says_where(tmp_path, capsys):
    spec = TrainSpec(
        "snowdrift",
        "lase",
        tmp_path / "run",
        env_steps=1600,
        game_params={"horizon": 20},
        settings={"hidden_size": 16},
        evaluation_episodes=2,
    )
    run = train(spec)
    before = {path.name for path in run.path.iterdir()}
    assert entry.run(["render", str(run.path)]) == 0
    assert capsys.readouterr().out == f"20 steps with seed 10000\n{run.path / 'render.gif'}\n"
    assert {path.name for path in run.path.iterdir()} - before == {"render.gif"}
    assert (run.path / "render.gif").read_bytes() == run.gif_path.read_bytes()
    out = tmp_path / "other.GIF"
    assert entry.run(["render", str(run.path), "--seed", "3", "--steps", "7", "--out", str(out)]) == 0
    assert capsys.readouterr().out == f"7 steps with seed 3\n{out}\n"
    with Image.open(out) as gif:
        assert gif.n_frames <= 8
