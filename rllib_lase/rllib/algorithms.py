"""The algorithms as RLlib knows them: one config and one Algorithm class each."""

from __future__ import annotations

from typing import ClassVar

from rllib_lase.rllib.algorithm import SocialAlgorithm
from rllib_lase.rllib.config import SocialConfig
from rllib_lase.rllib.learner import SocialLearner
from rllib_lase.rllib.lola import LOLALearner
from rllib_lase.social.fixed_share import FixedShareHook
from rllib_lase.social.gifting import GiftingHook
from rllib_lase.social.go import GOHook
from rllib_lase.social.hook import SocialHook
from rllib_lase.social.ia import IAHook
from rllib_lase.social.independent import IndependentHook
from rllib_lase.social.lase import LASEHook, LASEOracleHook, LASESharedHook, LASEUniformHook
from rllib_lase.social.lio import LIOHook
from rllib_lase.social.lola import LOLAHook
from rllib_lase.social.si import SIHook
from rllib_lase.social.svo import SVOHook


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


class LASEOracleConfig(SocialConfig):
    """Config of LASE with true instead of imagined observations (the paper's Table 8)."""

    algo_id: ClassVar[str] = "lase_oracle"
    hook_class: ClassVar[type[SocialHook]] = LASEOracleHook


class LASEOracle(SocialAlgorithm):
    """LASE that knows what its co-players see."""

    config_class: ClassVar[type[SocialConfig]] = LASEOracleConfig


class LASESharedConfig(SocialConfig):
    """Config of LASE with one set of parameters for all agents."""

    algo_id: ClassVar[str] = "lase_shared"
    hook_class: ClassVar[type[SocialHook]] = LASESharedHook


class LASEShared(SocialAlgorithm):
    """LASE whose agents share their networks; beside LASE it shows what decentralised learning costs."""

    config_class: ClassVar[type[SocialConfig]] = LASESharedConfig


class GOConfig(SocialConfig):
    """Config of group optimisation."""

    algo_id: ClassVar[str] = "go"
    hook_class: ClassVar[type[SocialHook]] = GOHook


class GO(SocialAlgorithm):
    """Everybody learns from the group's reward."""

    config_class: ClassVar[type[SocialConfig]] = GOConfig


class IAConfig(SocialConfig):
    """Config of inequity aversion."""

    algo_id: ClassVar[str] = "ia"
    hook_class: ClassVar[type[SocialHook]] = IAHook


class IA(SocialAlgorithm):
    """Inequity hurts (Hughes et al. 2018)."""

    config_class: ClassVar[type[SocialConfig]] = IAConfig


class SVOConfig(SocialConfig):
    """Config of social value orientation."""

    algo_id: ClassVar[str] = "svo"
    hook_class: ClassVar[type[SocialHook]] = SVOHook


class SVO(SocialAlgorithm):
    """An angle between one's own reward and the others' (McKee et al. 2020)."""

    config_class: ClassVar[type[SocialConfig]] = SVOConfig


class FixedShareConfig(SocialConfig):
    """Config of constant gifts."""

    algo_id: ClassVar[str] = "fixed_share"
    hook_class: ClassVar[type[SocialHook]] = FixedShareHook


class FixedShare(SocialAlgorithm):
    """Everybody always gives the same share of its reward."""

    config_class: ClassVar[type[SocialConfig]] = FixedShareConfig


class GiftingConfig(SocialConfig):
    """Config of gifts as actions."""

    algo_id: ClassVar[str] = "gifting"
    hook_class: ClassVar[type[SocialHook]] = GiftingHook


class Gifting(SocialAlgorithm):
    """Agents may spend a step on rewarding others (Lupu and Precup 2020)."""

    config_class: ClassVar[type[SocialConfig]] = GiftingConfig


class IndependentConfig(SocialConfig):
    """Config of independent learners (A2C or PPO, by `optimizer`)."""

    algo_id: ClassVar[str] = "independent"
    hook_class: ClassVar[type[SocialHook]] = IndependentHook


class Independent(SocialAlgorithm):
    """Everybody learns from its own reward."""

    config_class: ClassVar[type[SocialConfig]] = IndependentConfig


class SIConfig(SocialConfig):
    """Config of social influence with a model of other agents."""

    algo_id: ClassVar[str] = "si"
    hook_class: ClassVar[type[SocialHook]] = SIHook


class SI(SocialAlgorithm):
    """Social influence as intrinsic motivation (Jaques et al. 2019), decentralised."""

    config_class: ClassVar[type[SocialConfig]] = SIConfig


class LOLAConfig(SocialConfig):
    """Config of learning with opponent-learning awareness, for two-player matrix games."""

    algo_id: ClassVar[str] = "lola"
    hook_class: ClassVar[type[SocialHook]] = LOLAHook
    learner_class: ClassVar[type[SocialLearner]] = LOLALearner


class LOLA(SocialAlgorithm):
    """Everybody anticipates what its co-player will learn (Foerster et al. 2018)."""

    config_class: ClassVar[type[SocialConfig]] = LOLAConfig


class LIOConfig(SocialConfig):
    """Config of LIO: incentives learnt through the co-players' learning."""

    algo_id: ClassVar[str] = "lio"
    hook_class: ClassVar[type[SocialHook]] = LIOHook


class LIO(SocialAlgorithm):
    """Learning to Incentivise Others (Yang et al. 2020)."""

    config_class: ClassVar[type[SocialConfig]] = LIOConfig
