"""`lase report`: writes the page of a run or a comparison again."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rllib_lase.cli.options import Option, UsageError, print_help, read_words

_OPTIONS = [Option("FOLDER", "the folder of a run or of a comparison, its --out")]


def run(words: Sequence[str]) -> int:
    """Runs the command; returns its exit code."""
    if {"-h", "--help"} & set(words):
        print_help("lase report", "Writes report.html into a run's or a comparison's folder.", _OPTIONS)
        return 0
    given = read_words(words, _OPTIONS)
    if "folder" not in given.values:
        given.problems.append("FOLDER: missing; give the --out of a run or of a comparison")
    if given.problems:
        raise UsageError(given.problems)
    from rllib_lase.run_schema import RunError

    try:
        from rllib_lase.report import write_report

        path = write_report(given.values["folder"])
    except RunError as error:
        raise UsageError(str(error).splitlines()) from error
    sys.stdout.write(f"{path}\n")
    return 0
