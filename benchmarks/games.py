"""How fast the games are: each game's default preset through every face, next to memcpy and a peer.

Run, on an otherwise idle machine:

    python -m benchmarks.games --json games.json

About three minutes. Needs neither Ray nor torch; RLlib's face is measured if Ray is installed, JaxMARL's coin
game if `jaxmarl` is. Contestants take turns; a figure is the median over the turns of env steps (all agents
act once) per second of CPU time, of one core. Shares of memcpy compare with copying as many bytes as a step
writes into observations, in neighbouring turns; single copies have none, as calling takes longer than copying
so little. The gain of a second thread is a ratio of wall times.

Expect millions of env steps per second for batches of the small games, about a million for Cleanup on 25x18,
and near a hundred thousand through PettingZoo, where Python's dicts take the time.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import mixed_motive
from benchmarks.timing import Turn, alternate, machine_facts, rate, ratio, write_json
from mixed_motive import GAMES, BatchedGame
from mixed_motive.encodings import ENCODINGS

BATCHES = (1, 64, 1024)
#: Joint actions that a turn goes through, over and over: drawing them is not what is measured.
NUM_KEPT = 256
#: Steps within which a game with random actions must have moved.
NUM_WATCHED = 64
LARGE_MAP: Mapping[str, Any] = {"preset": "ssdg", "num_agents": 4}
#: Copies whose observations do not fit into the cache.
BEYOND_CACHE = 4096


class Repeated:
    """A call that is repeated for a turn.

    Args:
        name: Its row in the table.
        call: What is repeated; gets a number that counts up and starts again at `NUM_KEPT`.
        num_envs: Env steps of one call.
        seconds: Length of a turn.
    """

    def __init__(self, name: str, call: Callable[[int], object], num_envs: int, seconds: float) -> None:
        self.name = name
        self._call, self._num_envs, self._seconds = call, num_envs, seconds
        self._calls = 0

    def train(self) -> int:
        """Repeats the call for one turn; returns the env steps that it did."""
        if self._calls == 0:
            self._calibrate()
        self._repeat(self._calls)
        return self._calls * self._num_envs

    def check(self) -> None:
        """Nothing to see."""

    def _repeat(self, calls: int) -> None:
        call = self._call
        for k in range(calls):
            call(k % NUM_KEPT)

    def _calibrate(self) -> None:
        self._repeat(NUM_KEPT if self._num_envs == 1 else 2)  # compiles
        self._calls = 1
        spent = 0.0
        while spent < self._seconds / 4:
            self._calls *= 2
            start = time.perf_counter()
            self._repeat(self._calls)
            spent = time.perf_counter() - start
        self._calls = max(1, round(self._calls * self._seconds / spent))


class Played(Repeated):
    """One face of one of our games with random actions; `check` asserts that the game's state moves."""

    def __init__(self, name: str, call: Callable[[int], object], game: BatchedGame, seconds: float) -> None:
        super().__init__(name, call, game.num_envs, seconds)
        self.game = game

    def check(self) -> None:
        """A game that stands still would be very fast."""
        moved = np.zeros(self.game.num_envs, bool)
        before = self.game.get_state()
        for k in range(NUM_WATCHED):
            self._call(k)
            after = self.game.get_state()
            for name in after.keys() - _COUNTERS:
                changed = after[name] != before[name]
                moved |= changed.reshape(len(moved), -1).any(axis=1)
        still = np.flatnonzero(~moved).tolist()
        assert not still, f"{self.name}: copies {still} did not move in {NUM_WATCHED} steps"


_COUNTERS = {"step", "episode", "seed", "env_index", "ended"}


def batched(game_id: str, num_envs: int, seconds: float, num_threads: int = 1, **params: Any) -> Played:
    """A game's batched face."""
    game = mixed_motive.make(game_id, num_envs, num_threads=num_threads, **params)
    game.reset(seed=0)
    actions, out = _kept_actions(game), game.new_buffers()
    threads = f", {num_threads} threads" if num_threads > 1 else ""
    name = f"{game_id} {game.preset}, {game.obs_encoding}, B={num_envs}{threads}"
    return Played(name, lambda k: game.step(actions[k], out), game, seconds)


def parallel(game_id: str, seconds: float) -> Played:
    """A game as PettingZoo's `ParallelEnv`, one copy."""
    env = mixed_motive.parallel_env(game_id)
    env.reset(seed=0)
    return Played(f"{game_id}, ParallelEnv", _dict_call(env, env.game), env.game, seconds)


def multi_agent_env(game_id: str, seconds: float) -> Played:
    """A game as RLlib's `MultiAgentEnv`, one copy."""
    from rllib_lase.rllib.game_env import GameEnv

    env = GameEnv({"game": game_id})
    env.reset(seed=0)
    return Played(f"{game_id}, MultiAgentEnv", _dict_call(env, env.game), env.game, seconds)


def memcpy(num_bytes: int, seconds: float) -> Repeated:
    """Copying so many bytes."""
    source, target = np.ones(num_bytes, np.uint8), np.empty(num_bytes, np.uint8)
    return Repeated(f"memcpy {num_bytes} bytes", lambda _: np.copyto(target, source), 1, seconds)


def jaxmarl_coin_game(num_envs: int, seconds: float) -> Repeated:
    """JaxMARL's coin game on its 3x3 torus: copies vectorised, compiled, stepped from Python as ours.

    It draws anew in every step, and the run ends with an error if what agents see never changes.
    """
    import jax
    import jaxmarl

    env = jaxmarl.make("coin_game")
    keys = jax.random.split(jax.random.PRNGKey(0), num_envs)

    def stepped(keys: Any, states: Any, actions: Any) -> Any:
        pairs = jax.vmap(jax.random.split)(keys)
        return pairs[:, 0], jax.vmap(env.step)(pairs[:, 1], states, actions)

    step = jax.jit(stepped)
    _, states = jax.jit(jax.vmap(env.reset))(keys)
    rng = np.random.default_rng(0)
    joint = rng.integers(0, env.action_space(env.agents[0]).n, (NUM_KEPT, len(env.agents), num_envs))

    def call(k: int) -> Any:
        nonlocal keys, states
        actions = dict(zip(env.agents, joint[k], strict=True))
        keys, (obs, states, rewards, *_) = step(keys, states, actions)
        return jax.tree.map(np.asarray, (obs, rewards))

    seen = {str(call(k)[0]) for k in range(NUM_WATCHED)}
    assert len(seen) > 1, "JaxMARL's coin game did not move"
    return Repeated(f"JaxMARL coin_game, B={num_envs}", call, num_envs, seconds)


def _kept_actions(game: BatchedGame) -> np.ndarray[Any, np.dtype[np.int64]]:
    shape = (NUM_KEPT, game.num_envs, game.num_agents)
    return np.random.default_rng(0).integers(0, len(game.action_names), shape)


def _dict_call(env: Any, game: BatchedGame) -> Callable[[int], object]:
    ids = game.agent_ids
    joint = [dict(zip(ids, row[0].tolist(), strict=True)) for row in _kept_actions(game)]

    def call(k: int) -> None:
        if not env.agents:
            env.reset()
        actions = joint[k]
        env.step(actions if len(env.agents) == len(ids) else {a: actions[a] for a in env.agents})

    return call


def measure_game(game_id: str, batches: Sequence[int], repeats: int, seconds: float) -> list[dict[str, Any]]:
    """Every face of a game with its default preset, in planes; other encodings at the largest batch."""
    played = [batched(game_id, b, seconds) for b in batches]
    others = [obs for obs in ENCODINGS if obs != "planes" and obs in played[0].game.encodings]
    played += [batched(game_id, batches[-1], seconds, obs=obs) for obs in others]
    played.append(parallel(game_id, seconds))
    if importlib.util.find_spec("ray") is not None:
        played.append(multi_agent_env(game_id, seconds))
    return _against_memcpy(played, repeats, seconds)


def _against_memcpy(played: Sequence[Played], repeats: int, seconds: float) -> list[dict[str, Any]]:
    sizes = {one.name: one.game.new_buffers().obs.nbytes for one in played}
    copies = {sizes[one.name]: memcpy(sizes[one.name], seconds / 2) for one in played if _is_batch(one)}
    turns = alternate([*played, *copies.values()], repeats)
    rows = []
    for one in played:
        own = turns[one.name]
        per_second = rate(own, "cpu")
        row = {
            "name": one.name,
            "game": one.game.game_id,
            "num_agents": one.game.num_agents,
            "num_envs": one.game.num_envs,
            "env_steps_per_second": per_second,
            "obs_bytes_per_second": per_second * sizes[one.name] / one.game.num_envs,
        }
        if _is_batch(one):
            # One call of memcpy copies what one step of all copies writes.
            copied = turns[copies[sizes[one.name]].name]
            row["share_of_memcpy"] = ratio(copied, own) / one.game.num_envs
        rows.append(row)
    return rows


def _is_batch(one: Played) -> bool:
    """Whether copying what a step writes takes long enough to compare with."""
    return one.game.num_envs > 1


def measure_threads(repeats: int, seconds: float) -> dict[str, Any]:
    """Cleanup on 25x18 with one and with two threads, by wall time; more turns, as others may want a core."""
    played = [batched("cleanup", 1024, seconds, n, obs="code", **LARGE_MAP) for n in (1, 2)]
    turns = alternate(played, 4 * repeats)
    one, two = (turns[p.name] for p in played)
    return {
        "name": played[1].name,
        "env_steps_per_second": rate(two, "wall"),
        "gain_of_second_thread": ratio(one, two, "wall"),
    }


def first_presets(game_id: str) -> list[str]:
    """One preset for each of a game's rule sets, and with it for each compiled kernel."""
    presets = GAMES[game_id].presets
    return list({type(presets[preset]): preset for preset in reversed(list(presets))}.values())


def measure_start(game_id: str, preset: str) -> dict[str, Any]:
    """Seconds of wall and of CPU time of a process that plays one step: compiled, and from the cache."""
    code = (
        f"import mixed_motive; game = mixed_motive.make({game_id!r}, preset={preset!r}); game.reset(seed=0); "
        "game.step([[0] * game.num_agents])"
    )
    with tempfile.TemporaryDirectory() as cache:
        row: dict[str, Any] = {"name": f"{game_id} {preset}, first step"}
        for part in ("compiled", "cached"):
            start, used = time.perf_counter(), sum(os.times()[2:4])
            subprocess.run(
                [sys.executable, "-c", code], check=True, env={**os.environ, "NUMBA_CACHE_DIR": cache}
            )
            row[f"{part}_seconds"] = time.perf_counter() - start
            row[f"{part}_cpu_seconds"] = sum(os.times()[2:4]) - used
    return row


def measure_peer(batches: Sequence[int], repeats: int, seconds: float) -> list[dict[str, Any]]:
    """Our coin game on a 3x3 torus and JaxMARL's, where that is installed; by wall time."""
    if importlib.util.find_spec("jaxmarl") is None:
        return []
    rows = []
    for b in batches:
        ours, peer = batched("coingame", b, seconds, preset="lola"), jaxmarl_coin_game(b, seconds)
        turns: dict[str, list[Turn]] = alternate([ours, peer], repeats)
        rows.append(
            {
                "name": f"{ours.name} against {peer.name}",
                "ours": rate(turns[ours.name], "wall"),
                "peer": rate(turns[peer.name], "wall"),
                "times_as_fast": ratio(turns[peer.name], turns[ours.name], "wall"),
            }
        )
    return rows


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Runs the benchmark, prints its tables and returns what it writes to `--json`."""
    options = _parser().parse_args(arguments)
    batches = options.batches
    timing = (options.repeats, options.seconds)

    results: dict[str, Any] = {"machine": machine_facts(), "games": []}
    print(f"{'game':46}{'env steps/s':>14}{'GB/s of obs':>13}{'of memcpy':>11}")
    for game_id in options.games:
        results["games"] += _shown(measure_game(game_id, batches, *timing))
    if "cleanup" in options.games:
        large = [
            batched("cleanup", batches[-1], options.seconds, obs="code", **LARGE_MAP),
            batched("cleanup", BEYOND_CACHE, options.seconds, obs="planes", **LARGE_MAP),
        ]
        results["games"] += _shown(_against_memcpy(large, *timing))
        threads = results["threads"] = measure_threads(*timing)
        print(f"{threads['name']:46}{threads['env_steps_per_second']:14,.0f}", end="")
        print(f"   {threads['gain_of_second_thread']:.2f} times one thread")
    starts = results["starts"] = []
    for game_id in options.games:
        for preset in first_presets(game_id):
            row = measure_start(game_id, preset)
            starts.append(row)
            print(f"{row['name']:46}{row['compiled_seconds']:12.1f} s compiled", end="")
            print(f" ({row['compiled_cpu_seconds']:.1f} CPU)", end="")
            print(f"{row['cached_seconds']:9.2f} s from the cache ({row['cached_cpu_seconds']:.2f} CPU)")
    if "coingame" in options.games:
        results["peers"] = measure_peer(batches, *timing)
        for row in results["peers"]:
            print(
                f"{row['name']}: {row['ours']:,.0f} and {row['peer']:,.0f}, {row['times_as_fast']:.1f} times"
            )
    write_json(options.json, results)
    return results


class _HelpFormatter(argparse.RawDescriptionHelpFormatter, argparse.ArgumentDefaultsHelpFormatter):
    """The docstring as it is, and the default of each argument."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.games", description=__doc__, formatter_class=_HelpFormatter
    )
    add = parser.add_argument
    # Without a default in the help: there is none.
    add("--json", type=_file, required=True, default=argparse.SUPPRESS, help="where the results go")
    add("--games", type=_game_ids, default=",".join(GAMES), help="ids, separated by commas")
    add("--batches", type=_counts, default=",".join(map(str, BATCHES)), help="copies stepped together")
    add("--repeats", type=_count, default=5, help="turns of each contestant")
    add("--seconds", type=_duration, default=0.1, help="length of a turn")
    return parser


def _file(text: str) -> Path:
    if Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is a folder, expected a file")
    return Path(text)


def _game_ids(text: str) -> list[str]:
    ids = list(dict.fromkeys(text.split(",")))
    unknown = [repr(game_id) for game_id in ids if game_id not in GAMES]
    if unknown:
        raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}; known: {', '.join(GAMES)}")
    return ids


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no integer of at least 1")
    return int(text)


def _counts(text: str) -> list[int]:
    return sorted({_count(part) for part in text.split(",")})


def _duration(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds above 0")
    return seconds


def _shown(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for row in rows:
        print(
            f"{row['name']:46}{row['env_steps_per_second']:14,.0f}{row['obs_bytes_per_second'] / 1e9:13.2f}"
            f"{format(row['share_of_memcpy'], '.2f') if 'share_of_memcpy' in row else '-':>11}",
            flush=True,
        )
    return rows


if __name__ == "__main__":
    main()
