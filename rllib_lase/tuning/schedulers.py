"""Tune's schedulers as searches need them, made from a trial's env steps."""

from __future__ import annotations

from ray.tune.schedulers import ASHAScheduler

_REDUCTION = 3
#: Comparisons before the end: after a ninth and a third of the budget.
_SHARE_OF_THE_FIRST = _REDUCTION**2


def asha(env_steps: int) -> ASHAScheduler:
    """ASHA: after a ninth and after a third of the budget the two thirds that do worst are stopped.

    Args:
        env_steps: Budget of a trial, 9 at least.

    Raises:
        ValueError: for a smaller budget.
    """
    if env_steps < _SHARE_OF_THE_FIRST:
        raise ValueError(f"ASHA compares after a ninth of them; expected {_SHARE_OF_THE_FIRST} or more")
    return ASHAScheduler(
        time_attr="env_steps",
        max_t=env_steps,
        grace_period=env_steps // _SHARE_OF_THE_FIRST,
        reduction_factor=_REDUCTION,
    )
