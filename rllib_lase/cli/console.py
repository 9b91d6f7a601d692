"""Where commands print their tables."""

from __future__ import annotations

import sys

from rich.console import Console

#: Columns of a file or a pipe, which have no width: room for the widest table.
_FILE_WIDTH = 240


def table_console() -> Console:
    """The terminal in its own width, or what stands in its place in a width of ours."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else _FILE_WIDTH)
