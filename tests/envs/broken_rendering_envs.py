"""`HealthyEnv` with one fault in rendering at a time; see `broken_envs.py`."""

import numpy as np

from tests.envs.healthy_env import NUM_CELLS, HealthyEnv


class FloatFrames(HealthyEnv):
    def render(self):
        frame = super().render()
        return frame / 255.0 if self.render_mode == "rgb_array" else frame


class ChannelsFirst(HealthyEnv):
    def render(self):
        frame = super().render()
        return frame.transpose(2, 0, 1) if self.render_mode == "rgb_array" else frame


class FrozenPicture(HealthyEnv):
    def render(self):
        frame = super().render()
        if self.render_mode == "rgb_array":
            self.first = frame if self.time == 0 else self.first
            return self.first.copy()
        return frame


class OneCanvas(HealthyEnv):
    def render(self):
        frame = super().render()
        if self.render_mode == "rgb_array":
            self.canvas = getattr(self, "canvas", np.zeros_like(frame))
            self.canvas[:] = frame
            return self.canvas
        return frame


class BytesForText(HealthyEnv):
    def render(self):
        frame = super().render()
        return frame.encode() if self.render_mode == "ansi" else frame


class FrameForHumans(HealthyEnv):
    def render(self):
        frame = super().render()
        return np.zeros((1, 1, 3), np.uint8) if self.render_mode == "human" else frame


class OpensAWindowAtOnce(HealthyEnv):
    def __init__(self, max_cycles=30, render_mode=None):
        super().__init__(max_cycles, render_mode)
        if render_mode is not None:
            self.show(np.zeros((16, 8 * NUM_CELLS, 3), np.uint8))


class RenderingRollsDice(HealthyEnv):
    def render(self):
        self.random_below(2)
        return super().render()


class ForgetsItsMode(HealthyEnv):
    def __init__(self, max_cycles=30, render_mode=None):
        super().__init__(max_cycles)


class ClosesOnce(HealthyEnv):
    def close(self):
        super().close()
        del self.rng
