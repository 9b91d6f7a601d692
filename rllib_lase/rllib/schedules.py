"""Linear schedules over env steps. The clock never decides anything."""

from __future__ import annotations

from rllib_lase.settings import Settings


class Schedules:
    """Scheduled values at the present number of env steps.

    Attributes:
        lr: Learning rate of the policies.
        entropy_coeff: Weight of the entropy bonus.
        epsilon: Share of uniform random actions.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.set(0)

    def set(self, env_steps: int) -> None:
        """Moves to `env_steps`; beyond `schedule_env_steps` everything stays at its end."""
        settings = self._settings
        done = min(1.0, env_steps / settings.schedule_env_steps)
        self.lr = _between(settings.lr, settings.lr_end, done)
        self.entropy_coeff = _between(settings.entropy_coeff, settings.entropy_coeff_end, done)
        self.epsilon = _between(settings.epsilon_start, settings.epsilon_end, done)


def _between(start: float, end: float, done: float) -> float:
    return start + (end - start) * done
