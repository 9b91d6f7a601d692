"""`Seating`: who plays in which seat of a mixed population, and when that changes. Pure data.

A seat is an agent's position. What may sit together, and where, is judged in `mixing`.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from mixed_motive.players import PLAYERS
from rllib_lase.registry import STOCK, known_ids
from rllib_lase.settings import closest

PartnerKind = Literal["learner", "scripted", "frozen"]

RUN_PREFIX = "run:"
LEAVE, RETURN = "leave", "return"

#: Why some algorithms learn only among their own kind.
UNMIXABLE: Mapping[str, str] = MappingProxyType(
    {
        "lase_shared": "all its agents are one set of parameters, which others do not have; choose lase",
        "lola": "it differentiates through its co-player's learning rule, which another algorithm does not "
        "follow",
        "lio": "it differentiates through its co-players' policies and their learning rule, which scripted, "
        "frozen and other learning agents do not have; choose lase, whose gifts need neither",
        "gifting": "it adds an action to every agent's, which the others cannot play; choose fixed_share, "
        "whose gifts take no step",
    }
)
_SWITCH = re.compile(r"(?P<steps>[\d_]+):(?P<seat>\d+)=(?P<what>.+)")


@dataclass(frozen=True)
class Partner:
    """A player of one seat.

    Attributes:
        name: As it is written: an algorithm's id, "cooperator", "defector", "random", "run:RUN" or
            "run:RUN:AGENT", in which RUN is DIR or DIR@ENV_STEPS.
        kind: Whether it learns, follows a script, or has learnt in another run.
        run: Of a frozen partner, its run's folder, with or without the env steps of a checkpoint.
        agent_id: Of a frozen partner, its name in that run; empty: that of the same seat.
    """

    name: str
    kind: PartnerKind
    run: str = ""
    agent_id: str = ""

    @property
    def label(self) -> str:
        """Short, for reports: a frozen partner without the way to its run's folder."""
        if self.kind != "frozen":
            return self.name
        run = self.run.rstrip("/").rpartition("/")[2]
        return f"{RUN_PREFIX}{run}:{self.agent_id}" if self.agent_id else f"{RUN_PREFIX}{run}"

    @classmethod
    def read(cls, name: str) -> Partner:
        """The partner that a name means.

        Raises:
            ValueError: if there is none; the message has the closest name.
        """
        if name in PLAYERS:
            return cls(name, "scripted")
        if name.startswith(RUN_PREFIX):
            run, colon, agent_id = name.removeprefix(RUN_PREFIX).rpartition(":")
            if not colon or "/" in agent_id:
                run, agent_id = name.removeprefix(RUN_PREFIX), ""
            if not run:
                raise ValueError(f"{name!r} names no folder; expected run:DIR[@ENV_STEPS][:AGENT]")
            return cls(name, "frozen", run, agent_id)
        if name not in known_ids():
            known = (*PLAYERS, *(each for each in known_ids() if each not in UNMIXABLE and each not in STOCK))
            raise ValueError(
                f"unknown partner {name!r}{closest(name, known) or '.'} Known: {', '.join(known)}, and "
                "run:DIR for an agent of a run."
            )
        return cls(name, "learner")


@dataclass(frozen=True)
class Switch:
    """A change of who plays a seat.

    Attributes:
        steps: Env steps after which it happens: of the training, or of the episode in an evaluation.
        seat: The agent's position.
        before: Who leaves the seat to `after`, if that was said.
        after: Who takes it; None where somebody leaves or returns.
        returns: Whether somebody who had left comes back.
    """

    steps: int
    seat: int
    before: Partner | None = None
    after: Partner | None = None
    returns: bool = False

    @classmethod
    def read(cls, text: str) -> Switch:
        """`STEPS:SEAT=TO`, `STEPS:SEAT=FROM->TO`, `STEPS:SEAT=leave` or `STEPS:SEAT=return`.

        Raises:
            ValueError: if it is written otherwise, or names an unknown partner.
        """
        found = _SWITCH.fullmatch(text)
        if found is None or text.count("->") > 1 or text.endswith("-"):
            # A shell takes an unquoted > for itself; what is left then ends in "-".
            quoted = "; quote it, as a shell takes > for itself" if text.endswith("-") else ""
            raise ValueError(
                f"{text!r} is no switch{quoted}: expected STEPS:SEAT=TO, STEPS:SEAT=FROM->TO, "
                "STEPS:SEAT=leave or STEPS:SEAT=return, such as 200000:2=defector"
            )
        steps, seat, what = int(found["steps"]), int(found["seat"]), found["what"]
        if what in (LEAVE, RETURN):
            return cls(steps, seat, returns=what == RETURN)
        *before, after = (Partner.read(name.strip()) for name in what.split("->"))
        return cls(steps, seat, before[0] if before else None, after)

    def __str__(self) -> str:
        what = RETURN if self.returns else LEAVE
        if self.after is not None:
            what = f"{self.before.name}->{self.after.name}" if self.before else self.after.name
        return f"{self.steps}:{self.seat}={what}"


@dataclass(frozen=True)
class Seating:
    """Who plays in which seat.

    Attributes:
        partners: One per agent, at the start.
        switches: Changes, in order of time.
        shuffle_seats: Whether partners change places in the game at random with every episode.
        away: Seats whose partners have left at the start.
    """

    partners: tuple[Partner, ...]
    switches: tuple[Switch, ...] = ()
    shuffle_seats: bool = False
    away: frozenset[int] = frozenset()

    @classmethod
    def read(cls, names: Sequence[str], switches: Iterable[str] = (), shuffle_seats: bool = False) -> Seating:
        """The seating that some words mean.

        Raises:
            ValueError: for an unknown partner, or a switch that cannot be read.
        """
        partners = tuple(Partner.read(name) for name in names)
        changes = sorted((Switch.read(text) for text in switches), key=lambda switch: switch.steps)
        return cls(partners, tuple(changes), shuffle_seats)

    @property
    def names(self) -> list[str]:
        """The partners' names at the start, in the agents' order."""
        return [partner.name for partner in self.partners]

    @property
    def title(self) -> str:
        """Who plays, in short, the same ones in a row counted: "lase, a2c x3"."""
        runs = [(label, len(list(same))) for label, same in itertools.groupby(p.label for p in self.partners)]
        return ", ".join(label if count == 1 else f"{label} x{count}" for label, count in runs)

    def description(self) -> dict[str, Any]:
        """What a run's config.json says of it."""
        switches = [str(switch) for switch in self.switches]
        return {"population": self.names, "switches": switches, "shuffle_seats": self.shuffle_seats}

    @classmethod
    def described(cls, config: Mapping[str, Any]) -> Seating:
        """The seating of a run by its config.json."""
        return cls.read(config["population"], config["switches"], config["shuffle_seats"])

    @property
    def learners(self) -> tuple[int, ...]:
        """Seats of those who learn; they never change."""
        return tuple(seat for seat, partner in enumerate(self.partners) if partner.kind == "learner")

    @property
    def labels(self) -> list[str]:
        """Per seat who sits there, and who comes after: "cooperator, then defector"."""
        later = [
            ["away" if seat in self.away else partner.label] for seat, partner in enumerate(self.partners)
        ]
        for switch in self.switches:
            later[switch.seat].append(
                switch.after.label if switch.after else "back" if switch.returns else "away"
            )
        return [", then ".join(names) for names in later]

    def candidates(self, seat: int) -> list[Partner]:
        """All who ever sit in a seat, each once, the first one first."""
        after = [s.after for s in self.switches if s.seat == seat and s.after is not None]
        return list(dict.fromkeys([self.partners[seat], *after]))

    def at(self, steps: int) -> Seating:
        """As it is after so many steps, without changes to come."""
        partners, away = list(self.partners), set(self.away)
        for switch in self.switches:
            if switch.steps > steps:
                break
            if switch.after is not None:
                partners[switch.seat] = switch.after
            elif switch.returns:
                away.discard(switch.seat)
            else:
                away.add(switch.seat)
        return dataclasses.replace(self, partners=tuple(partners), switches=(), away=frozenset(away))

    def then(self, switches: Sequence[Switch]) -> Seating:
        """The same seating with other changes to come."""
        return dataclasses.replace(self, switches=tuple(sorted(switches, key=lambda switch: switch.steps)))
