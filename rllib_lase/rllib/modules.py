"""One RLModule per agent: its policy, and on learners also the networks of its social preference.

The agents' modules have parameters of their own, or one set for all.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from ray.rllib.core.columns import Columns
from ray.rllib.core.rl_module import MultiRLModule
from ray.rllib.core.rl_module.apis import InferenceOnlyAPI, ValueFunctionAPI
from ray.rllib.core.rl_module.torch import TorchRLModule
from ray.rllib.utils.annotations import override
from torch import Tensor, nn

from rllib_lase.networks import PolicyNet, share_parameters
from rllib_lase.social.hook import SocialHook


class SocialModule(TorchRLModule, InferenceOnlyAPI, ValueFunctionAPI):
    """An agent's networks.

    `model_config` holds:
        agent: Position of the agent.
        seed: Seed of the initial weights, or None. Agent i's weights do not depend on how many others there
            are.
        hook: The `SocialHook` that makes the policy and may add networks.

    Attributes:
        policy: Acts; all that an env runner has.
        social: The hook's networks by parameter group; only on learners.
    """

    policy: PolicyNet
    social: nn.ModuleDict

    @override(TorchRLModule)
    def setup(self) -> None:
        """Builds the networks."""
        super().setup()
        config = self.model_config
        hook: SocialHook = config["hook"]
        with torch.random.fork_rng(devices=[], enabled=config["seed"] is not None):
            if config["seed"] is not None:
                torch.manual_seed(config["seed"] * 1_000_003 + config["agent"])
            self.policy = hook.make_policy(config["agent"])
            self.social = nn.ModuleDict({} if self.inference_only else hook.extra_modules(config["agent"]))

    @override(InferenceOnlyAPI)
    def get_non_inference_attributes(self) -> list[str]:
        """The social networks stay on learners."""
        return ["social"]

    @override(TorchRLModule)
    def get_initial_state(self) -> dict[str, Tensor]:
        """Zeros for a recurrent policy, empty for a feed-forward one."""
        lstm = self.policy.lstm
        return {} if lstm is None else {"state": torch.zeros(2 * lstm.hidden_size)}

    @override(TorchRLModule)
    def _forward(self, batch: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        """Logits and values of `Columns.OBS`.

        Feed-forward: `(M, *obs)`. Recurrent: `(B, T, *obs)` with `Columns.STATE_IN`, as RLlib has it.
        """
        obs = batch[Columns.OBS]
        if self.policy.lstm is None:
            output = self.policy(obs)
            return {Columns.ACTION_DIST_INPUTS: output.action_dist_inputs, Columns.VF_PREDS: output.vf_preds}
        time_major = obs.transpose(0, 1)
        no_resets = torch.zeros(time_major.shape[:2], dtype=torch.bool, device=obs.device)
        output, state = self.policy.forward_sequence(time_major, batch[Columns.STATE_IN]["state"], no_resets)
        return {
            Columns.ACTION_DIST_INPUTS: output.action_dist_inputs.transpose(0, 1),
            Columns.VF_PREDS: output.vf_preds.transpose(0, 1),
            Columns.STATE_OUT: {"state": state},
        }

    @override(ValueFunctionAPI)
    def compute_values(self, batch: dict[str, Any], embeddings: Any = None) -> Tensor:
        """Values of `Columns.OBS`."""
        del embeddings
        values: Tensor = self._forward(batch)[Columns.VF_PREDS]
        return values


class SharingModules(MultiRLModule):
    """The agents' modules with one set of parameters, the first agent's: all hold the same tensors."""

    @override(MultiRLModule)
    def setup(self) -> None:
        """Builds the modules and joins them."""
        super().setup()
        share_parameters([cast(SocialModule, module) for module in self.values()])
