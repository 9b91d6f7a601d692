"""Whom an agent sees, from its own observation alone. Knows nothing of preferences."""

from __future__ import annotations

from torch import Tensor


def visible_co_players(obs: Tensor, num_agents: int) -> Tensor:
    """Which agents are in sight: those with a set cell in their plane of the own observation.

    Args:
        obs: `(..., C, H, W)`, planes of a game on a map: first one for each of the N agents in their fixed
            order, in a window around the observer.
        num_agents: N.

    Returns:
        `(..., N)` bool; the observer's own entry is True while it is in the game. Agents that have left are
        nowhere to be seen.

    Raises:
        ValueError: if observations are no planes of N agents. Which games have them says
            `rllib_lase.registry.sight`.
    """
    if obs.ndim < 3 or obs.shape[-3] < num_agents:
        raise ValueError(
            f"observations of shape {tuple(obs.shape)} do not have a plane of cells for each of {num_agents} "
            "agents; who is in sight is known only in games on a map with obs='planes' or 'float32'"
        )
    seen: Tensor = (obs[..., :num_agents, :, :] != 0).flatten(-2).any(-1)
    return seen
