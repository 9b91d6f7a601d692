"""Pictures of an episode: the game, who gave whom how much in each step, and what everybody has."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mixed_motive.rendering.gifts import visible_gifts
from mixed_motive.rendering.ledger import Ledger
from rllib_lase.defaults import RECORDING_STEPS
from rllib_lase.rllib.evaluate import Players

#: How long a picture stays: one without gifts, one with gifts, which takes time to read, and the last one.
SECONDS, GIFT_SECONDS, END_SECONDS = 0.15, 0.6, 2.0


@dataclass(frozen=True)
class Recording:
    """Pictures of one episode.

    Attributes:
        frames: `(H, W, 3)` uint8 each, of one size: the start, then the outcome of every step.
        seconds: How long each should be shown.
    """

    frames: list[NDArray[np.uint8]]
    seconds: list[float]


def record_episode(players: Players, seed: int, max_steps: int = RECORDING_STEPS) -> Recording | None:
    """Plays one episode with sampled actions and draws it. Changes no state.

    Args:
        players: Any of our algorithms, trained or not, or policies of RLlib's. If agents give rewards away,
            the gifts are drawn.
        seed: Seed of environment and actions; the same seed gives the same episode.
        max_steps: Longer episodes are cut.

    Returns:
        The pictures, or None if the environment has none. The last step's outcome is missing where the
        environment starts the next episode at once.
    """
    runner = players.evaluation_runner(1, seed)
    env = runner.env
    if env is None:
        raise RuntimeError("the evaluation runner has no environment")
    shows_ends = env.stay_at_ends()
    runner.start_episodes()
    ledger = Ledger(len(env.agent_ids), gifts=players.moves_rewards)
    picture = env.render(0)
    if picture is None:
        runner.stop()
        return None
    recording = Recording([ledger.beneath(picture)], [SECONDS])
    carry = None
    for _ in range(max_steps):
        rollout = runner.sample_rollout(1, 0.0)
        ended = bool(rollout.dones.any())
        if ended and not shows_ends:
            break
        learnt = players.judge(rollout, carry)
        carry = learnt.carry
        moved = learnt.gifts()
        gifts = None if moved is None else moved[0, 0].numpy()
        ledger.add(rollout.rewards[:, 0, 0], gifts)
        picture = env.render(0, gifts)
        if picture is None:
            break
        recording.frames.append(ledger.beneath(picture))
        recording.seconds.append(SECONDS if gifts is None or not visible_gifts(gifts) else GIFT_SECONDS)
        if ended:
            break
    recording.seconds[-1] = END_SECONDS
    runner.stop()
    return recording
