"""What all tests share: one thread for torch, and Hypothesis examples that are the same in every CI run."""

import os

from hypothesis import settings

# Before torch or NumPy is imported: tests are small, and threads would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Ray reports no usage from tests.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.register_profile("local", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "local")
