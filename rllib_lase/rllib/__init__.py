"""Everything that is RLlib's: environments, the env runner, modules, the learner and the algorithms."""
