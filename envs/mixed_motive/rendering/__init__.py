"""Pictures and text of a game's state, with NumPy alone. Knows maps, positions and payoffs, but no rules."""
