"""`SocialHook`: what a social preference may do to a joint rollout before the policies learn from it.

This is the postprocessing hook. It runs in the learner, once per rollout, before returns are computed.
Knows nothing of RLlib.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, cast

import gymnasium as gym
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rllib_lase.action_spaces import Combinations
from rllib_lase.networks import (
    ActorHead,
    GaussianActorHead,
    Identity,
    PolicyNet,
    RefusingActorHead,
)
from rllib_lase.rollout import JointRollout, TensorRollout
from rllib_lase.settings import Settings

#: One agent's networks by group name: those that the hook made, and its policy as `POLICY`.
Networks = Mapping[str, nn.Module]
POLICY = "policy"

#: What processes of agents tell each other beside gifts: what was done, and who was in the game.
EXCHANGED_FIELDS = frozenset({"actions", "active", "terminateds", "truncateds"})


@dataclass(frozen=True)
class JointSpaces:
    """Who plays, and the spaces of each, in the agents' fixed order."""

    agent_ids: tuple[str, ...]
    observation_spaces: tuple[gym.Space[Any], ...]
    action_spaces: tuple[gym.Space[Any], ...]

    @property
    def num_agents(self) -> int:
        """N."""
        return len(self.agent_ids)

    @property
    def continuous_size(self) -> int | None:
        """D of the agents' continuous actions, boxes `[-1, 1]^D`; None if actions are discrete."""
        space = self.action_spaces[0]
        return int(np.prod(space.shape)) if isinstance(space, gym.spaces.Box) else None


@dataclass(frozen=True)
class Moments:
    """Count, sum and sum of squares of a quantity, one of each per agent, `(N,)` float64.

    They add up over rollouts; mean and standard deviation are taken at the end.
    """

    count: Tensor
    total: Tensor
    squares: Tensor

    @classmethod
    def of(cls, values: Tensor, where: Tensor) -> Moments:
        """Over all entries `(N, ...)` of each agent's row where `where` (bool, same shape)."""
        kept = torch.where(where, values, torch.zeros_like(values)).flatten(1).double()
        return cls(where.flatten(1).sum(1).double(), kept.sum(1), kept.square().sum(1))

    def __add__(self, other: Moments) -> Moments:
        """Of both."""
        return Moments(self.count + other.count, self.total + other.total, self.squares + other.squares)

    def mean(self) -> Tensor:
        """`(N,)`, NaN where nothing was counted."""
        return self.total / self.count

    def std(self) -> Tensor:
        """`(N,)`, of all that was counted (not of a sample); NaN where nothing was."""
        return (self.squares / self.count - self.mean().square()).clamp_min(0).sqrt()


@dataclass(frozen=True)
class LearntRewards:
    """What a hook makes of a rollout's rewards.

    Attributes:
        rewards: `(N, T, B)` float32, what the policies learn from.
        gift_weights: `(T, B, N, N)`, giver in the row; None unless agents give shares of their rewards. Rows
            of givers without a reward are the identity's unless the step is recorded.
        shared: `(N, T, B)`, what those weights split: the rewards, but for penalties that stay with their
            owner.
        carry: `(B, ...)`, what the preference carries to the copies' next step; None if nothing.
        amounts: `(T, B, N, N)`, reward that moved in gifts that are no shares of a reward, giver in the row,
            0 on the diagonal; None unless the hook moves rewards so.
        exchanged: `(N, T, B)`, rewards after gifting where some agents learn from something else than these;
            None: they are `rewards`, if anything moved.
        measured: What is worth reporting of the recorded steps, by name.
    """

    rewards: Tensor
    gift_weights: Tensor | None = None
    shared: Tensor | None = None
    carry: Tensor | None = None
    amounts: Tensor | None = None
    exchanged: Tensor | None = None
    measured: Mapping[str, Moments] = field(default_factory=dict)

    @property
    def moved(self) -> bool:
        """Whether there are rewards after gifting. If not, only those who learn see `rewards`."""
        return self.gift_weights is not None or self.amounts is not None

    @property
    def after_gifting(self) -> Tensor:
        """`(N, T, B)`, rewards after gifting, where any moved."""
        return self.rewards if self.exchanged is None else self.exchanged

    def gifts(self) -> Tensor | None:
        """Amounts of reward that moved, `(T, B, N, N)`, giver in the row; on the diagonal what shares left.

        None if nothing may have moved.
        """
        if self.gift_weights is None or self.shared is None:
            return self.amounts
        return self.gift_weights * self.shared.permute(1, 2, 0).unsqueeze(-1)

    def cpu(self) -> LearntRewards:
        """The same in main memory, without what was measured."""
        weights, shared, carry, amounts, exchanged = (
            None if part is None else part.cpu()
            for part in (self.gift_weights, self.shared, self.carry, self.amounts, self.exchanged)
        )
        return LearntRewards(self.rewards.cpu(), weights, shared, carry, amounts, exchanged)


class SocialHook(abc.ABC):
    """A social preference of agents, each with its own networks and its own view.

    Attributes:
        agents: Positions of the agents whose preference it is: all, unless others have other ones. Only
            their networks are used, and only their entries of what it answers count.
        shares_parameters: Whether all agents have one set of parameters, and learn from everybody's
            experience; else nothing but what `visible_fields` name passes between them.
        reads_policies: Whether the hook looks into the agents' policies, which then must be ours.
        continuous_actions: Whether agents may have continuous actions instead of discrete ones.
        visible_fields: What agent i may see of others. Everything else of agent j may be replaced by NaN
            without changing i's losses.
    """

    shares_parameters: ClassVar[bool] = False
    reads_policies: ClassVar[bool] = False
    continuous_actions: ClassVar[bool] = False
    visible_fields: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, settings: Settings, spaces: JointSpaces, seed: int | None) -> None:
        self.settings = settings
        self.spaces = spaces
        self.seed = seed
        self.agents: Sequence[int] = range(spaces.num_agents)

    def moves_rewards(self) -> bool:
        """Whether agents give rewards away. Only then rewards after gifting differ from rewards."""
        return False

    @classmethod
    def action_table(
        cls, settings: Settings, num_actions: int, stay_action: int | None
    ) -> NDArray[np.int64] | None:
        """Which action of the game each of an agent's actions plays, if the preference adds actions.

        Args:
            settings: The algorithm's.
            num_actions: A, actions of the game.
            stay_action: The game's action that does nothing, or None.

        Returns:
            `(A',)` actions of the game, the first A in their own order; None if agents have just those.

        Raises:
            ValueError: if the preference needs an action that does nothing, and there is none.
        """
        del settings, num_actions, stay_action
        return None

    @classmethod
    def discrete_settings(cls, settings: Settings) -> dict[str, str]:
        """Settings with values that need discrete actions, each with the reason and the cure."""
        reason = "uniform exploration is for discrete actions; leave it at 0: policies draw from Gaussians"
        return {name: reason for name in ("epsilon_start", "epsilon_end") if getattr(settings, name) > 0}

    @classmethod
    def decentralisation_problem(cls, settings: Settings) -> str | None:
        """Why agents cannot live in processes of their own that exchange only actions and gifts, if so."""
        del settings
        if cls.shares_parameters:
            return "all agents have one set of parameters"
        hidden = cls.visible_fields - EXCHANGED_FIELDS
        return f"agents see each other's {', '.join(sorted(hidden))}" if hidden else None

    @property
    def refuses_gifts(self) -> bool:
        """Whether agents choose to refuse gifts: action a + A plays a, and takes none in that step."""
        return False

    def initial_carry(self, num_envs: int) -> Tensor | None:
        """`(B, ...)`, what `rewards` carries from step to step, at an episode's start; None if nothing."""
        del num_envs
        return None

    def set_env_steps(self, env_steps: int) -> None:
        """Moves the preference's own schedules, before each round's `rewards`.

        Args:
            env_steps: Env steps sampled before this round.
        """
        del env_steps

    @abc.abstractmethod
    def rewards(
        self,
        rollout: TensorRollout,
        networks: Sequence[Networks],
        recorded: Tensor,
        carry: Tensor | None = None,
    ) -> LearntRewards:
        """What the policies learn from. Changes nothing: evaluations ask for it, too.

        Args:
            rollout: The joint experience.
            networks: Each agent's own networks; none of agents that do not learn.
            recorded: `(T, B)` bool, steps for which everything is computed, also where it cannot matter for
                learning, so that plots show all steps alike.
            carry: `(B, ...)`, the carry before the first step, as `initial_carry` or the fragment before
                gave it. After a step that ends a copy's episode it starts afresh.
        """

    def make_policy(self, agent: int) -> PolicyNet:
        """The network that an agent acts with, freshly initialised."""
        size = self.spaces.continuous_size
        head: type[ActorHead] = GaussianActorHead
        space = self.spaces.action_spaces[agent]
        if size is None:
            size = int(cast("gym.spaces.Discrete[Any]", space).n)
            head = RefusingActorHead if self.refuses_gifts else ActorHead
        return PolicyNet(
            cast("tuple[int, ...]", self.spaces.observation_spaces[agent].shape),
            size,
            self.settings.hidden_size,
            self.settings.lstm_size if self.settings.use_lstm else None,
            self.identity(agent),
            head,
            space.sizes if isinstance(space, Combinations) else None,
        )

    def identity(self, agent: int) -> Identity | None:
        """Whose a network is, for networks whose parameters all agents share; else None."""
        return Identity(self.spaces.num_agents, agent) if self.shares_parameters else None

    def extra_modules(self, agent: int) -> dict[str, nn.Module]:
        """Networks that an agent needs for this preference, by parameter group. Env runners drop them."""
        del agent
        return {}

    def learning_rate(self, group: str) -> float:
        """Adam's learning rate of a parameter group of `extra_modules`."""
        raise KeyError(f"{type(self).__name__} has no parameter group {group!r}")

    def grad_clip(self, group: str) -> float:
        """Bound on each agent's gradient norm of a parameter group of `extra_modules`."""
        raise KeyError(f"{type(self).__name__} has no parameter group {group!r}")

    def observe(self, rollout: JointRollout, networks: Sequence[Networks]) -> None:
        """Keeps what later updates need of a rollout, and of the networks that acted in it.

        Once per round of training, before the policies are updated.
        """
        del rollout, networks

    def updates_due(self, round_index: int) -> int:
        """How many updates of the extra networks follow the policy update of round `round_index` (from 1)."""
        del round_index
        return 0

    def losses(self, networks: Sequence[Networks]) -> dict[str, Tensor]:
        """One update's losses of the extra networks: group -> one term for each of `agents`.

        The term of agent i depends on i's nets alone.
        """
        del networks
        return {}

    def get_state(self) -> dict[str, Any]:
        """Everything that `observe` and `losses` depend on, as plain arrays and numbers."""
        return {}

    def set_state(self, state: dict[str, Any]) -> None:
        """Restores `get_state` exactly."""
        del state


def agent_generators(seed: int | None, num_agents: int, stream: int) -> list[np.random.Generator]:
    """One random generator per agent: agent i's draws do not depend on how many others there are."""
    root = np.random.SeedSequence(seed)
    return [
        np.random.default_rng(np.random.SeedSequence(root.entropy, spawn_key=(stream, agent)))
        for agent in range(num_agents)
    ]


def draw_indices(
    generator: np.random.Generator, candidates: NDArray[np.int64], count: int
) -> NDArray[np.int64]:
    """`count` of `candidates`, with replacement."""
    return candidates[generator.integers(0, len(candidates), count)]


def zero_loss(module: nn.Module) -> Tensor:
    """A loss of 0 that depends on all parameters, so that gradients exist and are 0."""
    return torch.stack([parameter.sum() * 0 for parameter in module.parameters()]).sum()
