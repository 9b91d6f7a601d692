"""LOLA's side of the agents: own rewards and tabular policies. What is special is its learner."""

from __future__ import annotations

from typing import ClassVar

import gymnasium as gym
import torch

from rllib_lase.networks import PolicyNet
from rllib_lase.registry.lola import LOLASettings
from rllib_lase.social.hook import JointSpaces
from rllib_lase.social.independent import IndependentHook

#: CC, CD, DC, DD and start; cooperate and defect.
NUM_STATES, NUM_ACTIONS = 5, 2


class LOLAHook(IndependentHook):
    """Own rewards; policies are tables of one logit per state.

    Not decentralised: agent i learns through j's policy parameters, which the learner hands it, and with
    `lola_form="dice"` from j's observations, rewards and critic, too.
    """

    continuous_actions: ClassVar[bool] = False
    reads_policies: ClassVar[bool] = True
    visible_fields: ClassVar[frozenset[str]] = frozenset(
        {
            "policy", "obs", "actions", "action_logp", "rewards", "vf_preds", "final_vf_preds", "terminateds",
            "truncateds",
        }
    )  # fmt: skip
    settings: LOLASettings

    def __init__(self, settings: LOLASettings, spaces: JointSpaces, seed: int | None) -> None:
        """Checks that the environment can be a matrix game.

        Raises:
            ValueError: if there are not two agents with five states and two actions.
        """
        super().__init__(settings, spaces, seed)
        shapes = [space.shape for space in spaces.observation_spaces]
        if shapes != [(NUM_STATES,)] * 2 or any(
            space != gym.spaces.Discrete(NUM_ACTIONS) for space in spaces.action_spaces
        ):
            raise ValueError(
                f"LOLA needs two agents that see one of {NUM_STATES} states, one-hot, and have {NUM_ACTIONS} "
                f"actions; found agents {spaces.agent_ids} with observations {shapes} and actions "
                f"{list(spaces.action_spaces)}. Choose the game ipd or matrix"
            )

    def make_policy(self, agent: int) -> PolicyNet:
        """A table: logits of normal spread, each action's the other's negative, and a critic of zeros.

        A critic of random values would be taken for advantages, and the first lookaheads led astray.
        """
        del agent
        policy = PolicyNet((NUM_STATES,), NUM_ACTIONS, hidden_size=None, lstm_size=None)
        halves = torch.randn(NUM_STATES) * self.settings.initial_logit_std / 2
        with torch.no_grad():
            policy.pi.weight.copy_(torch.stack([halves, -halves]))
            policy.vf.weight.zero_()
        return policy
