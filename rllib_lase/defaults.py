"""Tuned settings per game, in one place. What was measured to choose them: `docs/decisions/defaults.md`.

A game's table is laid over the settings' own defaults: first what holds for every algorithm, then what the
optimiser needs, then what LASE's networks need, then what one algorithm needs, by its id. Settings that an
algorithm does not have, or has no use for, are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rllib_lase.registry import AlgorithmSpec
from rllib_lase.settings import Optimizer, Settings, setting_names

#: The optimiser that a game is trained with unless told otherwise.
OPTIMIZER: Mapping[str, Optimizer] = {
    "cleanup": "ppo",
    "snowdrift": "ppo",
    "matrix": "a2c",
    "escape_room": "a2c",
}

#: Episodes of a run's final evaluation.
EVALUATION_EPISODES = 128

#: Steps of a recorded episode, at most.
RECORDING_STEPS = 1000

#: Env steps of a full training run.
ENV_STEPS: Mapping[str, int] = {
    "cleanup": 300_000,
    "coingame": 400_000,
    "snowdrift": 300_000,
    "stag_hunt": 1_500_000,
    "matrix": 500_000,
    "escape_room": 200_000,
}

_A2C: Mapping[str, Any] = {
    "num_envs_per_env_runner": 16,
    "rollout_fragment_length": 10,
    "rounds_per_iteration": 40,
    "normalize_advantages": False,
    "entropy_coeff": 0.05,
    "entropy_coeff_end": 0.05,
    "sr_update_frequency": 4,
    "sr_num_updates": 1,
    "sr_batch_size": 256,
    "conversion_batch_size": 256,
}
_PPO: Mapping[str, Any] = {
    "num_envs_per_env_runner": 32,
    "rollout_fragment_length": 50,
    "rounds_per_iteration": 5,
}

#: Games on a map: observations say whom an agent sees.
_ON_A_MAP: Mapping[str, Any] = {"only_when_visible": True}

#: LASE and its ablations differ in one thing only.
_LASE_FAMILY = ("lase", "lase_uniform", "lase_oracle", "lase_shared")


def _pace(lr: float, entropy: float, *, lr_end: float = 0.1, entropy_end: float = 1.0) -> Mapping[str, Any]:
    """Learning rate and entropy weight, and the shares of them that schedules end at."""
    ends = {"lr_end": lr * lr_end, "entropy_coeff_end": entropy * entropy_end}
    return {"lr": lr, "entropy_coeff": entropy, **ends}


_FAST = _pace(2e-3, 0.03)
_FAST_TO_THE_END = _pace(2e-3, 0.01, lr_end=1.0)
_SLOW = _pace(5e-4, 0.03)
_SLOW_AND_SURE = _pace(5e-4, 0.003)
_FAST_HUNTERS = _pace(2e-3, 0.03, entropy_end=0.1)
_SVO_NEAR_SELFISH: Mapping[str, Any] = {"svo_form": "linear", "svo_degrees": 15.0}
_SVO_NEAR_ALTRUISTIC: Mapping[str, Any] = {"svo_form": "linear", "svo_degrees": 60.0}
_GUILT: Mapping[str, Any] = {"ia_alpha": 0.0, "ia_beta": 0.5}
_LIO_SMALL_STEPS: Mapping[str, Any] = {
    **_pace(5e-4, 0.05),
    "incentive_lr": 3e-4,
    "inner_lr": 0.2,
    "max_incentive": 1.0,
}

_GAMES: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "cleanup": {
        "all": {"gamma": 0.98, **_ON_A_MAP},
        "a2c": {"sr_update_frequency": 6},
        "ppo": {**_FAST, "sr_policy_rule": "soft_q"},
        "fixed_share": {"share": 0.25},
        "gifting": {"lr": 5e-4, "lr_end": 5e-5, "gift_budget": "replenishable", "gift_value": 0.3},
        "ia": {"ia_alpha": 0.0},
        "si": {"influence_weight_end": 0.3},
        "svo": _SVO_NEAR_SELFISH,
        "lio": _LIO_SMALL_STEPS,
    },
    "coingame": {
        "all": {"gamma": 0.99, **_ON_A_MAP},
        "ppo": {**_FAST, "sr_policy_rule": "soft_q"},
        **{algo: {"lr_end": 1e-4, "entropy_coeff_end": 0.01} for algo in _LASE_FAMILY},
        "fixed_share": _pace(1e-3, 0.003),
        "ia": {"ia_alpha": 0.0},
        "si": {"influence_weight_end": 0.3},
        "svo": _SVO_NEAR_SELFISH,
        "lio": {"max_incentive": 1.0},
    },
    "harvest": {
        "all": {**_ON_A_MAP},
        **{algo: {**_SLOW, "sr_policy_rule": "soft_q", "sr_num_updates": 4} for algo in _LASE_FAMILY},
        "fixed_share": {**_FAST, "share": 0.75},
        "gifting": {**_SLOW, "gift_budget": "replenishable", "gift_value": 0.3},
        "ia": {**_FAST, "ia_alpha": 0.0},
        "independent": _SLOW_AND_SURE,
        "si": {**_SLOW, "influence_weight_end": 1.0, "moa_num_updates": 4},
        "svo": {**_SLOW, "svo_form": "linear", "svo_degrees": 30.0},
        "lio": _LIO_SMALL_STEPS,
    },
    "stag_hunt": {
        "all": {"gamma": 0.99, "reward_scale": 0.5, **_ON_A_MAP},
        "ppo": {
            "num_envs_per_env_runner": 128,
            "rollout_fragment_length": 30,
            "rounds_per_iteration": 2,
            "entropy_coeff": 0.1,
            "entropy_coeff_end": 0.01,
            "sr_policy_rule": "soft_q",
            "sr_num_updates": 4,
        },
        **{algo: {**_FAST_HUNTERS, "sr_policy_rule": "eq5"} for algo in _LASE_FAMILY},
        "fixed_share": {**_FAST_HUNTERS, "share": 0.25},
        "go": _FAST_HUNTERS,
        "ia": {**_FAST_HUNTERS, "ia_alpha": 0.0},
        "independent": _FAST_HUNTERS,
        "si": {**_FAST_HUNTERS, "influence_weight_end": 0.3},
        "svo": {**_FAST_HUNTERS, **_SVO_NEAR_SELFISH},
    },
    "snowdrift": {
        "all": {"gamma": 0.99, "lambda_": 0.0, "entropy_coeff_end": 0.005, **_ON_A_MAP},
        "a2c": {"lr": 2e-3},
        "ppo": {**_pace(2e-3, 0.01, entropy_end=1 / 6), "sr_policy_rule": "soft_q"},
        "fixed_share": {"share": 0.75},
        "gifting": {"gift_budget": "fixed"},
        "ia": {**_pace(1e-3, 0.05, entropy_end=1 / 6), **_GUILT},
        "si": {"influence_weight_end": 0.3},
        "svo": _SVO_NEAR_SELFISH,
        "lio": {**_pace(1e-3, 0.03, entropy_end=1 / 6), "max_incentive": 1.0},
    },
    "public_goods": {
        "fixed_share": {**_FAST, "share": 0.75},
        "ia": {**_pace(1e-3, 0.05), **_GUILT},
        "independent": _pace(1e-3, 0.05),
        "si": {**_SLOW, "influence_weight_end": 1.0, "moa_num_updates": 4},
        "svo": {**_pace(1e-3, 0.05), **_SVO_NEAR_ALTRUISTIC},
        "lio": _LIO_SMALL_STEPS,
    },
    "matrix": {
        "all": {
            "gamma": 0.99,
            "hidden_size": 32,
            "epsilon_start": 0.1,
            "epsilon_end": 0.05,
            "sr_policy_rule": "soft_q",
            "sr_temperature": 0.2,
            "gamma_sr": 0.9,
            "replay_capacity": 131_072,
        },
        "a2c": {
            "num_envs_per_env_runner": 32,
            "rounds_per_iteration": 60,
            "entropy_coeff": 0.01,
            "entropy_coeff_end": 0.01,
            "sr_update_frequency": 2,
        },
        "ppo": {},
        **{algo: {**_FAST, "sr_policy_rule": "eq5"} for algo in _LASE_FAMILY},
        "fixed_share": {**_FAST, "share": 0.75},
        "go": _FAST,
        "ia": {"entropy_coeff": 0.05, "entropy_coeff_end": 0.05, **_GUILT},
        "independent": _SLOW_AND_SURE,
        "si": {**_SLOW, "influence_weight_end": 1.0, "moa_num_updates": 4},
        "svo": {"entropy_coeff": 0.05, "entropy_coeff_end": 0.05, **_SVO_NEAR_ALTRUISTIC},
        "lola": {
            "gamma": 0.96,
            "lambda_": 0.5,
            "lr": 0.5,
            "lr_end": 0.5,
            "num_envs_per_env_runner": 32,
            "rollout_fragment_length": 100,
            "rounds_per_iteration": 3,
        },
    },
    "escape_room": {
        "all": {
            "gamma": 0.5,
            "hidden_size": 32,
            "lr": 5e-4,
            "lr_end": 5e-4,
            "epsilon_start": 0.1,
            "epsilon_end": 0.1,
        },
        "a2c": {"rounds_per_iteration": 50},
        "ppo": {},
        **{algo: {**_FAST_TO_THE_END, "sr_policy_rule": "soft_q"} for algo in _LASE_FAMILY},
        "fixed_share": {**_FAST_TO_THE_END, "share": 0.25},
        "go": _FAST_TO_THE_END,
        "ia": {"entropy_coeff": 0.03, "entropy_coeff_end": 0.03, **_GUILT},
        "svo": {**_FAST_TO_THE_END, **_SVO_NEAR_SELFISH},
    },
}

#: Another name of the same game.
_SAME_GAME: Mapping[str, str] = {"ipd": "matrix"}


def default_optimizer(game: str) -> Optimizer:
    """The optimiser that `game` is trained with unless told otherwise; `ppo` for games without a table."""
    return OPTIMIZER.get(_SAME_GAME.get(game, game), "ppo")


def default_env_steps(game: str) -> int:
    """Env steps of a full training run on `game`."""
    return ENV_STEPS.get(_SAME_GAME.get(game, game), 300_000)


def default_settings(game: str, spec: AlgorithmSpec, optimizer: Optimizer | None = None) -> Settings:
    """The tuned settings of an algorithm on a game; games without a table get the optimiser's.

    Args:
        game: Game id, or the name of any other environment.
        spec: The algorithm.
        optimizer: The policy optimiser; None takes the game's.

    Returns:
        An instance of the algorithm's own settings class; of a mixed population, each setting as the first of
        its learners that uses it has it.
    """
    if spec.parts:
        return _mixed_settings(game, spec, optimizer)
    name = _SAME_GAME.get(game, game)
    chosen = optimizer or default_optimizer(game)
    table = _GAMES.get(name, {})
    merged = {
        **(_A2C if chosen == "a2c" else _PPO),
        **table.get("all", {}),
        **table.get(chosen, {}),
        **table.get(spec.algo_id, {}),
        "optimizer": chosen,
    }
    known = set(setting_names(spec.settings_class)) - spec.settings_class.unused
    return spec.settings_class(**{key: value for key, value in merged.items() if key in known})


def evaluation_seed(seed: int) -> int:
    """Seed of the evaluation that belongs to a training seed; shifted, so that no episode is seen again."""
    return seed + 10_000


def _mixed_settings(game: str, population: AlgorithmSpec, optimizer: Optimizer | None) -> Settings:
    merged: dict[str, Any] = {}
    for spec in reversed(population.parts):
        own, settings_class = default_settings(game, spec, optimizer), spec.settings_class
        used = [name for name in setting_names(settings_class) if name not in settings_class.unused]
        merged |= {name: getattr(own, name) for name in used}
    return population.settings_class(**merged)
