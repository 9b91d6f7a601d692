"""The games in a source tree that is not installed, such as the working directory of a Ray job.

There they lie in `envs/`, which no interpreter searches; ours goes with them, whatever else is installed.
"""

from __future__ import annotations

import sys
from pathlib import Path


def find_games() -> None:
    """Puts `envs/` first on the path if this package lies in a source tree."""
    folder = Path(__file__).resolve().parents[1] / "envs"
    if (folder / "mixed_motive").is_dir() and str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


find_games()
