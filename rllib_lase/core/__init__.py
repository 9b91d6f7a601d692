"""The paper as pure tensor functions: no state, no RLlib, no games."""
