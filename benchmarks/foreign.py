"""How fast environments of others are sampled: our runner against RLlib's own `MultiAgentEnvRunner`.

Run:

    OMP_NUM_THREADS=1 PYTHONHASHSEED=0 python -m benchmarks.foreign --json foreign.json

About five minutes. Both step 16 copies of the same environment, in this process with one torch thread, and
act with networks of the same size (one hidden layer of 64 for each agent). They take turns; every ratio is
the median over the turns of CPU time per env step. Expect our runner to be at least twice as fast where the
environment itself is quick, and less the more of the time the environment needs, whose step is the same work
for both: `env_alone` says how fast the bare copies are, `ratio_beside_env` compares what both add to that.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig
from ray.rllib.env.multi_agent_env_runner import MultiAgentEnvRunner

from benchmarks.timing import Contestant, alternate, machine_facts, rate, ratio, spread, write_json
from rllib_lase.environments import load_env_fn, register_env
from rllib_lase.rllib.algorithms import IndependentConfig
from rllib_lase.rllib.env_runner import BatchedEnvRunner
from rllib_lase.rllib.game_env import make_joint_env
from rllib_lase.rllib.parallel_env import make_multi_agent_env
from rllib_lase.rllib.session import ray_session

COPIES, FRAGMENT, HIDDEN = 16, 25, 64
_RLLIB = "ray.rllib.examples.envs.classes.multi_agent"
#: Id -> import path and options. All show float32 vectors, which RLlib's default modules take as they are.
ENVIRONMENTS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "spread": ("mpe2.simple_spread_v3:parallel_env", {}),
    "tag": ("mpe2.simple_tag_v3:parallel_env", {}),
    "speaker_listener": ("mpe2.simple_speaker_listener_v4:parallel_env", {}),
    "cart_poles": (f"{_RLLIB}:MultiAgentCartPole", {"num_agents": 4}),
    "stateless_cart_poles": (f"{_RLLIB}:MultiAgentStatelessCartPole", {"num_agents": 4}),
    "pendulums": (f"{_RLLIB}:MultiAgentPendulum", {"num_agents": 4}),
    "mountain_cars": (f"{_RLLIB}:MultiAgentMountainCar", {"num_agents": 4}),
    "multiwalker": ("pettingzoo.sisl.multiwalker_v9:parallel_env", {"max_cycles": 100}),
}


class OurRunner:
    """`BatchedEnvRunner` with policies of ours."""

    def __init__(self, env_id: str, options: Mapping[str, Any]) -> None:
        self.name = "ours"
        config = IndependentConfig().environment(env_id, env_config=dict(options)).debugging(seed=0)
        config.env_runners(num_envs_per_env_runner=COPIES, rollout_fragment_length=FRAGMENT)
        config.training(hidden_size=HIDDEN)
        self._runner = BatchedEnvRunner(config=config, worker_index=0, num_workers=0)
        self._rewards: list[float] = []

    def train(self) -> int:
        """Samples a fragment of every copy."""
        rollout = self._runner.sample_rollout(FRAGMENT, 0.0)
        self._rewards.append(float(abs(rollout.rewards).max()))
        return rollout.env_steps()

    def check(self) -> None:
        """Rewards were paid."""
        assert max(self._rewards) > 0, "no rewards"


class StockRunner:
    """RLlib's `MultiAgentEnvRunner` with its own default modules."""

    def __init__(self, env_id: str, options: Mapping[str, Any], agents: Sequence[str]) -> None:
        self.name = "RLlib's MultiAgentEnvRunner"
        config = (
            PPOConfig()
            .environment(env_id, env_config=dict(options))
            .env_runners(num_env_runners=0, num_envs_per_env_runner=COPIES, rollout_fragment_length=FRAGMENT)
            .multi_agent(policies=list(agents), policy_mapping_fn=lambda agent, *_, **__: str(agent))
            .rl_module(model_config=DefaultModelConfig(fcnet_hiddens=[HIDDEN], vf_share_layers=True))
            .debugging(seed=0, log_level="ERROR")
        )
        self._runner = MultiAgentEnvRunner(config=config, worker_index=0, num_workers=0)
        self._returns: list[float] = []

    def train(self) -> int:
        """Samples as much."""
        episodes = self._runner.sample(num_timesteps=FRAGMENT * COPIES, random_actions=False)
        self._returns += [abs(float(episode.get_return())) for episode in episodes]
        return int(sum(len(episode) for episode in episodes))

    def check(self) -> None:
        """Rewards were paid."""
        assert max(self._returns) > 0, "no rewards"


class BareCopies:
    """The copies alone, with random actions: what no runner can do without."""

    def __init__(self, env_id: str, options: Mapping[str, Any]) -> None:
        self.name = "env_alone"
        creator: Callable[..., Any] = load_env_fn(env_id)
        self._envs = [make_multi_agent_env(creator, dict(options)) for _ in range(COPIES)]
        self._agents = [list(env.reset(seed=k)[0]) for k, env in enumerate(self._envs)]
        # Drawn before the clock runs: drawing takes longer than some environments' steps.
        spaces = {agent: self._envs[0].get_action_space(agent) for agent in self._agents[0]}
        self._actions = {agent: [space.sample() for _ in range(FRAGMENT)] for agent, space in spaces.items()}

    def train(self) -> int:
        """Steps every copy; ended episodes start again."""
        for t in range(FRAGMENT):
            for k, env in enumerate(self._envs):
                actions = {a: self._actions[a][t] for a in self._agents[k]}
                _, _, terminated, truncated, _ = env.step(actions)
                self._agents[k] = [a for a in actions if not (terminated.get(a) or truncated.get(a))]
                if terminated.get("__all__") or truncated.get("__all__") or not self._agents[k]:
                    self._agents[k] = list(env.reset()[0])
        return FRAGMENT * COPIES

    def check(self) -> None:
        """Every copy has agents to act for."""
        assert all(self._agents)


def compare(env_id: str, repeats: int) -> dict[str, Any]:
    """One environment with both runners, and alone.

    Args:
        env_id: A key of `ENVIRONMENTS`.
        repeats: Turns of each.
    """
    path, options = ENVIRONMENTS[env_id]
    agents = make_joint_env(path, options, 1).agent_ids
    register_env(env_id, load_env_fn(path))
    contestants: list[Contestant] = [
        OurRunner(env_id, options), StockRunner(env_id, options, agents), BareCopies(path, options)
    ]  # fmt: skip
    turns = alternate(contestants, repeats)
    ours, stock, bare = (turns[contestant.name] for contestant in contestants)
    low, high = spread(stock, ours)
    rates = {name: rate(own, "cpu") for name, own in turns.items()}
    beside = [1 / rates[contestant.name] - 1 / rates["env_alone"] for contestant in contestants[:2]]
    return {
        "agents": len(agents),
        "ratio": ratio(stock, ours),
        "ratio_range": [low, high],
        "ratio_wall": ratio(stock, ours, "wall"),
        "env_steps_per_cpu_second": rates,
        "ratio_beside_env": beside[1] / beside[0],
        "env_share_of_ours": ratio(bare, ours),
    }


def main(words: Sequence[str] | None = None) -> dict[str, Any]:
    """Runs the benchmark, prints its table and writes it as JSON; returns the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--environments", nargs="*", choices=list(ENVIRONMENTS), default=list(ENVIRONMENTS))
    arguments = parser.parse_args(words)
    with ray_session():
        results = {name: compare(name, arguments.repeats) for name in arguments.environments}
        facts = machine_facts()
    for name, found in results.items():
        rates = ", ".join(f"{who} {value:,.0f}" for who, value in found["env_steps_per_cpu_second"].items())
        print(f"{name}: {found['ratio']:.2f} times as fast ({rates} env steps per CPU second);")
        print(f"  beside the environment's own time {found['ratio_beside_env']:.2f} times")
    report = {"copies": COPIES, "fragment": FRAGMENT, "environments": results, "machine": facts}
    write_json(arguments.json, report)
    return report


if __name__ == "__main__":
    main()
