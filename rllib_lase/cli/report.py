"""`lase report`: writes the page of a run or a comparison again."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rllib_lase.cli.options import Option, UsageError, print_help, read_words

_OPTIONS = [
    Option("FOLDER", "the folder of a run or of a comparison, its --out"),
    Option("--pictures", "folder that each picture goes to as an SVG file, too", str, "DIR"),
]


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
        from rllib_lase.report import write_pictures, write_report

        paths = [write_report(given.values["folder"])]
        if "pictures" in given.values:
            paths += write_pictures(given.values["folder"], given.values["pictures"])
    except RunError as error:
        raise UsageError(str(error).splitlines()) from error
    sys.stdout.write("".join(f"{path}\n" for path in paths))
    return 0
