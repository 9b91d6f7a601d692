"""`SeatedPolicies`: in each seat a learner or another player: scripted, frozen, or one of several in turn.

A seat is an agent's position. Nothing is learnt from what scripted and frozen players do in their own seats.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import mixed_motive
from rllib_lase.networks import PolicyNet
from rllib_lase.registry.seating import Partner, Seating
from rllib_lase.rllib.acting import GroupActor
from rllib_lase.rllib.joint_env import JointEnv
from rllib_lase.rllib.policies import JointPolicy, StackedPolicies, draw_actions, state_size

#: Keeps the seeds of scripted players apart from all others of a run.
_SCRIPT_STREAM = 11


class SeatPlayer(abc.ABC):
    """Plays one seat in all copies, and does not learn.

    Attributes:
        state_size: Numbers in its recurrent state; 0 if it has none.
        away: `(B,)` bool, copies in which nobody was there in the latest step; None: somebody was everywhere.
    """

    state_size: int = 0
    away: NDArray[np.bool_] | None = None

    @abc.abstractmethod
    def act(
        self, obs: NDArray[Any], state: Tensor | None, uniform: NDArray[np.float32]
    ) -> tuple[NDArray[Any], Tensor | None]:
        """Actions of one step.

        Args:
            obs: `(B, *obs)`, the seat's own.
            state: `(B, state_size)`, or None.
            uniform: `(B,)`, or `(B, D)` for continuous actions, in [0, 1).

        Returns:
            `(B,)` or `(B, D)`, and the next state.
        """

    def set_env_steps(self, env_steps: int) -> None:
        """As `JointPolicy.set_env_steps`."""
        del env_steps

    def begin_episodes(self, copies: NDArray[np.int64]) -> None:
        """As `JointPolicy.begin_episodes`."""
        del copies


class FrozenPlayer(SeatPlayer):
    """A network that no longer learns; it draws from its own distribution, without epsilon."""

    def __init__(self, net: PolicyNet, env: JointEnv, seat: int) -> None:
        shape = env.observation_spaces[env.agent_ids[seat]].shape or ()
        self._actor = GroupActor([net], shape)
        self._continuous = bool(env.action_shape)
        self.state_size = state_size(net)

    def act(
        self, obs: NDArray[Any], state: Tensor | None, uniform: NDArray[np.float32]
    ) -> tuple[NDArray[Any], Tensor | None]:
        """Sampled actions."""
        own = None if state is None else state.unsqueeze(0)
        device = self._actor.device
        heads, after = self._actor(torch.from_numpy(obs).to(device).unsqueeze(0), own)
        draws = torch.from_numpy(uniform).to(device).unsqueeze(0)
        actions = draw_actions(heads[..., :-1], draws, continuous=self._continuous)
        return actions[0].cpu().numpy(), None if after is None else after[0]


class ScriptedPlayer(SeatPlayer):
    """A scripted player of `mixed_motive`, which sees the game's state; it decides for its seat alone.

    Its random decisions are a function of the copy's seed, episode and step, and of its own seed: the same in
    a restored run, and others in every copy.
    """

    def __init__(self, kind: str, env: JointEnv, seat: int, seed: int | None) -> None:
        if env.game is None:
            raise ValueError(
                f"{kind!r} in seat {seat}: scripted players play only the games of mixed_motive; name a "
                "learner or a frozen agent"
            )
        root = np.random.SeedSequence(seed or 0, spawn_key=(_SCRIPT_STREAM, seat))
        self._player = mixed_motive.player(kind, env.game, int(root.generate_state(1, np.uint64)[0]))
        self._env, self._seat = env, seat

    def act(
        self, obs: NDArray[Any], state: Tensor | None, uniform: NDArray[np.float32]
    ) -> tuple[NDArray[Any], Tensor | None]:
        """What the script says of the game's present state."""
        del obs, state
        if self._env.places is None:
            return self._player.act([self._seat])[:, 0], None
        places = self._env.places[self._seat]
        actions = np.empty(len(uniform), np.int64)
        for agent in np.unique(places).tolist():
            here = places == agent
            actions[here] = self._player.act([agent])[here, 0]
        return actions, None


class ChangingPlayer(SeatPlayer):
    """Whoever of several players a seating names for the moment, or nobody.

    Args:
        env: The copies.
        seat: Position of the agent.
        players: All who ever sit there.
        seating: Who sits where, and when that changes.
        by_episode: Whether the seating's steps are those of each copy's episode; else of the training.
    """

    def __init__(
        self,
        env: JointEnv,
        seat: int,
        players: Mapping[Partner, SeatPlayer],
        seating: Seating,
        *,
        by_episode: bool,
    ) -> None:
        self._seat, self._players, self._seating, self._by_episode = seat, players, seating, by_episode
        self._stay_action = env.stay_action
        self.state_size = max(player.state_size for player in players.values())
        self._env_steps = 0
        self._episode_steps = np.zeros(env.num_envs, np.int64)
        self._latest: NDArray[np.int64] | None = None

    def set_env_steps(self, env_steps: int) -> None:
        """Takes over the training's env steps, by which players change."""
        self._env_steps = env_steps

    def begin_episodes(self, copies: NDArray[np.int64]) -> None:
        """Counts these copies' steps from 0 again."""
        self._episode_steps[copies] = 0

    def act(
        self, obs: NDArray[Any], state: Tensor | None, uniform: NDArray[np.float32]
    ) -> tuple[NDArray[Any], Tensor | None]:
        """Everybody's actions where they sit; the one that does nothing where nobody does."""
        sitting = self._sitting()
        self.away = sitting < 0
        actions = np.zeros(uniform.shape, np.float32 if uniform.ndim > 1 else np.int64)
        if self._stay_action is not None:
            actions[self.away] = self._stay_action
        own = None if state is None else self._own_state(sitting, state)
        after = None if own is None else torch.zeros_like(own)
        for number, player in enumerate(self._players.values()):
            here = sitting == number
            if not here.any():
                continue
            begin = None if own is None or not player.state_size else own[:, : player.state_size]
            chosen, end = player.act(obs, begin, uniform)
            actions[here] = chosen[here]
            if after is not None and end is not None:
                rows = torch.from_numpy(here)
                after[rows, : player.state_size] = end[rows]
        self._episode_steps += 1
        return actions, after

    def _sitting(self) -> NDArray[np.int64]:
        """`(B,)`, the number of the player who sits there now; -1 where nobody does."""
        partners = list(self._players)
        now = self._episode_steps if self._by_episode else np.array([self._env_steps])
        sitting = np.empty(len(self._episode_steps), np.int64)
        for steps in np.unique(now).tolist():
            seating = self._seating.at(steps)
            number = -1 if self._seat in seating.away else partners.index(seating.partners[self._seat])
            sitting[now == steps if self._by_episode else slice(None)] = number
        return sitting

    def _own_state(self, sitting: NDArray[np.int64], state: Tensor) -> Tensor:
        """The recurrent state, zeros where somebody has just sat down."""
        stayed = sitting == (sitting if self._latest is None else self._latest)
        self._latest = sitting
        return state * torch.from_numpy(stayed).to(state.device).unsqueeze(-1)


class SeatedPolicies(JointPolicy):
    """In each seat a learner or another player.

    Args:
        env: The copies.
        learners: Those who learn (or did); of nobody, where nobody does.
        players: Position -> player of every other seat.
    """

    def __init__(self, env: JointEnv, learners: StackedPolicies, players: Mapping[int, SeatPlayer]) -> None:
        self._env, self._learners, self._players = env, learners, players
        self._row = {seat: (g, group.index(seat)) for g, group in enumerate(env.groups) for seat in group}
        sizes = [player.state_size for player in players.values()]
        self._state_size = max([learners.state_size, *sizes])

    def refresh(self) -> None:
        """The learners' weights; the others' do not change."""
        self._learners.refresh()

    def initial_state(self) -> Tensor | None:
        """Zeros, or None if nobody is recurrent. States smaller than the largest are padded."""
        if not self._state_size:
            return None
        shape = (len(self._env.agent_ids), self._env.num_envs, self._state_size)
        return torch.zeros(shape, device=self._learners.device)

    def learners_state(self, state: Tensor | None) -> Tensor | None:
        """Without the padding that other players need."""
        size = self._learners.state_size
        return None if state is None or not size else state[..., :size]

    def set_env_steps(self, env_steps: int) -> None:
        """Tells the players."""
        for player in self._players.values():
            player.set_env_steps(env_steps)

    def begin_episodes(self, copies: NDArray[np.int64]) -> None:
        """Tells the players."""
        for player in self._players.values():
            player.begin_episodes(copies)

    def start_fragment(self, num_steps: int, epsilon: float) -> None:
        """Epsilon is for the learners only."""
        self._learners.start_fragment(num_steps, epsilon)

    def act(
        self,
        t: int,
        obs: Sequence[NDArray[Any]],
        state: Tensor | None,
        uniform: NDArray[np.float32],
        actions_out: NDArray[Any],
    ) -> Tensor | None:
        """Learners in their stacked passes, the others seat by seat."""
        after = None if state is None else torch.zeros_like(state)
        learnt = self._learners.act(t, obs, self.learners_state(state), uniform, actions_out)
        if after is not None and learnt is not None:
            after[..., : self._learners.state_size] = learnt
        away = np.zeros((len(self._env.agent_ids), self._env.num_envs), np.bool_)
        for seat, player in self._players.items():
            group, row = self._row[seat]
            own = None if state is None or not player.state_size else state[seat, :, : player.state_size]
            actions_out[seat], end = player.act(obs[group][row], own, uniform[seat])
            if after is not None and end is not None:
                after[seat, :, : player.state_size] = end
            if player.away is not None:
                away[seat] = player.away
        self.away = away if away.any() else None
        return after

    def finish_fragment(
        self, last_obs: Sequence[NDArray[Any]], state: Tensor | None, actions: NDArray[Any]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Of the learners; 0 in the seats of the others, which nobody learns from."""
        return self._learners.finish_fragment(last_obs, self.learners_state(state), actions)

    def values(self, obs: Sequence[NDArray[Any]], state: Tensor | None) -> NDArray[np.float32]:
        """The learners' critics; 0 in other seats."""
        return self._learners.values(obs, self.learners_state(state))


def population_policies(
    env: JointEnv,
    learners: Mapping[int, PolicyNet],
    seating: Seating,
    frozen: Mapping[tuple[int, Partner], PolicyNet],
    seed: int | None,
    *,
    by_episode: bool,
) -> SeatedPolicies:
    """In each seat whoever a seating names for the moment.

    Args:
        env: The copies.
        learners: Position -> network of those who learn (or did).
        seating: Who sits where, and when that changes.
        frozen: Seat and partner -> network of every frozen partner.
        seed: Of the scripted players.
        by_episode: Whether the seating's steps are those of each copy's episode; else of the training.

    Raises:
        ValueError: for scripted players in an environment that is none of our games, or a seat that is left
            where no action does nothing.
    """
    stacked = StackedPolicies(learners, env)

    def seat_player(seat: int, partner: Partner) -> SeatPlayer:
        if partner.kind == "scripted":
            return ScriptedPlayer(partner.name, env, seat, seed)
        return FrozenPlayer(frozen[seat, partner].to(stacked.device), env, seat)

    players = {
        seat: {partner: seat_player(seat, partner) for partner in seating.candidates(seat)}
        for seat in range(len(env.agent_ids))
        if seat not in learners
    }
    _require_stay(env, seating)
    changing = {
        seat: ChangingPlayer(env, seat, candidates, seating, by_episode=by_episode)
        for seat, candidates in players.items()
    }
    return SeatedPolicies(env, stacked, changing)


def _require_stay(env: JointEnv, seating: Seating) -> None:
    """Refuses that a seat is left where no action does nothing."""
    leaves = seating.away or any(switch.after is None for switch in seating.switches)
    if leaves and env.stay_action is None:
        raise ValueError(
            "who is away plays the game's action 'stay', and this environment has none that is known to do "
            "nothing; leave `leave` out, or give the seat to another player"
        )
