"""`python -m rllib_lase.cli`, the same as `lase`."""

from rllib_lase.cli.entry import main

main()
