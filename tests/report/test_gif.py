"""GIFs of episodes."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rllib_lase.report import write_gif


def frames(count: int = 5) -> list[np.ndarray]:
    pictures = np.zeros((count, 10, 20, 3), dtype=np.uint8)
    for index, picture in enumerate(pictures):
        picture[:, index] = (255, 128, 40 * index)
    return list(pictures)


def test_a_gif_holds_every_frame_in_its_colours_and_enlarged_by_a_whole_factor(tmp_path: Path) -> None:
    path = write_gif(tmp_path / "episode.gif", frames(), seconds=0.2, min_side=35)
    with Image.open(path) as gif:
        assert (gif.n_frames, gif.size, gif.info["loop"], gif.info["duration"]) == (5, (80, 40), 0, 200)
        for index, frame in enumerate(frames()):
            gif.seek(index)
            shown = np.asarray(gif.convert("RGB"))
            np.testing.assert_array_equal(shown, frame.repeat(4, axis=0).repeat(4, axis=1))


def test_every_frame_stays_as_long_as_it_should(tmp_path: Path) -> None:
    path = write_gif(tmp_path / "episode.gif", frames(3), seconds=[0.1, 0.001, 1.5])
    with Image.open(path) as gif:
        shown = []
        for index in range(gif.n_frames):
            gif.seek(index)
            shown.append(gif.info["duration"])
    assert shown == [100, 20, 1500]
    with pytest.raises(ValueError, match="2 times for 3 frames"):
        write_gif(path, frames(3), seconds=[0.1, 0.1])


def test_frames_of_another_kind_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no frames"):
        write_gif(tmp_path / "a.gif", [])
    with pytest.raises(ValueError, match=r"frame 1 has shape \(10, 20, 3\) and dtype float64; expected"):
        write_gif(tmp_path / "a.gif", [frames()[0], frames()[0].astype(float)])
    with pytest.raises(ValueError, match=r"frame 1 has shape \(10, 19, 3\), frame 0 \(10, 20, 3\)"):
        write_gif(tmp_path / "a.gif", [frames()[0], frames()[0][:, 1:]])
    assert not list(tmp_path.iterdir())
