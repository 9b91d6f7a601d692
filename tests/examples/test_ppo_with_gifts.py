"""Examples run as they stand, shortened by their own options."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "ppo_with_gifts.py"


@pytest.mark.parametrize("options", [[], pytest.param(["--selfish"], marks=pytest.mark.learning)])
def test_ppo_with_gifts_trains_and_gives_and_without_them_keeps_everything(options):
    command = [sys.executable, str(EXAMPLE), "--iterations", "2", *options]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = [line for line in run.stdout.splitlines() if "collective reward" in line]
    assert len(lines) == 2
    given = [float(line.split()[-1]) for line in lines]
    assert all(share == 0 for share in given) if options else max(given) > 0
