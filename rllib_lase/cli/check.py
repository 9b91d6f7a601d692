"""`lase check`: plays an environment with random actions and prints what is wrong with it."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rllib_lase.cli.options import Option, UsageError, print_help, read_words, whole_number
from rllib_lase.cli.plans import check_game, game_options
from rllib_lase.settings import MAX_SEED

_DESCRIPTION = """Plays whole episodes with random actions and says what training would stumble over:
observations outside their space, rewards that are not finite, agents that come back, episodes without
an end. Exits with 1 if there is a fault; advice, such as seeds that do not repeat, is none."""
_EXAMPLE = "Example: lase check pettingzoo.sisl.pursuit_v5:parallel_env --game-params n_pursuers=4"


def run(words: Sequence[str]) -> int:
    """Runs the command; returns 0, or 1 if there is a fault."""
    if {"-h", "--help"} & set(words):
        print_help("lase check", _DESCRIPTION, _options(), _EXAMPLE)
        return 0
    given = read_words(words, _options())
    game, params = check_game(given)
    if given.problems:
        raise UsageError(given.problems)
    from rllib_lase.rllib.check_env import check_env

    limits = {key: given.values[key] for key in ("seed", "max_steps") if key in given.values}
    report = check_env(game, params, num_episodes=given.values.get("episodes", 3), **limits)
    sys.stdout.write(f"{report}\n")
    return 0 if report.ok else 1


def _options() -> list[Option]:
    return [
        *game_options(),
        Option("--episodes", "episodes to play [3]", whole_number(1), "N"),
        Option("--max-steps", "steps after which an episode counts as endless [2000]", whole_number(1), "N"),
        Option("--seed", "seed of environment and actions [0]", whole_number(0, MAX_SEED), "N"),
    ]
