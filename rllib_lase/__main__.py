"""`python -m rllib_lase`, the same as `lase`."""

from rllib_lase.cli.entry import main

main()
