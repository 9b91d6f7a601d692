"""Runs on a Ray cluster through Ray Jobs: what is sent, what comes back. Knows nothing of algorithms."""
