"""The compiled step of each game and its random numbers. Importing a module of this folder imports numba."""
