"""The compiled step of each game, and the random numbers they draw. Importing a module of this folder imports numba."""
