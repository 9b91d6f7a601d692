"""What a cross-play is to play: its players and matches, checked. Imports neither Ray nor torch for that.

Everything that is wrong is found before anything is loaded.
"""

from __future__ import annotations

import dataclasses
import hashlib
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import mixed_motive
from mixed_motive.players import PLAYERS
from rllib_lase.defaults import EVALUATION_EPISODES
from rllib_lase.evaluation.crossplay import Match, focal_matches, round_robin
from rllib_lase.registry import resolve_algorithm
from rllib_lase.registry.mixing import POPULATION, game_parameters
from rllib_lase.run_checkpoints import (
    checkpoint_env_steps,
    find_checkpoint,
    run_checkpoints,
    split_checkpoint,
)
from rllib_lase.run_schema import RunError
from rllib_lase.runs import RunFolder, installed_versions

if TYPE_CHECKING:
    from rllib_lase.rllib.crossplay import Arena
    from rllib_lase.rllib.seat_agents import SeatAgents

FORMAT = 1
"""Version of crossplay.json."""

DESCRIPTION_FILE = "crossplay.json"
_READABLE = ("planes", "float32")


class CrossPlayError(ValueError):
    """A cross-play cannot be played; one line for each problem, each with the word that it is about.

    Attributes:
        problems: (field of `CrossPlaySpec`, what is wrong).
    """

    def __init__(self, problems: Sequence[tuple[str, str]]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(f"{word}: {problem}" for word, problem in problems))


@dataclass(frozen=True)
class CrossPlaySpec:
    """What to play.

    Attributes:
        runs: Finished runs, as DIR or DIR@ENV_STEPS, and "cooperator", "defector" or "random". Without a
            background they play each other, all with all and each with itself; with one they are the focal
            players.
        out: The cross-play's own folder.
        background: As `runs`: who holds the seats that focal players do not hold.
        checkpoints: Which ones play of runs that are written as DIR, the latest or all, each as a player.
        focal: Numbers of focal seats; none given takes 1 (visitor mode) and all but 1 (resident mode).
        episodes: Of every match, which is two players in one assignment of seats.
        seed: Of games, actions and drawn seat assignments.
        jobs: Processes that play at a time; numbers do not depend on it.
        overwrite: Replace a cross-play that is already there.
    """

    runs: Sequence[str]
    out: Path
    background: Sequence[str] = ()
    checkpoints: Literal["latest", "all"] = "latest"
    focal: Sequence[int] = ()
    episodes: int = EVALUATION_EPISODES
    seed: int = 0
    jobs: int = 1
    overwrite: bool = False

    def command(self) -> str:
        """The `lase crossplay` line that repeats it."""
        words = ["lase", "crossplay", *map(str, self.runs)]
        words += ["--background", *map(str, self.background)] if self.background else []
        words += ["--checkpoints", self.checkpoints] if self.checkpoints != "latest" else []
        words += ["--focal", ",".join(map(str, self.focal))] if self.focal else []
        words += ["--episodes", str(self.episodes), "--seed", str(self.seed), "--out", str(self.out)]
        return shlex.join(words)


@dataclass(frozen=True)
class Entrant:
    """A player of a cross-play.

    Attributes:
        run: The short name of its run: the folder's, with as much of the way to it as tells it from others;
            of a scripted player its own.
        name: Its own in tables: the run's, with @ENV_STEPS unless only the run's latest checkpoint plays.
        config: The run's config.json; None of a scripted player.
        folder: The run's.
        checkpoint: One of the run's.
    """

    run: str
    name: str
    config: Mapping[str, Any] | None = None
    folder: Path = Path()
    checkpoint: Path = Path()

    @property
    def env_steps(self) -> int | None:
        """After how many env steps of training it plays; None of a scripted player."""
        return None if self.config is None else checkpoint_env_steps(self.checkpoint)

    def load(self) -> SeatAgents:
        """Its agents, one per seat.

        Raises:
            CheckpointError: a file is missing or damaged.
        """
        from rllib_lase.rllib.seat_agents import ScriptedAgents, load_agents

        if self.config is None:
            return ScriptedAgents(self.name)
        return load_agents(self.config, self.checkpoint)

    def describe(self) -> dict[str, Any]:
        """For crossplay.json. The digest is of the checkpoint's manifest, which has those of its files."""
        if self.config is None:
            return {"name": self.name, "scripted": True}
        manifest = next(iter(sorted(self.checkpoint.glob("**/manifest.json"))))
        keys = ("algo", "optimizer", "seed")
        return {
            "name": self.name,
            "run": str(self.folder.absolute()),
            "checkpoint": self.env_steps,
            "checkpoint_sha256": hashlib.sha256(manifest.read_bytes()).hexdigest(),
            **{key: self.config[key] for key in keys},
        }


@dataclass(frozen=True)
class CrossPlay:
    """A cross-play, checked.

    Attributes:
        spec: What was asked for.
        entrants: All players, each once.
        focal: Names of those in `spec.runs`.
        background: Names of those in `spec.background`.
        num_focal: Numbers of focal seats; none in a round robin.
        game: The game or environment.
        game_params: Its parameters, as the first run was trained with them.
        matches: In the order in which they are played.
    """

    spec: CrossPlaySpec
    entrants: tuple[Entrant, ...]
    focal: tuple[str, ...]
    background: tuple[str, ...]
    num_focal: tuple[int, ...]
    game: str
    game_params: Mapping[str, Any]
    matches: tuple[Match, ...]

    def arena(self) -> Arena:
        """Where it is played."""
        from rllib_lase.rllib.crossplay import Arena

        return Arena(self.game, self.game_params)

    def describe(self) -> dict[str, Any]:
        """Everything that is needed to repeat it, as crossplay.json has it."""
        values = game_parameters(self.game, self.game_params)
        return {
            "format": FORMAT,
            "command": self.spec.command(),
            "game": self.game,
            "game_params": self.game_params if values is None else dataclasses.asdict(values),
            "seed": self.spec.seed,
            "episodes_per_match": self.spec.episodes,
            "players": [entrant.describe() for entrant in self.entrants],
            "focal": self.focal,
            "background": self.background,
            "num_focal": self.num_focal,
            "seats": "whoever holds seat i plays it as its own agent i",
            "matches": [{**dataclasses.asdict(match), "mode": match.mode} for match in self.matches],
            "versions": installed_versions(),
        }


def check(spec: CrossPlaySpec) -> CrossPlay:
    """The matches that a cross-play has. Reads runs and changes nothing.

    Raises:
        CrossPlayError: with everything that is wrong.
    """
    problems: list[tuple[str, str]] = []
    focal = _players("runs", spec.runs, spec.checkpoints, problems)
    background = _players("background", spec.background, spec.checkpoints, problems)
    named = _named({**focal, **background})
    entrants = tuple(named.values())
    trained = [entrant for entrant in entrants if entrant.config is not None]
    problems += _company_problems(spec, len(focal), trained)
    problems += [("runs", problem) for problem in _game_problems(trained, entrants)]
    num_seats = _num_seats(trained[0]) if trained else None
    num_focal = _num_focal(spec, num_seats, problems)
    out = _out_problem(spec.out, spec.overwrite)
    problems += [("out", out)] if out else []
    if problems or num_seats is None:
        raise CrossPlayError(problems)
    config: Mapping[str, Any] = trained[0].config or {}
    ours, others = ([named[key].name for key in side] for side in (focal, background))
    matches = (
        focal_matches(ours, others, num_seats, num_focal, spec.seed)
        if others
        else round_robin(ours, num_seats, spec.seed)
    )
    return CrossPlay(
        spec, entrants, tuple(ours), tuple(others), num_focal, config["game"], config["game_params"],
        tuple(matches),
    )  # fmt: skip


def _players(
    field: str, words: Sequence[str], checkpoints: str, problems: list[tuple[str, str]]
) -> dict[str, Entrant]:
    """The players that some words mean, by what tells them apart; they have no names yet.

    What is wrong with them goes into the problems.
    """
    found: dict[str, Entrant] = {}
    for word in words:
        try:
            players = [Entrant(word, word)] if word in PLAYERS else _of_run(word, checkpoints)
        except RunError as error:
            problems += [(field, line) for line in str(error).splitlines()]
            continue
        keyed = {str(each.checkpoint.resolve()) if each.config else word: each for each in players}
        if found.keys() & keyed.keys():
            problems.append((field, f"{word}: is there twice; leave one out"))
        found |= keyed
    return found


def _of_run(word: str, checkpoints: str) -> list[Entrant]:
    """The checkpoints of a run that a word means.

    Raises:
        RunError: there is no such run or checkpoint, or it cannot be seated.
    """
    folder, env_steps = split_checkpoint(word)
    run = RunFolder.open(folder)
    problem = _run_problem(run)
    if problem is not None:
        raise RunError(f"{word}: {problem}")
    every = checkpoints == "all" and env_steps is None
    saved = run_checkpoints(folder).values() if every else [find_checkpoint(folder, env_steps)]
    return [Entrant("", "", run.config, folder, checkpoint) for checkpoint in saved]


def _named(players: Mapping[str, Entrant]) -> dict[str, Entrant]:
    """The players with names that tell them apart: as much of their folders as that takes, and env steps."""
    trained = [each for each in players.values() if each.config is not None]
    folders = [each.folder.resolve() for each in trained]
    named = dict(players)
    for key, each in players.items():
        if each.config is None:
            continue
        parts = each.folder.resolve().parts
        others = [folder.parts for folder in folders if folder.parts != parts]
        size = next(n for n in range(1, len(parts) + 1) if all(o[-n:] != parts[-n:] for o in others))
        run = "/".join(parts[-size:])
        run = f"./{run}" if run in PLAYERS else run
        alone = len(folders) - len(others) == 1 and each.checkpoint == find_checkpoint(each.folder)
        name = run if alone else f"{run}@{each.env_steps}"
        named[key] = dataclasses.replace(each, run=run, name=name)
    return named


def _run_problem(run: RunFolder) -> str | None:
    """Why a run cannot be seated, or None if it can."""
    algo = run.config["algo"]
    if algo == POPULATION:
        return (
            "a mixed population: its seats have players of several kinds, so that a row would say nothing of "
            "any. Name the runs and scripted players that it was mixed from"
        )
    try:
        resolve_algorithm(algo)
    except KeyError as error:
        return f"{error.args[0]}. It was trained by another version; train it again"
    if not run.is_finished:
        return (
            "was not finished. Go on with it (lase train --resume) or train it again to its end "
            "(lase train ... --overwrite), or leave it out"
        )
    encoding = run.config["game_params"].get("obs", _READABLE[0])
    if run.config["game"] in mixed_motive.GAMES and encoding not in _READABLE:
        return (
            f"reads observations as obs={encoding}; in a cross-play all see the same, and it can be shown to "
            f"those who read {' or '.join(_READABLE)}. Train it with one of these"
        )
    return None


def _company_problems(
    spec: CrossPlaySpec, num_focal: int, trained: Sequence[Entrant]
) -> list[tuple[str, str]]:
    """Too few players, or none that has been trained."""
    problems = []
    if not spec.runs:
        problems.append(("runs", "missing; give the folders of finished runs, their --out"))
    elif len(spec.runs) == 1 and num_focal < 2 and not spec.background:
        company = f"a run, {', '.join(PLAYERS)}, a --background, or, if it has several, --checkpoints all"
        problems.append(("runs", f"{spec.runs[0]} alone has nobody to play with; add {company}"))
    words = (*spec.runs, *spec.background)
    if words and not trained and all(word in PLAYERS for word in words):
        problems.append(("runs", "only scripted players; one run at least must say which game is played"))
    if spec.focal and not spec.background:
        problems.append(("focal", "says how many seats face a background; give one, too (--background)"))
    return problems


def _game_problems(trained: Sequence[Entrant], entrants: Sequence[Entrant]) -> list[str]:
    """Differences between the games of runs, and scripted players where there are none."""
    games = {each.name: _game(each.config or {}) for each in trained}
    problems = []
    if len({repr(game["rules"]) for game in games.values()}) > 1:
        names = dict.fromkeys(name for game in games.values() for name in game if name != "rules")
        shown = []
        for name in names:
            values: dict[str, list[str]] = {}
            for player, game in games.items():
                values.setdefault(str(game.get(name, "none")), []).append(player)
            if len(values) > 1:
                who = "; ".join(f"{value} ({', '.join(players)})" for value, players in values.items())
                shown.append(f"{name}: {who}")
        problems.append(
            "the runs play different games, and a cross-play has one. "
            f"{'. '.join(shown)}. Leave some out, or train them on the same game"
        )
    foreign = [
        each.config["game"]
        for each in trained
        if each.config and each.config["game"] not in mixed_motive.GAMES
    ]
    scripted = [each.name for each in entrants if each.config is None]
    if foreign and scripted:
        known = ", ".join(mixed_motive.GAMES)
        problems.append(f"{scripted[0]}: scripted players play {known}, not {foreign[0]}; leave it out")
    return problems


def _game(config: Mapping[str, Any]) -> dict[str, Any]:
    """What a run plays, by name; `rules` are alike exactly if the games are."""
    game, params = config["game"], config["game_params"]
    values = game_parameters(game, params)
    if values is None:
        return {"rules": (game, sorted(params.items())), "game": game, **params}
    return {"rules": values, "game": game, "preset": config["preset"], **dataclasses.asdict(values)}


def _num_seats(entrant: Entrant) -> int:
    config: Mapping[str, Any] = entrant.config or {}
    values = game_parameters(config["game"], config["game_params"])
    return len(RunFolder.open(entrant.folder).agent_ids) if values is None else values.num_agents


def _num_focal(
    spec: CrossPlaySpec, num_seats: int | None, problems: list[tuple[str, str]]
) -> tuple[int, ...]:
    """The numbers of focal seats, rising; those that cannot be are problems."""
    if not spec.background or num_seats is None:
        return ()
    for count in spec.focal:
        if not 1 <= count < num_seats:
            expected = f"both sides need one at least; expected 1 to {num_seats - 1}"
            problems.append(("focal", f"{count} of {num_seats} seats cannot be focal, as {expected}"))
    return tuple(sorted(set(spec.focal or (1, num_seats - 1))))


def _out_problem(out: Path, overwrite: bool) -> str | None:
    """Why the folder cannot be written, or None if it can."""
    if not out.exists():
        return None
    if not out.is_dir():
        return f"{out}: is a file; expected a folder. Choose another"
    content = sorted(entry.name for entry in out.iterdir())
    if content and DESCRIPTION_FILE not in content:
        return f"{out}: holds other things ({', '.join(content[:3])}). Choose an empty or a new folder"
    if content and not overwrite:
        return f"{out}: already holds a cross-play. Choose another folder, or --overwrite"
    return None
