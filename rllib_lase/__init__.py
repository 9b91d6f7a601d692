"""LASE, altruism and self-interest balanced by empathy, as an extension of Ray RLlib.

Importing this imports neither Ray nor torch: what needs them is loaded when it is first asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from rllib_lase import _registration, _source_tree  # noqa: F401 - the second finds the games
from rllib_lase._registration import register_games
from rllib_lase.environments import register_env
from rllib_lase.version import __version__

if TYPE_CHECKING:
    from rllib_lase.policies import load_policy
    from rllib_lase.rllib.algorithms import (
        GO,
        IA,
        LASE,
        LIO,
        LOLA,
        SI,
        SVO,
        FixedShare,
        FixedShareConfig,
        Gifting,
        GiftingConfig,
        GOConfig,
        IAConfig,
        Independent,
        IndependentConfig,
        LASEConfig,
        LASEOracle,
        LASEOracleConfig,
        LASEShared,
        LASESharedConfig,
        LASEUniform,
        LASEUniformConfig,
        LIOConfig,
        LOLAConfig,
        SIConfig,
        SVOConfig,
    )
    from rllib_lase.rllib.check_env import EnvReport, check_env
    from rllib_lase.rllib.gift_config import with_gifts
    from rllib_lase.rllib.gift_exchange import GiftExchange
    from rllib_lase.rllib.learner_mixin import LASELearnerMixin, LASEPPOLearner
    from rllib_lase.rllib.population import Population, PopulationConfig
    from rllib_lase.rollout import JointRollout
    from rllib_lase.social import SocialHook

__all__ = [
    "GO",
    "IA",
    "LASE",
    "LIO",
    "LOLA",
    "SI",
    "SVO",
    "EnvReport",
    "FixedShare",
    "FixedShareConfig",
    "GOConfig",
    "GiftExchange",
    "Gifting",
    "GiftingConfig",
    "IAConfig",
    "Independent",
    "IndependentConfig",
    "JointRollout",
    "LASEConfig",
    "LASELearnerMixin",
    "LASEOracle",
    "LASEOracleConfig",
    "LASEPPOLearner",
    "LASEShared",
    "LASESharedConfig",
    "LASEUniform",
    "LASEUniformConfig",
    "LIOConfig",
    "LOLAConfig",
    "Population",
    "PopulationConfig",
    "SIConfig",
    "SVOConfig",
    "SocialHook",
    "__version__",
    "check_env",
    "load_policy",
    "register_env",
    "register_games",
    "with_gifts",
]

_ELSEWHERE = {
    "EnvReport": "rllib_lase.rllib.check_env",
    "GiftExchange": "rllib_lase.rllib.gift_exchange",
    "JointRollout": "rllib_lase.rollout",
    "LASELearnerMixin": "rllib_lase.rllib.learner_mixin",
    "LASEPPOLearner": "rllib_lase.rllib.learner_mixin",
    "Population": "rllib_lase.rllib.population",
    "PopulationConfig": "rllib_lase.rllib.population",
    "SocialHook": "rllib_lase.social",
    "check_env": "rllib_lase.rllib.check_env",
    "load_policy": "rllib_lase.policies",
    "with_gifts": "rllib_lase.rllib.gift_config",
}
_LAZY = {
    name: _ELSEWHERE.get(name, "rllib_lase.rllib.algorithms")
    for name in __all__
    if name not in ("__version__", "register_env", "register_games")
}

_registration.install()


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        value = getattr(importlib.import_module(_LAZY[name]), name)
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in ("ray", "torch"):
            raise
        raise ImportError(
            f"rllib_lase.{name} needs {missing}, which is missing. "
            "Cure, in a checkout of rllib-lase: pip install '.[rllib]'"
        ) from error
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)
