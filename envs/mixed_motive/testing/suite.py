"""`check_env`: all checks that apply to an environment, with everything they find in one report."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence

from mixed_motive.testing.api import check_api
from mixed_motive.testing.conservation import Law, check_conservation, require_laws
from mixed_motive.testing.failure import CheckFailure, CheckReport, Finding
from mixed_motive.testing.horizon import check_horizon
from mixed_motive.testing.observations import check_aliasing, check_observations, check_rewards
from mixed_motive.testing.player import EnvFn, Player
from mixed_motive.testing.rendering import check_rendering
from mixed_motive.testing.seeding import check_seed
from mixed_motive.testing.symmetry import check_symmetry

__all__ = ["check_env"]

_SHORT_HORIZON = 4


def check_env(
    env_fn: EnvFn,
    *,
    seed: int = 0,
    num_episodes: int = 2,
    max_steps: int = 2000,
    deterministic: bool = False,
    symmetric: bool = False,
    num_symmetry_episodes: int = 2000,
    laws: Sequence[Law] = (),
    raising: bool = True,
) -> CheckReport:
    """Run every check that applies, and report all findings together.

    The contract, seeds, observations, aliasing and rewards are always checked. The horizon is checked if
    `env_fn` takes `max_cycles`, rendering if it takes `render_mode`, symmetry and laws if they are declared.

    Args:
        env_fn: Makes a fresh environment; called without arguments, with `max_cycles` or with `render_mode`.
        seed: Seed of all checks.
        num_episodes: Episodes of each check of the first kind.
        max_steps: An episode that has not ended by then is a finding, and is broken off.
        deterministic: Whether nothing in the game is random.
        symmetric: Whether agents that play alike earn alike.
        num_symmetry_episodes: Episodes of that check.
        laws: What holds in every step.
        raising: Whether findings are raised; if not, look at the report's `ok`.

    Returns:
        The report; `str` of it is a page to print.

    Raises:
        CheckFailure: With all findings, if there are any and `raising` is True.
        TypeError: For what is no `Law`.
    """
    require_laws(laws)
    findings: list[Finding] = []
    passed: list[str] = []
    skipped: dict[str, str] = {}

    def run(name: str, check: Callable[[], None]) -> bool:
        try:
            check()
        except CheckFailure as failure:
            # What breaks several checks is said once.
            known = {(finding.found, finding.expected) for finding in findings}
            findings.extend(f for f in failure.findings if (f.found, f.expected) not in known)
            return False
        passed.append(name)
        return True

    usual = {"seed": seed, "max_steps": max_steps}
    several = {**usual, "num_episodes": num_episodes}
    name = type(env_fn).__name__

    def named() -> None:
        nonlocal name
        player = Player("api", env_fn, max_steps=max_steps)
        name = str(player.env)
        player.close()

    if not run("construction", named):
        return _reported(name, findings, passed, skipped, raising)
    sound = run("api", lambda: check_api(env_fn, **several))
    repeatable = run("seed", lambda: check_seed(env_fn, **several, deterministic=deterministic))
    run("observations", lambda: check_observations(env_fn, **several))
    run("aliasing", lambda: check_aliasing(env_fn, **usual, repeatable=repeatable))
    run("rewards", lambda: check_rewards(env_fn, **several))
    if _takes(env_fn, "max_cycles"):
        shorter = functools.partial(env_fn, max_cycles=_SHORT_HORIZON)
        run("horizon", lambda: check_horizon(shorter, _SHORT_HORIZON, seed=seed))
    else:
        skipped["horizon"] = "env_fn takes no max_cycles; call check_horizon with the horizon that it has"
    if _takes(env_fn, "render_mode"):
        run("rendering", lambda: check_rendering(env_fn, **usual, repeatable=repeatable))
    else:
        skipped["rendering"] = "env_fn takes no render_mode"
    # What was declared is only asked of an environment that says what happens.
    reason = "the contract is broken" if not sound else None
    if symmetric and sound:
        episodes = {**usual, "num_episodes": num_symmetry_episodes}
        run("symmetry", lambda: check_symmetry(env_fn, **episodes))
    else:
        skipped["symmetry"] = reason or "not declared: symmetric=True"
    for law in laws if sound else ():
        conserved = functools.partial(check_conservation, env_fn, law, seed=seed, max_steps=max_steps)
        run(f"conservation: {law.statement}", conserved)
    if not laws or not sound:
        skipped["conservation"] = reason or "not declared: laws=[...]"
    return _reported(name, findings, passed, skipped, raising)


def _reported(
    name: str, findings: list[Finding], passed: list[str], skipped: dict[str, str], raising: bool
) -> CheckReport:
    if findings and raising:
        raise CheckFailure(*findings)
    return CheckReport(name, tuple(findings), tuple(passed), skipped)


def _takes(env_fn: EnvFn, name: str) -> bool:
    """Whether a callable takes a keyword, by itself or with others that it passes on."""
    parameters = inspect.signature(env_fn).parameters.values()
    return any(p.name == name or p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters)
