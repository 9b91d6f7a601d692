"""Every setting of training in one typed place, with its range and its meaning.

Pure data: knows neither Ray nor torch, so that the command line can check a whole run in milliseconds.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

#: Largest seed of a run; NumPy's and torch's generators take what is derived from it.
MAX_SEED = 2**31 - 1

Optimizer = Literal["a2c", "ppo"]


def setting(
    default: Any,
    help_text: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    above: float | None = None,
    below: float | None = None,
) -> Any:
    """A dataclass field with its documentation and its range (`above` and `below` are exclusive bounds)."""
    bounds = {"minimum": minimum, "maximum": maximum, "above": above, "below": below}
    return field(default=default, metadata={"help": help_text, **bounds})


@dataclass(frozen=True)
class Settings:
    """Settings shared by every algorithm. Names are RLlib's where RLlib has the setting.

    Attributes:
        unused: Names of settings that change nothing for the algorithm. They keep their own default; any
            other value is refused.
    """

    unused: ClassVar[frozenset[str]] = frozenset()

    optimizer: Optimizer = setting("ppo", "policy optimiser: a2c (the paper's) or ppo (clipped surrogate)")
    num_env_runners: int = setting(0, "remote sampling actors; 0 samples in this process", minimum=0)
    num_envs_per_env_runner: int = setting(32, "copies of the game that one runner steps at once", minimum=1)
    rollout_fragment_length: int = setting(50, "steps of each copy in one sample-update round", minimum=1)
    num_gpus_per_env_runner: float = setting(0, "GPUs of each env runner; 0 acts on the CPU", minimum=0)
    num_learners: int = setting(
        0, "learner actors, each with its share of the copies; 0 learns in this process", minimum=0
    )
    num_gpus_per_learner: float = setting(0, "GPUs of each learner; 0 learns on the CPU", minimum=0)
    decentralised_learners: int = setting(
        0, "actors that the agents are divided among, with all that is theirs; 0: one learner", minimum=0
    )
    fragments_per_call: int = setting(
        1, "remote runners: rounds that one call samples, with the same weights", minimum=1
    )
    max_staleness: int = setting(
        0,
        "remote runners: rounds by which sampling weights may be old; 0 samples and learns in turn",
        minimum=0,
    )
    rounds_per_iteration: int = setting(4, "sample-update rounds in one RLlib iteration", minimum=1)
    schedule_env_steps: int = setting(
        400_000, "env steps over which the linear schedules run; then they stay at their end", minimum=1
    )

    lr: float = setting(1e-3, "learning rate of the policies at the start", above=0)
    lr_end: float = setting(1e-4, "learning rate of the policies at the end of the schedule", minimum=0)
    gamma: float = setting(0.99, "discount factor", minimum=0, maximum=1)
    lambda_: float = setting(0.95, "GAE's lambda; 0 is the TD error", minimum=0, maximum=1)
    vf_loss_coeff: float = setting(0.5, "weight of the value loss", minimum=0)
    entropy_coeff: float = setting(0.01, "weight of the entropy bonus at the start", minimum=0)
    entropy_coeff_end: float = setting(0.01, "weight of the entropy bonus at the end", minimum=0)
    grad_clip: float = setting(0.5, "bound on each agent's own gradient norm", above=0)
    normalize_advantages: bool = setting(True, "standardise advantages per agent and round")
    reward_scale: float = setting(
        1.0, "factor on rewards in the policy's returns (never in reports)", above=0
    )
    epsilon_start: float = setting(0.0, "share of uniform random actions at the start", minimum=0, maximum=1)
    epsilon_end: float = setting(0.0, "share of uniform random actions at the end", minimum=0, maximum=1)

    clip_param: float = setting(0.2, "ppo: clip range of the probability ratio", above=0)
    num_epochs: int = setting(3, "ppo: passes over each round's data", minimum=1)
    num_minibatches: int = setting(4, "ppo: minibatches per pass", minimum=1)

    hidden_size: int = setting(128, "units of the fully connected layers", minimum=1)
    use_lstm: bool = setting(False, "put an LSTM between the encoder and the heads of the policy")
    lstm_size: int = setting(128, "units of the LSTM", minimum=1)

    record_fraction: float = setting(
        0.02,
        "share of all steps whose gift weights and other measures are recorded",
        minimum=0,
        maximum=1,
    )

    def validate(self) -> list[str]:
        """All faults of these settings, each with its name, value and allowed range; empty if valid."""
        errors: list[str] = []
        hints = typing.get_type_hints(type(self))
        for item in dataclasses.fields(self):
            value = getattr(self, item.name)
            problem = _type_problem(value, hints[item.name])
            if item.name in self.unused and value != item.default:
                errors.append(
                    f"{item.name}: {value!r} would change nothing, since the algorithm has no use for it; "
                    "leave it out"
                )
                continue
            errors.append(f"{item.name}: {problem}") if problem else errors.extend(
                _range_problems(item, value)
            )
        errors += [] if errors else self._staleness_problems()
        if not errors and self.optimizer == "ppo" and "num_minibatches" not in self.unused:
            sequences = self.num_envs_per_env_runner * max(1, self.num_env_runners)
            samples = sequences if self.use_lstm else sequences * self.rollout_fragment_length
            if self.num_minibatches > samples:
                unit = "sequences (one per copy of the game)" if self.use_lstm else "samples"
                errors.append(
                    f"num_minibatches: {self.num_minibatches} is more than the {samples} {unit} of a round; "
                    f"choose at most {samples}"
                )
        return errors

    def _staleness_problems(self) -> list[str]:
        """What does not fit about rounds that are sampled ahead."""
        fragments, rounds = self.fragments_per_call, self.rounds_per_iteration
        problems = []
        if (fragments > 1 or self.max_staleness) and not self.num_env_runners:
            problems.append(
                "max_staleness and fragments_per_call: in one process everything takes turns; set "
                "num_env_runners, or leave them out"
            )
        if self.max_staleness < fragments - 1:
            problems.append(
                f"max_staleness: {self.max_staleness} is too low for fragments_per_call={fragments}, whose "
                f"last round learns from weights {fragments - 1} rounds old; choose {fragments - 1} or more"
            )
        if rounds % fragments:
            problems.append(
                f"fragments_per_call: {fragments} does not divide rounds_per_iteration={rounds}; "
                "choose a divisor"
            )
        return problems

    def environment_problems(self, env: str, params: Mapping[str, Any]) -> list[str]:
        """What these settings ask of an environment that it does not have, each with its setting; or none.

        Args:
            env: A game id, a name registered with Tune, or the name of an environment class.
            params: The game's parameters, `preset` among them.
        """
        del env, params
        return []

    def replace(self, **changes: Any) -> Settings:
        """A copy with `changes`.

        Raises:
            SettingsError: if a name is unknown or a value is out of range (all faults in one message).
        """
        unknown = unknown_settings(type(self), changes)
        if unknown:
            raise SettingsError(unknown)
        changed = dataclasses.replace(self, **changes)
        errors = changed.validate()
        if errors:
            raise SettingsError(errors)
        return changed


class SettingsError(ValueError):
    """One or more settings are wrong; the message lists all of them."""

    def __init__(self, errors: list[str]) -> None:
        self.errors = errors
        super().__init__("\n".join(errors))


def setting_names(settings_class: type[Settings]) -> tuple[str, ...]:
    """The names of all settings of an algorithm, in order of definition."""
    return tuple(item.name for item in dataclasses.fields(settings_class))


def unknown_settings(settings_class: type[Settings], names: typing.Iterable[str]) -> list[str]:
    """One message for each of `names` that is no setting of `settings_class`, with the closest that is."""
    known = setting_names(settings_class)
    return [f"{name}: unknown setting; {suggestion(name, known)}" for name in names if name not in known]


def suggestion(word: str, known: typing.Iterable[str]) -> str:
    """`did you mean X?`, or the list of what is known where nothing is close."""
    choices = list(known)
    close = _close(word, choices)
    return f"did you mean {close!r}?" if close else f"choose from {', '.join(choices)}"


def learner_name(algo: str, optimizer: str | None) -> str:
    """Algorithm with its optimiser; RLlib's own have none: "rllib:PPO"."""
    return f"{algo} ({optimizer})" if optimizer else algo


def closest(word: str, known: typing.Iterable[str]) -> str:
    """`; did you mean 'x'?`, or nothing where no known word is close."""
    close = _close(word, known)
    return f"; did you mean {close!r}?" if close else ""


def _close(word: str, known: typing.Iterable[str]) -> str | None:
    """The closest of the known words, if any is close; capitals do not count."""
    by_lower = {choice.lower(): choice for choice in known}
    found = difflib.get_close_matches(word.lower(), by_lower, n=1)
    return by_lower[found[0]] if found else None


def _type_problem(value: Any, hint: Any) -> str | None:
    if typing.get_origin(hint) is Literal:
        choices = typing.get_args(hint)
        return None if value in choices else f"{value!r} is not one of {', '.join(map(repr, choices))}"
    if isinstance(hint, types.UnionType):
        return (
            None
            if any(_type_problem(value, part) is None for part in typing.get_args(hint))
            else f"{value!r}"
        )
    if hint is bool or isinstance(value, bool):
        ok = hint is bool and isinstance(value, bool)
    elif hint is float:
        ok = isinstance(value, int | float) and math.isfinite(value)
    else:
        ok = isinstance(value, hint)
    return None if ok else f"expected a {'finite ' if hint is float else ''}{hint.__name__}, found {value!r}"


def _range_problems(item: dataclasses.Field[Any], value: Any) -> list[str]:
    minimum, maximum, above, below = (item.metadata[key] for key in ("minimum", "maximum", "above", "below"))
    too_low = (minimum is not None and value < minimum) or (above is not None and value <= above)
    too_high = (maximum is not None and value > maximum) or (below is not None and value >= below)
    if not (too_low or too_high):
        return []
    bounds = [f"above {above}"] if above is not None else []
    bounds += [f"at least {minimum}"] if minimum is not None else []
    bounds += [f"at most {maximum}"] if maximum is not None else []
    bounds += [f"below {below}"] if below is not None else []
    return [f"{item.name}: {value!r} is out of range; it must be {' and '.join(bounds)}"]
