"""The algorithms as RLlib knows them: one config and one Algorithm class each."""

from __future__ import annotations

from typing import ClassVar

from rllib_lase.rllib.algorithm import SocialAlgorithm
from rllib_lase.rllib.config import SocialConfig
from rllib_lase.social.go import GOHook
from rllib_lase.social.hook import SocialHook
from rllib_lase.social.independent import IndependentHook
from rllib_lase.social.lase import LASEHook, LASEUniformHook
from rllib_lase.social.lio import LIOHook


class LASEConfig(SocialConfig):
    """Config of LASE: gifts by inferred social relationships."""

    algo_id: ClassVar[str] = "lase"
    hook_class: ClassVar[type[SocialHook]] = LASEHook


class LASE(SocialAlgorithm):
    """Learning to balance Altruism and Self-interest based on Empathy (Kong et al. 2024)."""

    config_class: ClassVar[type[SocialConfig]] = LASEConfig


class LASEUniformConfig(SocialConfig):
    """Config of LASE without perspective taking (the paper's LASE w/o)."""

    algo_id: ClassVar[str] = "lase_uniform"
    hook_class: ClassVar[type[SocialHook]] = LASEUniformHook


class LASEUniform(SocialAlgorithm):
    """LASE that predicts co-players to act uniformly."""

    config_class: ClassVar[type[SocialConfig]] = LASEUniformConfig


class GOConfig(SocialConfig):
    """Config of group optimisation."""

    algo_id: ClassVar[str] = "go"
    hook_class: ClassVar[type[SocialHook]] = GOHook


class GO(SocialAlgorithm):
    """Everybody learns from the group's reward."""

    config_class: ClassVar[type[SocialConfig]] = GOConfig


class IndependentConfig(SocialConfig):
    """Config of independent learners (A2C or PPO, by `optimizer`)."""

    algo_id: ClassVar[str] = "independent"
    hook_class: ClassVar[type[SocialHook]] = IndependentHook


class Independent(SocialAlgorithm):
    """Everybody learns from its own reward."""

    config_class: ClassVar[type[SocialConfig]] = IndependentConfig


class LIOConfig(SocialConfig):
    """Config of LIO: incentives learnt through the co-players' learning."""

    algo_id: ClassVar[str] = "lio"
    hook_class: ClassVar[type[SocialHook]] = LIOHook


class LIO(SocialAlgorithm):
    """Learning to Incentivise Others (Yang et al. 2020)."""

    config_class: ClassVar[type[SocialConfig]] = LIOConfig
