"""The `lase` command: thin, quick to say what is wrong, and silent about Ray until Ray is needed."""

from rllib_lase.cli.entry import main

__all__ = ["main"]
