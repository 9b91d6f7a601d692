"""Code in a fresh interpreter that finds what the tests find, installed or not."""

import os
import subprocess
import sys


def environment() -> dict[str, str]:
    """The environment with this interpreter's path."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def run_python(code: str) -> str:
    """What the code prints."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
