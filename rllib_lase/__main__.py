"""`python -m rllib_lase`, the same as `lase`; also in a source tree that is not installed."""

from rllib_lase.cli.entry import main

main()
