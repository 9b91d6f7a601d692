"""`Search`, what a search file says: which trials, with which scheduler or searcher, on which budget."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ray import tune
from ray.tune.search.sample import Categorical, Domain, Float, Function, Integer

import mixed_motive
from rllib_lase.defaults import EVALUATION_EPISODES, default_env_steps, default_settings
from rllib_lase.registry import STOCK, StockSpec, resolve_algorithm
from rllib_lase.settings import MAX_SEED, Optimizer, SettingsError
from rllib_lase.tuning.objective import Objective

_CHECKPOINTS_PER_TRIAL = 4


@dataclass(frozen=True)
class Search:
    """One search. A file of `lase tune` assigns it to `SEARCH`.

    Every game is played by every algorithm that can play it, with every seed, under every combination of the
    values that `settings` and `game_params` name; `num_samples` times, if some of them are drawn.

    Attributes:
        games: Game ids, or names registered with Tune.
        algos: Algorithm ids.
        seeds: Seeds; results are means over them. Seeds of a search should not be those of reported results.
        settings: Setting -> a value, or a domain of Tune's such as `tune.grid_search([...])` or
            `tune.loguniform(...)`; the others have the game's tuned values. Where the start of a schedule is
            searched, and its end is not named, the end moves in proportion.
        game_params: Parameters of the game likewise, `preset` among them.
        optimizer: Policy optimiser; None takes the game's.
        env_steps: Budget of a trial; None takes each game's full one.
        num_samples: How often domains are drawn from; each draw is played with every seed.
        scheduler: Makes Tune's scheduler from a trial's env steps; None runs every trial to its end.
        search_alg: Makes the searcher that suggests the next values; None draws at random, or plays the grid.
        checkpoint_interval: Env steps between checkpoints of a trial; None makes four. Schedulers that pause
            trials go on from the latest.
        evaluation_episodes: Episodes of each trial's evaluation.
        warning: What one should know before believing the results; said at the start and on the page.
        smoke: Fields that are different with `--smoke`.
    """

    games: Sequence[str]
    algos: Sequence[str] = ("lase",)
    seeds: Sequence[int] = (100,)
    settings: Mapping[str, Any] = field(default_factory=dict)
    game_params: Mapping[str, Any] = field(default_factory=dict)
    optimizer: Optimizer | None = None
    env_steps: int | None = None
    num_samples: int = 1
    scheduler: Callable[[int], Any] | None = None
    search_alg: Callable[[], Any] | None = None
    checkpoint_interval: int | None = None
    evaluation_episodes: int = EVALUATION_EPISODES
    warning: str = ""
    smoke: Mapping[str, Any] = field(default_factory=dict)

    def small(self) -> Search:
        """The search with what `smoke` says."""
        return dataclasses.replace(self, **self.smoke)

    @property
    def runs(self) -> list[dict[str, str]]:
        """`game` and `algo` of everything that can be played."""
        pairs = [{"game": game, "algo": algo} for game in self.games for algo in self.algos]
        return [pair for pair in pairs if _objection(pair["game"], pair["algo"]) is None]

    @property
    def trial_env_steps(self) -> int:
        """Budget of a trial; the largest where games have their own."""
        return self.env_steps or max(default_env_steps(game) for game in self.games)

    @property
    def searched(self) -> list[str]:
        """What is searched beside games, algorithms and seeds: `settings/delta`."""
        return [name for name, value in self._values() if _is_searched(value)]

    @property
    def is_comparison(self) -> bool:
        """Whether only games, algorithms and seeds differ: then a table of algorithms by games says all."""
        return not self.searched

    @property
    def num_trials(self) -> int:
        """How many trials there will be."""
        grids = [len(value["grid_search"]) for _, value in self._values() if _is_grid(value)]
        total = self.num_samples * len(self.runs) * len(self.seeds)
        for length in grids:
            total *= length
        return total

    def param_space(self, objective: Objective) -> dict[str, Any]:
        """What Tune draws trials from; `rllib_lase.tuning.trial` reads what was drawn."""
        return {
            "run": _grid(self.runs),
            "seed": _grid(list(self.seeds)),
            "settings": dict(self.settings),
            "game_params": dict(self.game_params),
            "plan": {
                "optimizer": self.optimizer,
                "env_steps": self.env_steps,
                "evaluation_episodes": self.evaluation_episodes,
                "checkpoint_interval": self._env_steps_between_checkpoints,
                "objective": dict(objective),
            },
        }

    @property
    def _env_steps_between_checkpoints(self) -> int:
        if self.checkpoint_interval is not None:
            return self.checkpoint_interval
        return max(1, self.trial_env_steps // _CHECKPOINTS_PER_TRIAL)

    def problems(self) -> list[str]:
        """All that is wrong with the search, one line each; empty if it can start."""
        problems = _algorithm_problems(self.algos) + [
            f"seeds: {seed!r}: expected a whole number from 0 to {MAX_SEED}"
            for seed in self.seeds
            if not 0 <= seed <= MAX_SEED
        ]
        counts = (("games", self.games), ("algos", self.algos), ("seeds", self.seeds))
        problems += [f"{name}: empty; name at least one" for name, values in counts if not values]
        problems += self._game_problems()
        if problems:
            return problems
        if not self.runs:
            pairs = [(game, algo) for game in self.games for algo in self.algos]
            return [f"algos: {algo} cannot play {game}: {_objection(game, algo)}" for game, algo in pairs]
        problems += self._scheduler_problems()
        if self.search_alg is not None:
            problems += self._searcher_problems()
        for run in self.runs:
            problems += self._setting_problems(**run)
        return list(dict.fromkeys(problems))

    def description(self) -> dict[str, Any]:
        """The search as plain data, for the record and to tell it from another."""
        described: dict[str, Any] = {
            "games": list(self.games),
            "algos": list(self.algos),
            "seeds": list(self.seeds),
            **{name: _text(value) if _is_searched(value) else value for name, value in self._values()},
            "optimizer": self.optimizer,
            "env_steps": self.env_steps,
            "num_samples": self.num_samples,
        }
        if self.scheduler is not None:
            described["scheduler"] = type(self.scheduler(self.trial_env_steps)).__name__
        if self.search_alg is not None:
            described["search_alg"] = type(self.search_alg()).__name__
        return described

    def _values(self) -> Iterator[tuple[str, Any]]:
        for part in ("settings", "game_params"):
            for name, value in getattr(self, part).items():
                yield f"{part}/{name}", value

    def _game_problems(self) -> list[str]:
        problems = []
        fixed = {name: next(iter(_candidates(value))) for name, value in self.game_params.items()}
        for game in self.games:
            if game not in mixed_motive.GAMES and ":" in game:
                continue  # an environment of others, which only making it can judge
            for name, value in [("", None), *self.game_params.items()]:
                for candidate in _candidates(value) if name else [None]:
                    params = {**fixed, name: candidate} if name else fixed
                    lines = mixed_motive.check_params(game, **params)
                    problems += [line for line in lines if line not in problems]
        return problems

    def _scheduler_problems(self) -> list[str]:
        try:
            if self.scheduler is not None:
                self.scheduler(self.trial_env_steps)
        except (AssertionError, ValueError) as error:  # Tune's schedulers assert
            return [f"scheduler: {self.trial_env_steps} env steps of a trial do not suit it: {error}"]
        return []

    def _searcher_problems(self) -> list[str]:
        several = [
            f"{name}: a searcher suggests one trial after the other; name one, or leave search_alg out"
            for name, values in (("games", self.runs), ("seeds", self.seeds))
            if len(values) > 1
        ]
        grids = [f"{name}: a searcher takes no grid_search; use tune.choice" for name in self._grids()]
        return several + grids

    def _grids(self) -> list[str]:
        return [name for name, value in self._values() if _is_grid(value)]

    def _setting_problems(self, game: str, algo: str) -> list[str]:
        """Names that the algorithm does not have, and values out of range."""
        spec, fixed = resolve_algorithm(algo)
        if isinstance(spec, StockSpec):
            from rllib_lase.rllib.stock import setting_problems

            first = {name: next(iter(_candidates(value))) for name, value in self.settings.items()}
            return [f"settings: {line}" for line in setting_problems(spec, first)]
        defaults = default_settings(game, spec, self.optimizer or fixed)
        problems: list[str] = []
        for name, value in self.settings.items():
            for candidate in _candidates(value):
                try:
                    defaults.replace(**{name: candidate})
                except SettingsError as error:
                    problems += [f"settings: {algo}: {line}" for line in error.errors]
        return problems


def _algorithm_problems(algos: Sequence[str]) -> list[str]:
    problems = []
    for algo in algos:
        try:
            resolve_algorithm(algo)
        except KeyError as error:
            problems.append(f"algos: {error.args[0]}")
    return problems


def _objection(game: str, algo: str) -> str | None:
    """Why an algorithm cannot play a game, or None."""
    spec, _ = resolve_algorithm(algo)
    if isinstance(spec, StockSpec):
        known = game in mixed_motive.GAMES
        return None if known else f"{', '.join(STOCK)} are for the games of mixed_motive"
    return spec.unsupported(game)


def _grid(values: Sequence[Any]) -> Any:
    """All of the values in turn; a single one by itself, as searchers take no grid."""
    return tune.grid_search(list(values)) if len(values) > 1 else values[0]


def _is_grid(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == {"grid_search"}


def _is_searched(value: Any) -> bool:
    return isinstance(value, Domain) or _is_grid(value)


def _candidates(value: Any) -> list[Any]:
    """Values to check: all of them where they are few, else the ends of the range."""
    if _is_grid(value):
        return list(value["grid_search"])
    if isinstance(value, Categorical):
        return list(value.categories)
    if isinstance(value, Integer):
        return [value.lower, value.upper - 1]
    if isinstance(value, Float):
        return [value.lower, value.upper]
    if isinstance(value, Function):
        return []
    return [value.sample()] if isinstance(value, Domain) else [value]


def _text(value: Any) -> str:
    """A domain for people: "one of [0.1, 0.3]", "Float in (0.0001, 0.01)"."""
    if _is_grid(value):
        return f"each of {value['grid_search']}"
    return f"{type(value).__name__} in {value.domain_str}"
