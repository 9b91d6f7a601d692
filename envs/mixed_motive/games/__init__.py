"""One file for each game: its rules, parameters, presets and batched class. None of them imports numba until it is built."""
