"""Social outcome metrics of mixed-motive games, as vectorised NumPy functions.

An undefined value is NaN. Rewards are extrinsic unless a name says `after_gifting`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

_PEROLAT = "Perolat et al. 2017 (arXiv 1707.06600); Hughes et al. 2018 (arXiv 1803.08884)"
_LASE = "Kong et al. 2024 (arXiv 2410.07863)"


@dataclass(frozen=True)
class Metric:
    """What a reported number means: the words that tables, pictures and pages share.

    Attributes:
        label: name for axes and column heads.
        unit: unit, empty for a pure number.
        range: the values it can take.
        definition: how it is computed, including when it is undefined.
        source: where the definition comes from, empty for plain bookkeeping.
    """

    label: str
    unit: str
    range: str
    definition: str
    source: str = ""

    @property
    def axis_label(self) -> str:
        """The label with its unit in brackets."""
        return f"{self.label} ({self.unit})" if self.unit else self.label


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        "collective_reward": Metric(
            "Collective reward",
            "per episode",
            "all real numbers",
            "Sum over the agents of the extrinsic reward of an episode, mean over episodes. "
            "Gifts do not change it.",
            _PEROLAT,
        ),
        "equality": Metric(
            "Equality before gifting",
            "",
            "1/N to 1 for rewards that are not negative; lower if some agents lose",
            "E = 1 - sum_i sum_j |R_i - R_j| / (2 N sum_i R_i), with R_i the mean extrinsic reward per "
            "episode of agent i. 1: all alike; 1/N: one agent gets everything. Undefined unless the sum of "
            "R_i is positive.",
            _PEROLAT,
        ),
        "equality_after_gifting": Metric(
            "Equality after gifting",
            "",
            "as before gifting",
            "The same E, with R_i the mean reward per episode of agent i after gifts were given and "
            "received.",
            _LASE,
        ),
        "share_given": Metric(
            "Share given away",
            "",
            "0 to 1",
            "1 - w_ii, the part of its reward that an agent gives to others: mean over the recorded steps "
            "and the agents. Undefined where no step was recorded.",
            f"{_LASE}, Eq. 2",
        ),
        "gift_weight": Metric(
            "Gift weight",
            "",
            "0 to 1, each row sums to 1",
            "w_ij, the share of its reward that giver i (row) hands to receiver j (column); the diagonal is "
            "the share kept. Mean over the steps at which the giver was in the game.",
            f"{_LASE}, Eq. 2",
        ),
        "env_steps": Metric(
            "Environment steps",
            "",
            "non-negative integers",
            "Steps of the game, all copies together. One step moves all agents at once.",
        ),
        "wall_seconds": Metric("Wall time", "s", "positive", "Time from the start of a run to its end."),
        "cpu_seconds": Metric(
            "CPU time",
            "s",
            "positive",
            "CPU time of a run's training and start, summed over its processes; without Ray's own services.",
        ),
        "env_steps_per_second": Metric(
            "Speed", "env steps/s", "positive", "Environment steps divided by the wall time of the run."
        ),
    }
)


def collective_reward(rewards: npt.ArrayLike) -> FloatArray:
    """Collective reward: the sum over agents of their rewards.

    Args:
        rewards: (..., N) reward of each agent, per episode or mean over episodes.

    Returns:
        (...) float64, in units of reward; NaN where any agent's reward is NaN.

    Source:
        Perolat et al. 2017, utilitarian metric, without its division by the episode's length.
    """
    return np.asarray(np.sum(_agent_axis(rewards, "rewards"), axis=-1))


def equality(mean_rewards: npt.ArrayLike) -> FloatArray:
    """Equality E, one minus the Gini coefficient of the agents' rewards.

    `E = 1 - sum_i sum_j |R_i - R_j| / (2 N sum_i R_i)`. Pass means over episodes: the mean of
    per-episode values is another, lower number.

    Args:
        mean_rewards: (..., N) reward R_i of each agent, mean over episodes.

    Returns:
        (...) float64. In [1/N, 1] when no R_i is negative; may fall below when some are. NaN where
        the sum of R_i is not positive (the quotient would mean nothing) or any R_i is NaN.

    Source:
        Perolat et al. 2017; Hughes et al. 2018; used by Kong et al. 2024.
    """
    r = _agent_axis(mean_rewards, "mean_rewards")
    num_agents = r.shape[-1]
    spread = np.abs(r[..., :, None] - r[..., None, :]).sum(axis=(-2, -1))
    total = r.sum(axis=-1)
    result = np.full(total.shape, np.nan)
    np.divide(spread, 2 * num_agents * total, out=result, where=total > 0)
    return np.asarray(1.0 - result)


def mean_gift_weights(
    gift_weights: npt.ArrayLike, recorded: npt.ArrayLike
) -> tuple[FloatArray, npt.NDArray[np.int64]]:
    """Mean of the gift weights over the steps at which they were recorded.

    Args:
        gift_weights: (..., N, N) share of the giver (row) for the receiver (column); rows sum to 1.
        recorded: (..., N) bool, whether the giver's row counts at that step. Pass the steps at which the
            giver was in the game; rows of an agent that has left are ignored, whatever they hold.

    Returns:
        The mean, (N, N) float64 in [0, 1], with a row of NaN for a giver without a recorded step; and the
        number of recorded steps of each giver, (N,) int64.

    Raises:
        ValueError: the shapes do not belong together.

    Source:
        Kong et al. 2024, Eq. 2.
    """
    weights = np.asarray(gift_weights, dtype=np.float64)
    mask = np.asarray(recorded, dtype=bool)
    if weights.ndim < 2 or weights.shape[-1] != weights.shape[-2] or mask.shape != weights.shape[:-1]:
        raise ValueError(
            f"gift_weights has shape {weights.shape} and recorded {mask.shape}; expected (..., N, N) and "
            "(..., N). Likely cause: a mask per step instead of per step and giver. Broadcast it to (..., N)."
        )
    num_agents = weights.shape[-1]
    mask = mask.reshape(-1, num_agents)
    kept = np.where(mask[..., None], weights.reshape(-1, num_agents, num_agents), 0.0)
    steps = mask.sum(axis=0, dtype=np.int64)
    mean = np.full((num_agents, num_agents), np.nan)
    np.divide(kept.sum(axis=0), steps[:, None], out=mean, where=steps[:, None] > 0)
    return mean, steps


def share_given(gift_weights: npt.ArrayLike) -> FloatArray:
    """Share of its reward that each agent gives away, `1 - w_ii`.

    Args:
        gift_weights: (..., N, N) gift weights, giver in the row; a step's, or means over steps.

    Returns:
        (..., N) float64 in [0, 1]; NaN for a giver whose row is NaN.

    Raises:
        ValueError: the last two axes are not square.

    Source:
        Kong et al. 2024, Eq. 2.
    """
    weights = np.asarray(gift_weights, dtype=np.float64)
    if weights.ndim < 2 or weights.shape[-1] != weights.shape[-2]:
        raise ValueError(f"gift_weights has shape {weights.shape}; expected (..., N, N), giver in the row.")
    return np.asarray(1.0 - np.diagonal(weights, axis1=-2, axis2=-1))


def _agent_axis(values: npt.ArrayLike, name: str) -> FloatArray:
    """The values as float64, refused unless the last axis holds at least one agent."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim == 0 or array.shape[-1] == 0:
        raise ValueError(
            f"{name} has shape {array.shape}; expected (..., N) with one entry per agent, N >= 1."
        )
    return array
