"""Searches with Ray Tune: what a search is, the trial that all searches share, and what came out.

Everything that Tune has is Tune's: search spaces, schedulers, searchers, retries, resuming, loggers.
"""

from rllib_lase.tuning.schedulers import asha
from rllib_lase.tuning.search import Search

__all__ = ["Search", "asha"]
