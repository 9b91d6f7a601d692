"""One file for each game: rules, parameters, presets and batched class. Building one imports numba."""
