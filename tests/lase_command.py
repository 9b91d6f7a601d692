"""The `lase` command as the tests call it, in this process."""

import pytest

from rllib_lase.cli import entry

Capture = pytest.CaptureFixture[str]


def lase(*words: str) -> int:
    return entry.run(words)


def refused(capsys: Capture, *words: str) -> list[str]:
    """The lines of the message with which the command refuses."""
    assert lase(*words) == 2
    return capsys.readouterr().err.splitlines()
