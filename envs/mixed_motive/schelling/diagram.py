"""`SchellingDiagram`: what a cooperator and a defector earn, by how many others cooperate, and a verdict."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from mixed_motive.schelling.statistics import Band

__all__ = ["Finding", "SchellingDiagram"]


@dataclasses.dataclass(frozen=True)
class Finding:
    """Whether one return is larger than another.

    Attributes:
        statement: What is asked.
        larger: The return that is larger if the statement holds.
        smaller: The other one.
        low: Lower end of the difference's confidence interval.
        high: Upper end.
    """

    statement: str
    larger: float
    smaller: float
    low: float
    high: float

    @property
    def holds(self) -> bool | None:
        """True if the whole interval lies above 0, False if none of it does, otherwise None: undecided."""
        if self.low > 0:
            return True
        return False if self.high <= 0 else None

    def __str__(self) -> str:
        answer = {True: "yes", False: "no", None: "undecided"}[self.holds]
        difference = f"difference {self.larger - self.smaller:+.2f} [{self.low:+.2f}, {self.high:+.2f}]"
        return f"{self.statement}: {answer} ({self.larger:.2f} against {self.smaller:.2f}, {difference})"


@dataclasses.dataclass(frozen=True, eq=False)
class SchellingDiagram:
    """Returns per episode of a cooperator, Rc(k), and of a defector, Rd(k), when k of the others cooperate.

    The verdict follows Hughes et al. 2018 (arXiv 1803.08884, Section 2.2), with N agents:

    - mutual cooperation beats mutual defection, Rc(N-1) > Rd(0);
    - mutual cooperation beats cooperating alone, Rc(N-1) > Rc(0);
    - fear: when none of the others cooperates a defector earns more, Rd(0) > Rc(0);
    - greed: when all of the others cooperate a defector earns more, Rd(N-1) > Rc(N-1).

    It is a dilemma if the first two hold and fear, greed or both do. Each comparison is decided by the
    confidence interval of the difference; where that reaches both sides of 0 the comparison is undecided,
    and so is the verdict if it turns on it.

    Attributes:
        title: Game, preset and changed parameters.
        num_agents: N.
        num_episodes: Episodes played with each number of cooperators.
        confidence: Coverage of every band and interval, each by itself.
        cooperator: (N,) Rc(k) for k = 0..N-1.
        defector: (N,) Rd(k) for k = 0..N-1.
        everybody: (N + 1,) mean return of all agents, with 0..N cooperators among them.
        cooperation_pays: Rc(N-1) > Rd(0).
        exploitation_hurts: Rc(N-1) > Rc(0).
        fear: Rd(0) > Rc(0).
        greed: Rd(N-1) > Rc(N-1).
    """

    title: str
    num_agents: int
    num_episodes: int
    confidence: float
    cooperator: Band
    defector: Band
    everybody: Band
    cooperation_pays: Finding
    exploitation_hurts: Finding
    fear: Finding
    greed: Finding

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All that the verdict is made from."""
        return self.cooperation_pays, self.exploitation_hurts, self.fear, self.greed

    @property
    def verdict(self) -> str:
        """One of "fear", "greed", "both", "no dilemma" and "undecided"; the rule stands above."""
        conditions = self.cooperation_pays.holds, self.exploitation_hurts.holds
        motives = self.fear.holds, self.greed.holds
        if False in conditions or motives == (False, False):
            return "no dilemma"
        if None in (*conditions, *motives):
            return "undecided"
        if motives == (True, True):
            return "both"
        return "fear" if self.fear.holds else "greed"

    def to_text(self) -> str:
        """The diagram as a table, with the verdict and its reasons."""

        def cell(band: Band, k: int) -> str:
            return f"{band.mean[k]:.2f} [{band.low[k]:.2f}, {band.high[k]:.2f}]"

        head = ("", "a cooperator earns", "a defector earns", "all earn on average")
        rows = [
            (str(k), cell(self.cooperator, k), cell(self.defector, k), cell(self.everybody, k))
            for k in range(self.num_agents)
        ]
        rows.append((str(self.num_agents), "", "", cell(self.everybody, self.num_agents)))
        lines = [f"{self.title}: {self.verdict}", ""]
        lines += [f"{k:>4}" + "".join(f"{text:>28}" for text in texts) for k, *texts in (head, *rows)]
        lines += [
            "",
            "Rows: how many of the others cooperate; in the last column, how many of all.",
            f"Returns per episode, {self.num_episodes} episodes for each number of cooperators; "
            f"{self.confidence:.0%} Student-t intervals.",
            "",
            *(f"- {finding}" for finding in self.findings),
        ]
        return "\n".join(lines)

    def save_picture(self, path: str | Path) -> None:
        """Draw the diagram into a file; the ending says which kind, e.g. .png or .svg.

        Raises:
            ImportError: Without matplotlib, which the games alone do not bring.
            GameError: If the file cannot be written, or its ending is no kind of picture.
        """
        from mixed_motive.schelling.picture import save_picture

        save_picture(self, Path(path))
