"""The one error that callers of the games need to catch."""

from collections.abc import Sequence

__all__ = ["GameError", "shown"]

_MAX_SHOWN = 120


class GameError(ValueError):
    """Bad input: a parameter, an action, a state or a call out of order. The game is unchanged.

    Args:
        what: What was being done, e.g. ``"cannot make 'cleanup'"``.
        problems: One sentence for each thing that is wrong: found, expected, cure. All of them, not only the
            first.
    """

    def __init__(self, what: str, problems: Sequence[str]) -> None:
        self.what = what
        self.problems = tuple(problems)
        super().__init__(what, self.problems)

    def __str__(self) -> str:
        if len(self.problems) == 1:
            return f"{self.what}: {self.problems[0]}"
        return "\n".join(
            [f"{self.what}: {len(self.problems)} problems", *(f"  - {p}" for p in self.problems)]
        )


def shown(value: object) -> str:
    """A value as an error shows it: short, also where its `repr` is long or, of a huge integer, refused."""
    if isinstance(value, int) and value.bit_length() > 128:
        return f"an integer of {value.bit_length()} bits"
    text = " ".join(repr(value).split())
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."
