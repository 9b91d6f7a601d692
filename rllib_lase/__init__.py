"""LASE for Ray RLlib."""

from rllib_lase.version import __version__

__all__ = ["__version__"]
