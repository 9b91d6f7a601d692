"""Searches with Ray Tune, one file each, runnable as it is."""
