"""What a checker has to say: a finding, the error that carries findings, and the report of many checks.

Knows nothing of environments.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

__all__ = ["CheckFailure", "CheckReport", "Finding"]


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that is wrong with an environment.

    Attributes:
        check: The check that found it: "api", "seed", "observations", "aliasing", "rewards", "horizon",
            "rendering", "symmetry", "rate" or "conservation".
        found: What was seen.
        expected: What should have been seen.
        cure: What usually helps.
        agent_id: Whom it is about, if it is about one agent.
        episode: In which episode of the check's run, from 0.
        step: After which step of that episode; 0 is `reset`.
        seed: The seed of the run's last seeded `reset`.
    """

    check: str
    found: str
    expected: str
    cure: str
    agent_id: object = None
    episode: int | None = None
    step: int | None = None
    seed: int | None = None

    def __str__(self) -> str:
        places = [] if self.agent_id is None else [f"{self.agent_id!r}"]
        places += [
            f"{name} {number}"
            for name, number in (("episode", self.episode), ("step", self.step), ("seed", self.seed))
            if number is not None
        ]
        where = f" {', '.join(places)}:" if places else ""
        return f"[{self.check}]{where} {self.found}. Expected: {self.expected}. Cure: {self.cure}."


class CheckFailure(AssertionError):
    """A check failed.

    Args:
        findings: What was found, at least one.
    """

    def __init__(self, *findings: Finding) -> None:
        self.findings = findings
        super().__init__(*findings)

    def __str__(self) -> str:
        if len(self.findings) == 1:
            return str(self.findings[0])
        return "\n".join([_number_of(self.findings), *(f"  - {finding}" for finding in self.findings)])


@dataclasses.dataclass(frozen=True)
class CheckReport:
    """What `check_env` found; `str` of it is a page to print.

    Attributes:
        env: The environment's name.
        findings: What is wrong; empty if nothing is.
        passed: The checks that found nothing.
        skipped: The checks that did not run, each with the reason.
    """

    env: str
    findings: tuple[Finding, ...]
    passed: tuple[str, ...]
    skipped: Mapping[str, str]

    @property
    def ok(self) -> bool:
        """Whether no check found anything."""
        return not self.findings

    def __str__(self) -> str:
        lines = [f"{self.env}: {_number_of(self.findings)}"]
        lines += [f"  FAILED  {finding}" for finding in self.findings]
        lines += [f"  passed  {check}" for check in self.passed]
        lines += [f"  skipped {check}: {reason}" for check, reason in self.skipped.items()]
        return "\n".join(lines)


def _number_of(findings: Sequence[Finding]) -> str:
    return f"{len(findings) or 'no'} finding{'' if len(findings) == 1 else 's'}"
