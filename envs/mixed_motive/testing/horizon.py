"""The horizon: an episode that is cut off there is truncated, not terminated, and at the stated step."""

from __future__ import annotations

from mixed_motive.testing.player import EnvFn, Player

__all__ = ["check_horizon"]


def check_horizon(env_fn: EnvFn, horizon: int, *, seed: int = 0, num_episodes: int = 5) -> None:
    """Whoever is in the game at the horizon is truncated there: not earlier, not later, not terminated.

    Learners bootstrap from the last observation of a truncated episode and not from that of a terminated one,
    so a horizon that is called a termination teaches that the world ends there.

    Args:
        env_fn: Makes the environment, with this horizon.
        horizon: Steps of an episode, as stated (PettingZoo's `max_cycles`).
        seed: Seed of the first episode and of the actions.
        num_episodes: Episodes. Agents may leave before the horizon, or in its very step; but in one of the
            episodes somebody must reach it and be truncated only.

    Raises:
        CheckFailure: If an agent is truncated earlier, goes on later, or nobody is truncated only.
    """
    player = Player("horizon", env_fn, max_steps=horizon, action_seed=seed)
    truncated_only, at_horizon = 0, list[bool]()
    for episode in range(num_episodes):
        for outcome in player.episode(seed + episode):
            for agent_id in outcome.agents:
                if player.step_number < horizon and outcome.truncations.get(agent_id):
                    player.fail(
                        "truncated before the horizon",
                        f"truncation at step {horizon}; an agent that leaves earlier is terminated",
                        "compare the number of steps taken, this one included, with the horizon",
                        agent_id,
                    )
                if player.step_number == horizon:
                    if not outcome.ended(agent_id):
                        player.fail(
                            "goes on after the horizon",
                            f"truncation at step {horizon}",
                            "compare the number of steps taken, this one included, with the horizon",
                            agent_id,
                        )
                    truncated = bool(outcome.truncations.get(agent_id))
                    at_horizon.append(truncated)
                    truncated_only += truncated and not outcome.terminations.get(agent_id)
    if not at_horizon:
        player.fail(
            f"in {num_episodes} episodes nobody reached the horizon of {horizon} steps",
            "somebody who does, to see what happens there",
            "check with a smaller horizon, or with more episodes",
        )
    if not truncated_only:
        both = any(at_horizon)
        player.fail(
            f"whoever reached the horizon was {'terminated and truncated' if both else 'terminated'}",
            "truncation only: the horizon is no part of the game",
            "set truncations, and not terminations, at the horizon",
        )
    player.close()
